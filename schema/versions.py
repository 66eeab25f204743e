"""Version directories of a model, named by TensorFlow Serving's rules."""

from pathlib import Path
from typing import Final

MAX_VERSION: Final = 2**63 - 1
"""Largest version. TensorFlow Serving reads versions as int64 and ignores larger numbers."""


def parse_version(name: str) -> int | None:
    """Return the version that a directory's name stands for; None if it is not a version."""
    if name.isascii() and name.isdigit() and int(name) <= MAX_VERSION:
        return int(name)
    return None


def version_directories(base: Path) -> dict[int, Path]:
    """Return the version directories in a model's base directory by version, in ascending order."""
    if not base.is_dir():
        return {}
    found = {parse_version(path.name): path for path in base.iterdir() if _is_directory(path)}
    return {version: found[version] for version in sorted(v for v in found if v is not None)}


def _is_directory(path: Path) -> bool:
    """Return False for a link into a directory without permission, for which `is_dir` raises."""
    try:
        return path.is_dir()
    except PermissionError:
        return False
