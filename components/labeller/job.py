"""Label files of movies into one table, part by part, so that an interrupted job can be resumed.

The parts are in `<table>.parts/` until the caller deletes them. The name of a part is a digest of
all that it depends on, so a later job keeps those that are still right.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apache_beam.options.pipeline_options import PipelineOptions

from components.labeller import tables
from components.labeller.inference import (
    Part,
    Source,
    check_model,
    count_rows,
    label_part,
    write_part,
)
from schema import manifest
from schema.files import files_digest, lock, sha256
from schema.fingerprint import fingerprint
from schema.names import UNLABELLED_PATTERN

ROWS_PER_PART: Final = 5_000
"""Largest number of movies in one part. All movies of a part are in memory at the same time."""


@dataclass(frozen=True)
class Progress:
    """Progress of a job in one file of movies.

    Attributes:
        source: The file.
        done: Movies of the file that have labels.
        total: Movies in the file.
        resumed: Movies whose labels an interrupted job left.
    """

    source: Source
    done: int
    total: int
    resumed: int


OnProgress = Callable[[Progress], None]
"""Function that is called before the first part of a file, and after each of its parts."""


@dataclass(frozen=True)
class LabelJob:
    """Options of the labels in one or more tables.

    The parts of a table stay until `delete_parts` is called, so that a caller can write several
    tables and continue with all of them after an interruption.

    Attributes:
        options: Options of the Beam pipelines.
        on_progress: Function that is called with the progress.
        rows_per_part: Largest number of movies in one part.
    """

    options: PipelineOptions
    on_progress: OnProgress = lambda _: None
    rows_per_part: int = ROWS_PER_PART

    def write_labels(self, sources: Sequence[Source], table: Path) -> tables.LabelCounts:
        """Write the predicted genres of all movies to a table, as `tables.write_labels` does.

        Args:
            sources: Files of movies, with the models that label them.
            table: CSV or Parquet file to write.

        Raises:
            UserError: The table has another suffix or no directory, or a model is not readable.
            TryAgainError: Another job is writing this table.
        """
        with self._labelled_parts(sources, table) as (parts, scratch):
            return tables.write_labels(parts, table, scratch)

    def write_doubts(self, sources: Sequence[Source], table: Path) -> int:
        """Write the movies whose listed genres the model doubts, as `tables.write_doubts` does.

        Arguments and errors are those of `write_labels`.
        """
        with self._labelled_parts(sources, table) as (parts, scratch):
            return tables.write_doubts(parts, table, scratch)

    @contextmanager
    def _labelled_parts(
        self, sources: Sequence[Source], table: Path
    ) -> Iterator[tuple[list[Path], Path]]:
        """Label all parts that an interrupted job has not left.

        Yields:
            Files of the parts, and a directory for temporary files.
        """
        tables.check_table(table)
        for model in {source.model.path for source in sources}:
            check_model(model)
        directory = parts_directory(table)
        directory.mkdir(exist_ok=True)
        busy = f"{table}: another command is writing this file. Wait until it has finished."
        with lock(directory, busy):
            yield self._label_parts(sources, directory), directory / "scratch"

    def _label_parts(self, sources: Sequence[Source], directory: Path) -> list[Path]:
        """Label the parts that are not in a directory, and delete all other files there."""
        # A table without movies has the columns of an empty part.
        empty = directory / "empty.parquet"
        write_part([], empty)
        code = fingerprint("components.labeller.inference")
        models = {path: manifest.digest(path) for path in {source.model.path for source in sources}}
        plans = {
            source: self._plan(source, directory, f"{code} {models[source.model.path]}")
            for source in sources
        }
        files = [empty, *(file for plan in plans.values() for file in plan)]
        for other in set(directory.iterdir()) - set(files):
            shutil.rmtree(other) if other.is_dir() else other.unlink()
        for source, plan in plans.items():
            sizes = {file: part.stop - part.start for file, part in plan.items()}
            done = resumed = sum(size for file, size in sizes.items() if file.exists())
            self.on_progress(Progress(source, done, sum(sizes.values()), resumed))
            for file, part in plan.items():
                if not file.exists():
                    label_part(part, file, self.options)
                    done += sizes[file]
                    self.on_progress(Progress(source, done, sum(sizes.values()), resumed))
        return files

    def _plan(self, source: Source, directory: Path, model: str) -> dict[Path, Part]:
        """Divide a file into parts, by the file that will hold the labels of each."""
        total = count_rows(source)
        version, split = source.model.version, source.split
        identity = f"{model} {version} {sha256(source.path)} {split}"
        plan = {}
        for start in range(0, total, self.rows_per_part):
            part = Part(source, start, min(start + self.rows_per_part, total))
            digest = hashlib.sha256(f"{identity} {start} {part.stop}".encode()).hexdigest()
            plan[directory / f"{digest[:32]}.parquet"] = part
        return plan


def parts_directory(table: Path) -> Path:
    """Return the directory of the parts of a table."""
    return table.with_name(f"{table.name}.parts")


def delete_parts(table: Path) -> None:
    """Delete the parts of a table that is complete, so that a later job labels all movies again."""
    shutil.rmtree(parts_directory(table))


def unlabelled_shards(movies: Path) -> list[Path]:
    """Return the shards of movies without genres in a directory that ingest has written."""
    return sorted(movies.glob(UNLABELLED_PATTERN))


def unlabelled_digest(movies: Path) -> str:
    """Return a digest of these shards, which is part of the cache key of `Labeller`."""
    return files_digest(unlabelled_shards(movies))
