"""Model directory that TensorFlow Serving polls, with one subdirectory per version.

TensorFlow Serving reads each subdirectory of `<base>` whose name is a number as a version and
serves the highest. It ignores all other names. Everything that must not be served is therefore
stored beside the versions, on the same file system, under names that begin with a dot:

    <version>/               a version, byte for byte the exported model
    .rolled_back/<version>/  a version that was rolled back
    .staging-<random>/       an unfinished copy
    .trash-<random>/         a version that is being deleted
    .versions.json           state that directory names cannot hold (see `state.State`)
    .lock                    lock held by the process that changes the directory

A version is added and removed by a single rename. A process killed at any moment leaves at most a
staging or trash directory, which the next push removes.
"""

import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from components.pusher.decision import (
    PushResult,
    PushStatus,
    choose_rollback_version,
    decide_push,
)
from components.pusher.state import STATE_FILE, State, read_state, write_state
from schema import manifest
from schema.errors import UserError, describe_os_error, from_os_error
from schema.files import copy_directory, durable_rename, lock
from schema.names import SAVED_MODEL_FILE
from schema.versions import parse_version, version_directories

_ROLLED_BACK_DIRECTORY: Final = ".rolled_back"
LOCK_FILE: Final = ".lock"
STAGING_PREFIX: Final = ".staging-"
TRASH_PREFIX: Final = ".trash-"
_LEFTOVER_PREFIXES: Final = (STAGING_PREFIX, TRASH_PREFIX, f".{STATE_FILE}.")
"""Prefixes of names that a killed process leaves. The last is that of an unfinished state file."""

LOCK_TIMEOUT_SECONDS: Final = 600.0
"""Time to wait for another process to release the lock, in seconds."""

_LOG = logging.getLogger(__name__)


class Rollback(NamedTuple):
    """Current versions before and after a rollback; `before` is 0 if there was none.

    `has_manifest` is False if the files of `after` could not be compared with a manifest.
    """

    before: int
    after: int
    has_manifest: bool = True


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


def push(
    source: Path,
    base: Path,
    *,
    model_digest: str | None = None,
    archive: Path | None = None,
    keep_old: int = 3,
    push_again: bool = False,
    token: str = "",
    clock: Callable[[], float] = time.time,
) -> PushResult:
    """Make a model the current version, unless it already is or was rolled back.

    Args:
        source: Path of a SavedModel with its manifest.
        base: Path of the model directory; created if it does not exist.
        model_digest: Digest of the model in its verdict; None does not compare.
        archive: Directory that gets a copy of the model before a version is added, unless the model
            was rolled back; None makes no copy.
        keep_old: Number of old versions to keep, and of rolled-back versions; at least 1.
        push_again: Whether to push a model that was rolled back before.
        token: Destination token to record (see `destination_token`).
        clock: Function that returns the time in seconds since 1970.

    Raises:
        TryAgainError: Another process has held the lock for ten minutes, or the disk is full.
        UserError: `source` is not the model that was exported and judged, `keep_old` is below 1, or
            the file system rejects the change (read-only, no permission). None of these errors
            leaves an incomplete version.
    """
    if keep_old < 1:
        raise UserError(
            "keep_old should be at least 1, so that a rollback has a version to return to. "
            f"Received: {keep_old}"
        )
    digest = manifest.check(source, model_digest).digest
    with _locked(base, "push to"):
        _remove_leftovers(base)
        state = read_state(base)
        latest = current(base)
        intact = None if latest is None or _damage(base / str(latest)) else latest
        # Files whose names are numbers count too, since their names cannot be used for a version.
        existing = [*base.iterdir(), *rolled_back(base).values()]
        result = decide_push(
            digest,
            None if intact is None else (intact, manifest.digest(base / str(intact))),
            state.rolled_back,
            highest=max(state.highest, *(parse_version(path.name) or 0 for path in existing)),
            now=int(clock()),
            push_again=push_again,
        )
        if archive is not None and result.status is not PushStatus.ROLLED_BACK:
            copy_directory(source, archive)
        if result.status is PushStatus.PUSHED:
            others = {key: version for key, version in state.rolled_back.items() if key != digest}
            state = State(result.version, others, token, result.version)
            _add_version(source, digest, base, state)
        else:
            write_state(base, replace(state, token=token, token_current=latest))
        _delete_old_versions(base, keep_old)
    return result


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
        UserError: There is no such version, it is damaged, or the file system rejects the change.
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
        target = (visible | hidden)[after]
        damage = _damage(target)
        if damage:
            raise UserError(
                f"{target} is damaged: {manifest.shorten(damage)}. Name another version with --to, "
                "or push a model with `ordained run`"
            )
        state = read_state(base)
        higher = [version for version in visible if version > after]
        digests = state.rolled_back | {
            manifest.digest(visible[version]): version for version in higher
        }
        digests.pop(manifest.digest(target), None)
        # The digests that earlier releases recorded were not those of manifests.
        digests = {digest: version for digest, version in digests.items() if version != after}
        # The digests are recorded before the moves, so that a killed rollback never leaves a
        # rolled-back model that would be pushed again.
        write_state(base, replace(state, highest=max(state.highest, before), rolled_back=digests))
        if after not in visible:
            durable_rename(hidden[after], base / str(after))
        if higher:
            (base / _ROLLED_BACK_DIRECTORY).mkdir(exist_ok=True)
        for version in higher:
            durable_rename(visible[version], base / _ROLLED_BACK_DIRECTORY / str(version))
    return Rollback(before, after, has_manifest=damage is not None)


