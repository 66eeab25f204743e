"""Install a newer glibc into the environment if the machine's is too old.

The wheels of tensorflow-data-validation and ml-metadata need a newer glibc than Debian 12 and
Ubuntu 22.04 have. On such a system, the C and C++ libraries of a newer release are copied into the
environment, and a copy of the interpreter is patched to load them. Nothing outside the environment
changes; see docs/adr/0001-glibc.md.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import apt
from bootstrap.process import Log, SetupError, clean_environ, command_output

MIN_VERSION = (2, 39)
"""Minimum version, from the wheels' platform tag (manylinux_2_39)."""

DIRECTORY = "glibc"
"""Directory of the libraries in the environment."""

_NEWER_RELEASE = {"bullseye": "trixie", "bookworm": "trixie", "focal": "noble", "jammy": "noble"}
"""Release of Debian or Ubuntu with an old glibc, to the next long-term release whose glibc is new
enough."""

_PACKAGES = ("libc6", "libstdc++6", "libgcc-s1")
_LOADER = "ld-linux-x86-64.so.2"

_PRELOADED = (
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libmvec.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libanl.so.1",
)
"""Libraries that are loaded with the interpreter. Otherwise, libraries with their own search path
would load the machine's older copies."""

_ALTERNATIVE = (
    "Use a newer system (Debian 13, Ubuntu 24.04, Fedora 40 or later), or build the Docker image: "
    "`docker build -t ordained .`"
)


def parse_version(text: str) -> tuple[int, int] | None:
    """Parse a glibc version such as `glibc 2.36`; return None if the text is something else."""
    match = re.fullmatch(r"glibc (\d+)\.(\d+).*", text.strip())
    return (int(match[1]), int(match[2])) if match else None


