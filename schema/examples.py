"""Conversion of movies to `tf.train.Example`s, in the format of CsvExampleGen."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schema import features as raw

if TYPE_CHECKING:
    import tensorflow as tf

Value = str | bytes | int | float | None


def to_example(movie: Mapping[str, Value]) -> "tf.train.Example":
    """Convert a movie to an example.

    Args:
        movie: Values by feature name (see `schema.features.CSV_COLUMNS`). Text is str or bytes.

    Returns:
        An example with one feature for each name. The feature is empty if the value is None, an
        empty string, NaN or infinite.
    """
    import tensorflow as tf

    example = tf.train.Example()
    for name, value in movie.items():
        feature: Any = example.features.feature[name]
        if isinstance(value, str | bytes):
            if value:
                feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
        elif value is None or not math.isfinite(value):
            continue
        elif name == raw.RATING:
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.append(round(value))
    return example


def serialize(movie: Mapping[str, Value]) -> bytes:
    """Return the serialized example of a movie; equal movies give equal bytes."""
    return bytes(to_example(movie).SerializeToString(deterministic=True))
