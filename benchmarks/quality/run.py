"""The served model of a run, and the artifacts from which it was trained."""

from pathlib import Path
from typing import NamedTuple

from tfx.types import standard_artifacts
from tfx.utils import path_utils

import metadata
from components.pusher import versions
from metadata import History
from pipeline.config import RunConfig
from schema import manifest
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES, read_genres
from schema.names import METADATA_FILE


def served_model(output: Path) -> Path | None:
    """Return the directory of the highest served version, or None if there is none.

    Raises:
        UserError: The model has other genres than those of IMDb.
    """
    served = versions.served(RunConfig(data=output, output=output).model_directory)
    if not served:
        return None
    model = served[max(served)]
    if read_genres(model) != GENRES:
        raise UserError(
            f"{output}: the model predicts genres of its own. This benchmark compares models of "
            f"IMDb's {NUM_GENRES} genres."
        )
    return model


def examples_of(model: Path, output: Path) -> Path:
    """Return the directory of the raw examples from which a served model was made.

    They are looked up in ML Metadata, since a later run may have split other movies: its test
    movies may be training movies of this model.

    Args:
        model: Directory of the model version.
        output: Output directory of the run.

    Raises:
        UserError: ML Metadata does not have the model or its examples.
    """
    history = metadata.read_history(output / METADATA_FILE)
    for execution in history.upstream_executions(_artifact_of(model, output, history)):
        for artifact in history.outputs(execution).values():
            if artifact.type == standard_artifacts.Examples.TYPE_NAME and not execution.inputs:
                return Path(artifact.uri)
    raise UserError(f"{output}: ML Metadata has no examples of this model. Run the pipeline again.")


class TrainerInputs(NamedTuple):
    """Inputs of the Trainer.

    Attributes:
        examples: Directory of the transformed examples, with one subdirectory per split.
        transform_graph: Directory of the transform graph.
        word_vectors: Directory of the word vectors.
    """

    examples: Path
    transform_graph: Path
    word_vectors: Path


def trainer_inputs(model: Path, output: Path) -> TrainerInputs:
    """Return the inputs from which a served model was trained, looked up in ML Metadata."""
    history = metadata.read_history(output / METADATA_FILE)
    trainer = history.producer(_artifact_of(model, output, history))
    inputs = [history.artifacts[number] for number in trainer.inputs] if trainer else []
    uris = {artifact.type: artifact.uri for artifact in inputs}
    return TrainerInputs(
        Path(uris[standard_artifacts.Examples.TYPE_NAME]),
        Path(uris[standard_artifacts.TransformGraph.TYPE_NAME]),
        Path(path_utils.serving_model_path(uris[standard_artifacts.Model.TYPE_NAME])),
    )


def _artifact_of(model: Path, output: Path, history: History) -> int:
    """Return the id of the artifact of which a served model is a copy."""
    expected = manifest.digest(model)
    for artifact in sorted(history.artifacts.values(), key=lambda artifact: -artifact.id):
        if artifact.type == standard_artifacts.Model.TYPE_NAME:
            directory = Path(path_utils.serving_model_path(artifact.uri))
            if directory.is_dir() and manifest.digest(directory) == expected:
                return artifact.id
    raise UserError(
        f"{model}: no run in {output} has made this model. Run the pipeline there again. If the "
        "output directory was moved, move it back, since its metadata contain absolute paths."
    )
