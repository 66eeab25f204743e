"""Finds a Python of this machine that can run the project.

This file and `__main__` keep to what Python 3.6 can read: an old `python3` starts them first.
"""

import glob
import json
import os
import re
import shutil
import subprocess
from typing import Any, Callable, Dict, List, Optional

Facts = Dict[str, Any]
"""What `probe` says of an interpreter."""

SUPPORTED = ((3, 11), (3, 12), (3, 13))
"""Versions for which every library in the lock file exists."""

_PROBE = """
import json, os, platform, struct, sys, sysconfig
def libc():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""
def lacking(names):
    for name in names:
        try:
            __import__(name)
        except ImportError:
            yield name
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "in_environment": sys.prefix != sys.base_prefix,
    "version": list(sys.version_info[:3]),
    "implementation": sys.implementation.name,
    "bits": struct.calcsize("P") * 8,
    "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "libc": libc(),
    "system": platform.system(),
    "machine": platform.machine(),
    "missing": list(lacking(("bz2", "ctypes", "lzma", "sqlite3", "ssl", "venv", "zlib"))),
}))
"""


class NoPython(Exception):  # noqa: N818 (it is what is missing, not a fault)
    """No Python here can run the project: the message says what to install."""


def probe(command: str) -> Optional[Facts]:
    """Asks a Python, given by name or path, what it is.

    Returns:
        The facts (see `_PROBE`); for a virtual environment, those of the interpreter that it was
        made with. None if there is no such command or it does not run.
    """
    path = shutil.which(command)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, "-I", "-c", _PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    facts: Facts = json.loads(done.stdout.decode("utf-8"))
    if facts["in_environment"] and facts["executable"] != os.path.realpath(path):
        return probe(facts["executable"])
    return facts


def problem(facts: Facts) -> str:
    """Says why a Python cannot run the project; an empty string if it can."""
    if facts["implementation"] != "cpython":
        return f"it is {facts['implementation']} and not CPython"
    if tuple(facts["version"][:2]) not in SUPPORTED:
        return "its version is " + ".".join(str(part) for part in facts["version"])
    if facts["in_environment"]:
        return "it belongs to a virtual environment whose base is not found"
    if not facts["gil"]:
        return "it is a free-threaded build, for which TensorFlow has no packages"
    if facts["bits"] != 64:
        return "it is a 32-bit build"
    if facts["missing"]:
        return "its standard library lacks " + ", ".join(facts["missing"])
    return ""


def candidates(environ: Dict[str, str]) -> List[str]:
    """Lists where a Python may be: on the PATH, then among those that pyenv or uv installed."""
    versions = [f"{major}.{minor}" for major, minor in reversed(SUPPORTED)]
    names = ["python3"] + ["python" + version for version in versions]
    home = environ.get("HOME", "")
    pyenv = environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv")
    for version in versions:
        for root in (f"{pyenv}/versions/", f"{home}/.local/share/uv/python/cpython-"):
            folders = glob.glob(f"{root}{version}.*")
            folders.sort(key=lambda folder: [int(part) for part in re.findall(r"\d+", folder)])
            names += [os.path.join(folder, "bin", "python3") for folder in reversed(folders)]
    return names


def choose(
    requested: str = "",
    environ: Optional[Dict[str, str]] = None,
    ask: Callable[[str], Optional[Facts]] = probe,
) -> Facts:
    """Chooses the Python that the environment is made with.

    Args:
        requested: the interpreter that the user named; empty to take the first that fits.
        environ: the environment variables, those of this process by default.
        ask: gives the facts about an interpreter, see `probe`.

    Raises:
        NoPython: nothing fits; the message names what was found and what to install.
    """
    commands = [requested] if requested else candidates(environ or dict(os.environ))
    found = []
    for command in commands:
        facts = ask(command)
        if facts is not None:
            reason = problem(facts)
            if not reason:
                return facts
            found.append(f"  {command} cannot be used: {reason}\n")
        elif requested:
            found.append(f"  {command} cannot be used: it is not there, or does not start\n")
    raise NoPython(
        "a CPython {}.{}, {}.{} or {}.{} is needed.\n".format(*sum(SUPPORTED, ()))
        + "".join(dict.fromkeys(found))
        + "Install one (Debian, Ubuntu: `apt-get install python3`; Fedora: `dnf install "
        + "python3.12`; macOS: `brew install python@3.12`; anywhere: `pyenv install 3.12` or `uv "
        + "python install 3.12`), then run the command again, with PYTHON=/path/to/python3.12 if "
        + "it is not found by itself."
    )
