"""A finished run: its served model, and the examples that this was trained on."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tfx.types import standard_artifacts
from tfx.utils import path_utils

import metadata
from components.pusher import versions
from metadata import History
from pipeline.config import RunConfig
from schema.errors import UserError
from schema.names import METADATA_FILE

PROJECT: Final = Path(__file__).resolve().parents[2]


def make(data: Path, output: Path) -> int:
    """Run the pipeline; returns its exit status."""
    script = str(PROJECT / "pipeline" / "run_local.py")
    command = [sys.executable, script, "--data", str(data), "--output", str(output)]
    return subprocess.run(command).returncode


def served_model(output: Path) -> Path | None:
    """The folder of the version that a server would take, the highest; None where none is."""
    found = versions.served(RunConfig(data=output, output=output).model_directory)
    return found[max(found)] if found else None


@dataclass(frozen=True)
class TrainerInputs:
    """What a model was trained on.

    Attributes:
        examples: transformed examples, a folder with one folder a split.
        transform_graph: what Transform wrote beside them.
        word_vectors: folder of the word vectors.
    """

    examples: Path
    transform_graph: Path
    word_vectors: Path


def examples_of(model: Path, output: Path) -> Path:
    """The raw examples that a served model comes from.

    A later run may have split other films in another way, and what was test there may have been
    trained on here: so they are looked up in ML Metadata, back from the model.

    Args:
        model: folder of the version.
        output: output directory of the run.

    Raises:
        UserError: nothing is known there of such a model.
    """
    history = metadata.read(output / METADATA_FILE)
    for execution in history.behind(_artifact_of(model, output, history)):
        for artifact in history.outputs(execution).values():
            if artifact.type == standard_artifacts.Examples.TYPE_NAME and not execution.inputs:
                return Path(artifact.uri)
    raise UserError("ML Metadata knows no examples of this model. Run the pipeline again.")


def trainer_inputs(model: Path, output: Path) -> TrainerInputs:
    """What a served model was trained on, looked up in the same way.

    Args:
        model: folder of the version.
        output: output directory of the run.

    Raises:
        UserError: nothing is known there of such a model.
    """
    history = metadata.read(output / METADATA_FILE)
    trainer = history.maker(_artifact_of(model, output, history))
    inputs = [history.artifacts[one] for one in trainer.inputs] if trainer else []
    found = {artifact.type: artifact.uri for artifact in inputs}
    return TrainerInputs(
        examples=Path(found[standard_artifacts.Examples.TYPE_NAME]),
        transform_graph=Path(found[standard_artifacts.TransformGraph.TYPE_NAME]),
        word_vectors=Path(path_utils.serving_model_path(found[standard_artifacts.Model.TYPE_NAME])),
    )


def latest(output: Path, type_name: str) -> Path | None:
    """The folder of the newest complete artifact of a type; None where none is.

    Args:
        output: output directory of the run.
        type_name: of the artifact, as ML Metadata has it.

    Raises:
        UserError: nothing has run there.
    """
    history = metadata.read(output / METADATA_FILE)
    complete = [
        artifact
        for artifact in history.artifacts.values()
        if artifact.type == type_name and history.maker(artifact.id)
    ]
    return Path(max(complete, key=lambda artifact: artifact.id).uri) if complete else None


def _artifact_of(model: Path, output: Path, history: History) -> int:
    """Id of the artifact that a served model is a copy of."""
    wanted = versions.fingerprint(model)
    for artifact in sorted(history.artifacts.values(), key=lambda one: -one.id):
        if artifact.type == standard_artifacts.Model.TYPE_NAME:
            folder = Path(path_utils.serving_model_path(artifact.uri))
            if folder.is_dir() and versions.fingerprint(folder) == wanted:
                return artifact.id
    raise UserError(
        f"{model}: no run in {output} has made this model, or the directory was moved since, whose "
        "record names whole paths. Run the pipeline there again, or move the directory back."
    )