def read_os_release() -> dict[str, str]:
    """Return the fields of /etc/os-release; empty on systems without this file (macOS)."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def code_name(os_release: Mapping[str, str]) -> str:
    """Return the code name of the Debian or Ubuntu release; empty for other systems.

    For a derivative (Linux Mint, Pop!_OS, LMDE) this is the release that it is based on.
    """
    fields = ("UBUNTU_CODENAME", "DEBIAN_CODENAME", "VERSION_CODENAME")
    return next(filter(None, map(os_release.get, fields)), "")


def choose_release(
    facts: Mapping[str, Any], os_release: Mapping[str, str], has_apt: bool
) -> tuple[str, str] | None:
    """Choose the release whose glibc the environment needs.

    Args:
        facts: Facts about the interpreter (see `pythons.probe`).
        os_release: Fields of /etc/os-release.
        has_apt: Whether apt-get is on the PATH.

    Returns:
        Code names of the machine's release and of the newer release that provides the libraries;
        None if the machine's glibc is new enough or not needed.

    Raises:
        SetupError: The project cannot run on this machine.
    """
    name = os_release.get("PRETTY_NAME") or facts["system"]
    if facts["system"] == "Darwin":
        if facts["machine"] == "arm64":
            return None
        raise SetupError(
            "TensorFlow 2.21 has no packages for Macs with an Intel processor. "
            "Build the Docker image: `docker build -t ordained .`"
        )
    if facts["system"] != "Linux":
        raise SetupError(f"{name} is not supported. Use Linux (on Windows: inside WSL 2) or macOS.")
    if facts["machine"] != "x86_64":
        raise SetupError(
            "tensorflow-data-validation 1.21 has Linux packages for x86_64 only; this machine is "
            f"{facts['machine']}. Use an x86_64 machine, or build the image for one: "
            "`docker build --platform linux/amd64 -t ordained .`"
        )
    version = parse_version(facts["libc"])
    if version is None:
        raise SetupError(
            f"{name} has a C library other than glibc, such as Alpine's musl. TensorFlow has no "
            f"packages for it. {_ALTERNATIVE}"
        )
    if version >= MIN_VERSION:
        return None
    old = code_name(os_release)
    problem = "glibc {}.{} is needed, but {} has {}.{}".format(*MIN_VERSION, name, *version)
    if old not in _NEWER_RELEASE:
        raise SetupError(f"{problem}, and the project knows no newer release of it. {_ALTERNATIVE}")
    if not has_apt:
        raise SetupError(
            f"{problem}. apt-get, which could download a newer one for the environment, is not on "
            f"the PATH. {_ALTERNATIVE}"
        )
    return old, _NEWER_RELEASE[old]


def fetch(release: tuple[str, str], environment: Path, log: Log) -> None:
    """Download the C and C++ libraries of a newer release to an environment's directory `glibc`.

    Args:
        release: Code names of the machine's release and of the newer release.
        environment: Directory of the virtual environment.
        log: Log for the output.

    Raises:
        SetupError: apt failed, or the packages do not contain a library.
    """
    apt_directory = environment / "apt"
    try:
        unpacked = apt.download(_PACKAGES, *release, apt_directory, log)
    except SetupError as error:
        raise SetupError(
            f"the system's glibc is too old, and that of {release[1]} could not be downloaded: "
            f"{error}\n"
            f"{_ALTERNATIVE}"
        ) from error
    target = environment / DIRECTORY
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    # Copies only libraries, no plug-ins (gconv, audit) and no scripts. A link becomes a file.
    for path in sorted(unpacked.rglob("x86_64-linux-gnu/*.so*")):
        if re.search(r"\.so(\.\d+)*$", path.name) and path.exists():
            shutil.copy2(path, target / path.name)
    needed = (_LOADER, "libc.so.6", *_PRELOADED)
    if missing := [name for name in needed if not (target / name).is_file()]:
        raise SetupError(
            f"the packages {', '.join(_PACKAGES)} of {release[1]} lack {', '.join(missing)}"
        )
    shutil.rmtree(apt_directory)


def patch_interpreter(environment: Path, base: str, patchelf: Path, log: Log) -> None:
    """Make the environment's interpreter load the libraries in the directory `glibc`.

    Each file of the interpreter (`python`, `python3`, ...) is replaced by a patched copy of the
    base interpreter.

    Args:
        environment: Directory of the virtual environment.
        base: Path of the base interpreter.
        patchelf: Path of the program patchelf.
        log: Log for the output.

    Raises:
        SetupError: The copy could not be patched, or does not start.
    """
    libraries = environment / DIRECTORY
    if any(character in str(libraries) for character in ":$"):
        raise SetupError(
            f"{environment}: a library path must not contain `:` or `$`. Move the checkout to "
            "another directory."
        )
    bin_directory = environment / "bin"
    rpath = command_output([patchelf, "--print-rpath", base]).replace(
        "$ORIGIN", str(Path(base).parent)
    )
    search = ":".join([str(libraries), *filter(None, rpath.split(":"))])
    copy = bin_directory / "python.copy"
    shutil.copy2(base, copy)
    copy.chmod(0o755)
    needed = [argument for name in _PRELOADED for argument in ("--add-needed", name)]
    change: list[str | Path] = [patchelf, "--set-interpreter", libraries / _LOADER]
    change += ["--force-rpath", "--set-rpath", search, *needed, copy]
    log.run(change, "patching the interpreter for the newer glibc", clean_environ())
    names = [path for path in bin_directory.iterdir() if re.fullmatch(r"python[\d.]*", path.name)]
    for path in names:
        path.unlink()
        # With a symbolic link, Python would take the copy for the base interpreter.
        path.hardlink_to(copy)
    copy.unlink()
    found = parse_version(version_of(bin_directory / "python"))
    if found is None or found < MIN_VERSION:
        raise SetupError(f"the interpreter does not start with the newer glibc. See {log.path}.")


def version_of(python: Path) -> str:
    """Return the C library of an interpreter, such as `glibc 2.41`; empty if it is not glibc."""
    return command_output(
        [python, "-I", "-c", "import os; print(os.confstr('CS_GNU_LIBC_VERSION'))"], clean_environ()
    )
