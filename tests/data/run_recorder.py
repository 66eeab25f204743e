"""Output directory whose ML Metadata database is written by a test."""

from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from schema.names import METADATA_FILE


class RunRecorder:
    """Write artifacts and executions to ML Metadata as a run of the pipeline does.

    Attributes:
        directory: Path of the output directory.
        connection: Configuration of the connection to the database.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.connection = mlmd.ConnectionConfig()
        self.connection.sqlite.filename_uri = str(directory / METADATA_FILE)
        self.store = MetadataStore(self.connection)

    def add_artifact(self, artifact_type: str, uri: str, **properties: str) -> int:
        """Add an artifact of a type and return its id."""
        type_id = self.store.put_artifact_type(mlmd.ArtifactType(name=artifact_type))
        artifact = mlmd.Artifact(type_id=type_id, uri=uri)
        for name, value in properties.items():
            artifact.custom_properties[name].string_value = value
        return int(self.store.put_artifacts([artifact])[0])

    def add_execution(
        self,
        node: str,
        run: str,
        outputs: dict[str, int],
        inputs: tuple[int, ...] = (),
        state: "mlmd.Execution.State" = mlmd.Execution.COMPLETE,
        **parameters: str,
    ) -> int:
        """Add an execution and return its id.

        Args:
            node: Id of the node.
            run: Id of the run.
            outputs: Ids of artifacts by output key.
            inputs: Ids of artifacts.
            state: State of the execution; COMPLETE by default.
            **parameters: Execution parameters.
        """
        type_id = self.store.put_execution_type(mlmd.ExecutionType(name=node))
        execution = mlmd.Execution(type_id=type_id, last_known_state=state)
        for name, value in parameters.items():
            execution.custom_properties[name].string_value = value
        artifacts_and_events = []
        for event_type, key, artifact in [
            *((mlmd.Event.INPUT, "input", artifact) for artifact in inputs),
            *((mlmd.Event.OUTPUT, key, artifact) for key, artifact in outputs.items()),
        ]:
            event = mlmd.Event(type=event_type, artifact_id=artifact)
            event.path.steps.add(key=key)
            event.path.steps.add(index=0)
            artifacts_and_events.append((self.store.get_artifacts_by_id([artifact])[0], event))
        contexts = [
            mlmd.Context(
                type_id=self.store.put_context_type(mlmd.ContextType(name=context_type)), name=name
            )
            for context_type, name in (("node", f"movie_genres.{node}"), ("pipeline_run", run))
        ]
        execution_id, _, _ = self.store.put_execution(
            execution, artifacts_and_events, contexts, reuse_context_if_already_exist=True
        )
        return int(execution_id)
