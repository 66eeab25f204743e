"""Which nodes a change makes run again, read off the compiled pipeline."""

import ast
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx import v1 as tfx
from tfx.dsl.compiler import compiler
from tfx.proto.orchestration import pipeline_pb2

from pipeline import dag
from pipeline.config import RunConfig
from pipeline.fingerprint import fingerprint

pytestmark = pytest.mark.filterwarnings(
    # TFX's, but protobuf gives it to whoever called.
    r"ignore:label\(\) is deprecated:DeprecationWarning"
)

PROJECT = Path(__file__).resolve().parents[2]

PUSHED = {"Pusher", "ModelReport"}
CANARY = {"Canary"} | PUSHED
JUDGED = {"Evaluator"} | CANARY
TRAINED = {"Tuner", "Trainer"} | JUDGED
TRANSFORMED = {"Transform", "WordVectors"} | TRAINED
GATED = {"AnomalyGate", "ModelReport"}
EXAMINED = {"StatisticsGen", "SchemaGen", "ExampleValidator"} | GATED
ALL = {"CsvExampleGen", "SchemaImporter", "Baseline"} | EXAMINED | TRANSFORMED
RESOLVERS = {"LastAcceptedStatistics", "LatestBlessedModel", "BestHyperparameters"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    folder = tmp_path_factory.mktemp("run")
    return changed(RunConfig(data=folder / "data", output=folder / "output"), "tuner", enabled=True)


def changed(config: RunConfig, section: str, **values: Any) -> RunConfig:
    """The configuration with some values of a section changed."""
    old = getattr(config, section)
    new = old.changed(values) if section == "hparams" else dataclasses.replace(old, **values)
    return dataclasses.replace(config, **{section: new})


def compiled(config: RunConfig, token: str = "") -> dict[str, pipeline_pb2.PipelineNode]:
    """The nodes of a configuration, by name."""
    ir = compiler.Compiler().compile(dag.create_pipeline(config, token))
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}
    executors = ir.deployment_config
    local = pipeline_pb2.IntermediateDeploymentConfig()
    executors.Unpack(local)
    for name, node in nodes.items():
        # The cache looks at the executor, too. Nothing else uses this field of a node.
        node.node_info.type.name += str(local.executor_specs.get(name))
    return nodes


def run_again(
    before: dict[str, pipeline_pb2.PipelineNode], after: dict[str, pipeline_pb2.PipelineNode]
) -> set[str]:
    """Nodes with a cache that miss it: those that differ, and those that read what they write."""
    found = {
        name
        for name, node in after.items()
        if key(before.get(name)) != key(node) and name not in RESOLVERS
    }
    while True:
        readers = {
            name
            for name, node in after.items()
            for source in sources(node)
            if source in found and name not in found
        }
        if not readers:
            return found - RESOLVERS
        found |= readers


def key(node: pipeline_pb2.PipelineNode | None) -> tuple[str, str] | None:
    """What the cache looks at, besides the inputs."""
    return node and (str(node.node_info), str(node.parameters))


def sources(node: pipeline_pb2.PipelineNode) -> set[str]:
    """Nodes whose artifacts a node reads."""
    return {
        channel.producer_node_query.id
        for given in node.inputs.inputs.values()
        for channel in given.channels
        if channel.producer_node_query.id
    }


def test_the_nodes_and_their_order(config: RunConfig) -> None:
    nodes = compiled(config)
    assert set(nodes) == (ALL | RESOLVERS) - {"BestHyperparameters"}
    order = list(nodes)
    for earlier, later in [
        ("AnomalyGate", "Transform"),
        ("AnomalyGate", "Baseline"),
        ("Trainer", "LatestBlessedModel"),
        ("LatestBlessedModel", "Evaluator"),
        ("Canary", "Pusher"),
        ("Pusher", "ModelReport"),
    ]:
        assert order.index(earlier) < order.index(later)

    without_search = compiled(changed(config, "tuner", enabled=False))
    assert set(without_search) == (ALL | RESOLVERS) - {"Tuner"}


