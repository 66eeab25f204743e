"""Resolver strategies that TFX does not offer, for choosing artifacts of earlier runs."""

from pathlib import Path

from ml_metadata import MetadataStore
from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact

from schema.names import STATISTICS_FILE

Artifacts = dict[str, list[Artifact]]
"""Artifacts by input key."""


class OptionalLatestArtifactStrategy(ResolverStrategy):
    """Strategy that resolves each input to its latest artifact, or to none if there is none yet.

    TFX's own LatestArtifactStrategy fails the run if there is no artifact yet.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Return the artifact with the highest id for each input that has any."""
        del store
        return {key: _latest(artifacts) for key, artifacts in input_dict.items()}


class LastAcceptedStatisticsStrategy(ResolverStrategy):
    """Strategy that resolves `previous` to the statistics that this run's are compared with.

    Normally, these are the statistics that the AnomalyGate accepted last. If the statistics of this
    run were themselves accepted last, the strategy chooses those that they were compared with at
    that time. A run on unchanged data then has unchanged inputs and is taken from the cache.
    Statistics whose file was deleted are left out.
    """

    def __init__(self, accept_drift: bool = False) -> None:
        """Create the strategy.

        Args:
            accept_drift: Whether to resolve `previous` to nothing, which makes this run's data the
                new reference.
        """
        self._accept_drift = accept_drift

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Choose one of `previous`, all accepted statistics, given this run's `statistics`."""
        del store
        accepted = [artifact for artifact in input_dict["previous"] if has_statistics(artifact.uri)]
        previous = [] if self._accept_drift else _latest(accepted)
        current_ids = {artifact.id for artifact in input_dict["statistics"]}
        if previous and previous[0].statistics_id in current_ids:
            previous = [artifact for artifact in accepted if artifact.id == previous[0].previous_id]
        return {**input_dict, "previous": previous}


class LatestOtherBlessedModelStrategy(ResolverStrategy):
    """Strategy that resolves `model` to the latest blessed model other than the candidate.

    TFX's own LatestBlessedModelStrategy compares a model that was blessed in the previous run with
    itself if the next run does not change it. Such a comparison says nothing, and it makes a run in
    which nothing changed miss the cache.
    """

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Choose one of `model` and of `model_blessing`, other than those of `candidate`."""
        del store
        candidate_ids = {artifact.id for artifact in input_dict["candidate"]}
        blessings: dict[int, list[Artifact]] = {}
        for blessing in input_dict["model_blessing"]:
            blessed = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            if blessed == constants.BLESSED_VALUE:
                model_id = blessing.get_int_custom_property(
                    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
                )
                blessings.setdefault(model_id, []).append(blessing)
        models = _latest(
            [
                model
                for model in input_dict["model"]
                if model.id in blessings and model.id not in candidate_ids
            ]
        )
        model_blessing = _latest(blessings[models[0].id]) if models else []
        return {**input_dict, "model": models, "model_blessing": model_blessing}


def has_statistics(uri: str) -> bool:
    """Return whether the file of accepted statistics still exists."""
    return Path(uri, STATISTICS_FILE).is_file()


def _latest(artifacts: list[Artifact]) -> list[Artifact]:
    """Return a list with the artifact that has the highest id, or an empty list."""
    return sorted(artifacts, key=lambda artifact: artifact.id)[-1:]
