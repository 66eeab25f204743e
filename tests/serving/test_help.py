"""Each command's `--help` lists the exit statuses that it has."""

import re
from collections.abc import Callable

import pytest

from serving import launch
from serving.client import __main__ as client
from serving.server import __main__ as server
from serving.web import __main__ as web


@pytest.mark.parametrize(
    ("main", "statuses"),
    [
        (launch.main, [0, 1, 2, 75]),
        (server.main, [0, 2, 75]),
        (web.main, [0, 2, 75]),
        (client.main, [0, 1, 2, 3, 75, 130]),
    ],
)
def test_the_statuses(
    main: Callable[[list[str]], int], statuses: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out.partition("exit status:\n")[2]
    assert [int(number) for number in re.findall(r"^  (\d+)", listed, re.M)] == statuses
