"""Tests of converting the machine's package sources to another release."""

import pytest

from bootstrap import apt


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("bookworm", "trixie"),
        ("bookworm-updates", "trixie-updates"),
        ("bookworm-security", "trixie-security"),
        ("stable", "trixie"),
        ("oldstable-security", "trixie-security"),
        ("bookworm-backports", ""),
        ("bookworm-proposed-updates", ""),
        ("cloud-sdk-bookworm", ""),
        ("nodistro", ""),
    ],
)
def test_renamed_suite(suite: str, expected: str) -> None:
    assert apt.rename_suite(suite, "bookworm", "trixie") == expected


def test_rename_line_source() -> None:
    text = """\
# the system's own
deb http://debs.example/ubuntu jammy main restricted  # comment
deb [arch=amd64 signed-by=/usr/share/keyrings/u.gpg] http://debs.example/ubuntu jammy-updates main
deb-src http://debs.example/ubuntu jammy main
#deb http://debs.example/ubuntu jammy universe
deb cdrom:[Ubuntu 22.04]/ jammy main
deb http://debs.example/ubuntu jammy-backports main
deb http://vendor.example/apt vendor-jammy main
deb http://debs.example/security jammy-security main
"""
    assert apt.rename_line_source(text, "jammy", "noble") == (
        "deb http://debs.example/ubuntu noble main restricted\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/u.gpg] "
        "http://debs.example/ubuntu noble-updates main\n"
        "deb http://debs.example/security noble-security main\n"
    )


def test_rename_stanza_source() -> None:
    text = """\
Types: deb deb-src
# a comment
URIs: http://debs.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://vendor.example/apt
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://debs.example/other
Suites: bookworm
Components: main

Types: deb
URIs: http://debs.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
    assert (
        apt.rename_stanza_source(text, "bookworm", "trixie")
        == """\
types: deb
uris: http://debs.example/debian
suites: trixie trixie-updates
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

types: deb
uris: http://debs.example/debian-security
suites: trixie-security
components: main
signed-by: /usr/share/keyrings/debian-archive-keyring.gpg
"""
    )


def test_the_same_release_keeps_its_suites() -> None:
    line = "deb http://debs.example/debian bookworm main\n"
    assert apt.rename_line_source(line, "bookworm", "bookworm") == line
