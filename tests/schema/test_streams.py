"""Commands whose standard streams break: closed, a pipe without reader, a full device."""

import subprocess
import sys
from pathlib import Path

import pytest

from schema.errors import ExitStatus

PROJECT = Path(__file__).parents[2]

REQUIRED = "print('x' * 100_000)"
"""A command that prints its result, which is larger than the buffer of a pipe."""
OPTIONAL = f"streams.ignore_output_errors(); {REQUIRED}; Path('result').write_text('written')"
"""A command that prints messages and writes its result to a file."""
REFUSED = f"{OPTIONAL}; status = 3"
WRONG = f"{OPTIONAL}; raise UserError('movies.csv: no title')"
WRONG_AT_ONCE = "print('x'); raise UserError('movies.csv: no title')"
"""What it printed is still in the buffer."""


def run(command: str, redirection: str, directory: Path) -> tuple[int, str, str]:
    """Run a command in a shell; return its status and what the shell's own streams got."""
    code = (
        "import sys; from pathlib import Path\n"
        "from schema import command, streams; from schema.errors import UserError\n"
        "def work():\n"
        f"    status = 0; {command}; return status\n"
        "sys.exit(command.run(work))\n"
    )
    script = directory / "command.py"
    script.write_text(code)
    # The status of the first program of a pipe.
    shell = f'"$0" "$1" {redirection}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable, str(script)],
        cwd=directory,
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.replace("x", ""), done.stderr


FULL = "error: standard output: No space left on device\n"
NO_TITLE = "error: movies.csv: no title\n"


@pytest.mark.parametrize(
    ("command", "redirection", "status", "errors"),
    [
        (REQUIRED, "| sleep 0", ExitStatus.OK, ""),
        (REQUIRED, "> /dev/full", ExitStatus.TRY_AGAIN, FULL),
        (REQUIRED, ">&-", ExitStatus.OK, ""),
        (OPTIONAL, "| sleep 0", ExitStatus.OK, ""),
        (OPTIONAL, "> /dev/full", ExitStatus.OK, ""),
        (OPTIONAL, ">&-", ExitStatus.OK, ""),
        (OPTIONAL, "> /dev/null 2>&-", ExitStatus.OK, ""),
        (OPTIONAL, "<&- >&- 2>&-", ExitStatus.OK, ""),
        (REFUSED, "> /dev/full", ExitStatus.REFUSED, ""),
        (WRONG, "> /dev/full", ExitStatus.USER_ERROR, NO_TITLE),
        (WRONG, "> /dev/full 2> /dev/full", ExitStatus.USER_ERROR, ""),
        (WRONG, ">&- 2>&-", ExitStatus.USER_ERROR, ""),
        (WRONG_AT_ONCE, "| sleep 0", ExitStatus.USER_ERROR, NO_TITLE),
        (WRONG_AT_ONCE, "> /dev/full", ExitStatus.USER_ERROR, f"{NO_TITLE}{FULL}"),
    ],
)
def test_a_broken_stream(
    tmp_path: Path, command: str, redirection: str, status: ExitStatus, errors: str
) -> None:
    assert run(command, redirection, tmp_path) == (status, "", errors)
    if "result" in command:
        assert (tmp_path / "result").read_text() == "written"


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    command = "file = open('result', 'w'); print('a message'); file.write('written'); file.close()"
    assert run(command, ">&- 2>&-", tmp_path) == (0, "", "")
    assert (tmp_path / "result").read_text() == "written"
