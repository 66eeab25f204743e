"""An output directory whose ML Metadata are written by hand."""

from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from schema.names import METADATA_FILE


class Recorded:
    """Records executions as a run leaves them behind."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.connection = mlmd.ConnectionConfig()
        self.connection.sqlite.filename_uri = str(folder / METADATA_FILE)
        self.store = MetadataStore(self.connection)

    def artifact(self, kind: str, uri: str, **properties: str) -> int:
        """Record an artifact. Gives its id."""
        type_id = self.store.put_artifact_type(mlmd.ArtifactType(name=kind))
        artifact = mlmd.Artifact(type_id=type_id, uri=uri)
        for name, value in properties.items():
            artifact.custom_properties[name].string_value = value
        return int(self.store.put_artifacts([artifact])[0])

    def execution(
        self,
        node: str,
        run: str,
        outputs: dict[str, int],
        inputs: tuple[int, ...] = (),
        state: "mlmd.Execution.State" = mlmd.Execution.COMPLETE,
        **parameters: str,
    ) -> int:
        """Record an execution; `outputs` are ids of artifacts by output key. Gives its id."""
        type_id = self.store.put_execution_type(mlmd.ExecutionType(name=node))
        execution = mlmd.Execution(type_id=type_id, last_known_state=state)
        for name, value in parameters.items():
            execution.custom_properties[name].string_value = value
        given = []
        for kind, key, artifact in [
            *((mlmd.Event.INPUT, "input", one) for one in inputs),
            *((mlmd.Event.OUTPUT, key, one) for key, one in outputs.items()),
        ]:
            event = mlmd.Event(type=kind, artifact_id=artifact)
            event.path.steps.add(key=key)
            event.path.steps.add(index=0)
            given.append((self.store.get_artifacts_by_id([artifact])[0], event))
        contexts = [
            mlmd.Context(
                type_id=self.store.put_context_type(mlmd.ContextType(name=kind)), name=name
            )
            for kind, name in (("node", f"movie_genres.{node}"), ("pipeline_run", run))
        ]
        number, _, _ = self.store.put_execution(
            execution, given, contexts, reuse_context_if_already_exist=True
        )
        return int(number)
