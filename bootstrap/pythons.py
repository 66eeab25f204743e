"""Finds a Python of this machine that can run the project.

This file and `__main__` keep to syntax that Python 3.6 can read: an old `python3` starts them first.
"""

import glob
import json
import os
import re
import shutil
import subprocess

SUPPORTED = ((3, 11), (3, 12), (3, 13))
"""Versions for which every library in the lock file exists."""

NEEDED_MODULES = ("bz2", "ctypes", "lzma", "sqlite3", "ssl", "venv", "zlib")
"""Modules of the standard library that a stripped or hand-built Python may lack."""

_PROBE = """
import importlib.util, json, os, platform, struct, sys, sysconfig
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    libc = ""
def present(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "in_environment": sys.prefix != sys.base_prefix,
    "version": list(sys.version_info[:3]),
    "implementation": sys.implementation.name,
    "bits": struct.calcsize("P") * 8,
    "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "libc": libc,
    "system": platform.system(),
    "machine": platform.machine(),
    "missing": [name for name in %r if not present(name)],
}))
""" % (NEEDED_MODULES,)  # noqa: UP031 (a format or an f-string would have to double every brace)


class NoPython(Exception):
    """No Python here can run the project: the message says what to install."""


def spoken(versions):
    """Gives versions as text, such as `3.11, 3.12 or 3.13`."""
    names = ["{}.{}".format(*version) for version in versions]
    return ", ".join(names[:-1]) + " or " + names[-1]


def probe(command):
    """Asks a Python what it is.

    Args:
        command: name or path of a Python interpreter.

    Returns:
        The facts as a dict (see `_PROBE`), of the interpreter below where the command is that of a virtual
        environment; None if there is no such command or it does not run.
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
    facts = json.loads(done.stdout.decode("utf-8"))
    if facts["in_environment"] and facts["executable"] != os.path.realpath(path):
        return probe(facts["executable"])
    return facts


def problem(facts):
    """Says why a Python cannot run the project; an empty string if it can."""
    version = ".".join(str(part) for part in facts["version"])
    if facts["implementation"] != "cpython":
        return "it is {} and not CPython".format(facts["implementation"])
    if tuple(facts["version"][:2]) not in SUPPORTED:
        return "its version is {}".format(version)
    if not facts["gil"]:
        return "it is a free-threaded build, for which TensorFlow has no packages"
    if facts["bits"] != 64:
        return "it is a 32-bit build"
    if facts["missing"]:
        return "its standard library lacks {}".format(", ".join(facts["missing"]))
    return ""


def candidates(environ):
    """Lists where a fitting Python may be: on the PATH, then among the versions that pyenv or uv installed."""
    names = ["python3"] + ["python{}.{}".format(*version) for version in reversed(SUPPORTED)]
    home = environ.get("HOME", "")
    roots = [
        os.path.join(environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv"), "versions", "{}.*"),
        os.path.join(home, ".local", "share", "uv", "python", "cpython-{}.*"),
    ]
    for version in reversed(SUPPORTED):
        for root in roots:
            folders = glob.glob(root.format("{}.{}".format(*version)))
            folders.sort(key=lambda folder: [int(part) for part in re.findall(r"\d+", folder)])
            names += [os.path.join(folder, "bin", "python3") for folder in reversed(folders)]
    return names


def choose(requested="", environ=None, ask=probe):
    """Chooses the Python that the environment is made with.

    Args:
        requested: the interpreter that the user named; empty to take the first that fits.
        environ: the environment variables, those of this process by default.
        ask: the function that gives the facts about an interpreter.

    Returns:
        The facts about the chosen interpreter, as `probe` gives them.

    Raises:
        NoPython: nothing fits; the message names what was found and what to install.
    """
    found = []
    for command in [requested] if requested else candidates(os.environ if environ is None else environ):
        facts = ask(command)
        if facts is None:
            continue
        reason = problem(facts)
        if not reason:
            return facts
        found.append("  {} cannot be used: {}".format(command, reason))
    if requested and not found:
        found.append("  {} cannot be used: there is no such interpreter, or it does not start".format(requested))
    raise NoPython(
        "a CPython {} is needed.\n".format(spoken(SUPPORTED))
        + "".join(line + "\n" for line in dict.fromkeys(found))
        + "Install one (Debian, Ubuntu: `apt-get install python3`; Fedora: `dnf install python3.12`; macOS: "
        + "`brew install python@3.12`; anywhere: `pyenv install 3.12` or `uv python install 3.12`), "
        + "then run the command again, with PYTHON=/path/to/python3.12 if it is not found by itself."
    )
