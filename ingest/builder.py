"""Build the movies CSV shards from dumps and plots, or from a single table."""

import errno
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

import tables
from ingest.config import IngestConfig, option_and_setting
from ingest.corrections import CORRECTIONS_FILE, find_corrections
from ingest.dump_join import DumpJoin
from ingest.dumps import DUMPS
from ingest.join import Join, allowed_rejects
from ingest.lines import Progress, RejectLog
from ingest.plots import find_plots, plot_files
from ingest.staging import StagedOutput, staged_output
from ingest.summary import IngestSummary
from ingest.table_join import TableJoin, table_files
from schema import text, text_rules
from schema.errors import TryAgainError, UserError, from_os_error
from schema.features import CSV_COLUMNS
from schema.files import sha256
from schema.genres import GENRES
from schema.names import INGEST_SUMMARY_FILE, REJECTS_FILE
from tables.formats import open_table

log = logging.getLogger(__name__)


def build(
    data_dir: Path | None,
    output_dir: Path,
    config: IngestConfig | None = None,
    progress: Progress = lambda *_: None,
    *,
    for_training: bool = True,
) -> IngestSummary:
    """Build the movies CSV shards from IMDb's dumps and plots, or from `config.table`.

    The output directory then contains the shards `movies-00000-of-000NN.csv`, in the order of
    tconst, `summary.json` and `rejects.tsv`. Its contents are replaced at the end of the build, and
    kept if inputs, settings and code have not changed since the last build. A shard with unchanged
    bytes keeps its modification time.

    Args:
        data_dir: Directory with title.basics, title.ratings, title.crew, title.principals and
            name.basics, each as .tsv or .tsv.gz, the plots unless `config.plots` names them, and
            `corrections.csv` if genres were corrected. It is not read if `config.table` is set.
        output_dir: Output directory, which is created if necessary.
        config: Settings; None uses the defaults.
        progress: Function that is called with the progress of the build.
        for_training: Whether a model is trained on the movies: the build stops if nothing can be
            learned from their genres. False is for data whose movies are only labelled, which may
            have no genres at all.

    Returns:
        Summary of the build.

    Raises:
        UserError: An input is missing, corrupt or has too many malformed lines, or the output
            cannot be written. `output_dir` is unchanged, and rejected lines are listed in
            `<output_dir>.rejects.tsv`.
        TryAgainError: Another build is writing to the directory, or the disk is full.
    """
    config = config or IngestConfig()
    try:
        inputs = _find_inputs(data_dir, config)
        _note_unused_corrections(config.table)
        current = _code_and_settings(config, for_training=for_training)
        with staged_output(output_dir) as staged:
            if not _rebuild_reasons(staged.output, config, inputs, current):
                earlier = _read_record(staged.output)["summary"]
                return IngestSummary(**{**earlier, "reused": True})
            return _build(
                staged, config, data_dir, inputs, current, progress, for_training=for_training
            )
    except OSError as error:
        message = f"{error.filename or output_dir}: {error.strerror or error}"
        raise from_os_error(error, message) from error
    except duckdb.OutOfMemoryException as error:
        # DuckDB limits its temporary files to the free space of the disk.
        if "max_temp_directory_size" in str(error):
            raise TryAgainError(
                f"{output_dir}: the disk is too full for the temporary files of the join. Free "
                f"space, or raise {option_and_setting('memory_limit')}, so that the join needs "
                "fewer of them."
            ) from error
        raise UserError(
            f"the join needs more memory than the limit of {config.memory_limit}. Raise "
            f"{option_and_setting('memory_limit')}."
        ) from error
    except duckdb.IOException as error:
        is_full = os.strerror(errno.ENOSPC) in str(error)
        raise (TryAgainError if is_full else UserError)(
            f"{output_dir}: cannot be written: {error}"
        ) from error


def rebuild_reasons(data_dir: Path | None, output_dir: Path, config: IngestConfig) -> list[str]:
    """Return why `build` would not keep the contents of `output_dir`; empty if it would.

    Raises:
        UserError: An input is missing.
    """
    current = _code_and_settings(config, for_training=True)
    return _rebuild_reasons(output_dir, config, _find_inputs(data_dir, config), current)


