"""A local pipeline runner that reports the status of each node.

TFX's LocalDagRunner reports nothing while a run goes on, does not tell whether a result came from
the cache, and leaves partial outputs behind when it is killed. This runner uses the same launcher,
reports each node, and first deletes the partial outputs of an interrupted run.
"""

import logging
import shutil
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
) -> None:
    """Run all nodes in order.

    Args:
        pipeline: Pipeline with a SQLite metadata store.
        on_start: Function called with the id of each node when it starts.
        on_end: Function called with the result of each node when it ends, even if it failed.
        from_node: Id of a node that runs again, together with all nodes that depend on it, without
            use of the cache. None uses the cache for all nodes.
        force_search: Whether the Tuner runs without use of the cache.

    Raises:
        UserError: There is no node `from_node`, the output directory has been moved since the last
            run, or a component raised a UserError.
        RuntimeError: The inputs of a node could not be resolved.
        Exception: A component failed. The failure is recorded in ML Metadata.
    """
    if from_node is not None:
        require_node(pipeline, from_node)
    ir = _compile(pipeline, datetime.now(UTC).isoformat())
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}
    uncached = _downstream(nodes, from_node) if from_node is not None else set()
    for name in uncached | ({Node.TUNER} if force_search else set()):
        nodes[name].execution_options.caching_options.enable_cache = False
    deployment = runner_utils.extract_local_deployment_config(ir)
    connection = pipeline.metadata_connection_config
    artifacts = Path(pipeline.pipeline_info.pipeline_root)
    check_not_moved(read_history(connection), artifacts)
    clear_unfinished(connection, artifacts)

    for name, node in nodes.items():
        on_start(name)
        start = time.monotonic()
        component = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=ir.pipeline_info,
            pipeline_runtime_spec=ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
        )
        try:
            execution = component.launch()
        except BaseException:
            on_end(NodeResult(name, NodeStatus.FAILED, time.monotonic() - start))
            raise
        seconds = time.monotonic() - start
        result = _node_result(connection, name, execution and execution.execution_id, seconds)
        on_end(result)
        if result.status is NodeStatus.FAILED:
            raise RuntimeError(
                f"{name}: the inputs could not be resolved. See the log for the reason."
            )


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


def clear_unfinished(connection: metadata_store_pb2.ConnectionConfig, artifacts: Path) -> list[int]:
    """Mark the unfinished executions of an interrupted run as cancelled and delete their outputs.

    Call it only while no run uses the metadata store and the artifacts.

    Args:
        connection: Connection to the metadata store.
        artifacts: Root directory of the artifacts, which are in
            `<node>/<output key>/<execution id>`.

    Returns:
        Ids of the executions that were cancelled.
    """
    with metadata.Metadata(connection) as handle:
        executions = handle.store.get_executions()
        unfinished = [
            execution for execution in executions if execution.last_known_state in _UNFINISHED
        ]
        for execution in unfinished:
            log.warning("execution %d was interrupted; deleting its partial outputs", execution.id)
            # The names of working directories do not contain the execution's id. All of them can
            # be deleted, since no node is running.
            patterns = (
                f"*/*/{execution.id}",
                f"*/.system/*/{execution.id}",
                "*/.system/stateful_working_dir/*",
            )
            for leftover in [path for pattern in patterns for path in artifacts.glob(pattern)]:
                shutil.rmtree(leftover)
            execution.last_known_state = _Execution.CANCELED
        if unfinished:
            handle.store.put_executions(unfinished)
    return [execution.id for execution in unfinished]


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


def _node_result(
    connection: metadata_store_pb2.ConnectionConfig,
    node: str,
    execution_id: int | None,
    seconds: float,
) -> NodeResult:
    if execution_id is None:
        return NodeResult(node, NodeStatus.FAILED, seconds)
    history = read_history(connection, execution_id)
    [execution] = history.executions
    outputs = history.outputs(execution)
    return NodeResult(
        node,
        {CACHED: NodeStatus.CACHED, COMPLETE: NodeStatus.DONE}.get(
            execution.state, NodeStatus.FAILED
        ),
        seconds,
        {key: Path(artifact.uri) for key, artifact in outputs.items()},
        {key: artifact.properties for key, artifact in outputs.items()},
    )
