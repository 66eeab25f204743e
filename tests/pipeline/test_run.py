"""What a run says about ML Metadata before its first node."""

import re
from pathlib import Path

import pytest

from pipeline.config import RunConfig
from pipeline.run import _missing_statistics
from schema.errors import UserError
from schema.names import METADATA_FILE, STATISTICS_FILE
from tests.data.run_recorder import RunRecorder


def notes(output: Path) -> list[str]:
    return _missing_statistics(RunConfig(data=output, output=output))


@pytest.mark.parametrize("left", [None, b""])
def test_a_deleted_database_beside_artifacts_is_an_error(
    tmp_path: Path, left: bytes | None
) -> None:
    assert notes(tmp_path) == []
    (tmp_path / "artifacts" / "CsvExampleGen" / "examples" / "1").mkdir(parents=True)
    if left is not None:
        (tmp_path / METADATA_FILE).write_bytes(left)
    message = f"{tmp_path / METADATA_FILE}: the database of ML Metadata is missing or empty"
    with pytest.raises(UserError, match=re.escape(message)):
        notes(tmp_path)


def test_deleted_accepted_statistics_are_named(tmp_path: Path) -> None:
    recorder = RunRecorder(tmp_path / "output")
    directory = recorder.directory / "artifacts" / "AnomalyGate" / "accepted" / "1"
    recorder.add_artifact("AcceptedStatistics", str(directory))
    [note] = notes(recorder.directory)
    assert note.startswith(f"the accepted statistics {directory} no longer exist.")
    directory.mkdir(parents=True)
    (directory / STATISTICS_FILE).touch()
    assert notes(recorder.directory) == []
