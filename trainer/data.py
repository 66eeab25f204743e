"""Transformed examples as rows in memory and as batches of model inputs."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from schema.names import EXAMPLES_COMPRESSION
from transform import features as xf
from transform import minilm
from transform.wordpiece import WordPieceTokenizer, basic_tokenize

MAX_IDS_PER_FEATURE: Final[dict[str, int]] = {
    xf.PLOT_NGRAMS: 500,
    xf.TITLE_WORDS: 20,
    **dict.fromkeys(xf.PEOPLE_IDS.values(), 20),
}
"""Largest number of ids that the model reads of a feature. Transform already truncates
`plot_words`."""

PIECES: Final = "pieces"
"""Name of the input with the word pieces of title and plot; int32 [N, longest], padded with 0."""

MAX_PIECES: Final = 256
"""Largest number of word pieces of title and plot together, `[CLS]` and `[SEP]` included."""

MAX_TITLE_PIECES: Final = 24
"""Largest number of word pieces of the title, without `[CLS]` and `[SEP]`."""

Inputs = dict[str, tf.Tensor]


class TitlePlotTokenizer(tf.Module):
    """Tokenizer of title and plot into the word pieces that the sentence encoder reads.

    Title and plot become one text of two segments, `[CLS] title [SEP] plot [SEP]`, as BERT reads
    sentence pairs (Devlin et al. 2019, arXiv:1810.04805). So the encoder reads the plot in the
    context of the title.
    """

    def __init__(self) -> None:
        super().__init__()
        vocabulary = minilm.vocabulary()
        self.tokenizer = WordPieceTokenizer(vocabulary)
        self.begin_id, self.end_id = map(vocabulary.index, (minilm.CLS, minilm.SEP))

    def __call__(self, titles: tf.Tensor, plots: tf.Tensor) -> tf.Tensor:
        """Return the ids of the word pieces of each movie.

        Args:
            titles: string [N].
            plots: string [N].

        Returns:
            int32 [N, longest], padded with 0; at most `MAX_PIECES` columns.
        """
        title = self.tokenizer.tokenize(basic_tokenize(titles))[:, :MAX_TITLE_PIECES]
        plot = self.tokenizer.tokenize(basic_tokenize(plots))
        ones = tf.ones([tf.size(plots), 1], tf.int64)
        text = tf.concat([self.begin_id * ones, title, self.end_id * ones, plot], axis=1)
        ids = tf.concat([text[:, : MAX_PIECES - 1], self.end_id * ones], axis=1)
        return tf.cast(ids.to_tensor(), tf.int32)


def mask_titles(pieces: tf.RaggedTensor, rows: np.ndarray) -> tf.RaggedTensor:
    """Remove the titles of some rows, so that these read like rows with an unknown title.

    Args:
        pieces: int32 [N, varying]. Word pieces from `TitlePlotTokenizer`, without padding.
        rows: bool [N]. True for each row whose title is removed.

    Returns:
        int32 [N, varying].
    """
    positions, title_ends = _positions_and_title_ends(pieces)
    masked = (positions > 0) & (positions < title_ends) & rows[:, np.newaxis]
    return tf.ragged.boolean_mask(pieces, ~masked)


def mask_plots(pieces: tf.RaggedTensor) -> tf.RaggedTensor:
    """Remove all plots, so that all rows read like rows with an unknown plot.

    Args:
        pieces: int32 [N, varying]. Word pieces from `TitlePlotTokenizer`, without padding.

    Returns:
        int32 [N, varying].
    """
    positions, title_ends = _positions_and_title_ends(pieces)
    last = tf.cast(pieces.row_lengths() - 1, positions.dtype)[:, tf.newaxis]
    return tf.ragged.boolean_mask(pieces, (positions <= title_ends) | (positions == last))


def _positions_and_title_ends(pieces: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Return the position of each word piece, and of the `[SEP]` after each title, [N, 1]."""
    end_id = minilm.vocabulary().index(minilm.SEP)
    positions = tf.ragged.range(pieces.row_lengths())
    end_positions = pieces.with_flat_values(
        tf.where(pieces.flat_values == end_id, positions.flat_values, pieces.flat_values.shape[0])
    )
    return positions, tf.reduce_min(end_positions, axis=1)[:, tf.newaxis]


