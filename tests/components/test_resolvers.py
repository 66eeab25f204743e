"""The latest artifact, or none."""

from tfx.types import standard_artifacts

from components.resolvers import LatestIfAny


def hyperparameters(number: int) -> standard_artifacts.HyperParameters:
    artifact = standard_artifacts.HyperParameters()
    artifact.id = number
    return artifact


def test_the_latest_of_several() -> None:
    given = [hyperparameters(number) for number in (3, 9, 5)]
    assert LatestIfAny().resolve_artifacts(None, {"best": given}) == {"best": [given[1]]}


def test_none_of_none() -> None:
    assert LatestIfAny().resolve_artifacts(None, {"best": []}) == {"best": []}
