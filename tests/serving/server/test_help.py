"""The `--help` of the model server lists its exit statuses."""

import re
import subprocess
import sys

import pytest

from serving.server.__main__ import main


def test_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out.partition("exit status:\n")[2]
    assert re.findall(r"^  (\d+)", listed, re.M) == ["0", "2", "75"]


def test_no_messages_of_tensorflow_come_before_the_help() -> None:
    command = [sys.executable, "-m", "serving.server", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: python -m serving.server ")
    assert done.stderr == ""