def built_genres(output_dir: Path) -> tuple[str, ...]:
    """Return the genres of the movies in `output_dir`, in the order of labels; empty if unknown."""
    try:
        return tuple(_read_record(output_dir)["summary"]["genres"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _find_inputs(data_dir: Path | None, config: IngestConfig) -> list[Path]:
    """Return the files that a build reads; the first has the titles."""
    if config.table is not None:
        if config.corrections is not None:
            raise UserError(
                f"{config.corrections}: corrections are only read with dumps. Correct the genres "
                f"in {config.table}."
            )
        files = table_files(config.table)
        for file in files:
            if not file.is_file():
                # This raises an error that says what is there.
                with open_table(file):
                    pass
        return files
    if data_dir is None or not data_dir.is_dir():
        is_there = data_dir is not None and os.path.lexists(data_dir)
        problem = "not a directory" if is_there else "no such directory"
        raise UserError(f"{data_dir}: {problem}. Name a directory with IMDb's dumps.")
    dumps = [dump.find(data_dir) for dump in DUMPS]
    plots = config.plots or find_plots(data_dir)
    corrections = find_corrections(data_dir, config.corrections)
    return [*dumps, *plot_files(plots), *([corrections] if corrections else [])]


def _note_unused_corrections(table: Path | None) -> None:
    """Log that corrections beside a single table, or in the directory of a corpus, are not read."""
    if table is None:
        return
    corrections = (table if table.is_dir() else table.parent) / CORRECTIONS_FILE
    if corrections.is_file() and not corrections.samefile(table):
        log.warning(
            "%s is not read: corrections are only read with dumps. Correct the genres in %s.",
            corrections,
            table,
        )


def _build(
    staged: StagedOutput,
    config: IngestConfig,
    data_dir: Path | None,
    inputs: list[Path],
    current: dict[str, Any],
    progress: Progress,
    *,
    for_training: bool,
) -> IngestSummary:
    start = time.monotonic()
    # Read before the build, so that a later change of an input leads to a new build.
    built_from = current | {
        "inputs": [
            {
                "name": path.name,
                "size": path.stat().st_size,
                "modified_ns": path.stat().st_mtime_ns,
                "sha256": sha256(path),
            }
            for path in inputs
        ]
    }
    reject_log = RejectLog(staged.staging / REJECTS_FILE, staged.saved_rejects)
    try:
        with (
            _restore_keyboard_interrupt(),
            duckdb.connect(
                config={
                    "memory_limit": config.memory_limit,
                    "threads": config.threads or os.cpu_count() or 1,
                    "temp_directory": str(staged.scratch / "duckdb"),
                    "preserve_insertion_order": True,
                    "autoinstall_known_extensions": False,
                }
            ) as connection,
        ):
            join = _join(
                data_dir,
                connection,
                config,
                staged.scratch,
                reject_log,
                progress,
                for_training,
            )
            shards = join.write(staged.staging)
            counts = join.counts()
    except UserError:
        reject_log.close()
        if any(reject_log.counts.values()):
            staged.save_rejects()
        raise
    finally:
        reject_log.close()
    source = inputs[0].name
    summary = IngestSummary(
        source=source,
        titles=join.lines[source],
        **counts,
        shards=shards,
        seconds=round(time.monotonic() - start, 1),
    )
    rejected = reject_log.counts[source].total()
    if summary.titles != summary.movies + sum(summary.dropped.values()) + rejected:
        raise RuntimeError(f"the counts of titles do not add up: {summary}")
    written = {path.name: sha256(path) for path in staged.staging.iterdir()}
    record = {"summary": asdict(summary), "built_from": built_from, "written": written}
    (staged.staging / INGEST_SUMMARY_FILE).write_text(
        json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    staged.replace_output()
    return summary


def _join(
    data_dir: Path | None,
    connection: duckdb.DuckDBPyConnection,
    config: IngestConfig,
    *arguments: Any,
) -> Join:
    """Make the table `movies` from the table of the settings, or else from dumps."""
    if config.table is not None:
        from_table = TableJoin(connection, config, *arguments)
        from_table.run_table(config.table)
        return from_table
    assert data_dir is not None
    join = DumpJoin(connection, config, *arguments)
    join.run(
        {dump: dump.find(data_dir) for dump in DUMPS},
        config.plots or find_plots(data_dir),
        find_corrections(data_dir, config.corrections),
    )
    return join


@contextmanager
def _restore_keyboard_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt where DuckDB reports Ctrl-C as an error of its query."""
    try:
        yield
    except (RuntimeError, duckdb.Error) as error:
        if any(sign in str(error) for sign in ("Query interrupted", "KeyboardInterrupt")):
            raise KeyboardInterrupt from error
        raise


def _code_and_settings(config: IngestConfig, *, for_training: bool) -> dict[str, Any]:
    """Return what the written files depend on besides the inputs."""
    code = hashlib.sha256(repr((CSV_COLUMNS, GENRES, duckdb.__version__)).encode())
    packages = (Path(__file__).parent, Path(tables.__file__).parent)
    files = [path for package in packages for path in sorted(package.glob("*.py"))]
    # Which texts are empty, placeholders or copies depends on the rules that clean texts.
    for path in (*files, Path(text.__file__), Path(text_rules.__file__)):
        code.update(path.read_bytes())
    return {
        "code": code.hexdigest(),
        # What was built for labels only has not been checked for a training.
        "settings": config.output_settings() | {"for_training": for_training},
    }


def _read_record(output: Path) -> Any:
    """Read the summary file of a build."""
    return json.loads((output / INGEST_SUMMARY_FILE).read_text("utf-8"))


def _rebuild_reasons(
    output: Path, config: IngestConfig, inputs: list[Path], current: dict[str, Any]
) -> list[str]:
    try:
        record = _read_record(output)
        summary = IngestSummary(**record["summary"])
        built_from = record["built_from"]
        recorded = {entry["name"]: entry for entry in built_from["inputs"]}
        names = {path.name for path in inputs}
        return [
            *(f"{name} changed" for name in current if built_from.get(name) != current[name]),
            *(
                f"{name} has more malformed lines than max_reject_share now allows"
                for name, reasons in summary.rejected.items()
                if sum(reasons.values())
                > allowed_rejects(summary.lines[name], config.max_reject_share)
            ),
            *(
                f"{path.name} changed"
                for path in inputs
                if path.name not in recorded or not _is_unchanged(recorded[path.name], path)
            ),
            *(f"{name} is no longer read" for name in recorded if name not in names),
            *(
                f"{name} was changed or deleted"
                for name, checksum in record["written"].items()
                if not (output / name).is_file() or sha256(output / name) != checksum
            ),
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return ["there is no earlier build, or its summary is damaged"]


def _is_unchanged(recorded: dict[str, Any], path: Path) -> bool:
    """Compare a file with its record by size, and by modification time or else by SHA-256."""
    status = path.stat()
    return recorded["size"] == status.st_size and (
        recorded["modified_ns"] == status.st_mtime_ns or recorded["sha256"] == sha256(path)
    )
