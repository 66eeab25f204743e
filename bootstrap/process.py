"""Run other programs and log their output."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_REDIRECTING_VARIABLES = (
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
"""Variables that would redirect installations or imports to another environment."""


class SetupError(Exception):
    """Error of the set-up. The message says what is wrong and how to correct it."""


def clean_environ(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return environment variables for the programs that the set-up starts.

    Variables that redirect Python, pip or uv are removed. Settings of indexes, certificates and
    proxies are kept.

    Args:
        environ: Environment variables; by default those of this process.
    """
    variables = os.environ if environ is None else environ
    return {
        **{name: value for name, value in variables.items() if name not in _REDIRECTING_VARIABLES},
        "PIP_USER": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def command_output(
    argv: Sequence[str | Path], environ: Mapping[str, str] | None = None, timeout: float = 60
) -> str:
    """Return the output of a command, stripped; empty if it fails or does not exist.

    Args:
        argv: Program and its arguments.
        environ: Environment variables; by default those of this process.
        timeout: Float, in seconds. Time allowed for the command; 60 by default.
    """
    try:
        completed = subprocess.run(
            argv,
            env=environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return completed.stdout.strip() if completed.returncode == 0 else ""


class Log:
    """Log file, and lines of progress on the terminal."""

    def __init__(self, path: Path) -> None:
        """Create the log file, or empty it."""
        self.path = path
        self._start = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    def progress(self, text: str) -> None:
        """Print a line with the seconds since the start, and write it to the log."""
        line = f"[{time.monotonic() - self._start:4.0f} s] {text}"
        print(line, flush=True)
        self._write(line)

    def run(
        self,
        argv: Sequence[str | Path],
        description: str,
        environ: Mapping[str, str],
        cwd: Path | None = None,
    ) -> None:
        """Run a program and write its output to the log.

        Args:
            argv: Program and its arguments.
            description: What the program does, such as "downloading uv", for error messages.
            environ: Environment variables of the program.
            cwd: Working directory of the program.

        Raises:
            SetupError: The program could not be started or failed.
        """
        self._write("+ " + " ".join(str(part) for part in argv))
        try:
            with self.path.open("ab") as log:
                begin = log.tell()
                status = subprocess.run(
                    argv, env=environ, cwd=cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                ).returncode
        except OSError as error:
            raise SetupError(f"{description} could not be started: {error}") from error
        if status != 0:
            with self.path.open("rb") as log:
                log.seek(begin)
                lines = log.read().decode("utf-8", "replace").splitlines()
            last = "\n".join(f"    {line}" for line in lines[-12:])
            raise SetupError(
                f"{description} failed with status {status}:\n{last}\nSee the log: {self.path}"
            )

    def _write(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
