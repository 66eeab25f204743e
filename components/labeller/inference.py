"""Label movies with the pushed model, by TFX's RunInference in a Beam pipeline.

A file is labelled in parts of consecutive rows. A Beam pipeline labels one part and writes it as
one Parquet file, so memory is needed for one part only. Beam may spread the rows of a part over its
workers, and finds by measuring how many rows the model should read at once.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from pyarrow import parquet
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2
from tfx_bsl.public.beam import RunInference
from tfx_bsl.public.proto import model_spec_pb2

from components.labeller.decision import label_movie
from schema import features as raw
from schema.errors import UserError
from schema.examples import Value, serialize
from schema.files import atomic_write
from schema.names import (
    EXAMPLES_COMPRESSION,
    EXAMPLES_SIGNATURE,
    GENRES_OUTPUT,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    SAVED_MODEL_FILE,
)

PART_SCHEMA: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("tconst", pa.string()),
        ("title", pa.string()),
        ("listed", pa.string()),
        ("split", pa.string()),
        ("model_version", pa.string()),
        ("names", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float32())),
        ("genres", pa.string()),
        ("confidence", pa.float32()),
        ("unsure", pa.bool_()),
        ("add", pa.string()),
        ("remove", pa.string()),
        ("doubt", pa.float32()),
    ]
)
"""Columns of the file of a part: the fields of `Movie`, the names of the model's genres with their
probabilities, and the fields of `MovieLabels`. Lists of genres are joined by `LIST_SEPARATOR`."""


class Model(NamedTuple):
    """SavedModel that labels movies.

    Attributes:
        path: Path of its directory.
        version: Its version, as text.
    """

    path: Path
    version: str


@dataclass(frozen=True)
class Source:
    """File of movies.

    Attributes:
        path: CSV shard of ingest (`.csv`), or gzipped TFRecord file of raw examples.
        model: Model that labels the movies.
        split: Name of the split of the movies; empty if they are in none.
    """

    path: Path
    model: Model
    split: str = ""


@dataclass(frozen=True)
class Part:
    """Rows of a file, from `start` (counted from 0) to before `stop`."""

    source: Source
    start: int
    stop: int


class Movie(NamedTuple):
    """A movie as its file describes it, without the inputs of the model.

    Attributes:
        row: Row of the file, from 0.
        tconst: IMDb's id.
        title: Title; empty if it is unknown.
        listed: Genres under which the movie is listed, joined by `LIST_SEPARATOR`.
        split: Name of the split; empty if it is in none.
        model_version: Version of the model that labels the movie.
    """

    row: int
    tconst: str
    title: str
    listed: str
    split: str
    model_version: str


def check_model(model: Path) -> None:
    """Check that a directory is a SavedModel with the signature that labels movies.

    Raises:
        UserError: It is not.
    """
    remedy = "Push a model with `ordained run`, or name another one with --model."
    path = model / SAVED_MODEL_FILE
    try:
        saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        outputs = saved.meta_graphs[0].signature_def[EXAMPLES_SIGNATURE].outputs.keys()
    except Exception as error:  # protobuf's errors differ between its implementations
        raise UserError(f"{path}: no readable SavedModel. {remedy}") from error
    if missing := {GENRES_OUTPUT, PREDICTED_OUTPUT, PROBABILITIES_OUTPUT} - outputs:
        raise UserError(
            f"{path}: the signature {EXAMPLES_SIGNATURE} has no output {min(missing)}. {remedy}"
        )


def count_rows(source: Source) -> int:
    """Return the number of movies in a file."""
    return sum(1 for _ in _raw_rows(source))


def label_part(part: Part, target: Path, options: PipelineOptions) -> None:
    """Label one part and write the file that `PART_SCHEMA` describes.

    Args:
        part: Part with at least one row.
        target: Path of the Parquet file, which appears when it is complete.
        options: Options of the Beam pipeline.
    """
    spec = model_spec_pb2.InferenceSpecType(
        saved_model_spec=model_spec_pb2.SavedModelSpec(
            model_path=str(part.source.model.path), signature_name=[EXAMPLES_SIGNATURE]
        )
    )
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | "Part" >> beam.Create([part])
            | "Read" >> beam.FlatMap(read_part).with_output_types(tuple[Movie, bytes])
            | "Spread" >> beam.Reshuffle()
            | "Predict" >> RunInference(spec, load_model)
            | "Decide" >> beam.MapTuple(_to_row)
            | "Collect" >> beam.combiners.ToList()
            | "Write" >> beam.Map(write_part, target)
        )


def read_part(part: Part) -> Iterator[tuple[Movie, bytes]]:
    """Iterate over the movies of a part and their serialized examples."""
    source = part.source
    parse = _from_csv if _is_csv(source) else _from_example
    for number, row in enumerate(islice(_raw_rows(source), part.start, part.stop), part.start):
        tconst, title, listed, example = parse(row)
        yield Movie(number, tconst, title, listed, source.split, source.model.version), example


def load_model(path: str, tags: list[str]) -> Any:
    """Load a SavedModel as RunInference does, once in each process."""
    return _load_session(path, tuple(tags))


@lru_cache(maxsize=1)
def _load_session(path: str, tags: tuple[str, ...]) -> Any:
    session = tf.compat.v1.Session(graph=tf.compat.v1.Graph())
    tf.compat.v1.saved_model.loader.load(session, list(tags), path)
    return session


def _raw_rows(source: Source) -> Iterator[Any]:
    """Iterate over the rows of a file: values by column of a CSV file, or serialized examples."""
    if not _is_csv(source):
        records = tf.data.TFRecordDataset(str(source.path), EXAMPLES_COMPRESSION)
        yield from records.as_numpy_iterator()
        return
    # The default limit is shorter than the longest plot.
    csv.field_size_limit(1 << 24)
    with source.path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _is_csv(source: Source) -> bool:
    return source.path.suffix == ".csv"


def _from_csv(row: dict[str, str]) -> tuple[str, str, str, bytes]:
    """Return tconst, title, genres and the example of a row of a movies CSV shard."""
    inputs: dict[str, Value] = {name: row[name] for name in raw.TEXTS + raw.PEOPLE}
    inputs |= {name: float(row[name]) if row[name] else None for name in raw.NUMBERS}
    return row[raw.TCONST], row[raw.TITLE], row[raw.GENRES_FIELD], serialize(inputs)


def _from_example(serialized: bytes) -> tuple[str, str, str, bytes]:
    """Return tconst, title, genres and the example itself of a raw example."""
    features = tf.train.Example.FromString(serialized).features.feature
    tconst, title, genres = (
        b"".join(features[name].bytes_list.value[:1]).decode("utf-8", "replace")
        for name in (raw.TCONST, raw.TITLE, raw.GENRES_FIELD)
    )
    return tconst, title, genres, serialized


def _to_row(movie: Movie, log: prediction_log_pb2.PredictionLog) -> dict[str, Any]:
    """Return the row of a movie in the file of its part."""
    outputs = {
        name: tf.make_ndarray(output)[0]
        for name, output in log.predict_log.response.outputs.items()
    }
    names = [name.decode() for name in outputs[GENRES_OUTPUT]]
    probabilities = outputs[PROBABILITIES_OUTPUT]
    listed = movie.listed.split(raw.LIST_SEPARATOR)
    labels = asdict(label_movie(names, probabilities, outputs[PREDICTED_OUTPUT], listed))
    joined = {
        name: raw.LIST_SEPARATOR.join(value) if isinstance(value, tuple) else value
        for name, value in labels.items()
    }
    return {**movie._asdict(), "names": names, "probabilities": probabilities.tolist(), **joined}


def write_part(rows: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Write rows with the columns of `PART_SCHEMA` to a file, in the order of `row`."""
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: row["row"]), PART_SCHEMA)
    with atomic_write(target) as part:
        parquet.write_table(table, part)
