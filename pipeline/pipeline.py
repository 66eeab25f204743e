"""The TFX pipeline: its nodes and their connections, one function for each stage."""

import json
from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts

from components.anomaly_gate.component import AcceptedStatistics, AnomalyGate
from components.evaluator.component import GenreEvaluator
from components.example_gen import MoviesExampleGen
from components.labeller.component import Labeller
from components.labeller.job import unlabelled_digest
from components.model_report.component import ModelReport
from components.pusher.component import AtomicPusher
from components.resolvers import (
    LastAcceptedStatisticsStrategy,
    LatestOtherBlessedModelStrategy,
    OptionalLatestArtifactStrategy,
)
from components.simple_baseline.component import SimpleBaseline
from components.smoke_test.component import SmokeTest
from components.word_vectors.component import WordVectors
from pipeline.config import RunConfig
from schema import features as raw
from schema.fingerprint import fingerprint
from schema.names import MODEL_NAME, MOVIES_PATTERN, MOVIES_SPLIT, SPLIT_BUCKETS, Node, Split

Nodes = dict[str, BaseNode]
"""Nodes by id, in the order in which they run. Ids are plain strings (`Node.X.value`), since TFX's
InteractiveContext does not accept subclasses of `str`."""


def create_pipeline(config: RunConfig, destination_token: str = "") -> tfx.dsl.Pipeline:
    """Create the pipeline of a configuration, with its nodes in the order in which they run.

    Only the source code and the schema are read, to compute their hashes, and the movies without
    genres if the run labels them.

    Args:
        config: Configuration of the run.
        destination_token: State of the serving directory. See
            `components.pusher.versions.destination_token`.
    """
    nodes = data_stage(config)
    nodes |= feature_stage(config, nodes)
    nodes |= training_stage(config, nodes)
    nodes |= evaluation_stage(config, nodes)
    nodes |= push_stage(config, nodes, destination_token)
    return _pipeline(config, nodes)


def create_training_pipeline(config: RunConfig) -> tfx.dsl.Pipeline:
    """Create the part of the pipeline that trains a model, without its evaluation and push."""
    nodes = data_stage(config)
    nodes |= feature_stage(config, nodes)
    nodes |= training_stage(config, nodes)
    return _pipeline(config, nodes)


def _pipeline(config: RunConfig, nodes: Nodes) -> tfx.dsl.Pipeline:
    return tfx.dsl.Pipeline(
        pipeline_name=MODEL_NAME,
        pipeline_root=str(config.artifacts),
        components=list(nodes.values()),
        enable_cache=config.cache,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.metadata)
        ),
        beam_pipeline_args=config.beam.arguments(),
    )


def data_stage(config: RunConfig) -> Nodes:
    """Read the movies and stop the run if they do not conform to the schema."""
    splits = [
        tfx.proto.SplitConfig.Split(name=name, hash_buckets=buckets)
        for name, buckets in SPLIT_BUCKETS.items()
    ]
    example_gen = MoviesExampleGen(
        input_base=str(config.movies),
        input_config=tfx.proto.Input(
            splits=[tfx.proto.Input.Split(name=MOVIES_SPLIT, pattern=MOVIES_PATTERN)]
        ),
        output_config=tfx.proto.Output(
            split_config=tfx.proto.SplitConfig(partition_feature_name=raw.SPLIT_KEY, splits=splits)
        ),
    ).with_id(Node.EXAMPLE_GEN.value)
    statistics_gen = tfx.components.StatisticsGen(examples=example_gen.outputs["examples"]).with_id(
        Node.STATISTICS_GEN.value
    )
    statistics = statistics_gen.outputs["statistics"]
    # The inferred schema is only for review (`ordained schema`). The run is checked against the
    # curated schema.
    schema_gen = tfx.components.SchemaGen(statistics=statistics, infer_feature_shape=False).with_id(
        Node.SCHEMA_GEN.value
    )
    schema_importer = tfx.components.ImportSchemaGen(schema_file=str(config.schema_file)).with_id(
        Node.SCHEMA_IMPORTER.value
    )
    schema = schema_importer.outputs["schema"]
    validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema).with_id(
        Node.EXAMPLE_VALIDATOR.value
    )
    last_accepted = Resolver(
        strategy_class=LastAcceptedStatisticsStrategy,
        config={"accept_drift": config.accept_drift},
        statistics=statistics,
        previous=tfx.dsl.Channel(type=AcceptedStatistics),
    ).with_id(Node.LAST_ACCEPTED_STATISTICS.value)
    anomaly_gate = AnomalyGate(
        statistics=statistics,
        schema=schema,
        anomalies=validator.outputs["anomalies"],
        limits=config.anomalies.to_json(),
        previous=last_accepted.outputs["previous"],
        code_fingerprint=fingerprint("components.anomaly_gate.component"),
    ).with_id(Node.ANOMALY_GATE.value)
    return _by_id(
        example_gen,
        statistics_gen,
        schema_gen,
        schema_importer,
        validator,
        last_accepted,
        anomaly_gate,
    )


