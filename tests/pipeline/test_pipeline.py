"""Nodes that a change makes run again, found by comparing compiled pipelines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx import v1 as tfx
from tfx.dsl.compiler import compiler
from tfx.proto.orchestration import pipeline_pb2

from pipeline import pipeline as pipeline_module
from pipeline.config import RunConfig
from schema.fingerprint import PROJECT_ROOT, fingerprint, source_files
from schema.names import Node

pytestmark = pytest.mark.filterwarnings(
    # TFX causes the warning, but protobuf attributes it to the caller.
    r"ignore:label\(\) is deprecated:DeprecationWarning"
)

PUSHED = {"Pusher", "ModelReport"}
TESTED = {"SmokeTest"} | PUSHED
EVALUATED = {"Evaluator"} | TESTED
TRAINED = {"Tuner", "Trainer"} | EVALUATED
TRANSFORMED = {"Transform", "WordVectors"} | TRAINED
GATED = {"AnomalyGate", "ModelReport"}
EXAMINED = {"StatisticsGen", "SchemaGen", "ExampleValidator"} | GATED
ALL = {"CsvExampleGen", "SchemaImporter", "SimpleBaseline"} | EXAMINED | TRANSFORMED
RESOLVERS = {"LastAcceptedStatistics", "LatestBlessedModel", "BestHyperparameters"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    directory = tmp_path_factory.mktemp("run")
    config = RunConfig(data=directory / "data", output=directory / "output")
    return changed(config, "tuner", enabled=True)


def changed(config: RunConfig, section: str, **values: Any) -> RunConfig:
    """Return the configuration with other values in one section."""
    new = getattr(config, section).model_copy(update=values)
    return config.model_copy(update={section: new})


def compiled(config: RunConfig, token: str = "") -> dict[str, pipeline_pb2.PipelineNode]:
    """Return the compiled nodes of a configuration by name."""
    ir = compiler.Compiler().compile(pipeline_module.create_pipeline(config, token))
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}
    executors = ir.deployment_config
    local = pipeline_pb2.IntermediateDeploymentConfig()
    executors.Unpack(local)
    for name, node in nodes.items():
        # The cache key includes the executor, which is stored here in an otherwise unused field.
        node.node_info.type.name += str(local.executor_specs.get(name))
    return nodes


def run_again(
    before: dict[str, pipeline_pb2.PipelineNode], after: dict[str, pipeline_pb2.PipelineNode]
) -> set[str]:
    """Return the cached nodes that differ, and the nodes that depend on them."""
    found = {
        name
        for name, node in after.items()
        if cache_key(before.get(name)) != cache_key(node) and name not in RESOLVERS
    }
    while True:
        readers = {
            name
            for name, node in after.items()
            for source in producers(node)
            if source in found and name not in found
        }
        if not readers:
            return found - RESOLVERS
        found |= readers


def cache_key(node: pipeline_pb2.PipelineNode | None) -> tuple[str, str] | None:
    """Return the cache key of a node without its inputs."""
    return node and (str(node.node_info), str(node.parameters))


def producers(node: pipeline_pb2.PipelineNode) -> set[str]:
    """Return the nodes whose artifacts a node reads."""
    return {
        channel.producer_node_query.id
        for given in node.inputs.inputs.values()
        for channel in given.channels
        if channel.producer_node_query.id
    }


def test_nodes_and_their_order(config: RunConfig) -> None:
    nodes = compiled(config)
    assert set(nodes) == (ALL | RESOLVERS) - {"BestHyperparameters"}
    assert set(nodes) | {"BestHyperparameters", "Labeller"} == set(Node)
    order = list(nodes)
    for earlier, later in [
        ("AnomalyGate", "Transform"),
        ("AnomalyGate", "SimpleBaseline"),
        ("Trainer", "LatestBlessedModel"),
        ("LatestBlessedModel", "Evaluator"),
        ("SmokeTest", "Pusher"),
        ("Pusher", "ModelReport"),
    ]:
        assert order.index(earlier) < order.index(later)

    without_search = compiled(changed(config, "tuner", enabled=False))
    assert set(without_search) == (ALL | RESOLVERS) - {"Tuner"}


def test_labels_are_made_only_if_enabled(config: RunConfig) -> None:
    labelling = changed(config, "label", enabled=True)
    nodes = compiled(labelling)
    assert list(nodes)[:-1] == list(compiled(config))
    assert list(nodes)[-1] == "Labeller"
    assert producers(nodes["Labeller"]) == {"CsvExampleGen", "Pusher"}
    assert set(nodes["Labeller"].upstream_nodes) >= {"ModelReport"}
    assert run_again(compiled(config), nodes) == {"Labeller"}


def test_the_pipeline_of_a_fold_ends_with_the_training(config: RunConfig) -> None:
    training = pipeline_module.create_training_pipeline(config)
    nodes = [
        node.pipeline_node.node_info.id for node in compiler.Compiler().compile(training).nodes
    ]
    assert nodes == list(compiled(config))[: len(nodes)]
    assert nodes[-1] == "Trainer"


def test_other_movies_without_genres(config: RunConfig, tmp_path: Path) -> None:
    labelling = changed(config, "label", enabled=True).model_copy(update={"output": tmp_path})
    before = compiled(labelling)
    labelling.movies.mkdir()
    (labelling.movies / "unlabelled-00000-of-00001.csv").write_text("tconst\n")
    assert run_again(before, compiled(labelling)) == {"Labeller"}


def test_an_unchanged_configuration(config: RunConfig) -> None:
    assert run_again(compiled(config), compiled(config)) == set()


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("transform", {"max_cast": 3}, TRANSFORMED),
        ("word_vectors", {"epochs": 6}, {"WordVectors"} | TRAINED),
        ("anomalies", {"max_filled_change": 0.3}, GATED),
        ("hparams", {"hidden_units": 5}, TRAINED),
        ("hparams", {"seed": 5}, {"SimpleBaseline", "WordVectors"} | TRAINED),
        ("tuner", {"trials": 5}, TRAINED),
        ("gate", {"floor": 0.5}, EVALUATED),
        ("gate", {"genre_floors": {"Drama": 0.5}}, EVALUATED),
        ("serving", {"keep_old": 5}, PUSHED),
        ("beam", {"running_mode": "multi_processing"}, ALL - {"SchemaImporter"}),
    ],
)
def test_a_changed_setting(
    config: RunConfig, section: str, values: dict[str, Any], expected: set[str]
) -> None:
    after = compiled(changed(config, section, **values))
    assert run_again(compiled(config), after) == expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("components.anomaly_gate.decision", GATED),
        ("components.anomaly_gate.tfdv_adapter", GATED),
        ("components.simple_baseline.model", {"SimpleBaseline"} | EVALUATED),
        ("components.smoke_test.decision", TESTED),
        ("components.smoke_test.probe", TESTED),
        ("components.evaluator.component", EVALUATED),
        ("components.evaluator.decision", EVALUATED),
        ("components.evaluator.measurement", EVALUATED),
        ("components.evaluator.metrics", EVALUATED),
        ("components.evaluator.verdict", TESTED),
        ("components.examples", {"SimpleBaseline", "WordVectors"} | TRAINED),
        ("components.model_report.collect", {"ModelReport"}),
        ("components.pusher.versions", set()),
        ("components.resolvers", set()),
        ("components.word_vectors.vectors", {"WordVectors"} | TRAINED),
        ("ingest.dump_join", set()),
        ("pipeline.console", set()),
        ("report.charts", {"ModelReport"}),
        ("schema.features", {"AnomalyGate", "SimpleBaseline"} | TRANSFORMED),
        ("schema.genres", {"SimpleBaseline"} | TRANSFORMED),
        ("trainer.export.signatures", TRAINED),
        ("trainer.run", TRAINED),
        ("trainer.tune", TRAINED),
        ("transform.features", TRANSFORMED),
        ("transform.text", TRANSFORMED),
    ],
)
def test_an_edited_module(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, module: str, expected: set[str]
) -> None:
    before = compiled(config)
    monkeypatch.setattr(pipeline_module, "fingerprint", as_if_edited(module))
    assert run_again(before, compiled(config)) == expected


def as_if_edited(module: str) -> Callable[..., str]:
    """Return a `fingerprint` function as it would be after an edit of one module."""
    file = PROJECT_ROOT.joinpath(*module.split(".")).with_suffix(".py")
    assert file.is_file()

    def edited(*names: str) -> str:
        return fingerprint(*names) + ("'" if file in source_files(*names) else "")

    return edited


def test_a_changed_schema(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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
        ("genres", ("Heist", "Noir"), {"SimpleBaseline"} | TRANSFORMED),
        ("ignore_blessed_model", True, EVALUATED),
        ("push_again", True, PUSHED),
        ("from_node", "Trainer", set()),
        ("force_search", True, set()),
    ],
)
def test_a_changed_option(config: RunConfig, field: str, value: object, expected: set[str]) -> None:
    after = compiled(config.model_copy(update={field: value}))
    assert run_again(compiled(config), after) == expected


def test_a_changed_serving_directory(config: RunConfig) -> None:
    assert run_again(compiled(config, "one"), compiled(config, "two")) == PUSHED


def test_a_run_can_ignore_an_earlier_search(config: RunConfig) -> None:
    before = changed(config, "tuner", enabled=False)
    overriding = before.model_copy(update={"search_overrides": {"dropout": 0.2}})
    assert run_again(compiled(before), compiled(overriding)) == TRAINED - {"Tuner"}

    ignoring = compiled(before.model_copy(update={"ignore_search": True}))
    assert set(compiled(before)) - set(ignoring) == {"BestHyperparameters"}
    assert "hyperparameters" not in ignoring["Trainer"].inputs.inputs


def test_without_cache(config: RunConfig) -> None:
    nodes = compiled(config.model_copy(update={"cache": False}))
    assert not any(node.execution_options.caching_options.enable_cache for node in nodes.values())


def test_create_pipeline_writes_no_file(config: RunConfig) -> None:
    assert isinstance(pipeline_module.create_pipeline(config), tfx.dsl.Pipeline)
    assert [path for path in config.output.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("node", "entry"),
    [
        ("AnomalyGate", ["components.anomaly_gate.component"]),
        ("Transform", ["transform.preprocessing"]),
        ("WordVectors", ["components.word_vectors.component"]),
        ("SimpleBaseline", ["components.simple_baseline.component"]),
        ("Tuner", ["trainer.tune"]),
        ("Trainer", ["trainer.run"]),
        ("Evaluator", ["components.evaluator.component"]),
        ("SmokeTest", ["components.smoke_test.component"]),
        ("ModelReport", ["components.model_report.component", "report"]),
    ],
)
def test_the_cache_key_includes_the_fingerprint_of_the_node(
    config: RunConfig, node: str, entry: list[str]
) -> None:
    parameters = compiled(config)[node].parameters.parameters
    if "custom_config" in parameters:
        custom = json.loads(parameters["custom_config"].field_value.string_value)
        assert custom["code_fingerprint"] == fingerprint(*entry)
    else:
        given = parameters["code_fingerprint"].field_value.string_value
        assert given == fingerprint(*entry)
