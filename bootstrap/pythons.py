"""Find a Python interpreter that can run the project.

This module and `__main__` have the syntax of Python 3.6, since an old `python3` may start them.
"""

import glob
import json
import os
import re
import shutil
import subprocess
from typing import Any, Callable, Dict, List, Optional

Facts = Dict[str, Any]
"""Facts about an interpreter, the keys of the JSON that `_PROBE` prints."""

SUPPORTED = ((3, 11), (3, 12), (3, 13))
"""Python versions for which all libraries in the lock file are available."""

_PROBE = """
import json, os, platform, struct, sys, sysconfig
def libc():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""
def missing(names):
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
    "missing": list(missing(("bz2", "ctypes", "lzma", "sqlite3", "ssl", "venv", "zlib"))),
}))
"""


class PythonNotFoundError(Exception):
    """Error for a machine without a suitable Python. The message says what to install."""


def probe(command: str) -> Optional[Facts]:
    """Return facts about a Python interpreter.

    Args:
        command: Name or path of the interpreter.

    Returns:
        Facts about the interpreter; for a virtual environment, about its base interpreter. None if
        the command does not exist or fails.
    """
    path = shutil.which(command)
    if path is None:
        return None
    try:
        completed = subprocess.run(
            [path, "-I", "-c", _PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if completed.returncode != 0:
        return None
    facts: Facts = json.loads(completed.stdout.decode("utf-8"))
    if facts["in_environment"] and facts["executable"] != os.path.realpath(path):
        return probe(facts["executable"])
    return facts


def unsuitable_reason(facts: Facts) -> str:
    """Return why an interpreter cannot run the project; "" if it can."""
    if facts["implementation"] != "cpython":
        return f"it is {facts['implementation']} and not CPython"
    if tuple(facts["version"][:2]) not in SUPPORTED:
        return "its version is " + ".".join(str(part) for part in facts["version"])
    if facts["in_environment"]:
        return "it belongs to a virtual environment whose base interpreter is missing"
    if not facts["gil"]:
        return "it is a free-threaded build, for which TensorFlow has no packages"
    if facts["bits"] != 64:
        return "it is a 32-bit build"
    if facts["missing"]:
        return "its standard library lacks " + ", ".join(facts["missing"])
    return ""


def candidates(environ: Dict[str, str]) -> List[str]:
    """Return names and paths of interpreters: on the PATH, then those of pyenv and uv."""
    versions = [f"{major}.{minor}" for major, minor in reversed(SUPPORTED)]
    names = ["python3"] + ["python" + version for version in versions]
    home = environ.get("HOME", "")
    pyenv = environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv")
    for version in versions:
        for root in (f"{pyenv}/versions/", f"{home}/.local/share/uv/python/cpython-"):
            directories = glob.glob(f"{root}{version}.*")
            directories.sort(
                key=lambda directory: [int(part) for part in re.findall(r"\d+", directory)]
            )
            names += [
                os.path.join(directory, "bin", "python3") for directory in reversed(directories)
            ]
    return names


def choose(
    requested: str = "",
    environ: Optional[Dict[str, str]] = None,
    probe_command: Callable[[str], Optional[Facts]] = probe,
) -> Facts:
    """Choose the base interpreter of the environment.

    Args:
        requested: Interpreter that the user requested; "" uses the first suitable one.
        environ: Environment variables; by default those of this process.
        probe_command: Function that returns facts about an interpreter; `probe` by default.

    Returns:
        Facts about the chosen interpreter.

    Raises:
        PythonNotFoundError: No interpreter is suitable.
    """
    commands = [requested] if requested else candidates(environ or dict(os.environ))
    found = []
    for command in commands:
        facts = probe_command(command)
        if facts is not None:
            reason = unsuitable_reason(facts)
            if not reason:
                return facts
            found.append(f"  {command} cannot be used: {reason}\n")
        elif requested:
            found.append(f"  {command} cannot be used: it does not exist or does not start\n")
    raise PythonNotFoundError(
        "CPython {}.{}, {}.{} or {}.{} is required.\n".format(*sum(SUPPORTED, ()))
        + "".join(dict.fromkeys(found))
        + "Install it (Debian, Ubuntu: `apt-get install python3`; Fedora: `dnf install "
        + "python3.12`; macOS: `brew install python@3.12`; any system: `pyenv install 3.12` or `uv "
        + "python install 3.12`). Then run the command again. If it does not find the interpreter, "
        + "add PYTHON=/path/to/python3.12."
    )
