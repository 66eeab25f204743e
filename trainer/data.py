"""Transformed examples as rows and batches of model inputs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from schema.genres import NUM_GENRES
from transform import features as xf
from transform import minilm
from transform.wordpiece import WordPieces, basic_words

MAX_IDS: Final[dict[str, int]] = {
    xf.PLOT_NGRAMS: 500,
    xf.TITLE_WORDS: 20,
    **dict.fromkeys(xf.PEOPLE_IDS.values(), 20),
}
"""How many ids of a feature the model reads; words and pieces are cut in Transform already."""

PLOT_PIECES: Final = "plot_pieces"
TITLE_PIECES: Final = "title_pieces"
PIECES: Final[dict[str, tuple[str, int]]] = {
    PLOT_PIECES: (xf.PLOT_TEXT, 96),
    TITLE_PIECES: (xf.TITLE_TEXT, 24),
}
"""The text that each is made of, and how many word pieces of it the sentence encoder reads, begin
and end included.
"""

READ_BATCH: Final = 1024

Inputs = dict[str, tf.Tensor]


def vocabulary_sizes(tft_output: tft.TFTransformOutput) -> dict[str, int]:
    """Number of ids of each id feature, out-of-vocabulary buckets included."""
    return {
        name: tft_output.vocabulary_size_by_name(name) + xf.OOV_BUCKETS for name in xf.ID_FEATURES
    }


class TextPieces(tf.Module):
    """A text as word pieces for the sentence encoder, see `transform.minilm`."""

    def __init__(self) -> None:
        """Make the table of pieces."""
        super().__init__()
        vocabulary = minilm.vocabulary()
        self.pieces = WordPieces(vocabulary)
        self.begin, self.end = (vocabulary.index(mark) for mark in (minilm.BEGIN, minilm.END))

    def __call__(self, texts: tf.Tensor, most: int) -> tf.Tensor:
        """Take texts apart.

        Args:
            texts: string [N].
            most: pieces of a text that are kept, begin and end included.

        Returns:
            Ids between begin and end, int32 [N, longest]; 0 is padding.
        """
        inside = self.pieces.ids(basic_words(texts))[:, : most - 2]
        one = tf.ones([tf.size(texts), 1], tf.int64)
        ids = tf.concat([self.begin * one, inside, self.end * one], axis=1)
        return tf.cast(ids.to_tensor(), tf.int32)


def model_inputs(
    features: Mapping[str, tf.Tensor | tf.SparseTensor], pieces: TextPieces | None = None
) -> Inputs:
    """Transformed features as the model reads them; the same in training and in serving.

    Args:
        features: transformed features by name, lists of ids as SparseTensors [N, longest].
        pieces: what makes word pieces; None leaves them out.

    Returns:
        For each id feature an int32 Tensor [N, longest], ids moved up by one so that 0 is padding;
        the word pieces likewise; the numbers and their missing indicators as float32 [N, 4].
    """
    inputs: Inputs = {}
    for name in xf.ID_FEATURES:
        ids = tf.sparse.to_dense(features[name], default_value=-1)[:, : MAX_IDS.get(name)] + 1
        inputs[name] = tf.cast(_at_least_one_column(ids), tf.int32)
    if pieces:
        for name, (text, most) in PIECES.items():
            inputs[name] = pieces(tf.reshape(features[text], [-1]), most)
    for name in (xf.NUMBERS, xf.NUMBERS_MISSING):
        inputs[name] = tf.reshape(features[name], [-1, features[name].shape[-1]])
    return inputs


def _at_least_one_column(ids: tf.Tensor) -> tf.Tensor:
    """A column of padding more where a batch has no ids at all, since pooling needs one."""
    return tf.pad(ids, [[0, 0], [0, tf.maximum(1 - tf.shape(ids)[1], 0)]])


@dataclass(frozen=True)
class Rows:
    """A split in memory.

    Attributes:
        inputs: by name, [rows, ...]; lists of ids as int32 RaggedTensors without padding.
        labels: float32 [rows, 22].
    """

    inputs: dict[str, tf.Tensor | tf.RaggedTensor]
    labels: np.ndarray

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.labels)

    def joined(self, more: Mapping[str, np.ndarray]) -> "Rows":
        """These rows with more inputs, each [rows, ...]."""
        return replace(self, inputs={**self.inputs, **more})

    def only(self, names: Collection[str]) -> "Rows":
        """These rows with the inputs of these names alone, as a network wants them."""
        return replace(self, inputs={name: self.inputs[name] for name in names})

    def batches(self, size: int, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Batches of one pass over the rows.

        Args:
            size: rows of a batch; the last one may be smaller.
            shuffle_seed: seed of a new order on each pass; None keeps the order.

        Returns:
            Pairs of model inputs (padded; half precision becomes float32) and labels.
        """
        order = tf.data.Dataset.range(len(self))
        if shuffle_seed is not None:
            order = order.shuffle(
                max(len(self), 1), seed=shuffle_seed, reshuffle_each_iteration=True
            )
        labels = tf.constant(self.labels)
        # As tensors they are captured: arrays would be written into the graph, anew for each pass.
        inputs = {
            name: tf.constant(value) if isinstance(value, np.ndarray) else value
            for name, value in self.inputs.items()
        }

        def pick(rows: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
            picked = {name: _dense(tf.gather(value, rows)) for name, value in inputs.items()}
            return picked, tf.gather(labels, rows)

        return order.batch(size).map(pick, num_parallel_calls=2).prefetch(2)


def _dense(values: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
    if isinstance(values, tf.RaggedTensor):
        return _at_least_one_column(values.to_tensor())
    return tf.cast(values, tf.float32) if values.dtype == tf.float16 else values


def load(
    file_patterns: Sequence[str], tft_output: tft.TFTransformOutput, *, with_pieces: bool = False
) -> Rows:
    """Read a split.

    Args:
        file_patterns: of gzipped TFRecord files of transformed examples.
        tft_output: what the Transform component wrote.
        with_pieces: whether plots and titles are taken apart into word pieces too.

    Returns:
        All its rows, in the order of the files; see `model_inputs`.
    """
    spec = tft_output.transformed_feature_spec()
    names = (*xf.ID_FEATURES, *xf.TEXTS, xf.NUMBERS, xf.NUMBERS_MISSING, xf.LABEL)
    wanted = {name: spec[name] for name in names}
    pieces = TextPieces() if with_pieces else None

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def parse(serialized: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, wanted)
        return model_inputs(parsed, pieces), tf.reshape(parsed[xf.LABEL], [-1, NUM_GENRES])

    files = sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(READ_BATCH)
    parts: list[Inputs] = []
    labels = [np.zeros([0, NUM_GENRES], np.float32)]
    for serialized in records:
        inputs, truth = parse(serialized)
        parts.append(
            {
                name: value
                if value.dtype == tf.float32
                else tf.RaggedTensor.from_tensor(value, padding=0)
                for name, value in inputs.items()
            }
        )
        labels.append(truth.numpy())
    together = (
        {name: tf.concat([part[name] for part in parts], 0) for name in parts[0]} if parts else {}
    )
    return Rows(together, np.concatenate(labels))
