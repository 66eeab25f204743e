"""Read examples from an Examples artifact into arrays."""

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
"""Number of examples that are read at once."""

_FEATURE_TYPES: Final = (
    dict.fromkeys(raw.CSV_COLUMNS, tf.string)
    | dict.fromkeys(raw.NUMBERS, tf.int64)
    | {raw.RATING: tf.float32, raw.CORRECTED: tf.int64}
)
"""Types of raw features in examples, by name."""


def split_files(examples: types.Artifact, split: str) -> list[str]:
    """Return the sorted paths of the TFRecord files of one split.

    Raises:
        ValueError: The artifact has no such split.
    """
    directory = Path(artifact_utils.get_split_uri([examples], split))
    return sorted(str(path) for path in directory.iterdir())


def serialized_examples(examples: types.Artifact, split: str) -> tf.data.Dataset:
    """Return a dataset of string scalars: the serialized examples of one split, in file order."""
    files = split_files(examples, split)
    return tf.data.TFRecordDataset(files, compression_type=EXAMPLES_COMPRESSION)


def read_columns(
    examples: types.Artifact, split: str, names: Sequence[str]
) -> dict[str, npt.NDArray[Any]]:
    """Read raw features of one split as columns, in file order.

    Args:
        examples: Raw examples, as CsvExampleGen writes them.
        split: Name of the split.
        names: Names of raw features, from `schema.features.CSV_COLUMNS`.

    Returns:
        Arrays [examples] by name: float32 for numbers, NaN where missing; otherwise objects of type
        `str`, empty where missing.
    """
    spec = {name: tf.io.RaggedFeature(_FEATURE_TYPES[name]) for name in names}
    parsed = _parse(examples, split, spec)
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        present = parsed[name].row_lengths().numpy() > 0
        values = parsed[name].flat_values.numpy()
        if _FEATURE_TYPES[name] is not tf.string:
            columns[name] = np.full(len(present), np.nan, np.float32)
        else:
            columns[name] = np.full(len(present), "", object)
            values = [value.decode("utf-8", "replace") for value in values]
        columns[name][present] = values
    return columns


def read_id_lists(examples: types.Artifact, split: str, name: str) -> tf.RaggedTensor:
    """Read a feature of transformed examples that is a list of ids.

    Returns:
        int64 [examples, (ids)]. One list per example, in file order.
    """
    return _parse(examples, split, {name: tf.io.RaggedFeature(tf.int64)})[name]


def _parse(
    examples: types.Artifact, split: str, spec: dict[str, tf.io.RaggedFeature]
) -> dict[str, tf.RaggedTensor]:
    """Parse all examples of a split, which may be empty."""
    batches = serialized_examples(examples, split).batch(_BATCH_SIZE).as_numpy_iterator()
    records = np.concatenate([np.array([], object), *batches])
    return tf.io.parse_example(tf.constant(records, tf.string), spec)
