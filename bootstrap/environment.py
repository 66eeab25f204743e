"""The virtual environment: made whole, or completed by the next set-up.

A stamp is written last and names everything that the environment was made from. As long as it fits,
there is nothing to do; where it is missing the set-up was interrupted, and what is there is not
trusted but made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bootstrap import glibc, pythons
from bootstrap.shell import Log, SetupError, clean_environ
from bootstrap.tools import Tools

FOLDER = ".venv"
LOCK = "requirements.lock"
OVERRIDES = "bootstrap/overrides.txt"
STAMP = "setup.json"

NEEDED_BYTES = 7 * 1024**3
"""Free disk that a first set-up takes at its peak: packages, their downloads and compiled files."""

LOADS = "import ml_metadata, tensorflow_data_validation"
"""The two libraries that a wrong glibc stops, and with them TensorFlow."""


def python_of(environment: Path) -> Path:
    """Gives the path of an environment's interpreter."""
    return environment / "bin" / "python"


def expected_stamp(root: Path, version: str) -> dict[str, Any]:
    """Gives what the stamp says of an environment made from a checkout with a Python version.

    Raises:
        SetupError: the checkout lacks the lock file or setup.py.
    """
    try:
        hashes = {
            name: hashlib.sha256((root / name).read_bytes()).hexdigest()
            for name in (LOCK, "setup.py")
        }
    except FileNotFoundError as error:
        raise SetupError(
            f"{error.filename} is missing: the checkout is not whole (try `git status`)"
        ) from error
    packages = sorted(path.parent.name for path in root.glob("*/__init__.py"))
    return {"python": version, "environment": str(root / FOLDER), "packages": packages, **hashes}


def read_stamp(environment: Path) -> dict[str, Any] | None:
    """Reads an environment's stamp; None if it has none or its interpreter is gone."""
    try:
        stamp = json.loads((environment / STAMP).read_text(encoding="utf-8"))
        home = next(
            line.partition("=")[2].strip()
            for line in (environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
            if line.startswith("home")
        )
    except (OSError, ValueError, StopIteration):
        return None
    if not isinstance(stamp, dict) or "python" not in stamp:
        return None
    alive = python_of(environment).exists() and Path(home, f"python{stamp['python']}").exists()
    return stamp if alive else None


def up_to_date(root: Path, requested: str) -> bool:
    """Says whether the environment is finished, made from what the checkout `root` now holds, and
    has the Python that the user requested, if any.
    """
    stamp = read_stamp(root / FOLDER)
    if stamp is None or stamp != expected_stamp(root, stamp["python"]):
        return False
    return not requested or _version(pythons.choose(requested)) == stamp["python"]


def set_up(root: Path, requested: str) -> None:
    """Makes the environment of a checkout, completes it or brings it up to date.

    Args:
        root: the checkout.
        requested: the Python to make it with; empty to keep the present one, or to take the first
            that fits.

    Raises:
        SetupError, pythons.NoPython: the set-up cannot go on; the message says what to do.
    """
    if up_to_date(root, requested):
        return
    with _only_one(root):
        if not up_to_date(root, requested):
            _make(root, requested)


def _make(root: Path, requested: str) -> None:
    environment = root / FOLDER
    base = pythons.choose(requested)
    os_release = glibc.read_os_release()
    release = glibc.verdict(base, os_release, has_apt=shutil.which("apt-get") is not None)
    version = _version(base)
    stamp = read_stamp(environment)
    # A checkout that was moved or copied has paths that lead elsewhere.
    is_here = stamp is not None and stamp.get("environment") == str(environment)
    if stamp and is_here and (not requested or version == stamp["python"]):
        version = stamp["python"]
        (environment / STAMP).unlink()
        log = Log(environment / "setup.log")
        log.say(f"Bringing {environment} up to date")
        tools = Tools(environment, base, log)
    else:
        free = shutil.disk_usage(root).free
        if free < NEEDED_BYTES:
            raise SetupError(
                f"{root} has {free / 1024**3:.1f} GB of free disk and the environment needs up to "
                f"{NEEDED_BYTES / 1024**3:.0f} GB: make room, or put the checkout on another disk"
            )
        remove(environment)
        log = Log(environment / "setup.log")
        log.say(
            f"Making {environment} with {base['executable']} (Python {version}) "
            f"on {os_release.get('PRETTY_NAME') or base['system']}"
        )
        tools = Tools(environment, base, log)
        make_bare(environment, base, log)
        if release:
            log.say(f"The system's glibc is too old: fetching {release[1]}'s, for .venv only")
            glibc.fetch(release, environment, log)
            glibc.apply(environment, base["executable"], tools.patchelf, log)
    _install(root, tools, log)
    text = json.dumps(expected_stamp(root, version), indent=1) + "\n"
    partial = environment / (STAMP + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(environment / STAMP)
    log.say("The environment is ready")


def _install(root: Path, tools: Tools, log: Log) -> None:
    environment = root / FOLDER
    install = [*tools.install_into(python_of(environment)), "--no-deps"]
    log.say(f"Installing the packages of {LOCK} (the first time, 1.2 GB to download)")
    log.run(
        # The lock file is complete and overrules a bound (see overrides.txt): nothing to resolve.
        [*install, "--require-hashes", "--compile-bytecode", "-b", LOCK, "-r", LOCK],
        f"installing the packages of {LOCK}",
        tools.environ,
        cwd=root,
    )
    log.say("Installing the project itself")
    project = [*install, "--no-build-isolation", "-e", "."]
    log.run(project, "installing the project", tools.environ, cwd=root)
    log.say("Checking that TensorFlow Data Validation and ML Metadata load")
    load: list[str | Path] = [python_of(environment), "-c", LOADS]
    log.run(load, "loading the libraries", clean_environ(), cwd=environment)


def make_bare(environment: Path, base: Mapping[str, Any], log: Log) -> None:
    """Makes an empty virtual environment with an interpreter that `pythons.probe` describes."""
    venv = [base["executable"], "-I", "-m", "venv", "--without-pip", "--prompt", "ordained"]
    log.run([*venv, environment], "making the virtual environment", clean_environ())


def remove(environment: Path) -> None:
    """Removes an environment, whole or half made, but no folder that is something else.

    Raises:
        SetupError: the folder holds what no set-up put there.
    """
    if not environment.exists():
        return
    ours = ("pyvenv.cfg", "setup.log", STAMP)
    if not any((environment / name).exists() for name in ours) and any(environment.iterdir()):
        raise SetupError(f"{environment} is no virtual environment: move it out of the way")
    # What makes it recognisable as an environment goes last.
    for path in sorted(environment.iterdir(), key=lambda path: path.name in ours):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _version(facts: Mapping[str, Any]) -> str:
    return "{}.{}".format(*facts["version"][:2])


@contextlib.contextmanager
def _only_one(root: Path) -> Iterator[None]:
    """Lets one set-up of a checkout run at a time; a second one waits for it.

    It does without `schema.files`, since an image is built from this package before the others.
    """
    handle = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this checkout is running: waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            pass  # A file system without locks: there is no second one as a rule.
        yield
    finally:
        os.close(handle)
