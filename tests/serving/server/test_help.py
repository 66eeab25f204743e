"""The `--help` of the model server lists its exit statuses."""

import re

import pytest

from serving.server.__main__ import main


def test_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out.partition("exit status:\n")[2]
    assert re.findall(r"^  (\d+)", listed, re.M) == ["0", "2", "75"]