def model_inputs(
    features: Mapping[str, tf.Tensor | tf.SparseTensor],
    tokenizer: TitlePlotTokenizer | None = None,
) -> Inputs:
    """Convert transformed features to model inputs, both in training and in serving.

    Args:
        features: Transformed features by name. Lists of ids are SparseTensors [N, longest].
        tokenizer: Tokenizer of title and plot; None omits the input `PIECES`.

    Returns:
        Inputs by name: int32 [N, longest] for each feature of ids, each id plus one, padded with
        0; int32 [N, longest] word pieces; float32 [N, 4] numbers and missing indicators.
    """
    inputs: Inputs = {}
    for name in xf.ID_FEATURES:
        ids = tf.sparse.to_dense(features[name], default_value=-1)
        ids = ids[:, : MAX_IDS_PER_FEATURE.get(name)] + 1
        inputs[name] = tf.cast(_pad_to_one_column(ids), tf.int32)
    if tokenizer:
        texts = (tf.reshape(features[name], [-1]) for name in (xf.TITLE_TEXT, xf.PLOT_TEXT))
        inputs[PIECES] = tokenizer(*texts)
    for name in (xf.NUMBERS, xf.NUMBERS_MISSING):
        inputs[name] = tf.reshape(features[name], [-1, features[name].shape[-1]])
    return inputs


def _pad_to_one_column(ids: tf.Tensor) -> tf.Tensor:
    """Add a column of padding to a batch without any ids, because pooling needs one."""
    return tf.pad(ids, [[0, 0], [0, tf.maximum(1 - tf.shape(ids)[1], 0)]])


