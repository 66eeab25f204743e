"""Movies as `tf.train.Example`s, in the form in which CsvExampleGen writes them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schema import features as raw

if TYPE_CHECKING:
    import tensorflow as tf

Value = str | bytes | int | float | None


def to_example(movie: Mapping[str, Value]) -> "tf.train.Example":
    """Make an example of a movie.

    Args:
        movie: values by feature name (`schema.features.CSV_COLUMNS`); text as str or bytes.

    Returns:
        A feature for each name. It holds no value if the movie's is None, empty, NaN or infinite.
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
    """The serialized example of a movie; equal movies give equal bytes."""
    return bytes(to_example(movie).SerializeToString(deterministic=True))
