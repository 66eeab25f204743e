"""Strategies choose the right artifacts of earlier runs."""

import tempfile
from pathlib import Path
from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import artifact, standard_artifacts

from components.anomaly_gate.component import AcceptedStatistics
from components.resolvers import (
    LastAcceptedStatisticsStrategy,
    LatestOtherBlessedModelStrategy,
    OptionalLatestArtifactStrategy,
)
from schema.names import STATISTICS_FILE


def make_artifact(artifact_type: Any, id_: int) -> artifact.Artifact:
    created = artifact_type()
    created.id = id_
    return created


def resolve(strategy: ResolverStrategy, **inputs: list[artifact.Artifact]) -> dict[str, list[int]]:
    """Return the ids of the artifacts that a strategy chooses, by input key."""
    resolved = strategy.resolve_artifacts(None, inputs)
    return {key: [one.id for one in artifacts] for key, artifacts in resolved.items()}


def test_the_latest_artifact_or_none_is_chosen() -> None:
    artifacts = [make_artifact(standard_artifacts.HyperParameters, id_) for id_ in (3, 9, 5)]
    resolved = resolve(OptionalLatestArtifactStrategy(), best=artifacts, none=[])
    assert resolved == {"best": [9], "none": []}


def previous_id(
    current: int,
    *accepted: tuple[int, int, int],
    accept_drift: bool = False,
    deleted: frozenset[int] = frozenset(),
) -> int | None:
    """Return the id that is chosen among accepted (id, statistics_id, previous_id).

    The files of those whose id is in `deleted` do not exist.
    """
    statistics = [make_artifact(standard_artifacts.ExampleStatistics, current)]
    strategy = LastAcceptedStatisticsStrategy(accept_drift)
    previous = []
    with tempfile.TemporaryDirectory() as directory:
        for id_, statistics_id, compared_with in accepted:
            one = make_artifact(AcceptedStatistics, id_)
            one.statistics_id, one.previous_id = statistics_id, compared_with
            one.uri = f"{directory}/{id_}"
            previous.append(one)
            if id_ not in deleted:
                Path(one.uri).mkdir()
                Path(one.uri, STATISTICS_FILE).touch()
        resolved = resolve(strategy, statistics=statistics, previous=previous)
    assert resolved["statistics"] == [current]
    return next(iter(resolved["previous"]), None)


def test_the_statistics_that_a_run_is_compared_with() -> None:
    assert previous_id(1) is None
    assert previous_id(2, (10, 1, 0)) == 10
    assert previous_id(3, (11, 2, 10), (10, 1, 0)) == 11
    # Data that were accepted last are compared with what they were compared with then.
    assert previous_id(1, (10, 1, 0)) is None
    assert previous_id(2, (10, 1, 0), (11, 2, 10)) == 10
    # Data that were accepted earlier, but not last.
    assert previous_id(1, (10, 1, 0), (11, 2, 10)) == 11
    assert previous_id(3, (10, 1, 0), (11, 2, 10), accept_drift=True) is None
    # After drift was accepted, the flag is not needed for the same data again.
    assert previous_id(3, (10, 1, 0), (11, 2, 10), (12, 3, 0)) is None
    # The statistics that they were compared with have been deleted.
    assert previous_id(2, (11, 2, 10)) is None


def test_deleted_statistics_are_left_out() -> None:
    accepted = ((10, 1, 0), (11, 2, 10))
    assert previous_id(3, *accepted, deleted=frozenset({10, 11})) is None
    assert previous_id(3, *accepted, deleted=frozenset({11})) == 10
    assert previous_id(2, *accepted, deleted=frozenset({10})) is None


def blessed_model(
    candidate: int,
    models: list[int],
    blessings: dict[int, int],
    refusals: dict[int, int] | None = None,
) -> tuple[int, int] | None:
    """Return the ids of the model that a candidate is compared with and of its blessing.

    Args:
        candidate: Id of the candidate.
        models: Ids of all models.
        blessings: Ids of blessed models, by id of the blessing.
        refusals: Ids of refused models, by id of the blessing.
    """
    artifacts = []
    for blessings_by_id, value in ((blessings, 1), (refusals or {}, 0)):
        for id_, model in blessings_by_id.items():
            one = make_artifact(standard_artifacts.ModelBlessing, id_)
            # The Evaluator writes these properties.
            one.set_int_custom_property("current_model_id", model)
            one.set_int_custom_property("blessed", value)
            artifacts.append(one)
    resolved = resolve(
        LatestOtherBlessedModelStrategy(),
        candidate=[make_artifact(standard_artifacts.Model, candidate)],
        model=[make_artifact(standard_artifacts.Model, id_) for id_ in models],
        model_blessing=artifacts,
    )
    assert resolved["candidate"] == [candidate]
    return next(zip(resolved["model"], resolved["model_blessing"], strict=True), None)


def test_a_model_is_compared_with_the_latest_other_blessed_model() -> None:
    assert blessed_model(3, [1, 2, 3], {}) is None
    assert blessed_model(3, [1, 2, 3], {21: 1}) == (1, 21)
    assert blessed_model(3, [1, 2, 3], {21: 1}, refusals={22: 2}) == (1, 21)
    # The candidate itself, blessed in the previous run, is not chosen, nor is a deleted model.
    assert blessed_model(1, [1, 2, 3], {21: 1}) is None
    assert blessed_model(3, [3, 2, 1], {21: 1, 22: 2, 23: 3, 24: 9}) == (2, 22)
    # The latest of several blessings of a model is chosen.
    assert blessed_model(3, [1, 3], {30: 1, 21: 1}) == (1, 30)
