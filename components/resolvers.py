"""Choices among the artifacts of earlier runs that TFX's own strategies do not offer.

Each strategy reads ids and properties of artifacts and leaves the choice to a pure function.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ml_metadata import MetadataStore
from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact

Artifacts = dict[str, list[Artifact]]

STATISTICS: Final = "statistics"
PREVIOUS: Final = "previous"
CANDIDATE: Final = "candidate"
MODEL: Final = "model"
MODEL_BLESSING: Final = "model_blessing"


def choose_latest(ids: Iterable[int]) -> int | None:
    """The highest id; None if there is none."""
    return max(ids, default=None)


def choose_accepted(
    current: Collection[int], accepted: Mapping[int, tuple[int, int]], *, accept_drift: bool
) -> int | None:
    """The accepted statistics that the statistics of this run are compared with.

    Statistics that were themselves accepted last are compared with what they were compared with
    then: a run on unchanged data has unchanged inputs, and so its nodes are taken from the cache.

    Args:
        current: ids of the statistics of this run.
        accepted: by the id of each accepted artifact, the id of the statistics that it holds and
            the id of the accepted artifact that these were compared with (0 if there was none).
        accept_drift: compare with nothing, so that this run's data become the new reference.

    Returns:
        An id of `accepted`, or None.
    """
    last = choose_latest(accepted)
    if last is None or accept_drift:
        return None
    statistics, previous = accepted[last]
    if statistics not in current:
        return last
    return previous if previous in accepted else None


def choose_blessed(
    candidates: Collection[int], models: Iterable[int], blessings: Mapping[int, int]
) -> tuple[int, int] | None:
    """The latest blessed model other than the candidate.

    Args:
        candidates: ids of the models that are to be compared with the one chosen.
        models: ids of all models.
        blessings: by the id of each blessing that was given, the id of the model.

    Returns:
        The ids of the model and of its latest blessing, or None.
    """
    by_model = {model: blessing for blessing, model in sorted(blessings.items())}
    model = choose_latest(set(models) & set(by_model) - set(candidates))
    return None if model is None else (model, by_model[model])


class LatestIfAny(ResolverStrategy):
    """The latest artifact of each input, or none.

    TFX's own LatestArtifactStrategy fails the run where there is no artifact yet.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Keep at most one artifact of each input, the one with the highest id."""
        del store
        return {
            key: _with_id(artifacts, choose_latest(artifact.id for artifact in artifacts))
            for key, artifacts in input_dict.items()
        }


class LastAcceptedStrategy(ResolverStrategy):
    """Resolves `previous` to the statistics that the anomaly gate compares this run's with."""

    def __init__(self, accept_drift: bool = False) -> None:
        """Make the strategy.

        Args:
            accept_drift: see `choose_accepted`.
        """
        self._accept_drift = accept_drift

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Keep at most one artifact of `previous`.

        Args:
            store: not used.
            input_dict: `statistics`, those of this run; `previous`, all that were ever accepted.
        """
        del store
        chosen = choose_accepted(
            {artifact.id for artifact in input_dict[STATISTICS]},
            {one.id: (one.statistics_id, one.previous_id) for one in input_dict[PREVIOUS]},
            accept_drift=self._accept_drift,
        )
        return {**input_dict, PREVIOUS: _with_id(input_dict[PREVIOUS], chosen)}


class LastOtherBlessedModel(ResolverStrategy):
    """Resolves `model` to the latest blessed model other than the candidate.

    TFX's own LatestBlessedModelStrategy hands a model that was blessed in the run before to the
    next run as the one to be compared with itself: the comparison would say nothing, and a run in
    which nothing has changed would miss the cache.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Keep at most one artifact each of `model` and `model_blessing`.

        Args:
            store: not used.
            input_dict: `candidate`; `model` and `model_blessing`, all there are.
        """
        del store
        chosen = choose_blessed(
            {artifact.id for artifact in input_dict[CANDIDATE]},
            [artifact.id for artifact in input_dict[MODEL]],
            {
                one.id: one.get_int_custom_property(
                    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
                )
                for one in input_dict[MODEL_BLESSING]
                if one.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
                == constants.BLESSED_VALUE
            },
        )
        model, blessing = chosen or (None, None)
        return {
            **input_dict,
            MODEL: _with_id(input_dict[MODEL], model),
            MODEL_BLESSING: _with_id(input_dict[MODEL_BLESSING], blessing),
        }


def _with_id(artifacts: list[Artifact], chosen: int | None) -> list[Artifact]:
    """The artifact of an id, as a list; empty if it is None."""
    return [artifact for artifact in artifacts if artifact.id == chosen]
