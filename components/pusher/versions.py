"""A model directory that TensorFlow Serving polls: `<base>/<version>/`, each whole or absent.

TensorFlow Serving takes every child of the base folder whose name is a number for a version, and
serves the highest. It ignores all other names, so whatever is not yet, or no longer, to be served
lives beside the versions, on the same file system, under names with a leading dot:

    <version>/               a version, byte for byte the exported model
    .rolled_back/<version>/  a version that a rollback took out of sight
    .staging-<random>/       a copy under way
    .trash-<random>/         a version being deleted
    .versions.json           what folder names alone cannot tell (see `_State`)
    .lock                    held by the one process that changes anything

A version enters and leaves by a single rename. A process killed at any moment leaves at most a
staging or trash folder, which the next push removes.
"""

import hashlib
import json
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from components.pusher.decision import Outcome, Push, choose_rollback, choose_version
from schema.errors import UserError, from_os_error
from schema.files import atomic_write_text, durable_rename, fsync, lock
from schema.names import SAVED_MODEL_FILE
from schema.versions import parse_version, version_directories

_ROLLED_BACK: Final = ".rolled_back"
_STATE_FILE: Final = ".versions.json"
LOCK_FILE: Final = ".lock"
STAGING_PREFIX: Final = ".staging-"
TRASH_PREFIX: Final = ".trash-"
_UNFINISHED: Final = (STAGING_PREFIX, TRASH_PREFIX, f".{_STATE_FILE}.")
"""Begin the names of what a killed process leaves; the last is a state file half written."""

LOCK_TIMEOUT_SECONDS: Final = 600.0

_LOG = logging.getLogger(__name__)


class Rollback(NamedTuple):
    """The versions served before and after a rollback."""

    before: int
    after: int


@dataclass(frozen=True)
class _State:
    """What the folder names cannot tell.

    Attributes:
        highest: the highest version ever given out, also where its folder is gone since.
        rolled_back: version by fingerprint of every model that was rolled back.
        token: the destination token of the last push (see `destination_token`).
        token_current: the current version as that push left it; None where nothing is served.
    """

    highest: int = 0
    rolled_back: dict[str, int] = field(default_factory=dict)
    token: str = ""
    token_current: int | None = None


def served(base: Path) -> dict[int, Path]:
    """The versions that a server sees, oldest first; empty where `base` does not exist."""
    return version_directories(base)


def rolled_back(base: Path) -> dict[int, Path]:
    """The versions that rollbacks took out of sight and that are still kept, oldest first."""
    return version_directories(base / _ROLLED_BACK)


def current(base: Path) -> int | None:
    """The version that TensorFlow Serving serves by default, the highest; None where none is."""
    return max(served(base), default=None)


def fingerprint(model: Path) -> str:
    """SHA-256 over the names and contents of everything in a folder.

    Raises:
        UserError: the folder holds something that is neither file nor folder.
    """
    digest = hashlib.sha256()
    for path in _contents(model):
        digest.update(path.relative_to(model).as_posix().encode() + b"\0")
        if path.is_dir():
            digest.update(b"folder\0")
        else:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def publish(
    source: Path,
    base: Path,
    *,
    keep_old: int = 3,
    republish: bool = False,
    token: str = "",
    clock: Callable[[], float] = time.time,
) -> Push:
    """Make a model the current version, unless it is so already or was rolled back.

    Args:
        source: folder of a SavedModel.
        base: folder of the versions; made if absent.
        keep_old: how many old versions are kept, and how many rolled-back ones; at least 1.
        republish: push the model even if it was rolled back before.
        token: destination token to record (see `destination_token`).
        clock: gives the time in seconds since 1970.

    Raises:
        TryAgainError: another process has held the lock for ten minutes, or the disk is full.
        UserError: `source` is not a SavedModel, `keep_old` is below 1, or the file system refuses
            (read-only, no permission). No half version is visible after any of these errors.
    """
    if keep_old < 1:
        raise UserError(
            "at least one old version must be kept, or a rollback has nowhere to go. "
            f"Received: {keep_old}"
        )
    if not (source / SAVED_MODEL_FILE).is_file():
        raise UserError(f"{source} is not a SavedModel: it has no file {SAVED_MODEL_FILE}")
    with _changing(base, "push to"):
        _remove_leftovers(base)
        state = _read_state(base)
        model = fingerprint(source)
        latest = current(base)
        # A number may be taken by a file of a user as well.
        taken = [*base.iterdir(), *rolled_back(base).values()]
        push = choose_version(
            model,
            None if latest is None else (latest, fingerprint(served(base)[latest])),
            state.rolled_back,
            highest=max(state.highest, *(parse_version(path.name) or 0 for path in taken)),
            now=int(clock()),
            republish=republish,
        )
        if push.outcome is Outcome.PUBLISHED:
            marks = {mark: version for mark, version in state.rolled_back.items() if mark != model}
            _add(source, model, base, _State(push.version, marks, token, push.version))
        else:
            _write_state(base, replace(state, token=token, token_current=latest))
        _prune(base, keep_old)
    return push