def faults(base: Path) -> list[str]:
    """Say whether the current version is damaged, or has no manifest to compare its files with."""
    version = current(base)
    if version is None:
        return []
    path = base / str(version)
    damage = _damage(path)
    if damage is None:
        return [f"{path} has no manifest, so that nothing shows whether its files are complete"]
    return [f"{path}, which is served, is damaged: {manifest.shorten(damage)}"] if damage else []


def destination_token(base: Path) -> str:
    """Return a token that identifies the state of the model directory, for the Pusher's cache key.

    This is the token of the last push as long as the current version is the one that this push
    left, with all its files. It is a new random token once somebody has emptied the directory,
    rolled back, added a version by hand, or changed a file of the current version. A run in which
    nothing changed is then a cache hit, and a directory that somebody changed is pushed to again.

    Raises:
        UserError: The state file is damaged.
    """
    state = read_state(base)
    latest = current(base)
    is_damaged = latest is not None and bool(_damage(base / str(latest)))
    if state.token and state.token_current == latest and not is_damaged:
        return state.token
    return uuid.uuid4().hex


def record_token(base: Path, token: str) -> None:
    """Record the destination token of a run that pushed nothing.

    Raises:
        TryAgainError: Another process has held the lock for ten minutes, or the disk is full.
        UserError: The file system rejects the change.
    """
    with _locked(base, "push to"):
        write_state(base, replace(read_state(base), token=token, token_current=current(base)))


def _add_version(source: Path, digest: str, base: Path, state: State) -> None:
    """Add a model as version `state.highest`.

    The state is written before the version appears. If the process is killed in between, the number
    is not used again, and the token is invalid because its version is not the current one.
    """
    staging = base / f"{STAGING_PREFIX}{uuid.uuid4().hex}"
    try:
        copy_directory(source, staging)
        if manifest.describe(staging).digest != digest:
            raise UserError(
                f"{source} changed while it was copied. Wait until its export has finished, "
                "then push again"
            )
        write_state(base, state)
        durable_rename(staging, base / str(state.highest))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _damage(version: Path) -> list[str] | None:
    """Describe the damage of a version; None if it is unknown for lack of a manifest."""
    damage = manifest.damage(version)
    if damage is None and not (version / SAVED_MODEL_FILE).is_file():
        return [f"{SAVED_MODEL_FILE} is missing"]
    return damage


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
    before = _current_if_readable(base)
    try:
        base.mkdir(parents=True, exist_ok=True)
        with lock(base / LOCK_FILE, timed_out, wait_seconds=LOCK_TIMEOUT_SECONDS):
            yield
    except OSError as error:
        raise from_os_error(
            error,
            f"cannot {action} {base}: {describe_os_error(error)}. {_served_after(base, before)}. "
            "Fix the cause (disk space, permissions), then try again",
        ) from error


def _served_after(base: Path, before: int | None) -> str:
    """Say which version is served after a failed change. All served versions are complete."""
    after = _current_if_readable(base)
    if after != before:
        return (
            f"The current version is {after or 'none'} now, no longer {before or 'none'}, but the "
            "change may be lost if the machine stops"
        )
    return "There is no version yet" if after is None else f"The current version is still {after}"


def _current_if_readable(base: Path) -> int | None:
    try:
        return current(base)
    except OSError:
        return None
