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

_TYPES: Final = (
    dict.fromkeys(raw.CSV_COLUMNS, tf.string)
    | dict.fromkeys(raw.NUMBERS, tf.int64)
    | {raw.RATING: tf.float32}
)
"""Of raw features in examples, by name."""


def files(examples: types.Artifact, split: str) -> list[str]:
    """Paths of the TFRecord files of one split, in order.

    Raises:
        ValueError: the artifact has no such split.
    """
    folder = Path(artifact_utils.get_split_uri([examples], split))
    return sorted(str(path) for path in folder.iterdir())


def serialized(examples: types.Artifact, split: str) -> tf.data.Dataset:
    """The serialized examples of one split, in the order of the files: string scalars."""
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
    spec = {name: tf.io.RaggedFeature(_TYPES[name]) for name in names}
    parsed = _parsed(examples, split, spec)
    found: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        filled = parsed[name].row_lengths().numpy() > 0
        values = parsed[name].flat_values.numpy()
        if name in raw.NUMBERS:
            found[name] = np.full(len(filled), np.nan, np.float32)
        else:
            found[name] = np.full(len(filled), "", object)
            values = [value.decode("utf-8", "replace") for value in values]
        found[name][filled] = values
    return found


def id_lists(examples: types.Artifact, split: str, name: str) -> tf.RaggedTensor:
    """One feature of transformed examples that is a list of ids.

    Returns:
        int64 [rows, (ids)], in the order of the files.
    """
    return _parsed(examples, split, {name: tf.io.RaggedFeature(tf.int64)})[name]


def _parsed(
    examples: types.Artifact, split: str, spec: dict[str, tf.io.RaggedFeature]
) -> dict[str, tf.RaggedTensor]:
    """Features of all rows of a split, of which there may be none."""
    batches = serialized(examples, split).batch(_BATCH_SIZE).as_numpy_iterator()
    rows = np.concatenate([np.array([], object), *batches])
    return tf.io.parse_example(tf.constant(rows, tf.string), spec)
