"""One build: dumps and plots in, movies CSV shards, report and rejects out."""

import errno
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from ingest.config import IngestConfig
from ingest.dumps import DUMPS, Dump
from ingest.join import Join
from ingest.lines import Progress, RejectLog, sha256
from ingest.plots import find_plots, plot_files
from ingest.publish import Workplace, workplace
from ingest.report import IngestSummary
from schema.errors import TryAgainError, UserError, from_os_error
from schema.features import CSV_COLUMNS
from schema.genres import GENRES
from schema.names import INGEST_SUMMARY_FILE, REJECTS_FILE


def build(
    data_dir: Path,
    output_dir: Path,
    settings: IngestConfig | None = None,
    progress: Progress = lambda *_: None,
) -> IngestSummary:
    """Makes the movies CSV shards of a folder of IMDb dumps.

    `output_dir` then holds `movies-00000-of-000NN.csv` in the order of tconst, `report.json` and
    `rejects.tsv`. It is replaced as a whole at the end. Where inputs, settings and this code are
    those of its last build, it is left as it is; a shard whose bytes did not change keeps its time
    of modification.

    Args:
        data_dir: Holds title.basics, title.ratings, title.crew, title.principals and name.basics,
            each .tsv or .tsv.gz, and the plots unless `settings.plots` names them.
        output_dir: Folder for the movies; made if need be.
        settings: The user's choices; None takes the defaults.
        progress: Told how far the build is.

    Raises:
        UserError: An input is missing, damaged or malformed beyond the allowed share; or the
            output cannot be written. What `output_dir` held is still there; rejects are then in
            `<output_dir>.rejects.tsv`.
        TryAgainError: Another build writes there, or the disk is full.
    """
    settings = settings or IngestConfig()
    if not data_dir.is_dir():
        raise UserError(f"{data_dir}: no such folder; expected one with IMDb's dumps")
    sources, plots, inputs = _inputs(data_dir, settings)
    try:
        with workplace(output_dir) as place:
            if not _changes(place.output, settings, inputs):
                earlier = _record(place.output)["report"]
                return IngestSummary(**{**earlier, "reused": True})
            return _build(place, settings, sources, plots, inputs, progress)
    except OSError as error:
        message = f"{error.filename or output_dir}: {error.strerror or error}"
        raise from_os_error(error, message) from error
    except duckdb.OutOfMemoryException as error:
        # DuckDB limits its temporary files to what the disk has free.
        if "max_temp_directory_size" in str(error):
            raise TryAgainError(
                f"the disk of {output_dir} is too full for the temporary files of the join: free "
                "space there, or raise --memory-limit so that the join needs fewer of them"
            ) from error
        raise UserError(
            f"the join needs more than the memory limit of {settings.memory_limit}: raise "
            "--memory-limit"
        ) from error
    except duckdb.IOException as error:
        full = os.strerror(errno.ENOSPC) in str(error)
        raise (TryAgainError if full else UserError)(
            f"{output_dir}: cannot be written: {error}"
        ) from error


def changes(data_dir: Path, output_dir: Path, settings: IngestConfig) -> list[str]:
    """Why a build would not keep what is in `output_dir`, in a few words each; none if it would.

    Raises:
        UserError: a dump or the plots are not there.
    """
    return _changes(output_dir, settings, _inputs(data_dir, settings)[2])


def _inputs(data_dir: Path, settings: IngestConfig) -> tuple[dict[Dump, Path], Path, list[Path]]:
    """The dumps, the plots, and all files of both."""
    sources = {dump: dump.find(data_dir) for dump in DUMPS}
    plots = settings.plots or find_plots(data_dir)
    return sources, plots, [*sources.values(), *plot_files(plots)]


def _build(
    place: Workplace,
    settings: IngestConfig,
    sources: dict[Dump, Path],
    plots: Path,
    inputs: list[Path],
    progress: Progress,
) -> IngestSummary:
    start = time.monotonic()
    made_from = _made_from(settings) | {
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
    log = RejectLog(place.fresh / REJECTS_FILE, place.kept_rejects)
    try:
        with (
            _interrupt_as_such(),
            duckdb.connect(
                config={
                    "memory_limit": settings.memory_limit,
                    "threads": settings.threads or os.cpu_count() or 1,
                    "temp_directory": str(place.spool / "duckdb"),
                    "preserve_insertion_order": True,
                    "autoinstall_known_extensions": False,
                }
            ) as con,
        ):
            join = Join(con, settings, place.spool, log, progress)
            join.run(sources, plots)
            shards = join.write(place.fresh)
            accounts = join.accounts()
    except UserError:
        log.close()
        if any(log.counts.values()):
            place.keep_rejects()
        raise
    finally:
        log.close()
    basics = inputs[0].name
    report = IngestSummary(
        titles=join.lines[basics],
        **accounts,
        shards=shards,
        seconds=round(time.monotonic() - start, 1),
    )
    accounted = report.movies + sum(report.dropped.values()) + log.counts[basics].total()
    if report.titles != accounted:
        raise RuntimeError(f"titles got lost: {report}")
    sizes = {path.name: path.stat().st_size for path in place.fresh.iterdir()}
    record = {"report": asdict(report), "made_from": made_from, "sizes": sizes}
    (place.fresh / INGEST_SUMMARY_FILE).write_text(
        json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    place.publish()
    return report


@contextmanager
def _interrupt_as_such() -> Iterator[None]:
    """Raises KeyboardInterrupt where DuckDB tells of Ctrl-C as a failure of its query."""
    try:
        yield
    except (RuntimeError, duckdb.Error) as error:
        if any(sign in str(error) for sign in ("Query interrupted", "KeyboardInterrupt")):
            raise KeyboardInterrupt from error
        raise


def _made_from(settings: IngestConfig) -> dict[str, Any]:
    """What the written files depend on, without the inputs."""
    code = hashlib.sha256(repr((CSV_COLUMNS, GENRES, duckdb.__version__)).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return {"code": code.hexdigest(), "settings": settings.that_shape_rows()}


def _record(output: Path) -> Any:
    """What a build wrote about itself."""
    return json.loads((output / INGEST_SUMMARY_FILE).read_text("utf-8"))


def _changes(output: Path, settings: IngestConfig, inputs: list[Path]) -> list[str]:
    """What is not as it was in the build in `output`."""
    try:
        record = _record(output)
        report = IngestSummary(**record["report"])
        made_from, now = record["made_from"], _made_from(settings)
        known = {one["name"]: one for one in made_from["inputs"]}
        names = {path.name for path in inputs}
        return [
            *(f"{name} changed" for name in now if made_from.get(name) != now[name]),
            *(
                f"{name} has more malformed lines than max_reject_share allows now"
                for name, reasons in report.rejected.items()
                if sum(reasons.values()) > settings.max_reject_share * report.lines[name]
            ),
            *(
                f"{path.name} changed"
                for path in inputs
                if path.name not in known or not _is_same(known[path.name], path)
            ),
            *(f"{name} is no longer read" for name in known if name not in names),
            *(
                f"{name} was changed or deleted"
                for name, size in record["sizes"].items()
                if not (output / name).is_file() or (output / name).stat().st_size != size
            ),
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return ["there is no earlier build, or its record is damaged"]


def _is_same(known: dict[str, Any], path: Path) -> bool:
    """Whether a file is the one that was read: same size, and same time or bytes."""
    status = path.stat()
    return known["size"] == status.st_size and (
        known["modified_ns"] == status.st_mtime_ns or known["sha256"] == sha256(path)
    )
