"""Decide whether a model is pushed, as which version, and which version a rollback serves."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from schema.errors import UserError


class PushStatus(Enum):
    """Effect of a push."""

    PUSHED = "pushed"
    UNCHANGED = "unchanged"
    """Nothing: the current version is the same model."""
    ROLLED_BACK = "rolled back"
    """Nothing: the same model was rolled back before."""


@dataclass(frozen=True)
class PushResult:
    """Result of a push.

    Attributes:
        status: Effect of the push.
        version: Version that holds the model: a new one, the current one, or the one that was
            rolled back.
    """

    status: PushStatus
    version: int


def refusal_reason(
    model_blessed: bool | None, infra_blessed: bool | None, smoke_test_reason: str
) -> str:
    """Return why a model must not be pushed, or an empty string if it may be.

    Args:
        model_blessed: Whether the Evaluator blessed the model; None if it did not run.
        infra_blessed: Whether the smoke test blessed the model; None if it did not run.
        smoke_test_reason: Why the smoke test refused the model.
    """
    if model_blessed is False:
        return "the Evaluator did not bless the model"
    if infra_blessed is False:
        return f"the smoke test refused the model: {smoke_test_reason or 'no reason is given'}"
    return ""


def decide_push(
    model_digest: str,
    current: tuple[int, str] | None,
    rolled_back: Mapping[str, int],
    *,
    highest: int,
    now: int,
    push_again: bool,
) -> PushResult:
    """Decide what to do with a model that may be pushed.

    The number of a new version is the time in seconds, or one more than the highest number if that
    is greater, so that numbers increase even if the clock is set back.

    Args:
        model_digest: Digest of the model's manifest.
        current: Version and digest of the current version; None if there is none.
        rolled_back: Versions that were rolled back, by digest of the model.
        highest: Highest version number that was ever used.
        now: Time in seconds since 1970.
        push_again: Whether to push a model that was rolled back before.
    """
    if current is not None and current[1] == model_digest:
        return PushResult(PushStatus.UNCHANGED, current[0])
    if model_digest in rolled_back and not push_again:
        return PushResult(PushStatus.ROLLED_BACK, rolled_back[model_digest])
    return PushResult(PushStatus.PUSHED, max(now, highest + 1))


def choose_rollback_version(
    base: object, to: int | None, served: Collection[int], rolled_back: Collection[int]
) -> int:
    """Choose the version that a rollback serves.

    Args:
        base: Model directory, named in error messages.
        to: Requested version; None chooses the one before the current version.
        served: Versions that a server can see.
        rolled_back: Versions that were rolled back and still exist.

    Raises:
        UserError: There is no such version.
    """
    known = (
        f"Served: {', '.join(map(str, served)) or 'none'}; "
        f"rolled back: {', '.join(map(str, rolled_back)) or 'none'}"
    )
    if to is None:
        if len(served) < 2:
            raise UserError(f"{base} has no version before the current one. {known}")
        return sorted(served)[-2]
    if to not in served and to not in rolled_back:
        raise UserError(f"{base} has no version {to}. {known}")
    return to
