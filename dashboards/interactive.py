"""Use the views of this package in TFX's InteractiveContext.

context = InteractiveContext()
dashboards.interactive.register(class_names=["cat", "dog"])
context.show(statistics_gen.outputs["statistics"])
context.show(evaluator.outputs["evaluation"])
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from tfx import types
from tfx.orchestration.experimental.interactive import visualizations
from tfx.types import artifact_utils, standard_artifacts

from dashboards import facets, tfma_views

_STATISTICS_FILE: Final = "FeatureStats.pb"


def register(
    class_names: tfma_views.ClassNames = (), separators: Mapping[str, str] | None = None
) -> None:
    """Show statistics and evaluations with the views of this package.

    Call this function after creating the InteractiveContext, which registers TFX's own views.

    Args:
        class_names: Names of the classes in evaluations, as in `dashboards.slicing_metrics`.
        separators: Separators of lists in statistics, as in `dashboards.statistics`.
    """

    class Evaluation(visualizations.ArtifactVisualization):
        ARTIFACT_TYPE = standard_artifacts.ModelEvaluation

        def display(self, artifact: types.Artifact) -> None:
            result = tfma.load_eval_result(artifact.uri)
            tfma_views.slicing_metrics(result, class_names=class_names).display()

    class Statistics(visualizations.ArtifactVisualization):
        ARTIFACT_TYPE = standard_artifacts.ExampleStatistics

        def display(self, artifact: types.Artifact) -> None:
            loaded = {
                split: tfdv.load_stats_binary(
                    str(Path(artifact.uri, f"Split-{split}", _STATISTICS_FILE))
                )
                for split in artifact_utils.decode_split_names(artifact.split_names)
            }
            facets.statistics(loaded, separators=separators).display()

    for visualization in (Evaluation, Statistics):
        visualizations.get_registry().register(visualization)
