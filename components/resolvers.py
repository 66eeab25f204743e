"""Choices among the artifacts of earlier runs that TFX's own strategies do not offer."""

from ml_metadata import MetadataStore
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact


class LatestIfAny(ResolverStrategy):
    """The latest artifact of each input, or none.

    TFX's own LatestArtifactStrategy fails the run where there is no artifact yet.
    """

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Keep at most one artifact of each input, the one with the highest id."""
        del store
        return {
            key: sorted(artifacts, key=lambda artifact: artifact.id)[-1:]
            for key, artifacts in input_dict.items()
        }
