"""Share of the time of Transform that cleaning texts and finding their language takes.

    python -m benchmarks.cleaning --movies output/movies
    python -m benchmarks.cleaning --movies output/movies --rows 10000

TensorFlow Transform analyzes and transforms the movies with and without cleaning, alternately in
one process. The time is processor time, which other load on the machine hardly changes.
"""

import argparse
import csv
import statistics
import sys
import tempfile
import time
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final
from unittest import mock

from benchmarks.provenance import provenance
from benchmarks.tables import table
from pipeline.console import silence_libraries
from schema import command
from schema import features as raw
from schema.examples import serialize
from schema.names import MOVIES_PATTERN

MEASUREMENT_ROUNDS = 3


def main() -> int:
    """Measure and print one table; return the exit status."""
    parser = argparse.ArgumentParser(description="Measure the share of cleaning in Transform.")
    parser.add_argument("--movies", type=Path, required=True, metavar="DIR")
    parser.add_argument("--rows", type=int, help="number of movies (default: all)")
    options = parser.parse_args()
    silence_libraries()
    return command.run(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> None:
    from transform import text

    heading = provenance("benchmarks.cleaning")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        count = _write_examples(options.movies, options.rows, scratch / "movies.tfrecord.gz")
        seconds: dict[str, list[float]] = {"with cleaning": [], "without cleaning": []}
        for round_ in range(MEASUREMENT_ROUNDS):
            for label, times in seconds.items():
                directory = scratch / f"{label} {round_}"
                if label == "with cleaning":
                    times.append(_transform_seconds(scratch / "movies.tfrecord.gz", directory))
                else:
                    with mock.patch.multiple(text, **_WITHOUT_CLEANING):
                        times.append(_transform_seconds(scratch / "movies.tfrecord.gz", directory))
    medians = {label: statistics.median(times) for label, times in seconds.items()}
    ratio = medians["with cleaning"] / medians["without cleaning"]
    rows = [[label, f"{median:.1f}"] for label, median in medians.items()]
    print(f"{heading}:\n")
    print(table(["Transform", f"{count:,} movies: CPU s"], [*rows, ["ratio", f"{ratio:.2f}"]]))


def _truncate(texts: Any, max_characters: int) -> Any:
    """Return the first characters of each text as valid UTF-8."""
    import tensorflow as tf

    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.substr(valid, 0, max_characters, unit="UTF8_CHAR")


def _no_language(words: Any) -> Any:
    """Return an empty language for each plot."""
    import tensorflow as tf

    return tf.fill([words.nrows()], "")


_WITHOUT_CLEANING: Final[dict[str, Any]] = {
    "clean_text": _truncate,
    "clean_plot": lambda plot: plot,
    "language": _no_language,
}
"""Replacements of functions of `transform.text`."""


def _write_examples(movies: Path, limit: int | None, file: Path) -> int:
    """Write the movies of CSV shards as examples, and return their number."""
    import tensorflow as tf

    shards = [
        shard.open(encoding="utf-8", newline="") for shard in sorted(movies.glob(MOVIES_PATTERN))
    ]
    count = 0
    with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
        for row in islice(chain.from_iterable(map(csv.DictReader, shards)), limit):
            numbers = {name: float(row[name]) for name in raw.NUMBERS if row[name]}
            writer.write(serialize({**row, **dict.fromkeys(raw.NUMBERS), **numbers}))
            count += 1
    return count


def _transform_seconds(examples: Path, directory: Path) -> float:
    """Analyze and transform examples as the Transform component does; return the CPU time."""
    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx_bsl.public import tfxio

    from transform.preprocessing import preprocessing_fn

    schema = text_format.Parse(raw.SCHEMA_FILE.read_text("utf-8"), schema_pb2.Schema())
    source = tfxio.TFExampleRecord(str(examples), schema=schema)
    started = time.process_time()
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(directory / "beam")):
        data = (pipeline | source.BeamSource(), source.TensorAdapterConfig())
        (batches, metadata), _ = data | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, None), output_record_batches=True
        )
        encoder = tfxio.RecordBatchToExamplesEncoder(metadata.schema)
        (
            batches
            | "Encode" >> beam.FlatMapTuple(lambda batch, _: encoder.encode(batch))
            | "Write"
            >> beam.io.WriteToTFRecord(str(directory / "transformed"), file_name_suffix=".gz")
        )
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
