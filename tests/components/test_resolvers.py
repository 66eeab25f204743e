"""What each run is compared with, and which artifacts of earlier runs it takes."""

from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import artifact, standard_artifacts

from components.anomaly_gate.component import AcceptedStatistics
from components.resolvers import (
    LastAcceptedStrategy,
    LastOtherBlessedModel,
    LatestIfAny,
)


def made(kind: Any, number: int) -> artifact.Artifact:
    one = kind()
    one.id = number
    return one


def ids(strategy: ResolverStrategy, **given: list[artifact.Artifact]) -> dict[str, list[int]]:
    """Ids that a strategy leaves of each input."""
    resolved = strategy.resolve_artifacts(None, given)
    return {key: [one.id for one in artifacts] for key, artifacts in resolved.items()}


def test_the_latest_of_several_or_none() -> None:
    given = [made(standard_artifacts.HyperParameters, number) for number in (3, 9, 5)]
    assert ids(LatestIfAny(), best=given, none=[]) == {"best": [9], "none": []}


def chosen(current: int, *accepted: tuple[int, int, int], accept_drift: bool = False) -> int | None:
    """The choice among (id, statistics_id, previous_id)."""
    previous = []
    for number, of, before in accepted:
        one = made(AcceptedStatistics, number)
        one.statistics_id, one.previous_id = of, before
        previous.append(one)
    statistics = [made(standard_artifacts.ExampleStatistics, current)]
    resolved = ids(LastAcceptedStrategy(accept_drift), statistics=statistics, previous=previous)
    assert resolved["statistics"] == [current]
    return next(iter(resolved["previous"]), None)


def test_what_data_are_compared_with() -> None:
    assert chosen(1) is None
    assert chosen(2, (10, 1, 0)) == 10
    assert chosen(3, (11, 2, 10), (10, 1, 0)) == 11
    # The same data again: what they were compared with then.
    assert chosen(1, (10, 1, 0)) is None
    assert chosen(2, (10, 1, 0), (11, 2, 10)) == 10
    # Back to data from before the last accepted.
    assert chosen(1, (10, 1, 0), (11, 2, 10)) == 11
    assert chosen(3, (10, 1, 0), (11, 2, 10), accept_drift=True) is None
    # After drift was accepted, the flag is not needed for the same data again.
    assert chosen(3, (10, 1, 0), (11, 2, 10), (12, 3, 0)) is None
    # What they were compared with has been deleted.
    assert chosen(2, (11, 2, 10)) is None


def blessed(
    candidate: int,
    models: list[int],
    blessings: dict[int, int],
    refusals: dict[int, int] | None = None,
) -> tuple[int, int] | None:
    """The model that a candidate is compared with, and its blessing; blessings by id."""
    given = []
    for numbers, value in ((blessings, 1), (refusals or {}, 0)):
        for number, model in numbers.items():
            one = made(standard_artifacts.ModelBlessing, number)
            # As the Evaluator writes them.
            one.set_int_custom_property("current_model_id", model)
            one.set_int_custom_property("blessed", value)
            given.append(one)
    resolved = ids(
        LastOtherBlessedModel(),
        candidate=[made(standard_artifacts.Model, candidate)],
        model=[made(standard_artifacts.Model, number) for number in models],
        model_blessing=given,
    )
    assert resolved["candidate"] == [candidate]
    return next(zip(resolved["model"], resolved["model_blessing"], strict=True), None)


def test_a_model_is_compared_with_the_latest_other_one_that_was_blessed() -> None:
    assert blessed(3, [1, 2, 3], {}) is None
    assert blessed(3, [1, 2, 3], {21: 1}) == (1, 21)
    assert blessed(3, [1, 2, 3], {21: 1}, refusals={22: 2}) == (1, 21)
    # The candidate itself, blessed in the run before, does not count; nor does a deleted model.
    assert blessed(1, [1, 2, 3], {21: 1}) is None
    assert blessed(3, [3, 2, 1], {21: 1, 22: 2, 23: 3, 24: 9}) == (2, 22)
    # Of several blessings of one model the latest counts.
    assert blessed(3, [1, 3], {30: 1, 21: 1}) == (1, 30)
