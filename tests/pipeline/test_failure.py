"""What is reported of a run that ended early depends on how far it came."""

import errno
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from components.anomaly_gate.decision import DataAnomaliesError, Finding
from ingest import IngestSummary
from pipeline import failure
from pipeline import pipeline as dag
from pipeline.config import RunConfig
from pipeline.runner import NodeResult, Status
from schema.names import Node

pytestmark = pytest.mark.filterwarnings(
    # TFX's, but protobuf gives it to whoever called.
    r"ignore:label\(\) is deprecated:DeprecationWarning"
)

MOVIES = IngestSummary(
    titles=14,
    movies=12,
    dropped={"no genre": 2},
    lines={"title.basics.tsv": 14},
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


def rendered(
    folder: Path, ended: dict[str, Status], error: Exception, reasons: tuple[str, ...]
) -> str:
    config = RunConfig(data=folder / "data", output=folder / "output")
    nodes = [NodeResult(node, status, 1.5) for node, status in ended.items()]
    pipeline = dag.create_pipeline(config, "")
    return failure.render(config, pipeline, MOVIES, nodes, error, reasons)


def test_anomalies_are_told_one_by_one(tmp_path: Path) -> None:
    found = Finding(("train", "eval"), "average_rating", "values above 10", "Correct the ratings")
    error = DataAnomaliesError([found])
    page = rendered(
        tmp_path,
        {"StatisticsGen": Status.DONE, "AnomalyGate": Status.FAILED},
        error,
        ("the whole of it in one line",),
    )
    assert "Stopped: the data have anomalies" in page
    assert "average_rating: values above 10" in page
    assert "Correct the ratings" in page
    assert "the whole of it in one line" not in page
    assert "12 movies of 14 titles." in page


@pytest.mark.parametrize("last", ["Trainer", Node.EVALUATOR])
def test_without_a_judged_model_the_reasons_stand_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, last: str
) -> None:
    page = rendered(
        tmp_path,
        {"Transform": Status.CACHED, last: Status.FAILED},
        MemoryError("no memory"),
        ("no memory is left",),
    )
    assert f"Failed: {last} ended with an error" in page
    assert "no memory is left" in page
    assert not caplog.records


def test_what_hides_the_model_too_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The Evaluator has judged a model, but the metadata that would tell of it were never written.
    with caplog.at_level(logging.ERROR):
        page = rendered(
            tmp_path,
            {Node.EVALUATOR: Status.DONE, "Pusher": Status.FAILED},
            OSError("no space left"),
            ("no space is left",),
        )
    assert "Failed: Pusher ended with an error" in page
    assert "no space is left" in page
    assert "the model could not be reported on" in caplog.text


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), True),
        (caused(RuntimeError("Beam failed"), OSError(errno.EDQUOT, "Disk quota exceeded")), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), False),
        (ZeroDivisionError(), False),
    ],
)
def test_a_full_disk_is_known_whatever_wraps_it(error: Exception, full: bool) -> None:
    assert failure.is_full_disk(error) is full
