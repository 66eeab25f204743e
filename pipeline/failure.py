"""The report of a run that a node ended: why, and then all that the run had come to."""

import errno
import logging
import os
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tfx import v1 as tfx

import metadata
from components.anomaly_gate.decision import DataAnomaliesError
from components.model_report.collect import collect_facts
from ingest import IngestSummary
from pipeline import runner
from pipeline.config import RunConfig
from pipeline.runner import NodeResult, Status
from report import facts, page
from schema.errors import UserError
from schema.names import MODEL_NAME, Node

_FULL_DISK: Final = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
"""What the operating system says, and SQLite."""

log = logging.getLogger(__name__)


def render(
    config: RunConfig,
    pipeline: tfx.dsl.Pipeline,
    movies: IngestSummary,
    ended: Sequence[NodeResult],
    error: Exception,
    reasons: Sequence[str],
) -> str:
    """The HTML page of a run that ended early. It has all sections if the model had been judged.

    Args:
        config: Configuration of the run.
        pipeline: Pipeline of the run.
        movies: Report of what ingest read.
        ended: Nodes that ended, in order; the last one failed.
        error: Exception that the last node raised.
        reasons: Sentences that describe the error, one line each.
    """
    nodes = [facts.Ended(one.node, one.status.value, one.seconds) for one in ended]
    now = datetime.now(UTC)
    if isinstance(error, DataAnomaliesError):
        findings = [facts.Finding(**asdict(one)) for one in error.findings]
        return page.render_refused(MODEL_NAME, now, findings, nodes, asdict(movies))
    # Once the Evaluator has ended, everything is there that the report of a model needs.
    if any(one.node == Node.EVALUATOR and one.status is not Status.FAILED for one in ended):
        outcome = facts.Outcome(failed=ended[-1].node, reasons=tuple(reasons))
        try:
            run = metadata.read_history(config.metadata).newest_run
            given = runner.inputs(pipeline, Node.MODEL_REPORT, run)
            model = collect_facts(given, str(config.movies), str(config.metadata))
            return page.render(replace(model, outcome=outcome))
        except Exception:
            # What ended the run, such as a full disk, may make this fail as well.
            log.exception("the model could not be reported on")
    return page.render_failed(MODEL_NAME, now, reasons, nodes, asdict(movies))


def reasons(error: BaseException, log_file: Path) -> list[str]:
    """What went wrong, in lines: a user's mistake in full, a crash by its first line."""
    if isinstance(error, UserError):
        return str(error).splitlines()
    last = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return [last[:300], f"the whole story is in {log_file}"]


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, is a full disk; libraries wrap it in their own."""
    while error is not None:
        if any(words in str(error) for words in _FULL_DISK):
            return True
        error = error.__cause__ or error.__context__
    return False
