"""Records of the files that nodes wrote, by which a run notices damaged and deleted results.

TFX takes a result from the cache if its directory exists, whatever is in it. A record is the
manifest of such a directory, in `<node>/.manifests/<output key>/<execution id>.json`. A model has
its own manifest, which the nodes that use it compare.
"""

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from schema import manifest
from schema.errors import UserError
from schema.files import atomic_write_text
from schema.manifest import Manifest
from schema.names import MANIFEST_FILE

log = logging.getLogger(__name__)


def write_records(node: str, outputs: Iterable[Path], *, replace: bool) -> None:
    """Record the files of a node's outputs.

    Args:
        node: Id of the node.
        outputs: Directories of output artifacts. Those of other nodes are left out.
        replace: Whether to replace records that exist.
    """
    for output in outputs:
        record = _record_file(output)
        if _has_record(node, output) and (replace or not record.exists()):
            record.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_text(record, manifest.describe(output).to_json())


def delete_empty_outputs(node_directory: Path) -> None:
    """Delete the output directories of a node whose files were all deleted.

    TFX then does not take them from the cache, and the node runs again.
    """
    for record in node_directory.glob(".manifests/*/*.json"):
        output = node_directory / record.parent.name / record.stem
        has_files = any(path.is_file() for path in output.rglob("*"))
        if output.is_dir() and not has_files and _read(record).files:
            log.warning("%s: its files were deleted; the node runs again", output)
            shutil.rmtree(output)


def check_outputs(node: str, outputs: Iterable[Path]) -> None:
    """Compare the outputs of a node with their records.

    Raises:
        UserError: A file was changed or deleted after the node wrote it.
    """
    for output, recorded in _records(node, outputs):
        found = manifest.describe(output)
        for name in recorded.missing(found) + recorded.changed(found):
            raise damaged(output / name, node)


def damaged(file: Path, node: str) -> UserError:
    """Return the error for a damaged or missing file of a node's output."""
    problem = "damaged" if file.exists() else "missing"
    return UserError(f"{file} is {problem}. Run {node} again (--from {node})")


def _records(node: str, outputs: Iterable[Path]) -> Iterable[tuple[Path, Manifest]]:
    for output in outputs:
        record = _record_file(output)
        if _has_record(node, output) and record.is_file():
            yield output, _read(record)


def _read(record: Path) -> Manifest:
    """Read a record; one that is damaged names no files."""
    try:
        return Manifest.from_json(record.read_text(encoding="utf-8"))
    except ValueError:
        return Manifest({})


def _record_file(output: Path) -> Path:
    return output.parents[1] / ".manifests" / output.parent.name / f"{output.name}.json"


def _has_record(node: str, output: Path) -> bool:
    """Return whether a node wrote an output, which is not a model."""
    return output.parents[1].name == node and not any(output.rglob(MANIFEST_FILE.name))