def feature_stage(config: RunConfig, nodes: Nodes) -> Nodes:
    """Transform the movies and make the word vectors of their plots."""
    transform = tfx.components.Transform(
        examples=nodes[Node.EXAMPLE_GEN].outputs["examples"],
        schema=nodes[Node.SCHEMA_IMPORTER].outputs["schema"],
        preprocessing_fn="transform.preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=[Split.TRAIN], transform=list(Split)),
        # Statistics of ids and weights are of little use and would double the node's time.
        disable_statistics=True,
        custom_config={
            "transform": vars(config.transform),
            "genres": list(config.genres),
            "code_fingerprint": fingerprint("transform.preprocessing"),
        },
    ).with_id(Node.TRANSFORM.value)
    transform.add_upstream_node(nodes[Node.ANOMALY_GATE])
    word_vectors = WordVectors(
        transform_graph=transform.outputs["transform_graph"],
        examples=transform.outputs["transformed_examples"],
        source=config.word_vectors.source,
        dimensions=config.word_vectors.dimensions,
        epochs=config.word_vectors.epochs,
        seed=config.hparams.seed,
        code_fingerprint=fingerprint("components.word_vectors.component"),
    ).with_id(Node.WORD_VECTORS.value)
    return _by_id(transform, word_vectors)


def training_stage(config: RunConfig, nodes: Nodes) -> Nodes:
    """Fit the simple baseline and train the model, after a hyperparameter search if enabled."""
    simple_baseline = SimpleBaseline(
        examples=nodes[Node.EXAMPLE_GEN].outputs["examples"],
        genres=json.dumps(config.genres),
        seed=config.hparams.seed,
        code_fingerprint=fingerprint("components.simple_baseline.component"),
    ).with_id(Node.SIMPLE_BASELINE.value)
    simple_baseline.add_upstream_node(nodes[Node.ANOMALY_GATE])
    inputs = {
        "examples": nodes[Node.TRANSFORM].outputs["transformed_examples"],
        "transform_graph": nodes[Node.TRANSFORM].outputs["transform_graph"],
        "schema": nodes[Node.SCHEMA_IMPORTER].outputs["schema"],
        "base_model": nodes[Node.WORD_VECTORS].outputs["model"],
        "train_args": tfx.proto.TrainArgs(splits=[Split.TRAIN]),
        "eval_args": tfx.proto.EvalArgs(splits=[Split.EVAL]),
    }
    search = _hyperparameters_node(config, inputs)
    trainer = tfx.components.Trainer(
        run_fn="trainer.run.run_fn",
        hyperparameters=search.outputs["best_hyperparameters"] if search else None,
        custom_config={
            "genres": list(config.genres),
            "hparams": config.hparams.model_dump(),
            "search_overrides": config.search_overrides,
            "sentence_store": str(config.sentence_store),
            "code_fingerprint": fingerprint("trainer.run"),
        },
        **inputs,
    ).with_id(Node.TRAINER.value)
    return _by_id(simple_baseline, *([search] if search else []), trainer)


