"""The DAG: which node feeds which."""

from typing import Final

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts

from components.anomaly_gate import AcceptedStatistics, AnomalyGate, LastAcceptedStrategy
from components.baseline import Baseline
from components.canary import Canary
from components.evaluator import GenreEvaluator, LastOtherBlessedModel
from components.pusher import AtomicPusher
from components.report import ModelReport
from components.resolvers import LatestIfAny
from components.word_vectors import WordVectors
from pipeline.config import RunConfig
from pipeline.fingerprint import fingerprint
from schema import features as raw
from schema.names import MODEL_NAME

SPLITS: Final[dict[str, int]] = {"train": 8, "eval": 1, "test": 1}
"""Hash buckets of each split: the training, what stops and calibrates it, what judges it."""

MOVIES_PATTERN: Final = "movies-*.csv"


def create_pipeline(config: RunConfig, destination_token: str = "") -> tfx.dsl.Pipeline:
    """The pipeline of a configuration; nothing is read but the sources and the schema, for their
    hashes.

    Args:
        config: of the run.
        destination_token: names the state of the serving directory, see
            `components.versions.destination_token`.

    Returns:
        The pipeline, its nodes in the order in which they run.
    """
    example_gen = tfx.components.CsvExampleGen(
        input_base=str(config.movies),
        input_config=tfx.proto.Input(
            splits=[tfx.proto.Input.Split(name="movies", pattern=MOVIES_PATTERN)]
        ),
        output_config=tfx.proto.Output(
            split_config=tfx.proto.SplitConfig(
                partition_feature_name=raw.SPLIT_KEY,
                splits=[
                    tfx.proto.SplitConfig.Split(name=name, hash_buckets=buckets)
                    for name, buckets in SPLITS.items()
                ],
            )
        ),
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    # Inferred for review alone (`make schema`): what the run is checked against is the curated
    # schema.
    schema_gen = tfx.components.SchemaGen(statistics=statistics, infer_feature_shape=False)
    schema_importer = tfx.components.ImportSchemaGen(schema_file=str(config.schema_file)).with_id(
        "SchemaImporter"
    )
    schema = schema_importer.outputs["schema"]
    validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema)
    last_accepted = Resolver(
        strategy_class=LastAcceptedStrategy,
        config={"accept_drift": config.accept_drift},
        statistics=statistics,
        previous=tfx.dsl.Channel(type=AcceptedStatistics),
    ).with_id("LastAcceptedStatistics")
    anomaly_gate = AnomalyGate(
        statistics=statistics,
        schema=schema,
        anomalies=validator.outputs["anomalies"],
        previous=last_accepted.outputs["previous"],
        limits=config.anomalies,
        code_fingerprint=fingerprint("components.anomaly_gate", "schema.features"),
    )

    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="transform.preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=list(SPLITS)),
        # Statistics of ids and weights say little, and would double the node's time.
        disable_statistics=True,
        custom_config={
            "transform": config.transform.model_dump(),
            "code": fingerprint("transform", "schema.features", "schema.genres"),
        },
    )
    transform.add_upstream_node(anomaly_gate)
    transformed = transform.outputs["transformed_examples"]
    transform_graph = transform.outputs["transform_graph"]

    word_vectors = WordVectors(
        transform_graph=transform_graph,
        examples=transformed,
        source=config.word_vectors.source,
        dimensions=config.word_vectors.dimensions,
        epochs=config.word_vectors.epochs,
        seed=config.hparams.seed,
        code_fingerprint=fingerprint(
            "components.word_vectors", "components.examples", "transform.features"
        ),
    )
    baseline = Baseline(
        examples=examples,
        seed=config.hparams.seed,
        code_fingerprint=fingerprint(
            "components.baseline", "components.examples", "schema.features", "schema.genres"
        ),
    )
    baseline.add_upstream_node(anomaly_gate)

    code = fingerprint("trainer", "transform", "schema.features", "schema.genres")
    training = {
        "examples": transformed,
        "transform_graph": transform_graph,
        "schema": schema,
        "base_model": word_vectors.outputs["model"],
        "train_args": tfx.proto.TrainArgs(splits=["train"]),
        "eval_args": tfx.proto.EvalArgs(splits=["eval"]),
    }
    search = _search(config, training, code)
    trainer = tfx.components.Trainer(
        run_fn="trainer.run.run_fn",
        hyperparameters=search.outputs["best_hyperparameters"] if search else None,
        custom_config={
            "hparams": config.hparams.model_dump(),
            "over_search": config.over_search,
            "sentence_store": str(config.sentence_store),
            "code": code,
        },
        **training,
    )
    model = trainer.outputs["model"]

    last_blessed = Resolver(
        strategy_class=LastOtherBlessedModel,
        candidate=model,
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")
    evaluator = GenreEvaluator(
        examples=examples,
        model=model,
        baseline_model=last_blessed.outputs["model"],
        baseline_metrics=baseline.outputs["metrics"],
        gate=config.gate,
        reset_baseline=config.reset_baseline,
        code_fingerprint=fingerprint(
            "components.evaluator",
            "components.gate",
            "components.metrics",
            "components.examples",
            "schema.genres",
            "transform.features",
        ),
    ).with_id("Evaluator")
    canary = Canary(
        model=model,
        examples=examples,
        model_blessing=evaluator.outputs["blessing"],
        code_hash=fingerprint(
            "components.canary", "components.canary_probe", "schema.features", "schema.genres"
        ),
    )
    pusher = AtomicPusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=canary.outputs["blessing"],
        base_directory=str(config.model_directory),
        keep_old=config.serving.keep_old,
        republish=config.republish,
        destination_token=destination_token,
    ).with_id("Pusher")
    report = ModelReport(
        examples=examples,
        model=model,
        evaluation=evaluator.outputs["evaluation"],
        blessing=evaluator.outputs["blessing"],
        infra_blessing=canary.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        last_blessed=last_blessed.outputs["model"],
        anomalies=validator.outputs["anomalies"],
        accepted=anomaly_gate.outputs["accepted"],
        name=MODEL_NAME,
        movies=str(config.movies),
        metadata=str(config.metadata),
        code_fingerprint=fingerprint(
            "report",
            "components.report",
            "components.anomaly_gate",
            "components.baseline",
            "components.canary",
            "components.canary_probe",
            "components.examples",
            "components.gate",
            "components.metrics",
            "components.pusher",
            "components.versions",
            "schema.features",
            "schema.genres",
            "trainer",
            "transform",
        ),
    )

    return tfx.dsl.Pipeline(
        pipeline_name=MODEL_NAME,
        pipeline_root=str(config.artifacts),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            schema_importer,
            validator,
            last_accepted,
            anomaly_gate,
            transform,
            word_vectors,
            baseline,
            *([search] if search else []),
            trainer,
            last_blessed,
            evaluator,
            canary,
            pusher,
            report,
        ],
        enable_cache=config.cache,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.metadata)
        ),
        beam_pipeline_args=config.beam.arguments(),
    )


def _search(config: RunConfig, training: dict[str, object], code: str) -> BaseNode | None:
    """The Tuner where it is asked for, else the best hyperparameters that an earlier run found."""
    if not config.tuner.enabled:
        if config.ignore_search:
            return None
        return Resolver(
            strategy_class=LatestIfAny,
            best_hyperparameters=tfx.dsl.Channel(type=standard_artifacts.HyperParameters),
        ).with_id("BestHyperparameters")
    trial = config.hparams.changed({"epochs": min(config.tuner.epochs, config.hparams.epochs)})
    return tfx.components.Tuner(
        tuner_fn="trainer.tune.tuner_fn",
        custom_config={
            "hparams": trial.model_dump(),
            "sentence_store": str(config.sentence_store),
            "trials": config.tuner.trials,
            "log_directory": str(config.logs / "tensorboard" / "tuner"),
            "code": code,
        },
        **training,
    )
