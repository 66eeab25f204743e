"""Transformed examples as rows and batches of model inputs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from schema.genres import NUM_GENRES
from schema.names import EXAMPLES_COMPRESSION
from transform import features as xf
from transform import minilm
from transform.wordpiece import WordPieceTokenizer, basic_tokenize

MAX_IDS: Final[dict[str, int]] = {
    xf.PLOT_NGRAMS: 500,
    xf.TITLE_WORDS: 20,
    **dict.fromkeys(xf.PEOPLE_IDS.values(), 20),
}
"""Number of ids that the model reads of a feature; the words of plots are cut in Transform."""

PIECES: Final = "pieces"
"""Input with the word pieces of title and plot, one text for the sentence encoder."""

MAX_PIECES: Final = 256
"""Number of word pieces that the encoder reads of title and plot together, marks included."""

MAX_TITLE_PIECES: Final = 24
"""Number of word pieces that it reads of the title, without marks."""

Inputs = dict[str, tf.Tensor]


class TextPieces(tf.Module):
    """Title and plot as word pieces for the sentence encoder, see `transform.minilm`.

    They are one text of two parts, as BERT reads pairs (Devlin et al. 2019, arXiv:1810.04805), so
    that the plot is read in the light of the title.
    """

    def __init__(self) -> None:
        super().__init__()
        vocabulary = minilm.vocabulary()
        self.pieces = WordPieceTokenizer(vocabulary)
        self.begin, self.end = (vocabulary.index(mark) for mark in (minilm.CLS, minilm.SEP))

    def __call__(self, titles: tf.Tensor, plots: tf.Tensor) -> tf.Tensor:
        """Take texts, string [N] each, apart into int32 [N, longest], at most `MAX_PIECES` long.

        The ids are those of begin, title, end, plot, end; 0 is padding.
        """
        title = self.pieces.tokenize(basic_tokenize(titles))[:, :MAX_TITLE_PIECES]
        plot = self.pieces.tokenize(basic_tokenize(plots))
        one = tf.ones([tf.size(plots), 1], tf.int64)
        both = tf.concat([self.begin * one, title, self.end * one, plot], axis=1)
        ids = tf.concat([both[:, : MAX_PIECES - 1], self.end * one], axis=1)
        return tf.cast(ids.to_tensor(), tf.int32)


def without_titles(pieces: tf.RaggedTensor, rows: np.ndarray) -> tf.RaggedTensor:
    """Texts without the titles of the rows that are chosen, as if these were not known.

    `pieces` are int32 [N, varying], as `TextPieces` gives them, without padding; `rows` bool [N].
    """
    end = minilm.vocabulary().index(minilm.SEP)
    places = tf.ragged.range(pieces.row_lengths())
    ends = pieces.with_flat_values(
        tf.where(pieces.flat_values == end, places.flat_values, pieces.flat_values.shape[0])
    )
    title_end = tf.reduce_min(ends, axis=1)[:, tf.newaxis]
    hidden = (places > 0) & (places < title_end) & rows[:, np.newaxis]
    return tf.ragged.boolean_mask(pieces, ~hidden)


def model_inputs(
    features: Mapping[str, tf.Tensor | tf.SparseTensor], pieces: TextPieces | None = None
) -> Inputs:
    """Transformed features as the model reads them; the same in training and in serving.

    Args:
        features: transformed features by name, lists of ids as SparseTensors [N, longest].
        pieces: the maker of word pieces; None leaves them out.

    Returns:
        int32 [N, longest] for each id feature, each id plus one, so that 0 is padding; the word
        pieces likewise; the numbers and their missing indicators as float32 [N, 4].
    """
    inputs: Inputs = {}
    for name in xf.ID_FEATURES:
        ids = tf.sparse.to_dense(features[name], default_value=-1)[:, : MAX_IDS.get(name)] + 1
        inputs[name] = tf.cast(_at_least_one_column(ids), tf.int32)
    if pieces:
        texts = (tf.reshape(features[name], [-1]) for name in (xf.TITLE_TEXT, xf.PLOT_TEXT))
        inputs[PIECES] = pieces(*texts)
    for name in (xf.NUMBERS, xf.NUMBERS_MISSING):
        inputs[name] = tf.reshape(features[name], [-1, features[name].shape[-1]])
    return inputs


def _at_least_one_column(ids: tf.Tensor) -> tf.Tensor:
    """A column of padding more where a batch has no ids at all, since pooling needs one."""
    return tf.pad(ids, [[0, 0], [0, tf.maximum(1 - tf.shape(ids)[1], 0)]])


@dataclass(frozen=True)
class Rows:
    """A split in memory: inputs by name, [rows, ...], and labels, float32 [rows, 22].

    Lists of ids are int32 RaggedTensors without padding. `transform.features.SPLIT_GROUP`, int64
    [rows], is among the inputs, though no network reads it.
    """

    inputs: dict[str, tf.Tensor | tf.RaggedTensor]
    labels: np.ndarray

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.labels)

    def log_odds(self) -> np.ndarray:
        """Log odds of each genre among the rows, finite for none or all of them; float32 [22]."""
        movies = self.labels.sum(0)
        return np.log((movies + 0.5) / (len(self) - movies + 0.5)).astype(np.float32)

    def joined(self, more: Mapping[str, np.ndarray | tf.RaggedTensor]) -> "Rows":
        """These rows with more inputs, each [rows, ...]."""
        return replace(self, inputs={**self.inputs, **more})

    def only(self, names: Collection[str]) -> "Rows":
        """These rows with the inputs of these names alone, as a network wants them."""
        return replace(self, inputs={name: self.inputs[name] for name in names})

    def batches(self, size: int, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Batches of `size` rows of one pass as pairs of padded model inputs and labels.

        The last one may be smaller. A seed shuffles the rows, in a new order on each pass. Half
        precision becomes float32.
        """
        order = tf.data.Dataset.range(len(self))
        if shuffle_seed is not None:
            order = order.shuffle(max(len(self), 1), shuffle_seed, reshuffle_each_iteration=True)
        labels = tf.constant(self.labels)
        # As tensors they are captured: arrays would be written into the graph, anew for each pass.
        inputs = {
            name: tf.constant(value) if isinstance(value, np.ndarray) else value
            for name, value in self.inputs.items()
        }

        def pick(rows: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
            picked: Inputs = {}
            for name, value in inputs.items():
                found = tf.gather(value, rows)
                if isinstance(found, tf.RaggedTensor):
                    found = _at_least_one_column(found.to_tensor())
                picked[name] = tf.cast(found, tf.float32) if found.dtype == tf.float16 else found
            return picked, tf.gather(labels, rows)

        return order.batch(size).map(pick, num_parallel_calls=2).prefetch(2)


def load(
    file_patterns: Sequence[str], tft_output: tft.TFTransformOutput, *, with_pieces: bool = False
) -> Rows:
    """Read all rows of a split from gzipped TFRecord files of transformed examples, in their order.

    With pieces, titles and plots are taken apart into word pieces too.
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
    wanted = {name: spec[name] for name in names}
    pieces = TextPieces() if with_pieces else None

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def parse(serialized: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, wanted)
        inputs = model_inputs(parsed, pieces)
        inputs[xf.SPLIT_GROUP] = tf.reshape(parsed[xf.SPLIT_GROUP], [-1])
        return inputs, tf.reshape(parsed[xf.LABEL], [-1, NUM_GENRES])

    files = sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))
    records = tf.data.TFRecordDataset(files, EXAMPLES_COMPRESSION).batch(1024)
    parts: list[dict[str, Any]] = []
    labels = [np.zeros([0, NUM_GENRES], np.float32)]
    for serialized in records:
        inputs, truth = parse(serialized)
        for name, value in inputs.items():
            if value.dtype == tf.int32:
                inputs[name] = tf.RaggedTensor.from_tensor(value, padding=0)
        parts.append(inputs)
        labels.append(truth.numpy())
    names_read = parts[0] if parts else ()
    together = {name: tf.concat([part[name] for part in parts], 0) for name in names_read}
    return Rows(together, np.concatenate(labels))


def input_names(network: keras.Model) -> list[str]:
    """Names of the inputs of a network, which accepts no others."""
    return [one.name for one in network.inputs]


def inference(network: keras.Model) -> Callable[[dict[str, tf.Tensor]], Any]:
    """The network as a function of its inputs by name, traced once for all sizes of a batch."""
    spec = {one.name: tf.TensorSpec(one.shape, one.dtype, one.name) for one in network.inputs}
    return tf.function(lambda inputs: network(inputs, training=False), input_signature=[spec])