def _hyperparameters_node(config: RunConfig, inputs: dict[str, Any]) -> BaseNode | None:
    """Return the Tuner, or the resolver of an earlier search's result, or None without either."""
    if not config.tuner.enabled:
        if config.ignore_search:
            return None
        return Resolver(
            strategy_class=OptionalLatestArtifactStrategy,
            best_hyperparameters=tfx.dsl.Channel(type=standard_artifacts.HyperParameters),
        ).with_id(Node.BEST_HYPERPARAMETERS.value)
    trial = config.hparams.updated({"epochs": min(config.tuner.epochs, config.hparams.epochs)})
    return tfx.components.Tuner(
        tuner_fn="trainer.tune.tuner_fn",
        custom_config={
            "hparams": trial.model_dump(),
            "sentence_store": str(config.sentence_store),
            "trials": config.tuner.trials,
            "log_directory": str(config.logs / "tensorboard" / "tuner"),
            "code_fingerprint": fingerprint("trainer.tune"),
        },
        **inputs,
    ).with_id(Node.TUNER.value)


def evaluation_stage(config: RunConfig, nodes: Nodes) -> Nodes:
    """Evaluate the model, and test it with the signatures that are served."""
    examples = nodes[Node.EXAMPLE_GEN].outputs["examples"]
    model = nodes[Node.TRAINER].outputs["model"]
    last_blessed = Resolver(
        strategy_class=LatestOtherBlessedModelStrategy,
        candidate=model,
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(Node.LATEST_BLESSED_MODEL.value)
    evaluator = GenreEvaluator(
        examples=examples,
        model=model,
        gate=config.gate.to_json(),
        last_blessed_model=last_blessed.outputs["model"],
        simple_baseline=nodes[Node.SIMPLE_BASELINE].outputs["metrics"],
        ignore_blessed_model=config.ignore_blessed_model,
        code_fingerprint=fingerprint("components.evaluator.component"),
    ).with_id(Node.EVALUATOR.value)
    smoke_test = SmokeTest(
        model=model,
        examples=examples,
        model_blessing=evaluator.outputs["blessing"],
        code_fingerprint=fingerprint("components.smoke_test.component"),
    ).with_id(Node.SMOKE_TEST.value)
    return _by_id(last_blessed, evaluator, smoke_test)


def push_stage(config: RunConfig, nodes: Nodes, destination_token: str) -> Nodes:
    """Push the model if it is blessed, write the model report, and label movies if enabled."""
    model = nodes[Node.TRAINER].outputs["model"]
    blessing = nodes[Node.EVALUATOR].outputs["blessing"]
    infra_blessing = nodes[Node.SMOKE_TEST].outputs["blessing"]
    pusher = AtomicPusher(
        model=model,
        model_blessing=blessing,
        infra_blessing=infra_blessing,
        base_directory=str(config.model_directory),
        keep_old=config.serving.keep_old,
        push_again=config.push_again,
        destination_token=destination_token,
    ).with_id(Node.PUSHER.value)
    report = ModelReport(
        examples=nodes[Node.EXAMPLE_GEN].outputs["examples"],
        model=model,
        evaluation=nodes[Node.EVALUATOR].outputs["evaluation"],
        blessing=blessing,
        infra_blessing=infra_blessing,
        pushed_model=pusher.outputs["pushed_model"],
        last_blessed=nodes[Node.LATEST_BLESSED_MODEL].outputs["model"],
        anomalies=nodes[Node.EXAMPLE_VALIDATOR].outputs["anomalies"],
        accepted=nodes[Node.ANOMALY_GATE].outputs["accepted"],
        movies=str(config.movies),
        metadata=str(config.metadata),
        code_fingerprint=fingerprint("components.model_report.component", "report"),
    ).with_id(Node.MODEL_REPORT.value)
    if not config.label.enabled:
        return _by_id(pusher, report)
    labeller = Labeller(
        pushed_model=pusher.outputs["pushed_model"],
        examples=nodes[Node.EXAMPLE_GEN].outputs["examples"],
        movies=str(config.movies),
        movies_digest=unlabelled_digest(config.movies),
        code_fingerprint=fingerprint("components.labeller.component"),
    ).with_id(Node.LABELLER.value)
    # The report is written even if the labels cannot be.
    labeller.add_upstream_node(report)
    return _by_id(pusher, report, labeller)


def _by_id(*nodes: BaseNode) -> Nodes:
    return {node.id: node for node in nodes}
