"""The versions of a model in its folder, as TensorFlow Serving reads their names."""

from pathlib import Path
from typing import Final

LARGEST: Final = 2**63 - 1
"""TensorFlow Serving reads a version as an int64 and ignores a number that does not fit."""


def number(name: str) -> int | None:
    """The version that the name of a folder stands for; None if it is no version."""
    if name.isascii() and name.isdigit() and int(name) <= LARGEST:
        return int(name)
    return None


def folders(base: Path) -> dict[int, Path]:
    """The folders of all versions in the folder that a model server watches, the oldest first."""
    if not base.is_dir():
        return {}
    found = {number(path.name): path for path in base.iterdir() if _is_folder(path)}
    return {version: found[version] for version in sorted(one for one in found if one is not None)}


def _is_folder(path: Path) -> bool:
    """False for a link into a folder that may not be entered, for which `is_dir` raises."""
    try:
        return path.is_dir()
    except PermissionError:
        return False
