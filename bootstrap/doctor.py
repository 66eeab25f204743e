"""Check the machine and the virtual environment, and say how to solve problems."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bootstrap import browser, environment, glibc, pythons
from bootstrap.pip_config import with_uv_variables
from bootstrap.process import SetupError, clean_environ, command_output
from bootstrap.tools import uv_on_path

_MIN_MEMORY_GB = 6.0
"""Memory for the whole of IMDb's data, in GB."""

_DOCKER_SECONDS = 10.0
_DOCKER_USE = "only needed to build the image, or to serve the model from one"
_IMAGE_SERVER = "TensorFlow Serving, from its Docker image"
_EMBEDDED_SERVER = "the embedded server; nothing else is needed"

_CHECK_PACKAGES = Path(__file__).with_name("check_packages.py")


class Finding(NamedTuple):
    """Result of one check.

    Attributes:
        name: Name of the check.
        found: What the check found.
        remedy: How to solve the problem; "" if there is none.
        available: Whether the thing can be used. What cannot is no problem without a remedy.
    """

    name: str
    found: str
    remedy: str = ""
    available: bool = True


def print_findings(root: Path, requested: str) -> int:
    """Print the results of all checks; return 1 if there is a problem, else 0."""
    problems = 0
    for name, found, remedy, available in findings(root, requested):
        problems += bool(remedy)
        status = "WRONG" if remedy else "ok" if available else "-"
        print(f"{status:>5}  {name:<23} {found}", flush=True)
        if remedy:
            print(f"{'':30} -> {remedy}", flush=True)
    print(f"Problems found: {problems}" if problems else "No problems found")
    return 1 if problems else 0


def findings(root: Path, requested: str) -> Iterator[Finding]:
    """Run all checks.

    Args:
        root: Directory of the checkout.
        requested: Python interpreter that the user requested; "" if none.

    Yields:
        The result of the next check.
    """
    os_release = glibc.read_os_release()
    yield Finding(
        "system", f"{os_release.get('PRETTY_NAME') or platform.platform()}, {platform.machine()}"
    )
    yield from _check_machine(root)
    for program in ("git", "make"):
        path = shutil.which(program)
        yield Finding(program, path or "not found", "" if path else f"install {program}")
    try:
        base = pythons.choose(requested)
    except pythons.PythonNotFoundError as error:
        yield Finding("python", "no suitable interpreter", str(error))
    else:
        yield Finding("python", f"{base['executable']} ({'.'.join(map(str, base['version']))})")
        yield _check_glibc(base, os_release)
    downloaded = root / environment.DIRECTORY / "tools" / "bin" / "uv"
    uv = uv_on_path(with_uv_variables(clean_environ())) or (
        downloaded if downloaded.is_file() else None
    )
    yield Finding("uv", str(uv) if uv else "not found: `make setup` downloads it")
    yield from _check_environment(root)
    docker = _check_docker()
    yield docker
    binary = shutil.which("tensorflow_model_server")
    server = binary or (_IMAGE_SERVER if docker.available else _EMBEDDED_SERVER)
    yield Finding("model server", server)
    found = browser.find(root)
    use = "not found: only needed for tests and screenshots; `make browser` downloads one"
    yield Finding("browser", str(found or use), available=found is not None)


def _check_docker() -> Finding:
    """Tell whether an engine responds to the command, which may be installed without one."""
    program = shutil.which("docker")
    if program is None:
        return Finding("docker", f"not found: {_DOCKER_USE}", available=False)
    version = [program, "version", "--format", "{{.Server.Version}}"]
    if command_output(version, timeout=_DOCKER_SECONDS):
        return Finding("docker", f"{program}, and its engine responds")
    return Finding("docker", f"{program}: no engine responds; {_DOCKER_USE}", available=False)


def _check_machine(root: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(root).free
    ready = environment.read_stamp(root / environment.DIRECTORY) is not None
    needed = 2 * 1024**3 if ready else environment.NEEDED_BYTES
    remedy = "" if free >= needed else f"free space: {needed / 1024**3:.0f} GB are needed"
    yield Finding("disk", f"{free / 1024**3:.1f} GB free", remedy)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = Path(name)
        if limit.is_file() and limit.read_text().strip().isdigit():
            memory = min(memory, int(limit.read_text()) / 1024**3)
    remedy = f"{_MIN_MEMORY_GB:.0f} GB are needed for the whole of IMDb's data"
    cores = os.cpu_count()
    found = f"{memory:.1f} GB, {cores} {'core' if cores == 1 else 'cores'}"
    yield Finding("memory", found, "" if memory >= _MIN_MEMORY_GB else remedy)


def _check_glibc(base: dict[str, object], os_release: dict[str, str]) -> Finding:
    version = str(base["libc"]) or "none"
    try:
        release = glibc.choose_release(
            base, os_release, has_apt=shutil.which("apt-get") is not None
        )
    except SetupError as error:
        return Finding("glibc", version, str(error))
    if release is not None:
        version += f": too old; the environment uses the one of {release[1]}"
    elif base["libc"]:
        version += ": supported"
    else:
        version = "not needed on this system"
    return Finding("glibc", version)


def _check_environment(root: Path) -> Iterator[Finding]:
    directory = root / environment.DIRECTORY
    python = environment.python_path(directory)
    stamp = environment.read_stamp(directory)
    if stamp is None:
        if directory.exists():
            yield Finding("environment", f"{directory} is incomplete", "run `make setup`")
        else:
            yield Finding("environment", f"{directory} is not yet made; `make run` makes it")
        return
    current = stamp == environment.expected_stamp(root, stamp["python"])
    about = f"{directory}, Python {stamp['python']}, {glibc.version_of(python) or 'no glibc'}"
    remedy = "not up to date with the checkout: run `make setup`"
    yield Finding("environment", about, "" if current else remedy)
    recreate = f"delete {directory} and run `make setup`"
    output = command_output(
        [python, "-I", _CHECK_PACKAGES, root / environment.LOCK], clean_environ()
    )
    if not output:
        yield Finding("packages", "cannot be listed", recreate)
        return
    comparison = json.loads(output)
    locked, differing = comparison["locked"], comparison["differing"]
    names = ", ".join(differing[:8])
    yield Finding(
        "packages",
        f"{locked - len(differing)} of {locked} as in {environment.LOCK}",
        f"{recreate}; these differ: {names}" if names else "",
    )
    load: list[str | Path] = [python, "-c", f"{environment.IMPORT_CHECK}; print('yes')"]
    if command_output(load, clean_environ(), timeout=600):
        yield Finding("libraries", "TensorFlow, TFDV and ML Metadata can be imported")
    else:
        yield Finding("libraries", "cannot be imported", recreate)
