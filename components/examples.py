"""Reads examples out of an Examples artifact, for the components that look at rows themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx import types
from tfx.types import artifact_utils

from schema import features as raw
from schema.names import EXAMPLES_COMPRESSION

_BATCH_SIZE: Final = 4096


def files(examples: types.Artifact, split: str) -> list[str]:
    """Paths of the TFRecord files of one split, in order.

    Raises:
        ValueError: the artifact has no such split.
    """
    folder = Path(artifact_utils.get_split_uri([examples], split))
    return sorted(str(path) for path in folder.iterdir())


def serialized(examples: types.Artifact, split: str) -> tf.data.Dataset:
    """The serialized examples of one split, in the order of the files.

    Returns:
        a dataset of string scalars, each a `tf.train.Example`.
    """
    return tf.data.TFRecordDataset(files(examples, split), compression_type=EXAMPLES_COMPRESSION)


def columns(
    examples: types.Artifact, split: str, names: Sequence[str]
) -> dict[str, npt.NDArray[Any]]:
    """Raw features of one split as columns, in the order of the files.

    Args:
        examples: raw examples, as CsvExampleGen writes them.
        split: name of the split.
        names: names of raw features, from `schema.features.CSV_COLUMNS`.

    Returns:
        For each name an array [rows]: `str` objects, empty where missing; for numbers float32, NaN
        where missing.
    """
    spec = {name: tf.io.VarLenFeature(_dtype(name)) for name in names}
    parsed = (
        serialized(examples, split)
        .batch(_BATCH_SIZE)
        .map(lambda batch: tf.io.parse_example(batch, spec))
    )
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
    for batch in parsed:
        for name in names:
            parts[name].append(_column(batch[name]))
    return {
        name: np.concatenate(parts[name]) if parts[name] else _column(_nothing(name))
        for name in names
    }


def id_lists(examples: types.Artifact, split: str, name: str) -> tf.RaggedTensor:
    """One feature of transformed examples that is a list of ids.

    Returns:
        int64 [rows, (ids)], in the order of the files.
    """
    spec = {name: tf.io.RaggedFeature(tf.int64)}
    parsed = (
        serialized(examples, split)
        .batch(_BATCH_SIZE)
        .map(lambda batch: tf.io.parse_example(batch, spec)[name])
    )
    batches = list(parsed)
    if not batches:
        return tf.RaggedTensor.from_row_splits(tf.zeros([0], tf.int64), tf.zeros([1], tf.int64))
    return tf.concat(batches, axis=0)


def _dtype(name: str) -> tf.DType:
    if name not in raw.NUMBERS:
        return tf.string
    return tf.float32 if name == raw.RATING else tf.int64


def _nothing(name: str) -> tf.SparseTensor:
    return tf.sparse.from_dense(tf.zeros([0, 1], _dtype(name)))


def _column(values: tf.SparseTensor) -> npt.NDArray[Any]:
    rows = int(values.dense_shape[0])
    positions = values.indices.numpy()[:, 0]
    if values.dtype == tf.string:
        texts = np.full(rows, "", dtype=object)
        texts[positions] = [value.decode("utf-8", "replace") for value in values.values.numpy()]
        return texts
    numbers = np.full(rows, np.nan, dtype=np.float32)
    numbers[positions] = values.values.numpy()
    return numbers
