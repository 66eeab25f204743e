"""A local pipeline runner that reports the status of each node.

TFX's LocalDagRunner reports nothing while a run goes on, does not tell whether a result came from
the cache, and leaves partial outputs behind when it is killed. This runner uses the same launcher,
reports each node, and first deletes the partial outputs of an interrupted run.
"""

import dataclasses
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import inputs_utils, launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Artifact

from metadata import CACHED, COMPLETE, read_history
from pipeline import output_records
from pipeline.past_runs import check_not_moved
from schema.errors import UserError
from schema.names import Node

log = logging.getLogger(__name__)

_Execution = metadata_store_pb2.Execution
_UNFINISHED = (_Execution.NEW, _Execution.RUNNING)


class NodeStatus(StrEnum):
    """Status of a node that has ended."""

    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class NodeResult:
    """Result of one node in a run.

    Attributes:
        node: Id of the node.
        status: Status of the node.
        seconds: Float. Wall-clock time of the node.
        outputs: Directories of the output artifacts, by output key.
        properties: Custom properties of the output artifacts, by output key.
    """

    node: str
    status: NodeStatus
    seconds: float
    outputs: Mapping[str, Path] = field(default_factory=dict)
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def run(
    pipeline: tfx.dsl.Pipeline,
    on_start: Callable[[str], None],
    on_end: Callable[[NodeResult], None],
    from_node: str | None = None,
    *,
    force_search: bool = False,
    interrupted: threading.Event | None = None,
    properties: Mapping[str, str] | None = None,
) -> None:
    """Run all nodes in order.

    Args:
        pipeline: Pipeline with a SQLite metadata store.
        on_start: Function called with the id of each node when it starts.
        on_end: Function called with the result of each node when it ends, even if it failed.
        from_node: Id of a node that runs again, together with all nodes that depend on it, without
            use of the cache. None uses the cache for all nodes.
        force_search: Whether the Tuner runs without use of the cache.
        interrupted: Event that is set once the user has interrupted the run.
        properties: Custom properties of the pipeline run in ML Metadata.

    Raises:
        UserError: There is no node `from_node`, the output directory has been moved since the last
            run, a result in the cache was damaged, or a component raised a UserError.
        RuntimeError: The inputs of a node could not be resolved.
        Exception: A component failed. The failure is recorded in ML Metadata.
    """
    if from_node is not None:
        require_node(pipeline, from_node)
    run_id = datetime.now(UTC).isoformat()
    ir = _compile(pipeline, run_id)
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}
    uncached = _downstream(nodes, from_node) if from_node is not None else set()
    for name in uncached | ({Node.TUNER} if force_search else set()):
        nodes[name].execution_options.caching_options.enable_cache = False
    connection = pipeline.metadata_connection_config
    artifacts = Path(pipeline.pipeline_info.pipeline_root)
    check_not_moved(read_history(connection), artifacts)
    clear_unfinished(connection, artifacts)

    for name, node in nodes.items():
        on_start(name)
        start = time.monotonic()
        try:
            output_records.delete_empty_outputs(artifacts / name)
            result = _launch(ir, node, connection)
            if result.status is NodeStatus.CACHED:
                output_records.check_outputs(name, result.outputs.values())
            output_records.write_records(
                name, result.outputs.values(), replace=result.status is NodeStatus.DONE
            )
        except BaseException as error:
            # Some libraries turn an interruption into an error of their own.
            stopped = isinstance(error, KeyboardInterrupt) or (interrupted and interrupted.is_set())
            status = NodeStatus.INTERRUPTED if stopped else NodeStatus.FAILED
            _delete_working_directories(artifacts, name)
            on_end(NodeResult(name, status, time.monotonic() - start))
            raise
        result = dataclasses.replace(result, seconds=time.monotonic() - start)
        if name == next(iter(nodes)):
            _describe_run(connection, run_id, properties or {})
        on_end(result)
        if result.status is NodeStatus.FAILED:
            raise RuntimeError(
                f"{name}: the inputs could not be resolved. See the log for the reason."
            )


def _describe_run(
    connection: metadata_store_pb2.ConnectionConfig, run_id: str, properties: Mapping[str, str]
) -> None:
    """Set custom properties of a pipeline run, which exists once its first node has ended."""
    with metadata.Metadata(connection) as handle:
        context = handle.store.get_context_by_type_and_name(
            constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id
        )
        for key, value in properties.items():
            context.custom_properties[key].string_value = value
        handle.store.put_contexts([context])


