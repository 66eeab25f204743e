"""Says what is here, what is wrong with it and what to do."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bootstrap import environment, glibc, pythons
from bootstrap.index import with_uv_variables
from bootstrap.shell import SetupError, clean_environ, output_of
from bootstrap.tools import uv_on_path

_LEAST_MEMORY_GB = 6.0

_INSIDE = Path(__file__).with_name("inside_environment.py")


class Finding(NamedTuple):
    """One line of the report: `remedy` is empty where nothing is wrong."""

    name: str
    found: str
    remedy: str = ""


def examine(root: Path, requested: str) -> int:
    """Prints the report on a checkout; returns 1 if something is wrong, else 0."""
    wrong = 0
    for name, found, remedy in findings(root, requested):
        wrong += bool(remedy)
        print(f"{'WRONG' if remedy else 'ok':>5}  {name:<23} {found}", flush=True)
        if remedy:
            print(f"{'':30} -> {remedy}", flush=True)
    print(f"{wrong} found wrong" if wrong else "Nothing is wrong")
    return 1 if wrong else 0


def findings(root: Path, requested: str) -> Iterator[Finding]:
    """Gives the report on a checkout line by line."""
    os_release = glibc.read_os_release()
    yield Finding(
        "system", f"{os_release.get('PRETTY_NAME') or platform.platform()}, {platform.machine()}"
    )
    yield from _machine(root)
    for program in ("git", "make"):
        path = shutil.which(program)
        yield Finding(program, path or "not found", "" if path else f"install {program}")
    try:
        base = pythons.choose(requested)
    except pythons.NoPython as error:
        yield Finding("python", "none that fits", str(error))
    else:
        yield Finding("python", f"{base['executable']} ({'.'.join(map(str, base['version']))})")
        yield _system_glibc(base, os_release)
    fetched = root / environment.FOLDER / "tools" / "bin" / "uv"
    uv = uv_on_path(with_uv_variables(clean_environ())) or (fetched if fetched.is_file() else None)
    yield Finding("uv", str(uv) if uv else "none yet: `make setup` fetches its own")
    yield from _environment(root)
    for program, use in (
        ("tensorflow_model_server", "serve the model"),
        ("docker", "build the image, or serve the model from one"),
        ("chromium", "take pictures of the reports"),
    ):
        yield Finding(program, shutil.which(program) or f"not found: needed only to {use}")


def _machine(root: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(root).free
    ready = environment.read_stamp(root / environment.FOLDER) is not None
    needed = 2 * 1024**3 if ready else environment.NEEDED_BYTES
    advice = "" if free >= needed else f"make room: {needed / 1024**3:.0f} GB are needed"
    yield Finding("disk", f"{free / 1024**3:.1f} GB free", advice)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = Path(name)
        if limit.is_file() and limit.read_text().strip().isdigit():
            memory = min(memory, int(limit.read_text()) / 1024**3)
    advice = f"{_LEAST_MEMORY_GB:.0f} GB are needed for the whole of IMDb"
    found = f"{memory:.1f} GB, {os.cpu_count()} cores"
    yield Finding("memory", found, "" if memory >= _LEAST_MEMORY_GB else advice)


def _system_glibc(base: dict[str, object], os_release: dict[str, str]) -> Finding:
    version = str(base["libc"]) or "none"
    try:
        release = glibc.verdict(base, os_release, has_apt=shutil.which("apt-get") is not None)
    except SetupError as error:
        return Finding("glibc", version, str(error))
    if release is not None:
        version += f": too old, so the environment has one of its own, from {release[1]}"
    elif base["libc"]:
        version += ": new enough"
    else:
        version = "not needed on this system"
    return Finding("glibc", version)


def _environment(root: Path) -> Iterator[Finding]:
    folder = root / environment.FOLDER
    python = environment.python_of(folder)
    stamp = environment.read_stamp(folder)
    if stamp is None:
        state = "was not finished" if folder.exists() else "is not there"
        yield Finding("environment", f"{folder} {state}", "run `make setup`")
        return
    current = stamp == environment.expected_stamp(root, stamp["python"])
    about = f"{folder}, Python {stamp['python']}, {glibc.version_of(python) or 'no glibc'}"
    advice = "it is not up to date with the checkout: run `make setup`"
    yield Finding("environment", about, "" if current else advice)
    again = f"delete {folder} and run `make setup`"
    compared = output_of([python, "-I", _INSIDE, root / environment.LOCK], clean_environ())
    if not compared:
        yield Finding("packages", "cannot be listed", again)
        return
    report = json.loads(compared)
    right = report["locked"] - len(report["wrong"])
    wrong = ", ".join(report["wrong"][:8])
    yield Finding(
        "packages",
        f"{right} of {report['locked']} as in {environment.LOCK}",
        f"{again}; these differ: {wrong}" if wrong else "",
    )
    loading: list[str | Path] = [python, "-c", f"{environment.LOADS}; print('yes')"]
    if output_of(loading, clean_environ(), seconds=600):
        yield Finding("libraries", "TensorFlow, TFDV and ML Metadata load")
    else:
        yield Finding("libraries", "do not load", again)
