"""Manifest of an exported model: the size and SHA-256 of each of its files.

The Trainer writes it into the model. Its digest identifies the model: the Evaluator records it in
the verdict, and the nodes after it, a push and a rollback compare the files with it. A model whose
files changed after the export is therefore neither judged nor served.

Versions that were pushed before models had a manifest have none.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from schema.errors import UserError
from schema.files import atomic_write_text, files_and_directories, sha256
from schema.names import MANIFEST_FILE, Node


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Size and SHA-256 of the files of a directory, by path relative to it, with slashes."""

    files: Mapping[str, FileRecord]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest; equal for two directories with the same files."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Return the manifest as indented JSON, with sorted paths."""
        ordered = Manifest(dict(sorted(self.files.items())))
        return _JSON.dump_json(ordered, indent=1).decode() + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Create a manifest from the text that `to_json` returned.

        Raises:
            ValueError: The text is not a manifest.
        """
        return _JSON.validate_json(text)

    def missing(self, found: "Manifest") -> list[str]:
        """Return the files that `found` lacks."""
        return sorted(self.files.keys() - found.files.keys())

    def changed(self, found: "Manifest") -> list[str]:
        """Return the files that `found` has with another content."""
        common = self.files.keys() & found.files.keys()
        return sorted(name for name in common if self.files[name] != found.files[name])

    def differences(self, found: "Manifest") -> list[str]:
        """Describe how the files of `found` differ from those of this manifest."""
        return [
            *(f"{name} is missing" for name in self.missing(found)),
            *(f"{name} has changed" for name in self.changed(found)),
            *(f"{name} has been added" for name in found.missing(self)),
        ]


_JSON: Final = TypeAdapter(Manifest)


def describe(directory: Path) -> Manifest:
    """Return the manifest of the files that a directory has now, without a stored manifest.

    Raises:
        UserError: The directory contains something other than files and directories.
    """
    return Manifest(
        {
            path.relative_to(directory).as_posix(): FileRecord(path.stat().st_size, sha256(path))
            for path in files_and_directories(directory)
            if not path.is_dir() and path != directory / MANIFEST_FILE
        }
    )


def write(model: Path) -> Manifest:
    """Write the manifest of a complete model into it, and return it."""
    manifest = describe(model)
    (model / MANIFEST_FILE).parent.mkdir(exist_ok=True)
    atomic_write_text(model / MANIFEST_FILE, manifest.to_json())
    return manifest


def digest(model: Path) -> str:
    """Return the digest that identifies a model: that of its manifest, or else of its files."""
    try:
        return _read(model).digest
    except (OSError, ValueError):
        return describe(model).digest


def damage(model: Path) -> list[str] | None:
    """Describe how the files of a model differ from its manifest; None if it has no manifest."""
    try:
        return _read(model).differences(describe(model))
    except FileNotFoundError:
        return None
    except ValueError:
        return [f"{MANIFEST_FILE} is damaged"]


def check(model: Path, model_digest: str | None = None) -> Manifest:
    """Check that a model has the files that were exported, and that were judged.

    Args:
        model: Path of the SavedModel.
        model_digest: Digest in the verdict on the model; None if there is no verdict yet.

    Returns:
        The manifest.

    Raises:
        UserError: The model has no manifest, or other files.
    """
    found = damage(model)
    problems = [f"{MANIFEST_FILE} is missing"] if found is None else found
    if not problems and model_digest is not None and digest(model) != model_digest:
        problems = [f"the verdict is on a model with another {MANIFEST_FILE}"]
    if problems:
        verb = "exported" if model_digest is None else "judged"
        raise UserError(
            f"{model}: the model is not the one that was {verb}: {shorten(problems)}. Train it "
            f"again (--from {Node.TRAINER})"
        )
    return _read(model)


def shorten(items: list[str], limit: int = 3) -> str:
    """Join texts to one line, with only the number of those beyond the limit.

    >>> shorten(["a is missing", "b has changed", "c has changed", "d has changed"])
    'a is missing, b has changed, c has changed, and 1 more'
    """
    rest = [f"and {len(items) - limit} more"] if len(items) > limit else []
    return ", ".join(items[:limit] + rest)


def _read(model: Path) -> Manifest:
    return Manifest.from_json((model / MANIFEST_FILE).read_text(encoding="utf-8"))