def require_node(pipeline: tfx.dsl.Pipeline, name: str) -> None:
    """Raise a UserError if the pipeline has no node with this id."""
    names = [component.id for component in pipeline.components]
    if name not in names:
        raise UserError(f"--from {name}: there is no such node. Choose one of: {', '.join(names)}.")


def resolve_inputs(pipeline: tfx.dsl.Pipeline, node_id: str, run_id: str) -> dict[str, Artifact]:
    """Return the first input artifact of a node in a run by input key; empty inputs are omitted."""
    nodes = [node.pipeline_node for node in _compile(pipeline, run_id).nodes]
    node = next(node for node in nodes if node.node_info.id == node_id)
    with metadata.Metadata(pipeline.metadata_connection_config) as handle:
        inputs = inputs_utils.resolve_input_artifacts(pipeline_node=node, metadata_handle=handle)
    return {key: artifacts[0] for key, artifacts in inputs[0].items() if artifacts}


def clear_unfinished(
    connection: metadata_store_pb2.ConnectionConfig,
    artifacts: Path,
    *,
    interrupted_since: float = math.inf,
) -> list[int]:
    """Mark the unfinished executions of an interrupted run as cancelled and delete their outputs.

    Call it only while no run uses the metadata store and the artifacts.

    Args:
        connection: Connection to the metadata store.
        artifacts: Root directory of the artifacts, which are in
            `<node>/<output key>/<execution id>`.
        interrupted_since: Time, in seconds since the epoch, at which a run that was interrupted
            began. A failure since then was the interruption, which some libraries turn into an
            error of their own.

    Returns:
        Ids of the executions that were cancelled.
    """
    with metadata.Metadata(connection) as handle:
        executions = handle.store.get_executions()
        unfinished = [
            execution
            for execution in executions
            if execution.last_known_state in _UNFINISHED
            or (
                execution.last_known_state == _Execution.FAILED
                and execution.create_time_since_epoch >= interrupted_since * 1000
            )
        ]
        for execution in unfinished:
            log.warning("execution %d was interrupted; deleting its partial outputs", execution.id)
            patterns = f"*/*/{execution.id}", f"*/.system/*/{execution.id}"
            for leftover in [path for pattern in patterns for path in artifacts.glob(pattern)]:
                shutil.rmtree(leftover)
            execution.last_known_state = _Execution.CANCELED
        if unfinished:
            _delete_working_directories(artifacts)
            handle.store.put_executions(unfinished)
    return [execution.id for execution in unfinished]


def _delete_working_directories(artifacts: Path, node: str = "*") -> None:
    """Delete what TFX leaves of executions that did not complete, while none is running."""
    # The names of these directories do not contain the execution's id.
    for leftover in [*artifacts.glob(f"{node}/.system/stateful_working_dir/*")]:
        shutil.rmtree(leftover)


def _compile(pipeline: tfx.dsl.Pipeline, run_id: str) -> pipeline_pb2.Pipeline:
    ir = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    return ir


def _downstream(nodes: Mapping[str, pipeline_pb2.PipelineNode], start: str) -> set[str]:
    """Return the ids of a node and of all nodes that depend on it."""
    dependent, pending = set[str](), {start}
    while pending:
        dependent.add(name := pending.pop())
        pending |= {*nodes[name].downstream_nodes} - dependent
    return dependent


def _launch(
    ir: pipeline_pb2.Pipeline,
    node: pipeline_pb2.PipelineNode,
    connection: metadata_store_pb2.ConnectionConfig,
) -> NodeResult:
    """Run a node, or take its result from the cache; the result has no duration yet."""
    name = node.node_info.id
    deployment = runner_utils.extract_local_deployment_config(ir)
    execution_info = launcher.Launcher(
        pipeline_node=node,
        mlmd_connection=metadata.Metadata(connection),
        pipeline_info=ir.pipeline_info,
        pipeline_runtime_spec=ir.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, name),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
    ).launch()
    execution_id = execution_info and execution_info.execution_id
    if execution_id is None:
        return NodeResult(name, NodeStatus.FAILED, 0.0)
    history = read_history(connection, execution_id)
    [execution] = history.executions
    outputs = history.outputs(execution)
    return NodeResult(
        name,
        {CACHED: NodeStatus.CACHED, COMPLETE: NodeStatus.DONE}.get(
            execution.state, NodeStatus.FAILED
        ),
        0.0,
        {key: Path(artifact.uri) for key, artifact in outputs.items()},
        {key: artifact.properties for key, artifact in outputs.items()},
    )