def rollback(base: Path, to: int | None = None) -> Rollback:
    """Make an earlier version the current one, or bring back one that was rolled back.

    TensorFlow Serving serves the highest version, so every version above the wanted one is moved
    out of sight, into `.rolled_back/`. The versions between go first: no server sees one of them as
    the highest.

    Args:
        base: folder of the versions.
        to: the version wanted, which may be served already; by default the one before the current.

    Raises:
        UserError: there is no such version, or as `publish`, for lock and file system.
    """
    if current(base) is None and not rolled_back(base):
        raise UserError(f"{base} holds no version: nothing has been pushed there")
    with _changing(base, "roll back"):
        visible, hidden = served(base), rolled_back(base)
        before = max(visible, default=0)
        after = choose_rollback(base, to, visible, hidden)
        state = _read_state(base)
        above = [version for version in visible if version > after]
        marks = state.rolled_back | {fingerprint(visible[version]): version for version in above}
        model = fingerprint((visible | hidden)[after])
        marks.pop(model, None)
        # Marked first, moved afterwards: what is out of sight is never pushed again unasked.
        _write_state(base, replace(state, highest=max(state.highest, before), rolled_back=marks))
        if after not in visible:
            durable_rename(hidden[after], base / str(after))
        if above:
            (base / _ROLLED_BACK).mkdir(exist_ok=True)
        for version in above:
            durable_rename(visible[version], base / _ROLLED_BACK / str(version))
    return Rollback(before, after)


def destination_token(base: Path) -> str:
    """A name for the model directory as the last push left it, for the cache of the Pusher node.

    It is the last push's token as long as the current version is the one that this push left, and a
    new one, never given before, once somebody has emptied the directory, rolled back or put in a
    version by hand. As a parameter of the Pusher it makes a run with nothing changed a cache hit,
    and lets a changed directory be pushed to again.

    Raises:
        UserError: the state file is damaged.
    """
    state = _read_state(base)
    if state.token and state.token_current == current(base):
        return state.token
    return uuid.uuid4().hex


def record_token(base: Path, token: str) -> None:
    """Record the destination token of a push that had nothing to publish.

    Raises:
        UserError: as `publish`, for lock and file system.
    """
    with _changing(base, "push to"):
        _write_state(base, replace(_read_state(base), token=token, token_current=current(base)))


def _contents(folder: Path) -> list[Path]:
    """All files and folders below `folder`, in the order of their names."""
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if not path.is_file() and (not path.is_dir() or path.is_symlink()):
            raise UserError(f"{path} is neither a file nor a folder: a model must not hold it")
    return paths


def _add(source: Path, model: str, base: Path, state: _State) -> None:
    """Put a model in as version `state.highest`.

    The state is written before the version appears: a number that was written down is never given
    out again, and a token that names a version which did not appear is not valid.
    """
    staging = base / f"{STAGING_PREFIX}{uuid.uuid4().hex}"
    try:
        _copy(source, staging)
        if fingerprint(staging) != model:
            raise UserError(f"{source} changed while it was copied. Push again when it is finished")
        _write_state(base, state)
        durable_rename(staging, base / str(state.highest))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _copy(source: Path, target: Path) -> None:
    """Copy a folder; on return the copy is on disk, not only in memory.

    Permissions are those of new files, not those of `source`: a server under another user must be
    able to read what was exported into somebody's private folder.
    """
    target.mkdir()
    for path in _contents(source):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
        else:
            shutil.copyfile(path, copy)
    for path in (target, *_contents(target)):
        fsync(path)


def _prune(base: Path, keep_old: int) -> None:
    """Delete the oldest versions; a failure costs disk space only, so it is logged, not raised."""
    old = [*served(base).values()][: -keep_old - 1] + [*rolled_back(base).values()][:-keep_old]
    for path in old:
        trash = base / f"{TRASH_PREFIX}{uuid.uuid4().hex}"
        try:
            durable_rename(path, trash)
            shutil.rmtree(trash)
        except OSError as error:
            _LOG.warning("The old version %s could not be deleted: %s", path, error)


def _remove_leftovers(base: Path) -> None:
    """Delete what killed processes left behind; under the lock, so that nobody is at work on it."""
    for path in base.iterdir():
        if path.name.startswith(_UNFINISHED):
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            except OSError as error:
                _LOG.warning("%s, left by a killed push, could not be deleted: %s", path, error)


def _read_state(base: Path) -> _State:
    path = base / _STATE_FILE
    try:
        return _State(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return _State()
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}). Restore it, or delete it: then versions rolled back "
            "may be pushed again"
        ) from error


def _write_state(base: Path, state: _State) -> None:
    atomic_write_text(
        base / _STATE_FILE, json.dumps(asdict(state), indent=2, sort_keys=True) + "\n"
    )


@contextmanager
def _changing(base: Path, action: str) -> Iterator[None]:
    """Hold the lock of a model directory; what the file system refuses becomes a `UserError`."""
    held = (
        f"another process has been changing {base} for {LOCK_TIMEOUT_SECONDS / 60:.0f} minutes. "
        "Wait for it or stop it, then try again"
    )
    try:
        base.mkdir(parents=True, exist_ok=True)
        with lock(base / LOCK_FILE, held, wait_seconds=LOCK_TIMEOUT_SECONDS):
            yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise from_os_error(
            error,
            f"cannot {action} {base}: {error.strerror or error}{where}. No half version was left "
            "there. Mend that (free space, permissions), then try again",
        ) from error
