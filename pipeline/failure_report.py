"""HTML report of a run that ended early because a node failed or found anomalies."""

import errno
import logging
import os
import re
import shutil
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tfx import v1 as tfx

import metadata
from components.anomaly_gate.decision import DataAnomaliesError
from components.model_report.collect import collect_content
from ingest import IngestSummary
from pipeline import runner
from pipeline.config import RunConfig
from pipeline.runner import NodeResult, NodeStatus
from report import content, page
from report.formats import relative_path
from schema.errors import UserError
from schema.names import MODEL_NAME, Node

_SQLITE_DISK_FULL: Final = "disk is full"
_DISK_FULL_MESSAGES: Final = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    _SQLITE_DISK_FULL,
)
"""Parts of the error messages of the operating system and of SQLite."""

_TENSORFLOW_DISK_FULL: Final = re.compile(r"(/\S+); " + re.escape(os.strerror(errno.ENOSPC)))
"""TensorFlow's message of a full disk, with the file."""

log = logging.getLogger(__name__)


def render(
    config: RunConfig,
    pipeline: tfx.dsl.Pipeline,
    movies: IngestSummary,
    ended: Sequence[NodeResult],
    error: Exception,
    reasons: Sequence[str],
) -> str:
    """Render the HTML page of a run that ended early.

    The page has all sections of the model report if the Evaluator has ended.

    Args:
        config: Configuration of the run.
        pipeline: Pipeline of the run.
        movies: Report of the ingest step.
        ended: Results of the nodes that have ended, in order; the last node failed.
        error: Exception that the last node raised.
        reasons: Description of the error, one line each.
    """
    nodes = [
        content.NodeResult(result.node, result.status.value, result.seconds) for result in ended
    ]
    now = datetime.now(UTC)
    reasons = [relative_path(reason, str(config.output)) for reason in reasons]
    if isinstance(error, DataAnomaliesError):
        findings = [content.Anomaly(**asdict(finding)) for finding in error.findings]
        return page.render_anomalies(MODEL_NAME, now, findings, nodes, asdict(movies))
    # The model report needs only artifacts that exist once the Evaluator has ended.
    statuses = {result.node: result.status for result in ended}
    if statuses.get(Node.EVALUATOR, NodeStatus.FAILED) is not NodeStatus.FAILED:
        push = content.PushResult(failed_node=ended[-1].node, reasons=tuple(reasons))
        try:
            run = metadata.read_history(config.metadata).newest_run
            inputs = runner.resolve_inputs(pipeline, Node.MODEL_REPORT, run)
            model = collect_content(inputs, str(config.movies), str(config.metadata))
            return page.render_report(replace(model, push=push))
        except Exception:
            # The cause of the failure, such as a full disk, may also prevent the report.
            log.exception("the report of the model could not be made")
    return page.render_failure(MODEL_NAME, now, reasons, nodes, asdict(movies))


def error_lines(error: BaseException, log_file: Path) -> list[str]:
    """Describe an error in lines: a UserError in full, any other error by its first line."""
    if isinstance(error, UserError):
        return str(error).splitlines()
    last = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return [last[:300], f"See {log_file} for the stack trace."]


def full_directory(error: BaseException | None, written: Sequence[Path]) -> Path | None:
    """Return the directory that has no space left, or None if a full disk is not the cause.

    Args:
        error: Exception. A library may have wrapped the original one.
        written: Directories that were written to. ML Metadata's errors name no file: its directory
            is the first one. For other errors without a file, it is the one with the least space.
    """
    while error is not None:
        text = str(error)
        if any(message in text for message in _DISK_FULL_MESSAGES):
            if _SQLITE_DISK_FULL in text:
                return written[0]
            if isinstance(error, OSError) and (file := error.filename2 or error.filename):
                return Path(os.fsdecode(file)).parent
            if found := _TENSORFLOW_DISK_FULL.search(text):
                return Path(found[1]).parent
            return min(filter(Path.exists, written), key=lambda path: shutil.disk_usage(path).free)
        error = error.__cause__ or error.__context__
    return None
