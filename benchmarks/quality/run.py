"""A finished run: its served model, and the examples that this was trained on."""

from pathlib import Path
from typing import NamedTuple

from tfx.types import standard_artifacts
from tfx.utils import path_utils

import metadata
from components.pusher import versions
from metadata import History
from pipeline.config import RunConfig
from schema.errors import UserError
from schema.names import METADATA_FILE


def served_model(output: Path) -> Path | None:
    """The folder of the version that a server would take, the highest; None where none is."""
    found = versions.served(RunConfig(data=output, output=output).model_directory)
    return found[max(found)] if found else None


def examples_of(model: Path, output: Path) -> Path:
    """The raw examples that a served model comes from, in the output directory of a run.

    A later run may have split other movies in another way, and what was test there may have been
    trained on here: so they are looked up in ML Metadata, back from the model.

    Raises:
        UserError: nothing is known there of such a model.
    """
    history = metadata.read_history(output / METADATA_FILE)
    for execution in history.upstream_executions(_artifact_of(model, output, history)):
        for artifact in history.outputs(execution).values():
            if artifact.type == standard_artifacts.Examples.TYPE_NAME and not execution.inputs:
                return Path(artifact.uri)
    raise UserError("ML Metadata knows no examples of this model. Run the pipeline again.")


class TrainerInputs(NamedTuple):
    """Transformed examples, with a folder for each split; the transform graph; word vectors."""

    examples: Path
    transform_graph: Path
    word_vectors: Path


def trainer_inputs(model: Path, output: Path) -> TrainerInputs:
    """What a served model was trained on, looked up in the same way."""
    history = metadata.read_history(output / METADATA_FILE)
    trainer = history.producer(_artifact_of(model, output, history))
    inputs = [history.artifacts[one] for one in trainer.inputs] if trainer else []
    found = {artifact.type: artifact.uri for artifact in inputs}
    return TrainerInputs(
        Path(found[standard_artifacts.Examples.TYPE_NAME]),
        Path(found[standard_artifacts.TransformGraph.TYPE_NAME]),
        Path(path_utils.serving_model_path(found[standard_artifacts.Model.TYPE_NAME])),
    )


def _artifact_of(model: Path, output: Path, history: History) -> int:
    """Id of the artifact that a served model is a copy of."""
    wanted = versions.content_digest(model)
    for artifact in sorted(history.artifacts.values(), key=lambda one: -one.id):
        if artifact.type == standard_artifacts.Model.TYPE_NAME:
            folder = Path(path_utils.serving_model_path(artifact.uri))
            if folder.is_dir() and versions.content_digest(folder) == wanted:
                return artifact.id
    raise UserError(
        f"{model}: no run in {output} has made this model, or the directory was moved since, whose "
        "record names whole paths. Run the pipeline there again, or move the directory back."
    )
