"""Choices among the artifacts of earlier runs that TFX's own strategies do not offer."""

from ml_metadata import MetadataStore
from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact

Artifacts = dict[str, list[Artifact]]


class LatestIfAny(ResolverStrategy):
    """The latest artifact of each input, or none.

    TFX's own LatestArtifactStrategy fails the run where there is no artifact yet.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Keep at most one artifact of each input, the one with the highest id."""
        del store
        return {key: _latest(artifacts) for key, artifacts in input_dict.items()}


class LastAcceptedStrategy(ResolverStrategy):
    """Resolves `previous` to the statistics that the anomaly gate compares this run's with.

    Statistics that were themselves accepted last are compared with what they were compared with
    then: a run on unchanged data has unchanged inputs, and so its nodes are taken from the cache.
    """

    def __init__(self, accept_drift: bool = False) -> None:
        """If drift is accepted, compare with nothing: this run's data are the new reference."""
        self._accept_drift = accept_drift

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Choose from `previous`, all that were ever accepted, by the `statistics` of this run."""
        del store
        accepted = input_dict["previous"]
        chosen = [] if self._accept_drift else _latest(accepted)
        current = {artifact.id for artifact in input_dict["statistics"]}
        if chosen and chosen[0].statistics_id in current:
            chosen = [one for one in accepted if one.id == chosen[0].previous_id]
        return {**input_dict, "previous": chosen}


class LastOtherBlessedModel(ResolverStrategy):
    """Resolves `model` to the latest blessed model other than the candidate.

    TFX's own LatestBlessedModelStrategy hands a model that was blessed in the run before to the
    next run as the one to be compared with itself: the comparison would say nothing, and a run in
    which nothing has changed would miss the cache.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Choose from all of `model` and `model_blessing`, but for `candidate`."""
        del store
        candidates = {artifact.id for artifact in input_dict["candidate"]}
        blessings: dict[int, list[Artifact]] = {}
        for one in input_dict["model_blessing"]:
            blessed = one.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            if blessed == constants.BLESSED_VALUE:
                model = one.get_int_custom_property(
                    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
                )
                blessings.setdefault(model, []).append(one)
        chosen = _latest(
            [one for one in input_dict["model"] if one.id in blessings and one.id not in candidates]
        )
        blessing = _latest(blessings[chosen[0].id]) if chosen else []
        return {**input_dict, "model": chosen, "model_blessing": blessing}


def _latest(artifacts: list[Artifact]) -> list[Artifact]:
    """The artifact with the highest id, as a list; empty if there is none."""
    return sorted(artifacts, key=lambda one: one.id)[-1:]