@dataclass(frozen=True)
class Rows:
    """The rows of a split in memory.

    Attributes:
        inputs: Tensors [rows, ...] by name. Lists of ids are int32 RaggedTensors without padding.
            `transform.features.SPLIT_GROUP`, int64 [rows], is among them for the assignment of
            folds; no network reads it.
        labels: float32 [rows, genres]. 1.0 for each genre of the movie.
    """

    inputs: dict[str, tf.Tensor | tf.RaggedTensor]
    labels: np.ndarray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.labels)

    def genre_log_odds(self) -> np.ndarray:
        """Return the log odds of each genre, float32 [genres], smoothed so that they are finite."""
        movies = self.labels.sum(0)
        return np.log((movies + 0.5) / (len(self) - movies + 0.5)).astype(np.float32)

    def with_inputs(self, inputs: Mapping[str, np.ndarray | tf.RaggedTensor]) -> "Rows":
        """Return a copy with added or replaced inputs, each [rows, ...]."""
        return replace(self, inputs={**self.inputs, **inputs})

    def select(self, names: Collection[str]) -> "Rows":
        """Return a copy with only the named inputs."""
        return replace(self, inputs={name: self.inputs[name] for name in names})

    def batches(self, size: int, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Return a dataset of one epoch with pairs of padded model inputs and labels.

        float16 inputs are cast to float32.

        Args:
            size: Integer. Number of rows of a batch; the last batch may have fewer.
            shuffle_seed: Integer. Seed by which rows are shuffled in a new order each epoch; None
                keeps their order.
        """
        order = tf.data.Dataset.range(len(self))
        if shuffle_seed is not None:
            order = order.shuffle(max(len(self), 1), shuffle_seed, reshuffle_each_iteration=True)
        labels = tf.constant(self.labels)
        # A captured array, unlike a tensor, would be copied into the graph again each epoch.
        inputs = {
            name: tf.constant(value) if isinstance(value, np.ndarray) else value
            for name, value in self.inputs.items()
        }

        def gather(rows: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
            batch: Inputs = {}
            for name, value in inputs.items():
                values = tf.gather(value, rows)
                if isinstance(values, tf.RaggedTensor):
                    values = _pad_to_one_column(values.to_tensor())
                batch[name] = tf.cast(values, tf.float32) if values.dtype == tf.float16 else values
            return batch, tf.gather(labels, rows)

        return order.batch(size).map(gather, num_parallel_calls=2).prefetch(2)


def load(
    file_patterns: Sequence[str], tft_output: tft.TFTransformOutput, *, with_pieces: bool = False
) -> Rows:
    """Read all rows of a split in the order of its sorted files.

    Args:
        file_patterns: Patterns of gzipped TFRecord files of transformed examples.
        tft_output: Output of Transform, which has the feature specification. The size of the label
            is the number of genres.
        with_pieces: Boolean. Whether to add the input `PIECES`; False by default.
    """
    spec = tft_output.transformed_feature_spec()
    names = (
        *xf.ID_FEATURES,
        *xf.TEXT_FEATURES,
        xf.NUMBERS,
        xf.NUMBERS_MISSING,
        xf.SPLIT_GROUP,
        xf.LABEL,
    )
    spec = {name: spec[name] for name in names}
    num_genres = spec[xf.LABEL].shape[0]
    tokenizer = TitlePlotTokenizer() if with_pieces else None

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def parse(serialized: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        features = tf.io.parse_example(serialized, spec)
        inputs = model_inputs(features, tokenizer)
        inputs[xf.SPLIT_GROUP] = tf.reshape(features[xf.SPLIT_GROUP], [-1])
        return inputs, tf.reshape(features[xf.LABEL], [-1, num_genres])

    parts: list[dict[str, Any]] = []
    labels = [np.zeros([0, num_genres], np.float32)]
    for serialized in _read_records(file_patterns):
        inputs, batch_labels = parse(serialized)
        for name, value in inputs.items():
            if value.dtype == tf.int32:
                inputs[name] = tf.RaggedTensor.from_tensor(value, padding=0)
        parts.append(inputs)
        labels.append(batch_labels.numpy())
    input_keys = parts[0] if parts else ()
    inputs = {name: tf.concat([part[name] for part in parts], 0) for name in input_keys}
    return Rows(inputs, np.concatenate(labels))


def count_values(
    file_patterns: Sequence[str], tft_output: tft.TFTransformOutput, feature: str
) -> dict[str, int]:
    """Return the number of rows of a split by value of a text feature, most frequent first.

    Args:
        file_patterns: Patterns of gzipped TFRecord files of transformed examples.
        tft_output: Output of Transform, which has the feature specification.
        feature: Name of a transformed feature with one string per row.
    """
    spec = {feature: tft_output.transformed_feature_spec()[feature]}
    counts: Counter[str] = Counter()
    for serialized in _read_records(file_patterns):
        values = tf.io.parse_example(serialized, spec)[feature].numpy().ravel()
        counts.update(value.decode() for value in values)
    return dict(counts.most_common())


def _read_records(file_patterns: Sequence[str]) -> tf.data.Dataset:
    """Return batches of serialized examples in the order of the sorted files."""
    files = sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))
    return tf.data.TFRecordDataset(files, EXAMPLES_COMPRESSION).batch(1024)


def input_names(network: keras.Model) -> list[str]:
    """Return the names of a network's inputs."""
    return [tensor.name for tensor in network.inputs]


def inference_function(network: keras.Model) -> Callable[[dict[str, tf.Tensor]], Any]:
    """Return the network as a `tf.function` of inputs by name, traced once for all batch sizes."""
    spec = {
        tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name)
        for tensor in network.inputs
    }
    return tf.function(lambda inputs: network(inputs, training=False), input_signature=[spec])
