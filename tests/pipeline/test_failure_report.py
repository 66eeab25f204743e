"""The report of a run that ended early has what the run had completed."""

import errno
import logging
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from components.anomaly_gate.decision import DataAnomaliesError, Finding
from ingest import IngestSummary
from pipeline import failure_report
from pipeline import pipeline as pipeline_module
from pipeline.config import RunConfig
from pipeline.runner import NodeResult, NodeStatus
from schema.names import Node

pytestmark = pytest.mark.filterwarnings(
    # TFX causes the warning, but protobuf attributes it to the caller.
    r"ignore:label\(\) is deprecated:DeprecationWarning"
)

MOVIES = IngestSummary(
    source="title.basics.tsv",
    titles=14,
    movies=12,
    dropped={"no genre": 2},
    lines={"title.basics.tsv": 14},
    blank_lines={},
    rejected={},
    plots={},
    credits={},
    filled={},
    genres={},
    other_genres={},
    split_groups={},
    shards=["movies-00000.csv"],
    seconds=0.5,
)


def render_page(
    directory: Path, ended: dict[str, NodeStatus], error: Exception, reasons: tuple[str, ...]
) -> str:
    config = RunConfig(data=directory / "data", output=directory / "output")
    nodes = [NodeResult(node, status, 1.5) for node, status in ended.items()]
    pipeline = pipeline_module.create_pipeline(config, "")
    return failure_report.render(config, pipeline, MOVIES, nodes, error, reasons)


def test_each_anomaly_is_listed(tmp_path: Path) -> None:
    found = Finding(("train", "eval"), "average_rating", "values above 10", "Correct the ratings")
    error = DataAnomaliesError([found])
    page = render_page(
        tmp_path,
        {"StatisticsGen": NodeStatus.DONE, "AnomalyGate": NodeStatus.FAILED},
        error,
        ("all of it in one line",),
    )
    assert "Stopped: the data have anomalies" in page
    assert "average_rating: values above 10" in page
    assert "Correct the ratings" in page
    assert "all of it in one line" not in page
    assert "12 movies from 14 titles." in page


@pytest.mark.parametrize("last", ["Trainer", Node.EVALUATOR])
def test_without_an_evaluated_model_only_the_reasons_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, last: str
) -> None:
    page = render_page(
        tmp_path,
        {"Transform": NodeStatus.CACHED, last: NodeStatus.FAILED},
        MemoryError("no memory"),
        ("no memory is left", f"See {tmp_path / 'output' / 'logs' / 'run.log'}."),
    )
    assert f"Failed: {last} ended with an error" in page
    assert "no memory is left" in page
    assert "See logs/run.log." in page
    assert str(tmp_path) not in page
    assert not caplog.records


def test_an_error_in_the_model_report_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The Evaluator has judged a model, but the metadata about it were never written.
    with caplog.at_level(logging.ERROR):
        page = render_page(
            tmp_path,
            {Node.EVALUATOR: NodeStatus.DONE, "Pusher": NodeStatus.FAILED},
            OSError("no space left"),
            ("no space is left",),
        )
    assert "Failed: Pusher ended with an error" in page
    assert "no space is left" in page
    assert "the report of the model could not be made" in caplog.text


FULL = os.strerror(errno.ENOSPC)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, FULL, "/a/b"), "/a"),
        (OSError(errno.ENOSPC, FULL, "/read/b", None, "/written/b"), "/written"),
        (caused(RuntimeError("Beam failed"), OSError(errno.EDQUOT, "Disk quota exceeded")), "/"),
        (tf.errors.ResourceExhaustedError(None, None, f"{{{{x}}}} /a/b/c; {FULL} [Op]"), "/a/b"),
        (RuntimeError("Error when executing query: database or disk is full"), "/proc"),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), None),
        (ZeroDivisionError(), None),
    ],
)
def test_the_full_directory_is_named_for_wrapped_errors(
    error: Exception, full: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {Path("/proc"): 9, Path("/"): 1}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=space[path]))
    found = failure_report.full_directory(error, [*space, Path("/does/not/exist")])
    assert found == (full and Path(full))
