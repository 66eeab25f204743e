"""Running other programs, with a log that a user can be pointed to."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_DROPPED = (
    "CONDA_PREFIX",
    "LD_LIBRARY_PATH",
    "MAKEFLAGS",
    "MAKELEVEL",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSAFEPATH",
    "PYTHONSTARTUP",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_TARGET",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
)
"""Variables that would send what is installed, or what is imported, somewhere else than the
environment."""


class SetupError(Exception):
    """What stopped the set-up; the message is complete in itself and says what to do."""


def clean_environ(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Gives the environment variables for the programs that the set-up starts.

    They are those of this process or the given ones, without those that redirect Python, pip or uv.
    Index, certificate and proxy settings stay.
    """
    given = os.environ if environ is None else environ
    return {
        **{name: value for name, value in given.items() if name not in _DROPPED},
        "PIP_USER": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def output_of(
    argv: Sequence[str | Path], environ: Mapping[str, str] | None = None, seconds: float = 60
) -> str:
    """Gives what a short command prints, stripped; empty if it fails or does not exist."""
    try:
        done = subprocess.run(
            argv,
            env=environ,
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


class Log:
    """A file for everything, and a few plain lines on the terminal for the user."""

    def __init__(self, path: Path) -> None:
        """Starts the log file anew; its folder is made."""
        self.path = path
        self._start = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    def say(self, text: str) -> None:
        """Prints a line of progress, with the seconds since the start, and writes it to the log."""
        line = f"[{time.monotonic() - self._start:4.0f} s] {text}"
        print(line, flush=True)
        self._write(line)

    def run(
        self,
        argv: Sequence[str | Path],
        what: str,
        environ: Mapping[str, str],
        cwd: Path | None = None,
    ) -> None:
        """Runs a program; its output goes to the log alone.

        Args:
            argv: the program and its arguments.
            what: what the program does, as a noun, for the error message.
            environ: its environment variables.
            cwd: its working directory.

        Raises:
            SetupError: the program could not be started or failed.
        """
        self._write("+ " + " ".join(str(part) for part in argv))
        try:
            with self.path.open("ab") as log:
                begin = log.tell()
                status = subprocess.run(
                    argv, env=environ, cwd=cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                ).returncode
        except OSError as error:
            raise SetupError(f"{what} could not be started: {error}") from error
        if status != 0:
            with self.path.open("rb") as log:
                log.seek(begin)
                lines = log.read().decode("utf-8", "replace").splitlines()
            last = "\n".join(f"    {line}" for line in lines[-12:])
            raise SetupError(
                f"{what} failed with status {status}:\n{last}\nThe whole log: {self.path}"
            )

    def _write(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
