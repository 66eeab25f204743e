"""What each run is compared with, and which artifacts of earlier runs it takes."""

from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import artifact, standard_artifacts

from components.anomaly_gate.component import AcceptedStatistics
from components.resolvers import (
    LastAcceptedStrategy,
    LastOtherBlessedModel,
    LatestIfAny,
    choose_accepted,
    choose_blessed,
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
    return choose_accepted(
        {current}, {one: (of, before) for one, of, before in accepted}, accept_drift=accept_drift
    )


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


def test_the_accepted_statistics_are_resolved_by_their_properties() -> None:
    accepted = [made(AcceptedStatistics, number) for number in (10, 11)]
    for one, (of, before) in zip(accepted, [(1, 0), (2, 10)], strict=True):
        one.statistics_id, one.previous_id = of, before
    statistics = [made(standard_artifacts.ExampleStatistics, 2)]
    given = {"statistics": statistics, "previous": accepted}
    assert ids(LastAcceptedStrategy(), **given) == {"statistics": [2], "previous": [10]}
    assert ids(LastAcceptedStrategy(accept_drift=True), **given)["previous"] == []


def test_a_model_is_compared_with_the_latest_other_one_that_was_blessed() -> None:
    assert choose_blessed({3}, [1, 2, 3], {}) is None
    assert choose_blessed({3}, [1, 2, 3], {21: 1}) == (1, 21)
    # The candidate itself, blessed in the run before, does not count; nor does a deleted model.
    assert choose_blessed({3}, [3, 2, 1], {21: 1, 22: 2, 23: 3, 24: 9}) == (2, 22)
    # Of several blessings of one model the latest counts.
    assert choose_blessed({3}, [1, 3], {30: 1, 21: 1}) == (1, 30)


def test_blessings_are_read_as_the_evaluator_writes_them() -> None:
    blessings = [made(standard_artifacts.ModelBlessing, number) for number in (21, 22)]
    for blessing, model, blessed in zip(blessings, (1, 2), (1, 0), strict=True):
        blessing.set_int_custom_property("current_model_id", model)
        blessing.set_int_custom_property("blessed", blessed)
    models = [made(standard_artifacts.Model, number) for number in (1, 2, 3)]
    given = {"model": models, "model_blessing": blessings}
    assert ids(LastOtherBlessedModel(), candidate=models[2:], **given) == {
        "candidate": [3],
        "model": [1],
        "model_blessing": [21],
    }
    assert ids(LastOtherBlessedModel(), candidate=models[:1], **given) == {
        "candidate": [1],
        "model": [],
        "model_blessing": [],
    }
