"""Model directory that TensorFlow Serving polls, with one subdirectory per version.

TensorFlow Serving reads each subdirectory of `<base>` whose name is a number as a version and
serves the highest. It ignores all other names. Everything that must not be served is therefore
stored beside the versions, on the same file system, under names that begin with a dot:

    <version>/               a version, byte for byte the exported model
    .rolled_back/<version>/  a version that was rolled back
    .staging-<random>/       an unfinished copy
    .trash-<random>/         a version that is being deleted
    .versions.json           state that directory names cannot hold (see `_State`)
    .lock                    lock held by the process that changes the directory

A version is added and removed by a single rename. A process killed at any moment leaves at most a
staging or trash directory, which the next push removes.
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

from components.pusher.decision import (
    PushResult,
    PushStatus,
    choose_rollback_version,
    decide_push,
)
from schema.errors import UserError, from_os_error
from schema.files import atomic_write_text, durable_rename, fsync, lock
from schema.names import SAVED_MODEL_FILE
from schema.versions import parse_version, version_directories

_ROLLED_BACK_DIRECTORY: Final = ".rolled_back"
_STATE_FILE: Final = ".versions.json"
LOCK_FILE: Final = ".lock"
STAGING_PREFIX: Final = ".staging-"
TRASH_PREFIX: Final = ".trash-"
_LEFTOVER_PREFIXES: Final = (STAGING_PREFIX, TRASH_PREFIX, f".{_STATE_FILE}.")
"""Prefixes of names that a killed process leaves. The last is that of an unfinished state file."""

LOCK_TIMEOUT_SECONDS: Final = 600.0
"""Time to wait for another process to release the lock, in seconds."""

_LOG = logging.getLogger(__name__)


class Rollback(NamedTuple):
    """Current versions before and after a rollback; `before` is 0 if there was none."""

    before: int
    after: int


@dataclass(frozen=True)
class _State:
    """State of a model directory that its directory names cannot hold.

    Attributes:
        highest: Highest version number ever used, even if its directory no longer exists.
        rolled_back: Version of each model that was rolled back, by digest of its contents.
        token: Destination token of the last push (see `destination_token`).
        token_current: Current version after that push; None if there was none.
    """

    highest: int = 0
    rolled_back: dict[str, int] = field(default_factory=dict)
    token: str = ""
    token_current: int | None = None


def served(base: Path) -> dict[int, Path]:
    """Return the directories of the versions that a server can see, in ascending order.

    The result is empty if `base` does not exist.
    """
    return version_directories(base)


def rolled_back(base: Path) -> dict[int, Path]:
    """Return the directories of rolled-back versions that still exist, in ascending order."""
    return version_directories(base / _ROLLED_BACK_DIRECTORY)


def current(base: Path) -> int | None:
    """Return the highest version, which TensorFlow Serving serves; None if there is none."""
    return max(served(base), default=None)


def content_digest(model: Path) -> str:
    """Return the SHA-256 digest of the names and contents of all files in a directory.

    Raises:
        UserError: The directory contains something other than files and directories.
    """
    digest = hashlib.sha256()
    for path in _files_and_directories(model):
        digest.update(path.relative_to(model).as_posix().encode() + b"\0")
        if path.is_dir():
            # This word must not change: digests in existing state files depend on it.
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
) -> PushResult:
    """Make a model the current version, unless it already is or was rolled back.

    Args:
        source: Path of a SavedModel.
        base: Path of the model directory; created if it does not exist.
        keep_old: Number of old versions to keep, and of rolled-back versions; at least 1.
        republish: Whether to push a model that was rolled back before.
        token: Destination token to record (see `destination_token`).
        clock: Function that returns the time in seconds since 1970.

    Raises:
        TryAgainError: Another process has held the lock for ten minutes, or the disk is full.
        UserError: `source` is not a SavedModel, `keep_old` is below 1, or the file system rejects
            the change (read-only, no permission). None of these errors leaves an incomplete
            version.
    """
    if keep_old < 1:
        raise UserError(
            "keep_old should be at least 1, so that a rollback has a version to return to. "
            f"Received: {keep_old}"
        )
    if not (source / SAVED_MODEL_FILE).is_file():
        raise UserError(f"{source} is not a SavedModel: it has no file {SAVED_MODEL_FILE}")
    with _locked(base, "push to"):
        _remove_leftovers(base)
        state = _read_state(base)
        digest = content_digest(source)
        latest = current(base)
        # Files whose names are numbers count too, since their names cannot be used for a version.
        existing = [*base.iterdir(), *rolled_back(base).values()]
        push = decide_push(
            digest,
            None if latest is None else (latest, content_digest(served(base)[latest])),
            state.rolled_back,
            highest=max(state.highest, *(parse_version(path.name) or 0 for path in existing)),
            now=int(clock()),
            republish=republish,
        )
        if push.status is PushStatus.PUBLISHED:
            others = {key: version for key, version in state.rolled_back.items() if key != digest}
            _add_version(source, digest, base, _State(push.version, others, token, push.version))
        else:
            _write_state(base, replace(state, token=token, token_current=latest))
        _delete_old_versions(base, keep_old)
    return push


def rollback(base: Path, to: int | None = None) -> Rollback:
    """Make an earlier version, or one that was rolled back, the current version.

    TensorFlow Serving serves the highest version, so all higher versions are moved to
    `.rolled_back/`. They are moved in ascending order, so that no server sees a version between the
    two as the highest.

    Args:
        base: Path of the model directory.
        to: Version to serve; None chooses the one before the current version.

    Raises:
        TryAgainError: Another process has held the lock for ten minutes.
        UserError: There is no such version, or the file system rejects the change.
    """
    if current(base) is None and not rolled_back(base):
        raise UserError(
            f"{base} holds no version. Push a model first with `ordained run`, or name another "
            "output directory with --output."
        )
    with _locked(base, "roll back"):
        visible, hidden = served(base), rolled_back(base)
        before = max(visible, default=0)
        after = choose_rollback_version(base, to, visible, hidden)
        state = _read_state(base)
        higher = [version for version in visible if version > after]
        digests = state.rolled_back | {
            content_digest(visible[version]): version for version in higher
        }
        digests.pop(content_digest((visible | hidden)[after]), None)
        # The digests are recorded before the moves, so that a killed rollback never leaves a
        # rolled-back model that would be pushed again.
        _write_state(base, replace(state, highest=max(state.highest, before), rolled_back=digests))
        if after not in visible:
            durable_rename(hidden[after], base / str(after))
        if higher:
            (base / _ROLLED_BACK_DIRECTORY).mkdir(exist_ok=True)
        for version in higher:
            durable_rename(visible[version], base / _ROLLED_BACK_DIRECTORY / str(version))
    return Rollback(before, after)


def destination_token(base: Path) -> str:
    """Return a token that identifies the state of the model directory, for the Pusher's cache key.

    This is the token of the last push as long as the current version is the one that this push
    left. It is a new random token once somebody has emptied the directory, rolled back, or added a
    version by hand. A run in which nothing changed is then a cache hit, and a directory that
    somebody changed is pushed to again.

    Raises:
        UserError: The state file is damaged.
    """
    state = _read_state(base)
    if state.token and state.token_current == current(base):
        return state.token
    return uuid.uuid4().hex


def record_token(base: Path, token: str) -> None:
    """Record the destination token of a push that published nothing.

    Raises:
        TryAgainError: Another process has held the lock for ten minutes, or the disk is full.
        UserError: The file system rejects the change.
    """
    with _locked(base, "push to"):
        _write_state(base, replace(_read_state(base), token=token, token_current=current(base)))


def _files_and_directories(directory: Path) -> list[Path]:
    """Return all files and directories below a directory, sorted by path."""
    paths = sorted(directory.rglob("*"))
    for path in paths:
        if not path.is_file() and (not path.is_dir() or path.is_symlink()):
            raise UserError(f"{path} is neither a file nor a directory. Remove it from the model")
    return paths


def _add_version(source: Path, digest: str, base: Path, state: _State) -> None:
    """Add a model as version `state.highest`.

    The state is written before the version appears. If the process is killed in between, the number
    is not used again, and the token is invalid because its version is not the current one.
    """
    staging = base / f"{STAGING_PREFIX}{uuid.uuid4().hex}"
    try:
        _copy_directory(source, staging)
        if content_digest(staging) != digest:
            raise UserError(
                f"{source} changed while it was copied. Wait until its export has finished, "
                "then push again"
            )
        _write_state(base, state)
        durable_rename(staging, base / str(state.highest))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _copy_directory(source: Path, target: Path) -> None:
    """Copy a directory and flush the copy to disk.

    The copy has the permissions of new files, not those of `source`, so that a server under another
    user can read a model that was exported to a private directory.
    """
    target.mkdir()
    for path in _files_and_directories(source):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
        else:
            shutil.copyfile(path, copy)
    for path in (target, *_files_and_directories(target)):
        fsync(path)


def _delete_old_versions(base: Path, keep_old: int) -> None:
    """Delete the oldest versions. A failure only costs disk space, so it is logged, not raised."""
    old = [*served(base).values()][: -keep_old - 1] + [*rolled_back(base).values()][:-keep_old]
    for path in old:
        trash = base / f"{TRASH_PREFIX}{uuid.uuid4().hex}"
        try:
            durable_rename(path, trash)
            shutil.rmtree(trash)
        except OSError as error:
            _LOG.warning("Cannot delete the old version %s: %s", path, error)


def _remove_leftovers(base: Path) -> None:
    """Delete what killed processes left. The caller holds the lock, so no process uses it."""
    for path in base.iterdir():
        if path.name.startswith(_LEFTOVER_PREFIXES):
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            except OSError as error:
                _LOG.warning("Cannot delete %s, which a killed push left: %s", path, error)


def _read_state(base: Path) -> _State:
    path = base / _STATE_FILE
    try:
        return _State(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return _State()
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}). Restore it, or delete it: then models that were rolled "
            "back may be pushed again"
        ) from error


def _write_state(base: Path, state: _State) -> None:
    atomic_write_text(
        base / _STATE_FILE, json.dumps(asdict(state), indent=2, sort_keys=True) + "\n"
    )


@contextmanager
def _locked(base: Path, action: str) -> Iterator[None]:
    """Hold the lock of a model directory, and raise errors of the file system as `UserError`.

    Args:
        base: Path of the model directory; created if it does not exist.
        action: Verb of the error message, such as `push to`.
    """
    timed_out = (
        f"another process has been changing {base} for {LOCK_TIMEOUT_SECONDS / 60:.0f} minutes. "
        "Wait for it or stop it, then try again"
    )
    try:
        base.mkdir(parents=True, exist_ok=True)
        with lock(base / LOCK_FILE, timed_out, wait_seconds=LOCK_TIMEOUT_SECONDS):
            yield
    except OSError as error:
        file = f" ({error.filename})" if error.filename else ""
        raise from_os_error(
            error,
            f"cannot {action} {base}: {error.strerror or error}{file}. No incomplete version was "
            "left there. Fix the cause (disk space, permissions), then try again",
        ) from error
