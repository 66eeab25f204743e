"""Fictional movies as rows, CSV, examples and statistics, in the formats of the first nodes."""

import csv
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tensorflow_data_validation import StatsOptions
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import artifact_utils, standard_artifacts
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from schema import features as raw

Row = dict[str, Any]

WORDS = {
    "Western": ("sheriff", "ranch", "outlaw", "saddle", "canyon"),
    "Sci-Fi": ("robot", "planet", "rocket", "android", "orbit"),
    "Horror": ("ghost", "cellar", "curse", "coffin", "scream"),
}
COMMON = ("the", "a", "finds", "and", "loses", "old", "friend", "letter", "town", "night")


def make_movies(count: int, seed: int = 0) -> list[Row]:
    """Return movies of three genres. Plots contain words of the genre; no value is missing."""
    generator = random.Random(seed)
    rows = []
    for number in range(count):
        genre = generator.choice(tuple(WORDS))
        words = generator.choices(WORDS[genre], k=4) + generator.choices(COMMON, k=12)
        generator.shuffle(words)
        rows.append(
            {
                raw.TCONST: f"tt{seed:03}{number:05}",
                raw.TITLE: f"Movie {number}",
                raw.PLOT: " ".join(words),
                raw.GENRES_FIELD: genre,
                raw.YEAR: generator.randint(1930, 2020),
                raw.RUNTIME: generator.randint(70, 150),
                raw.RATING: round(generator.uniform(3.0, 9.0), 1),
                raw.VOTES: generator.randint(5, 90_000),
                raw.DIRECTORS: f"Director {generator.randint(1, 40)}",
                raw.WRITERS: f"Writer {generator.randint(1, 40)}",
                raw.CAST: f"Player {generator.randint(1, 40)}|Player {generator.randint(41, 80)}",
                raw.SPLIT_KEY: f"movie {seed} {number}",
                raw.CORRECTED: 0,
            }
        )
    return rows


def with_values(rows: Sequence[Row], **values: Any) -> list[Row]:
    """Return the rows with the given values; None removes a value."""
    return [{**row, **values} for row in rows]


def without_column(rows: Sequence[Row], column: str) -> list[Row]:
    """Return the rows without a column."""
    return [{name: value for name, value in row.items() if name != column} for row in rows]


def column_types(rows: Sequence[Row]) -> dict[str, type | None]:
    """Return the types that CsvExampleGen infers; None for a column without values."""
    return {
        name: next((type(row[name]) for row in rows if row[name] is not None), None)
        for row in rows[:1]
        for name in row
    }


def serialize(rows: Sequence[Row], types: dict[str, type | None] | None = None) -> list[bytes]:
    """Return rows as serialized examples, in the format of CsvExampleGen.

    Args:
        rows: Movies. An empty cell becomes a feature without values.
        types: Types of the columns; by default those of `rows`. If `rows` is one of several splits,
            pass the types of all splits.
    """
    types = types or column_types(rows)
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={name: _feature(value, types[name]) for name, value in row.items()}
            )
        ).SerializeToString()
        for row in rows
    ]


def _feature(value: Any, value_type: type | None) -> tf.train.Feature:
    values = [] if value is None else [value]
    if value_type is int:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    if value_type is float:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    if value_type is str:
        encoded = [text.encode() for text in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
    return tf.train.Feature()


def compute_statistics(
    rows: Sequence[Row], types: dict[str, type | None] | None = None
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return the statistics that StatisticsGen computes; `types` has the same meaning as in
    `serialize`."""
    batch = ExamplesToRecordBatchDecoder().DecodeBatch(serialize(rows, types))
    assert isinstance(batch, pa.RecordBatch)
    return generate_statistics_in_memory(batch, StatsOptions())


def write_statistics(
    directory: Path, splits: Mapping[str, Sequence[Row]]
) -> standard_artifacts.ExampleStatistics:
    """Write an ExampleStatistics artifact."""
    artifact = standard_artifacts.ExampleStatistics()
    artifact.uri = str(directory)
    artifact.split_names = artifact_utils.encode_split_names(list(splits))
    types = column_types([row for rows in splits.values() for row in rows])
    for split, rows in splits.items():
        uri = Path(artifact_utils.get_split_uri([artifact], split))
        uri.mkdir(parents=True)
        (uri / stats_artifact_utils.BINARY_PB_BASENAME).write_bytes(
            compute_statistics(rows, types).SerializeToString()
        )
    return artifact


def write_examples(
    directory: Path, splits: Mapping[str, Sequence[bytes]]
) -> standard_artifacts.Examples:
    """Write an Examples artifact of serialized examples by split."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(directory)
    artifact.split_names = artifact_utils.encode_split_names(list(splits))
    for split, records in splits.items():
        uri = Path(artifact_utils.get_split_uri([artifact], split))
        uri.mkdir(parents=True)
        options = tf.io.TFRecordOptions(compression_type="GZIP")
        path = uri / "data_tfrecord-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for record in records:
                writer.write(record)
    return artifact


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write a movies CSV shard."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
