"""Tests of choosing the glibc of the environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap import glibc
from bootstrap.process import SetupError

LINUX = {"system": "Linux", "machine": "x86_64", "libc": "glibc 2.36"}
DEBIAN_12 = {"PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)", "VERSION_CODENAME": "bookworm"}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("glibc 2.36", (2, 36)),
        ("glibc 2.41\n", (2, 41)),
        ("glibc 2.39.9000", (2, 39)),
        ("glibc 2.4", (2, 4)),
        ("musl 1.2.5", None),
        ("", None),
    ],
)
def test_parse_version(text: str, version: tuple[int, int] | None) -> None:
    assert glibc.parse_version(text) == version


@pytest.mark.parametrize(
    ("os_release", "name"),
    [
        (DEBIAN_12, "bookworm"),
        ({"VERSION_CODENAME": "jammy", "UBUNTU_CODENAME": "jammy"}, "jammy"),
        ({"VERSION_CODENAME": "vera", "UBUNTU_CODENAME": "jammy"}, "jammy"),  # Linux Mint 21
        ({"VERSION_CODENAME": "faye", "DEBIAN_CODENAME": "bookworm"}, "bookworm"),  # LMDE 6
        ({"PRETTY_NAME": "Rocky Linux 9.5"}, ""),
        ({}, ""),
    ],
)
def test_code_name(os_release: dict[str, str], name: str) -> None:
    assert glibc.code_name(os_release) == name


@pytest.mark.parametrize(
    ("libc", "code_name", "release"),
    [
        ("glibc 2.36", "bookworm", ("bookworm", "trixie")),
        ("glibc 2.31", "bullseye", ("bullseye", "trixie")),
        ("glibc 2.35", "jammy", ("jammy", "noble")),
        ("glibc 2.31", "focal", ("focal", "noble")),
        ("glibc 2.39", "noble", None),
        ("glibc 2.41", "trixie", None),
        ("glibc 2.42", "", None),
    ],
)
def test_choose_release(libc: str, code_name: str, release: tuple[str, str] | None) -> None:
    facts = {**LINUX, "libc": libc}
    assert glibc.choose_release(facts, {"VERSION_CODENAME": code_name}, has_apt=True) == release


def test_choose_release_on_a_mac() -> None:
    mac = {"system": "Darwin", "machine": "arm64", "libc": ""}
    assert glibc.choose_release(mac, {}, has_apt=False) is None
    with pytest.raises(SetupError, match="no packages for Macs with an Intel processor"):
        glibc.choose_release({**mac, "machine": "x86_64"}, {}, has_apt=False)


@pytest.mark.parametrize(
    ("facts", "os_release", "has_apt", "message"),
    [
        (
            LINUX,
            DEBIAN_12,
            False,
            "glibc 2.39 is needed, but Debian GNU/Linux 12 (bookworm) has 2.36",
        ),
        (
            {**LINUX, "libc": "glibc 2.34"},
            {"PRETTY_NAME": "Rocky Linux 9.5"},
            False,
            "glibc 2.39 is needed, but Rocky Linux 9.5 has 2.34, and the project knows no newer",
        ),
        (
            {**LINUX, "libc": ""},
            {"PRETTY_NAME": "Alpine Linux v3.22"},
            False,
            "Alpine Linux v3.22 has",
        ),
        (
            {**LINUX, "machine": "aarch64"},
            DEBIAN_12,
            True,
            "for x86_64 only; this machine is aarch64",
        ),
        ({**LINUX, "system": "Windows"}, {}, False, "Windows is not supported. Use Linux"),
    ],
)
def test_choose_release_raises_on_other_systems(
    facts: dict[str, str], os_release: dict[str, str], has_apt: bool, message: str
) -> None:
    with pytest.raises(SetupError) as caught:
        glibc.choose_release(facts, os_release, has_apt)
    assert message in str(caught.value)
    assert "docker build" in str(caught.value) or "WSL 2" in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has glibc")
def test_the_environment_has_a_supported_glibc() -> None:
    version = glibc.parse_version(os.confstr("CS_GNU_LIBC_VERSION") or "")
    assert version is not None
    assert version >= glibc.MIN_VERSION
    # A child process of the same interpreter loads it, too; other programs load the machine's.
    child = subprocess.run(
        [sys.executable, "-c", "print(open('/proc/self/maps').read())"],
        capture_output=True,
        text=True,
    )
    loaded = {Path(line.split()[-1]) for line in child.stdout.splitlines() if "/libc.so.6" in line}
    patched = Path(sys.prefix) / glibc.DIRECTORY / "libc.so.6"
    assert loaded == {patched} if patched.exists() else patched not in loaded
    other = subprocess.run(["cat", "/proc/self/maps"], capture_output=True, text=True)
    assert str(patched) not in other.stdout
