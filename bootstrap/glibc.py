"""Gives the environment a newer glibc where the machine's is too old.

Two wheels of the stack (tensorflow-data-validation and ml-metadata) need a newer glibc than Debian
12 and Ubuntu 22.04 have. There, the C and C++ libraries of the next release are put into the
environment, and the environment's own copy of the interpreter is told to load them. Nothing outside
the environment changes; see docs/adr/0001-glibc.md.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import apt
from bootstrap.shell import Log, SetupError, clean_environ, output_of

REQUIRED = (2, 39)
"""What the wheels' platform tag (manylinux_2_39) asks for."""

FOLDER = "glibc"
"""Where the libraries are in the environment."""

_NEXT = {"bullseye": "trixie", "bookworm": "trixie", "focal": "noble", "jammy": "noble"}
"""Release of Debian or Ubuntu with an older glibc -> the next long-lived one that has a glibc new
enough."""

_PACKAGES = ("libc6", "libstdc++6", "libgcc-s1")
_LOADER = "ld-linux-x86-64.so.2"

_LOADED_FIRST = (
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
"""Loaded with the interpreter: a library with a search path of its own would find the machine's
older copy."""

_ELSEWHERE = (
    "Use a newer system (Debian 13, Ubuntu 24.04, Fedora 40 or later), or build the image that the "
    "Dockerfile describes: `docker build -t ordained .`"
)


def parse_version(text: str) -> tuple[int, int] | None:
    """Reads a glibc version such as `glibc 2.36`; None if the text is that of no glibc."""
    match = re.fullmatch(r"glibc (\d+)\.(\d+).*", text.strip())
    return (int(match[1]), int(match[2])) if match else None


def read_os_release() -> dict[str, str]:
    """Reads what this machine says of its system; empty where it says nothing (macOS)."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def code_name(os_release: Mapping[str, str]) -> str:
    """Gives the code name of the Debian or Ubuntu release; empty for other systems.

    A derivative (Linux Mint, Pop!_OS, LMDE) names its parent's release beside its own.
    """
    fields = ("UBUNTU_CODENAME", "DEBIAN_CODENAME", "VERSION_CODENAME")
    return next(filter(None, map(os_release.get, fields)), "")


def verdict(
    facts: Mapping[str, Any], os_release: Mapping[str, str], has_apt: bool
) -> tuple[str, str] | None:
    """Decide whether the environment needs a glibc of its own.

    Args:
        facts: Facts about the interpreter, as `pythons.probe` returns them.
        os_release: Fields of /etc/os-release.
        has_apt: Whether apt-get is on the PATH.

    Returns:
        None if not; else the code names of the machine's release and of the release that the
        libraries come from.

    Raises:
        SetupError: the stack cannot run here; the message says what is missing and what to do.
    """
    name = os_release.get("PRETTY_NAME") or facts["system"]
    if facts["system"] == "Darwin":
        if facts["machine"] == "arm64":
            return None
        raise SetupError(
            "TensorFlow 2.21 has no packages for Macs with an Intel processor. "
            "Build the image that the Dockerfile describes: `docker build -t ordained .`"
        )
    if facts["system"] != "Linux":
        raise SetupError(f"{name} is not supported: use Linux (on Windows: inside WSL 2) or macOS.")
    if facts["machine"] != "x86_64":
        raise SetupError(
            "tensorflow-data-validation 1.21 has Linux packages for x86_64 only; this machine is "
            f"{facts['machine']}. Use an x86_64 machine, or build the image for one: "
            "`docker build --platform linux/amd64 -t ordained .`"
        )
    version = parse_version(facts["libc"])
    if version is None:
        raise SetupError(
            f"{name} has a C library other than glibc (as Alpine has musl), for which TensorFlow "
            "has no packages. " + _ELSEWHERE
        )
    if version >= REQUIRED:
        return None
    old = code_name(os_release)
    needs = "glibc {}.{} is needed and {} has {}.{}".format(*REQUIRED, name, *version)
    if old not in _NEXT:
        raise SetupError(
            f"{needs}; no release is known here whose libraries could be used instead. {_ELSEWHERE}"
        )
    if not has_apt:
        raise SetupError(
            f"{needs}; apt-get, which would fetch a newer one for the environment, is not on the "
            f"PATH. {_ELSEWHERE}"
        )
    return old, _NEXT[old]


def fetch(release: tuple[str, str], environment: Path, log: Log) -> None:
    """Puts the C and C++ libraries of a newer release into an environment's folder `glibc`.

    Args:
        release: code names of the machine's release and of the newer one, as `verdict` gives them.
        environment: the virtual environment.
        log: takes the output.

    Raises:
        SetupError: apt failed, or the packages lack a library.
    """
    work = environment / "apt"
    try:
        unpacked = apt.download(_PACKAGES, *release, work, log)
    except SetupError as error:
        raise SetupError(
            f"the system's glibc is too old and {release[1]}'s could not be fetched: {error}\n"
            f"{_ELSEWHERE}"
        ) from error
    target = environment / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    # Only libraries: no plug-ins (gconv, audit), no helper scripts. A link becomes a file.
    for path in sorted(unpacked.rglob("x86_64-linux-gnu/*.so*")):
        if re.search(r"\.so(\.\d+)*$", path.name) and path.exists():
            shutil.copy2(path, target / path.name)
    needed = (_LOADER, "libc.so.6", *_LOADED_FIRST)
    if missing := [name for name in needed if not (target / name).is_file()]:
        raise SetupError(
            f"the packages {', '.join(_PACKAGES)} of {release[1]} lack {', '.join(missing)}"
        )
    shutil.rmtree(work)


def apply(environment: Path, base: str, patchelf: Path, log: Log) -> None:
    """Makes the environment's interpreter load the libraries in its folder `glibc`.

    The interpreter, under each of its names, becomes a changed copy of `base`, the interpreter that
    the environment was made with.

    Raises:
        SetupError: the copy could not be changed, or does not start.
    """
    libraries = environment / FOLDER
    if any(character in str(libraries) for character in ":$"):
        raise SetupError(
            f"the path {environment} holds `:` or `$`, which a library path cannot: "
            "move the checkout"
        )
    bin_folder = environment / "bin"
    own = output_of([patchelf, "--print-rpath", base]).replace("$ORIGIN", str(Path(base).parent))
    search = ":".join([str(libraries), *filter(None, own.split(":"))])
    copy = bin_folder / "python.copy"
    shutil.copy2(base, copy)
    copy.chmod(0o755)
    needed = [argument for name in _LOADED_FIRST for argument in ("--add-needed", name)]
    change: list[str | Path] = [patchelf, "--set-interpreter", libraries / _LOADER]
    change += ["--force-rpath", "--set-rpath", search, *needed, copy]
    log.run(change, "giving the interpreter the newer glibc", clean_environ())
    names = [path for path in bin_folder.iterdir() if re.fullmatch(r"python[\d.]*", path.name)]
    for path in names:
        path.unlink()
        # No symbolic link: Python would follow it, and take the copy for the base interpreter.
        path.hardlink_to(copy)
    copy.unlink()
    found = parse_version(version_of(bin_folder / "python"))
    if found is None or found < REQUIRED:
        raise SetupError(
            f"the interpreter with the newer glibc does not start as it should; see {log.path}"
        )


def version_of(python: Path) -> str:
    """Asks an interpreter for its C library, such as `glibc 2.41`; empty if it has no glibc."""
    return output_of(
        [python, "-I", "-c", "import os; print(os.confstr('CS_GNU_LIBC_VERSION'))"], clean_environ()
    )
