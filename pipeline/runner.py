"""Runs a pipeline on this machine, node by node, and tells what happens.

TFX's LocalDagRunner says nothing between the start and the end of a run, hides whether a result
came from the cache, and leaves behind what a killed run was writing. This one launches the nodes
with the same launcher, reports each, and first clears away what an earlier run left unfinished.
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
from schema.errors import UserError
from schema.names import Node

log = logging.getLogger(__name__)

_Execution = metadata_store_pb2.Execution
_UNFINISHED = (_Execution.NEW, _Execution.RUNNING)


class Status(StrEnum):
    """How a node ended."""

    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"


@dataclass(frozen=True)
class NodeResult:
    """What became of a node.

    Attributes:
        node: its id.
        status: how it ended.
        seconds: how long it took.
        outputs: directories of the artifacts that it gave, by output key.
        properties: what was recorded with those artifacts, by output key.
    """

    node: str
    status: Status
    seconds: float
    outputs: Mapping[str, Path] = field(default_factory=dict)
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def run(
    pipeline: tfx.dsl.Pipeline,
    started: Callable[[str], None],
    ended: Callable[[NodeResult], None],
    from_node: str | None = None,
    *,
    search_anew: bool = False,
) -> None:
    """Run all nodes in order.

    Args:
        pipeline: with a SQLite metadata store.
        started: called with the id of each node that begins.
        ended: called with what became of it, also if it failed.
        from_node: this node and all that depend on it do not use the cache.
        search_anew: the Tuner does not use the cache.

    Raises:
        UserError: there is no node `from_node`; the artifacts have been moved since the run that
            made them; or as a component raises it.
        RuntimeError: a node's inputs could not be resolved.
        Exception: whatever a component raises; its node is then recorded as failed.
    """
    if from_node is not None:
        require_node(pipeline, from_node)
    ir = _compiled(pipeline, datetime.now(UTC).isoformat())
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}
    again = _downstream(nodes, from_node) if from_node is not None else set()
    for name in again | ({Node.TUNER} if search_anew else set()):
        nodes[name].execution_options.caching_options.enable_cache = False
    deployment = runner_utils.extract_local_deployment_config(ir)
    connection = pipeline.metadata_connection_config
    artifacts = Path(pipeline.pipeline_info.pipeline_root)
    _require_in_place(connection, artifacts)
    clear_unfinished(connection, artifacts)

    for name, node in nodes.items():
        started(name)
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
            ended(NodeResult(name, Status.FAILED, time.monotonic() - start))
            raise
        seconds = time.monotonic() - start
        result = _result(connection, name, execution and execution.execution_id, seconds)
        ended(result)
        if result.status is Status.FAILED:
            raise RuntimeError(f"{name}: its inputs could not be resolved; the log says why")


def require_node(pipeline: tfx.dsl.Pipeline, name: str) -> None:
    """Raise a `UserError` if a pipeline has no node of this name."""
    names = [component.id for component in pipeline.components]
    if name not in names:
        raise UserError(f"there is no node {name}. Nodes: {', '.join(names)}")


def inputs(pipeline: tfx.dsl.Pipeline, node: str, run_id: str) -> dict[str, Artifact]:
    """The first artifact of each input that a node is given in a run, of those that have any."""
    ir = _compiled(pipeline, run_id)
    wanted = next(one.pipeline_node for one in ir.nodes if one.pipeline_node.node_info.id == node)
    with metadata.Metadata(pipeline.metadata_connection_config) as handle:
        found = inputs_utils.resolve_input_artifacts(pipeline_node=wanted, metadata_handle=handle)
    return {key: artifacts[0] for key, artifacts in found[0].items() if artifacts}


def clear_unfinished(connection: metadata_store_pb2.ConnectionConfig, artifacts: Path) -> list[int]:
    """Mark what an interrupted run left unfinished as cancelled and delete what it had written.

    Only one run at a time may use the store and the directory.

    Args:
        connection: of the metadata store.
        artifacts: root of the artifacts, `<node>/<output key>/<execution id>`.

    Returns:
        Ids of the executions cleared.
    """
    with metadata.Metadata(connection) as handle:
        executions = handle.store.get_executions()
        stale = [one for one in executions if one.last_known_state in _UNFINISHED]
        for execution in stale:
            log.warning("execution %d was interrupted; clearing what it left", execution.id)
            # Working directories are not named by the execution; nothing that has ended needs one.
            patterns = (
                f"*/*/{execution.id}",
                f"*/.system/*/{execution.id}",
                "*/.system/stateful_working_dir/*",
            )
            for leftover in [path for pattern in patterns for path in artifacts.glob(pattern)]:
                shutil.rmtree(leftover)
            execution.last_known_state = _Execution.CANCELED
        if stale:
            handle.store.put_executions(stale)
    return [execution.id for execution in stale]


def _require_in_place(connection: metadata_store_pb2.ConnectionConfig, artifacts: Path) -> None:
    """Refuse artifacts that ML Metadata knows by the path of another place."""
    known = read_history(connection).artifacts.values()
    for root in sorted({Path(*Path(one.uri).parts[:-3]) for one in known}):
        if root.name != artifacts.name or root.absolute() == artifacts.absolute():
            continue
        if not root.exists() or not root.samefile(artifacts):
            raise UserError(
                f"{artifacts.parent}: this directory was {root.parent} when it was made, and its "
                "metadata name files there. Move it back, or choose another --output."
            )


def _compiled(pipeline: tfx.dsl.Pipeline, run_id: str) -> pipeline_pb2.Pipeline:
    ir = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    return ir


def _downstream(nodes: Mapping[str, pipeline_pb2.PipelineNode], start: str) -> set[str]:
    """The node and all that depend on it."""
    found, waiting = set[str](), {start}
    while waiting:
        found.add(name := waiting.pop())
        waiting |= {*nodes[name].downstream_nodes} - found
    return found


def _result(
    connection: metadata_store_pb2.ConnectionConfig,
    node: str,
    execution_id: int | None,
    seconds: float,
) -> NodeResult:
    if execution_id is None:
        return NodeResult(node, Status.FAILED, seconds)
    history = read_history(connection, execution_id)
    [execution] = history.executions
    outputs = history.outputs(execution)
    return NodeResult(
        node,
        {CACHED: Status.CACHED, COMPLETE: Status.DONE}.get(execution.state, Status.FAILED),
        seconds,
        {key: Path(artifact.uri) for key, artifact in outputs.items()},
        {key: artifact.properties for key, artifact in outputs.items()},
    )
