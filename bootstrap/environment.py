"""Create and update the virtual environment.

A stamp file, written last, records what the environment was created from. If the stamp matches the
checkout, nothing is done. Without a stamp the set-up was interrupted: the environment is deleted
and created again.
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
from bootstrap.process import Log, SetupError, clean_environ
from bootstrap.tools import Tools

DIRECTORY = ".venv"
LOCK = "requirements.lock"
OVERRIDES = "bootstrap/overrides.txt"
STAMP = "setup.json"

NEEDED_BYTES = 7 * 1024**3
"""Disk space that a first set-up needs: packages, downloads and compiled files."""

IMPORT_CHECK = "import ml_metadata, tensorflow_data_validation"
"""Import of TensorFlow and of the two libraries that fail with an old glibc."""


def python_path(environment: Path) -> Path:
    """Return the path of an environment's interpreter."""
    return environment / "bin" / "python"


def expected_stamp(root: Path, version: str) -> dict[str, Any]:
    """Return the stamp of an environment that is up to date.

    Args:
        root: Directory of the checkout.
        version: Python version of the environment, such as `3.12`.

    Raises:
        SetupError: The lock file or setup.py is missing.
    """
    try:
        hashes = {
            name: hashlib.sha256((root / name).read_bytes()).hexdigest()
            for name in (LOCK, "setup.py")
        }
    except FileNotFoundError as error:
        raise SetupError(
            f"{error.filename}: the file is missing. Restore it with git (see `git status`)."
        ) from error
    packages = sorted(path.parent.name for path in root.glob("*/__init__.py"))
    return {"python": version, "environment": str(root / DIRECTORY), "packages": packages, **hashes}


def read_stamp(environment: Path) -> dict[str, Any] | None:
    """Return the stamp of an environment; None if the stamp or the interpreter is missing."""
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
    has_python = (
        python_path(environment).exists() and Path(home, f"python{stamp['python']}").exists()
    )
    return stamp if has_python else None


def is_up_to_date(root: Path, requested: str) -> bool:
    """Return whether the environment of a checkout needs no set-up.

    Args:
        root: Directory of the checkout.
        requested: Python interpreter that the environment must have; "" allows any.
    """
    stamp = read_stamp(root / DIRECTORY)
    if stamp is None or stamp != expected_stamp(root, stamp["python"]):
        return False
    return not requested or _version(pythons.choose(requested)) == stamp["python"]


def set_up(root: Path, requested: str) -> None:
    """Create or update the environment of a checkout.

    Args:
        root: Directory of the checkout.
        requested: Python interpreter for the environment; "" keeps the interpreter of an existing
            environment and otherwise uses the first suitable one.

    Raises:
        SetupError: The set-up failed.
        pythons.PythonNotFoundError: There is no suitable interpreter.
    """
    if is_up_to_date(root, requested):
        return
    with setup_lock(root):
        if not is_up_to_date(root, requested):
            _create_or_update(root, requested)


def _create_or_update(root: Path, requested: str) -> None:
    environment = root / DIRECTORY
    base = pythons.choose(requested)
    os_release = glibc.read_os_release()
    release = glibc.choose_release(base, os_release, has_apt=shutil.which("apt-get") is not None)
    version = _version(base)
    stamp = read_stamp(environment)
    # In a checkout that was moved or copied, the paths in the environment are wrong.
    is_same_path = stamp is not None and stamp.get("environment") == str(environment)
    if stamp and is_same_path and (not requested or version == stamp["python"]):
        version = stamp["python"]
        (environment / STAMP).unlink()
        log = Log(environment / "setup.log")
        log.progress(f"Updating {environment}")
        tools = Tools(environment, base, log)
    else:
        free = shutil.disk_usage(root).free
        if free < NEEDED_BYTES:
            raise SetupError(
                f"{root}: the environment needs up to {NEEDED_BYTES / 1024**3:.0f} GB of disk "
                f"space, but only {free / 1024**3:.1f} GB are free. Free space, or move the "
                "checkout to another disk."
            )
        remove(environment)
        log = Log(environment / "setup.log")
        log.progress(
            f"Creating {environment} with {base['executable']} (Python {version}) "
            f"on {os_release.get('PRETTY_NAME') or base['system']}"
        )
        tools = Tools(environment, base, log)
        create_venv(environment, base, log)
        if release:
            log.progress(
                f"The system's glibc is too old: downloading that of {release[1]} for .venv only"
            )
            glibc.fetch(release, environment, log)
            glibc.patch_interpreter(environment, base["executable"], tools.patchelf, log)
    _install(root, tools, log)
    text = json.dumps(expected_stamp(root, version), indent=1) + "\n"
    partial = environment / (STAMP + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(environment / STAMP)
    log.progress("The environment is ready")


def _install(root: Path, tools: Tools, log: Log) -> None:
    environment = root / DIRECTORY
    install = [*tools.install_into(python_path(environment)), "--no-deps"]
    log.progress(f"Installing the packages of {LOCK} (1.2 GB to download the first time)")
    log.run(
        # Resolving would fail: the lock file is complete and violates a bound (see overrides.txt).
        [*install, "--require-hashes", "--compile-bytecode", "-b", LOCK, "-r", LOCK],
        f"installing the packages of {LOCK}",
        tools.environ,
        cwd=root,
    )
    log.progress("Installing the project itself")
    project = [*install, "--no-build-isolation", "-e", "."]
    log.run(project, "installing the project", tools.environ, cwd=root)
    log.progress("Checking that TensorFlow Data Validation and ML Metadata can be imported")
    load: list[str | Path] = [python_path(environment), "-c", IMPORT_CHECK]
    log.run(load, "importing the libraries", clean_environ(), cwd=environment)


def create_venv(environment: Path, base: Mapping[str, Any], log: Log) -> None:
    """Create an empty virtual environment.

    Args:
        environment: Directory of the environment.
        base: Facts about the base interpreter (see `pythons.probe`).
        log: Log for the output.
    """
    venv = [base["executable"], "-I", "-m", "venv", "--without-pip", "--prompt", "ordained"]
    log.run([*venv, environment], "creating the virtual environment", clean_environ())


def remove(environment: Path) -> None:
    """Delete the contents of an environment, complete or not.

    Raises:
        SetupError: The directory is not an environment.
    """
    if not environment.exists():
        return
    markers = ("pyvenv.cfg", "setup.log", STAMP)
    if not any((environment / name).exists() for name in markers) and any(environment.iterdir()):
        raise SetupError(f"{environment}: this is not a virtual environment. Move it elsewhere.")
    # If this is interrupted, the markers still identify the directory as an environment.
    for path in sorted(environment.iterdir(), key=lambda path: path.name in markers):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _version(facts: Mapping[str, Any]) -> str:
    return "{}.{}".format(*facts["version"][:2])


@contextlib.contextmanager
def setup_lock(root: Path) -> Iterator[None]:
    """Hold a lock so that only one set-up of a checkout runs at a time; others wait.

    Does not use `schema.files`: while an image is built, only this package is present.
    """
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another set-up of this checkout", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            pass  # The file system has no locks: continue without one.
        yield
    finally:
        os.close(descriptor)
