"""The schema of runs from a single table, in which columns of the dumps may be missing."""

from typing import Final

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema import features as raw
from tables.numbers import FIRST_YEAR

OPTIONAL: Final = (raw.TITLE, raw.YEAR)
"""Features that every catalogue of IMDb has, but not every table."""


MAX_GENRE_DIFFERENCE: Final = 0.2
"""Largest difference in the share of any genres, such as `Drama|War`, from the training split.

Among the 100 test movies of a table of 1,000, differences of 0.1 are often chance.
"""


def relax(schema: str) -> str:
    """Return the curated schema with fewer demands.

    Title and year may be missing, an average rating may be below 1, the lowest of IMDb's, a year
    may be any that `tables` understands, and the genres of the splits may differ more.

    Args:
        schema: Curated schema in text format.
    """
    relaxed = text_format.Parse(schema, schema_pb2.Schema())
    for feature in relaxed.feature:
        if feature.name in OPTIONAL:
            feature.ClearField("presence")
        if feature.name == raw.RATING:
            feature.float_domain.min = 0.0
        if feature.name == raw.GENRES_FIELD:
            limit = feature.skew_comparator.infinity_norm
            # A limit that was raised in the curated schema stays.
            limit.threshold = max(limit.threshold, MAX_GENRE_DIFFERENCE)
        if feature.name == raw.YEAR:
            feature.int_domain.min = FIRST_YEAR
    return text_format.MessageToString(relaxed)
