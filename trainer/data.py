"""Transformed examples as batches of model inputs."""

from collections.abc import Mapping, Sequence
from typing import Final

import tensorflow as tf
import tensorflow_transform as tft

from schema.genres import NUM_GENRES
from transform import features as xf

MAX_IDS: Final[dict[str, int]] = {
    xf.PLOT_NGRAMS: 500,
    xf.TITLE_WORDS: 20,
    **dict.fromkeys(xf.PEOPLE_IDS.values(), 20),
}
"""How many ids of a feature the model reads; the plot's words are cut in Transform already."""

Inputs = dict[str, tf.Tensor]


def vocabulary_sizes(tft_output: tft.TFTransformOutput) -> dict[str, int]:
    """Number of ids of each id feature, out-of-vocabulary buckets included."""
    return {
        name: tft_output.vocabulary_size_by_name(name) + xf.OOV_BUCKETS for name in xf.ID_FEATURES
    }


def model_inputs(features: Mapping[str, tf.Tensor | tf.SparseTensor]) -> Inputs:
    """Transformed features as the model reads them; the same in training and in serving.

    Args:
        features: transformed features by name, the id features as SparseTensors [N, longest].

    Returns:
        For each id feature an int32 Tensor [N, longest], ids moved up by one so that 0 is padding;
        the numbers and their missing indicators as float32 [N, 4].
    """
    inputs: Inputs = {}
    for name in xf.ID_FEATURES:
        ids = tf.sparse.to_dense(features[name], default_value=-1)[:, : MAX_IDS.get(name)] + 1
        inputs[name] = tf.cast(_at_least_one_column(ids), tf.int32)
    for name in (xf.NUMBERS, xf.NUMBERS_MISSING):
        inputs[name] = tf.reshape(features[name], [-1, features[name].shape[-1]])
    return inputs


def _at_least_one_column(ids: tf.Tensor) -> tf.Tensor:
    """A column of padding more where a batch has no ids at all, since pooling needs one."""
    return tf.pad(ids, [[0, 0], [0, tf.maximum(1 - tf.shape(ids)[1], 0)]])


def dataset(
    file_patterns: Sequence[str],
    tft_output: tft.TFTransformOutput,
    batch_size: int,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Batches of one pass over the examples; serialized examples stay in memory between passes.

    Args:
        file_patterns: of gzipped TFRecord files of transformed examples.
        tft_output: what the Transform component wrote.
        batch_size: rows of a batch; the last one may be smaller.
        shuffle_seed: seed of a new order on each pass; None keeps the order of the files.

    Returns:
        Pairs of model inputs (see `model_inputs`) and labels, float32 [N, 22].
    """
    spec = tft_output.transformed_feature_spec()
    wanted = {
        name: spec[name] for name in (*xf.ID_FEATURES, xf.NUMBERS, xf.NUMBERS_MISSING, xf.LABEL)
    }

    def parse(serialized: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, wanted)
        return model_inputs(parsed), tf.reshape(parsed[xf.LABEL], [-1, NUM_GENRES])

    files = sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").cache()
    rows = int(records.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1))
    records = records.apply(tf.data.experimental.assert_cardinality(rows))
    if shuffle_seed is not None:
        records = records.shuffle(max(rows, 1), seed=shuffle_seed, reshuffle_each_iteration=True)
    return records.batch(batch_size).map(parse, num_parallel_calls=2).prefetch(2)
