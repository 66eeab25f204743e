"""Choosing the Python of the environment."""

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
            "it belongs to a virtual environment whose base is not found",
        ),
        ({"gil": False}, "it is a free-threaded build, for which TensorFlow has no packages"),
        ({"bits": 32}, "it is a 32-bit build"),
        ({"missing": ["bz2", "ssl"]}, "its standard library lacks bz2, ssl"),
    ],
)
def test_problem(change: Facts, reason: str) -> None:
    assert pythons.problem({**GOOD, **change}) == reason


def test_python3_comes_before_newer_ones() -> None:
    asked: list[str] = []

    def ask(command: str) -> Facts:
        asked.append(command)
        return GOOD

    assert pythons.choose(environ={"HOME": "/nowhere"}, ask=ask) == GOOD
    assert asked == ["python3"]


def test_an_unfit_python3_is_passed_over() -> None:
    here = {"python3": {**GOOD, "version": [3, 9, 2]}, "python3.12": GOOD}
    assert pythons.choose(environ={"HOME": "/nowhere"}, ask=here.get) == GOOD


def test_versions_of_pyenv_are_found_newest_first(tmp_path: Path) -> None:
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


def test_nothing_fits() -> None:
    here = {"python3": {**GOOD, "version": [3, 9, 2]}}
    with pytest.raises(pythons.NoPython) as caught:
        pythons.choose(environ={"HOME": "/nowhere"}, ask=here.get)
    first, second, third = str(caught.value).splitlines()
    assert first == "a CPython 3.11, 3.12 or 3.13 is needed."
    assert second == "  python3 cannot be used: its version is 3.9.2"
    assert third.startswith("Install one (Debian, Ubuntu: `apt-get install python3`")


def test_a_named_python_is_not_replaced_by_another() -> None:
    here = {"python3": GOOD}
    with pytest.raises(pythons.NoPython, match=r"python3\.14 cannot be used: it is not there"):
        pythons.choose("python3.14", ask=here.get)


def test_probe_tells_the_interpreter_below_an_environment() -> None:
    facts = pythons.probe(str(Path(sys.prefix) / "bin" / "python3"))
    assert facts is not None
    assert facts["version"] == list(sys.version_info[:3])
    assert not facts["in_environment"]
    assert Path(facts["executable"]).is_relative_to(Path(sys.base_prefix).resolve())
    assert pythons.problem(facts) == ""


def test_probe_of_what_is_no_python() -> None:
    assert pythons.probe("/nowhere/python3") is None
    assert pythons.probe("false") is None
