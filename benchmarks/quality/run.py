"""A finished run: its served model, and the examples that this was trained on."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.pusher import versions
from pipeline.config import RunConfig
from report import lineage
from schema.errors import UserError

PROJECT: Final = Path(__file__).resolve().parents[2]

mlmd: Any = metadata_store_pb2


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
    store = _store(output)
    return _first_examples(store, _artifact_of(model, output, store))


def trainer_inputs(model: Path, output: Path) -> TrainerInputs:
    """What a served model was trained on, looked up in the same way.

    Args:
        model: folder of the version.
        output: output directory of the run.

    Raises:
        UserError: nothing is known there of such a model.
    """
    store = _store(output)
    found = {
        artifact.type: artifact.uri
        for artifact in store.get_artifacts_by_id(
            list(_inputs_of(_artifact_of(model, output, store), store))
        )
    }
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
    complete = [
        artifact
        for artifact in _store(output).get_artifacts_by_type(type_name)
        if artifact.state == mlmd.Artifact.LIVE
    ]
    return Path(max(complete, key=lambda artifact: artifact.id).uri) if complete else None


def _store(output: Path) -> MetadataStore:
    return lineage.opened(RunConfig(data=output, output=output).metadata)


def _artifact_of(model: Path, output: Path, store: MetadataStore) -> int:
    """Id of the artifact that a served model is a copy of."""
    wanted = versions.fingerprint(model)
    for artifact in reversed(store.get_artifacts_by_type(standard_artifacts.Model.TYPE_NAME)):
        folder = Path(path_utils.serving_model_path(artifact.uri))
        if folder.is_dir() and versions.fingerprint(folder) == wanted:
            return int(artifact.id)
    raise UserError(
        f"{model}: no run in {output} has made this model, or the directory was moved since, whose "
        "record names whole paths. Run the pipeline there again, or move the directory back."
    )


def _inputs_of(artifact: int, store: MetadataStore) -> set[int]:
    """Artifacts that went into the making of one."""
    makers = [
        event.execution_id
        for event in store.get_events_by_artifact_ids([artifact])
        if event.type == mlmd.Event.OUTPUT
    ]
    return {
        event.artifact_id
        for event in store.get_events_by_execution_ids(makers)
        if event.type == mlmd.Event.INPUT
    }


def _first_examples(store: MetadataStore, artifact: int) -> Path:
    """The examples that an artifact comes from and that come from no other artifact."""
    waiting, seen = [artifact], {artifact}
    [kind] = [
        kind.id
        for kind in store.get_artifact_types()
        if kind.name == standard_artifacts.Examples.TYPE_NAME
    ]
    while waiting:
        one = waiting.pop()
        inputs = _inputs_of(one, store)
        [known] = store.get_artifacts_by_id([one])
        if not inputs and known.type_id == kind:
            return Path(known.uri)
        waiting.extend(inputs - seen)
        seen |= inputs
    raise UserError("ML Metadata knows no examples of this model. Run the pipeline again.")
