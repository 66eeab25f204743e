"""Tests of choosing the Python interpreter of the environment."""

import sys
from pathlib import Path

import pytest

from bootstrap import pythons
from bootstrap.pythons import Facts

GOOD: Facts = {
    "executable": "/usr/bin/python3.12",
    "in_environment": False,
    "version": [3, 12, 4],
    "implementation": "cpython",
    "bits": 64,
    "gil": True,
    "libc": "glibc 2.41",
    "system": "Linux",
    "machine": "x86_64",
    "missing": [],
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"version": [3, 11, 0]}, ""),
        ({"version": [3, 13, 9]}, ""),
        ({"version": [3, 10, 13]}, "its version is 3.10.13"),
        ({"version": [3, 14, 0]}, "its version is 3.14.0"),
        ({"implementation": "pypy"}, "it is pypy and not CPython"),
        (
            {"in_environment": True},
            "it belongs to a virtual environment whose base interpreter is missing",
        ),
        ({"gil": False}, "it is a free-threaded build, for which TensorFlow has no packages"),
        ({"bits": 32}, "it is a 32-bit build"),
        ({"missing": ["bz2", "ssl"]}, "its standard library lacks bz2, ssl"),
    ],
)
def test_unsuitable_reason(change: Facts, reason: str) -> None:
    assert pythons.unsuitable_reason({**GOOD, **change}) == reason


def test_python3_is_preferred_to_newer_versions() -> None:
    probed: list[str] = []

    def probe_command(command: str) -> Facts:
        probed.append(command)
        return GOOD

    assert pythons.choose(environ={"HOME": "/nowhere"}, probe_command=probe_command) == GOOD
    assert probed == ["python3"]


def test_an_unsuitable_python3_is_skipped() -> None:
    interpreters = {"python3": {**GOOD, "version": [3, 9, 2]}, "python3.12": GOOD}
    assert pythons.choose(environ={"HOME": "/nowhere"}, probe_command=interpreters.get) == GOOD


def test_pyenv_versions_are_listed_newest_first(tmp_path: Path) -> None:
    for version in ("3.11.9", "3.11.10", "3.9.1", "3.12.0"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
    listed = pythons.candidates({"HOME": "/nowhere", "PYENV_ROOT": str(tmp_path)})
    assert listed == [
        "python3",
        "python3.13",
        "python3.12",
        "python3.11",
        f"{tmp_path}/versions/3.12.0/bin/python3",
        f"{tmp_path}/versions/3.11.10/bin/python3",
        f"{tmp_path}/versions/3.11.9/bin/python3",
    ]


def test_no_suitable_interpreter_raises() -> None:
    interpreters = {"python3": {**GOOD, "version": [3, 9, 2]}}
    with pytest.raises(pythons.PythonNotFoundError) as caught:
        pythons.choose(environ={"HOME": "/nowhere"}, probe_command=interpreters.get)
    first, second, third = str(caught.value).splitlines()
    assert first == "CPython 3.11, 3.12 or 3.13 is required."
    assert second == "  python3 cannot be used: its version is 3.9.2"
    assert third.startswith("Install it (Debian, Ubuntu: `apt-get install python3`")


def test_a_requested_interpreter_is_not_replaced_by_another() -> None:
    interpreters = {"python3": GOOD}
    with pytest.raises(
        pythons.PythonNotFoundError, match=r"python3\.14 cannot be used: it does not exist"
    ):
        pythons.choose("python3.14", probe_command=interpreters.get)


def test_probe_returns_the_base_interpreter_of_an_environment() -> None:
    facts = pythons.probe(str(Path(sys.prefix) / "bin" / "python3"))
    assert facts is not None
    assert facts["version"] == list(sys.version_info[:3])
    assert not facts["in_environment"]
    assert Path(facts["executable"]).is_relative_to(Path(sys.base_prefix).resolve())
    assert pythons.unsuitable_reason(facts) == ""


def test_probe_returns_none_for_other_commands() -> None:
    assert pythons.probe("/nowhere/python3") is None
    assert pythons.probe("false") is None