def test_nothing_changed(config: RunConfig) -> None:
    assert run_again(compiled(config), compiled(config)) == set()


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("transform", {"max_cast": 3}, TRANSFORMED),
        ("word_vectors", {"epochs": 6}, {"WordVectors"} | TRAINED),
        ("anomalies", {"max_filled_change": 0.3}, GATED),
        ("hparams", {"hidden_units": 5}, TRAINED),
        ("hparams", {"seed": 5}, {"Baseline", "WordVectors"} | TRAINED),
        ("tuner", {"trials": 5}, TRAINED),
        ("gate", {"floor": 0.5}, JUDGED),
        ("gate", {"genre_floors": {"Drama": 0.5}}, JUDGED),
        ("serving", {"keep_old": 5}, PUSHED),
        ("beam", {"running_mode": "multi_processing"}, ALL - {"SchemaImporter"}),
    ],
)
def test_a_setting(
    config: RunConfig, section: str, values: dict[str, Any], expected: set[str]
) -> None:
    after = compiled(changed(config, section, **values))
    assert run_again(compiled(config), after) == expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("components.anomaly_gate", GATED),
        ("components.baseline", {"Baseline"} | JUDGED),
        ("components.canary", CANARY),
        ("components.canary_probe", CANARY),
        ("components.evaluator", JUDGED),
        ("components.examples", {"Baseline", "WordVectors"} | TRAINED),
        ("components.gate", JUDGED),
        ("components.metrics", JUDGED),
        ("components.pusher", {"ModelReport"}),
        ("components.report", {"ModelReport"}),
        ("components.versions", {"ModelReport"}),
        ("components.word_vectors", {"WordVectors"} | TRAINED),
        ("ingest.join", set()),
        ("pipeline.console", set()),
        ("report.charts", {"ModelReport"}),
        ("schema.features", {"AnomalyGate", "Baseline"} | TRANSFORMED),
        ("schema.genres", {"Baseline"} | TRANSFORMED),
        ("trainer.export.signatures", TRAINED),
        ("trainer.run", TRAINED),
        ("transform.features", TRANSFORMED),
        ("transform.text", TRANSFORMED),
    ],
)
def test_an_edit_of_a_module(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, module: str, expected: set[str]
) -> None:
    before = compiled(config)
    monkeypatch.setattr(dag, "fingerprint", as_if_edited(module))
    assert run_again(before, compiled(config)) == expected


def as_if_edited(module: str) -> Callable[..., str]:
    """`fingerprint` after an edit of one module."""

    def edited(*names: str) -> str:
        concerned = any(module == name or module.startswith(f"{name}.") for name in names)
        return fingerprint(*names) + ("'" if concerned else "")

    return edited


def test_another_schema(config: RunConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = compiled(config)
    other = tmp_path / "schema.pbtxt"
    other.write_bytes(config.curated_schema.read_bytes() + b"\n")
    monkeypatch.setattr(RunConfig, "curated_schema", other)
    assert run_again(before, compiled(config)) == (
        {"SchemaImporter", "ExampleValidator"} | GATED | TRANSFORMED
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("reset_baseline", True, JUDGED),
        ("republish", True, PUSHED),
        ("from_node", "Trainer", set()),
    ],
)
def test_a_flag(config: RunConfig, field: str, value: object, expected: set[str]) -> None:
    after = compiled(dataclasses.replace(config, **{field: value}))
    assert run_again(compiled(config), after) == expected


def test_a_serving_directory_that_was_changed(config: RunConfig) -> None:
    assert run_again(compiled(config, "one"), compiled(config, "two")) == PUSHED


def test_without_cache(config: RunConfig) -> None:
    nodes = compiled(dataclasses.replace(config, cache=False))
    assert not any(node.execution_options.caching_options.enable_cache for node in nodes.values())


def test_making_the_pipeline_writes_no_file(config: RunConfig) -> None:
    assert isinstance(dag.create_pipeline(config), tfx.dsl.Pipeline)
    assert [path for path in config.output.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("node", "entry"),
    [
        ("AnomalyGate", "components.anomaly_gate"),
        ("Transform", "transform.preprocessing"),
        ("WordVectors", "components.word_vectors"),
        ("Baseline", "components.baseline"),
        ("Tuner", "trainer.tune"),
        ("Trainer", "trainer.run"),
        ("Evaluator", "components.evaluator"),
        ("Canary", "components.canary"),
        ("Canary", "components.canary_probe"),
        ("ModelReport", "components.report"),
    ],
)
def test_an_edit_of_any_module_that_a_node_imports(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, node: str, entry: str
) -> None:
    before = compiled(config)
    modules = imported(entry) - {"schema.errors"}
    assert len(modules) > 1
    missed = set()
    for module in modules:
        monkeypatch.setattr(dag, "fingerprint", as_if_edited(module))
        if node not in run_again(before, compiled(config)):
            missed.add(module)
    assert missed == set()


def imported(entry: str) -> set[str]:
    """The project's modules that a module imports, itself and what those import among them."""
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        file = PROJECT.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not file.is_file():
            continue
        found.add(name)
        for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.Import):
                waiting += [alias.name for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom) and statement.module:
                waiting.append(statement.module)
                waiting += [f"{statement.module}.{alias.name}" for alias in statement.names]
    return found
