"""Decides whether a model is pushed, as which version, and which version a rollback serves."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from schema.errors import UserError


class Outcome(Enum):
    """The result of a push."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    """The current version is this very model: nothing was added."""
    ROLLED_BACK = "rolled back"
    """This very model was rolled back before: nothing was added."""


@dataclass(frozen=True)
class Push:
    """The result of a push.

    `version` is the version that holds the model: the new one, the current one that equals it, or
    the one that was rolled back.
    """

    outcome: Outcome
    version: int


def refusal(model_blessed: bool | None, infra_blessed: bool | None, smoke_test_reason: str) -> str:
    """Why a model must not be pushed; empty if it may.

    `model_blessed` is the Evaluator's verdict and `infra_blessed` the smoke test's; each is None if
    that node was not asked.
    """
    if model_blessed is False:
        return "the Evaluator did not bless the model"
    if infra_blessed is False:
        return f"the smoke test refused the model: {smoke_test_reason or 'no reason is given'}"
    return ""


def choose_version(
    model: str,
    current: tuple[int, str] | None,
    rolled_back: Mapping[str, int],
    *,
    highest: int,
    now: int,
    republish: bool,
) -> Push:
    """Choose what is done with a model that may be pushed.

    The number of a new version is the time, or one more than the highest number if that is greater:
    numbers increase even if the clock goes back.

    Args:
        model: its fingerprint.
        current: version and fingerprint of the current version; None if there is none.
        rolled_back: version by fingerprint of every model that was rolled back.
        highest: the highest number that was ever used.
        now: the time in seconds since 1970.
        republish: push the model even if it was rolled back before.
    """
    if current is not None and current[1] == model:
        return Push(Outcome.UNCHANGED, current[0])
    if model in rolled_back and not republish:
        return Push(Outcome.ROLLED_BACK, rolled_back[model])
    return Push(Outcome.PUBLISHED, max(now, highest + 1))


def choose_rollback(
    base: object, to: int | None, visible: Collection[int], hidden: Collection[int]
) -> int:
    """Choose the version that a rollback serves: the one wanted, or the one before the current.

    A server sees the `visible` versions; the `hidden` ones were rolled back. Errors name `base`.

    Raises:
        UserError: there is no such version.
    """
    known = (
        f"Served: {', '.join(map(str, visible)) or 'none'}; "
        f"rolled back: {', '.join(map(str, hidden)) or 'none'}"
    )
    if to is None:
        if len(visible) < 2:
            raise UserError(f"{base} has no version before the current one. {known}")
        return sorted(visible)[-2]
    if to not in visible and to not in hidden:
        raise UserError(f"{base} has no version {to}. {known}")
    return to
