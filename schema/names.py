"""Names that several packages share: model, signatures, splits, pipeline nodes and files.

Other modules import these names. A test compares them with the files that cannot import Python
(`deploy/`, the web page).
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

MODEL_NAME: Final = "movie_genres"
"""Name of the served model, and of the pipeline in ML Metadata."""

DEFAULT_OUTPUT: Final = Path("output")
"""Output directory of a run that names none."""

SERVING_DIRECTORY: Final = Path("serving")
"""Directory in an output directory with the served models: one subdirectory per model name."""

METADATA_FILE: Final = "metadata.sqlite"
"""Database of ML Metadata in an output directory."""

MOVIES_DIRECTORY: Final = "movies"
"""Directory in an output directory to which ingest writes the movies CSV shards."""

LABEL_DIRECTORY: Final = Path("label")
"""Directory in an output directory with the movies that `ordained label` built for itself."""

ARTIFACTS_DIRECTORY: Final = "artifacts"
LOGS_DIRECTORY: Final = "logs"
"""Directory in an output directory with the logs of runs, servers and TensorBoard."""

# Signatures of the exported model.
SERVING_SIGNATURE: Final = "serving_default"
"""Signature with one input for each of `schema.features.MODEL_INPUTS`."""
EXAMPLES_SIGNATURE: Final = "examples"
"""Signature whose input is serialized `tf.train.Example`s."""
EVALUATE_SIGNATURE: Final = "evaluate"
"""Signature that takes serialized examples with genres; returns scores, labels and slice keys."""
TRANSFORM_SIGNATURE: Final = "transform_features"
"""Signature that takes serialized examples with genres and returns the transformed features."""

# Inputs and outputs of these signatures.
EXAMPLES_INPUT: Final = "examples"
"""string [N]. Only input of all signatures except `SERVING_SIGNATURE`."""
GENRES_OUTPUT: Final = "genres"
"""string [N, genres]. Names of the genres."""
PROBABILITIES_OUTPUT: Final = "probabilities"
"""float32 [N, genres]. Calibrated probability of each genre."""
PREDICTED_OUTPUT: Final = "predicted"
"""bool [N, genres]. Whether the genre is predicted."""
THRESHOLDS_OUTPUT: Final = "thresholds"
"""float32 [N, genres]. Probability from which on the genre is predicted."""
UNFAMILIAR_OUTPUT: Final = "unfamiliar_language"
"""bool [N]. Whether few training plots have the language of the plot."""
KNOWN_WORDS_OUTPUT: Final = "known_words"
"""float32 [N]. Share of the plot's words that are in the model's vocabulary; 1 without words."""
SCORES_OUTPUT: Final = "decision_scores"
"""float32 [N, genres]. Distance of each genre's logit from its threshold, scaled so that predicted
genres have at least 0.5. Only `EVALUATE_SIGNATURE` returns it."""


class Split(StrEnum):
    """Splits of the data."""

    TRAIN = "train"
    EVAL = "eval"
    TEST = "test"


SPLIT_BUCKETS: Final[dict[Split, int]] = {Split.TRAIN: 8, Split.EVAL: 1, Split.TEST: 1}
"""Number of hash buckets of each split. The model is fit on `train`; `eval` is for early stopping
and calibration, `test` for the evaluation."""


class Node(StrEnum):
    """Ids of the pipeline nodes."""

    EXAMPLE_GEN = "CsvExampleGen"
    STATISTICS_GEN = "StatisticsGen"
    SCHEMA_GEN = "SchemaGen"
    SCHEMA_IMPORTER = "SchemaImporter"
    EXAMPLE_VALIDATOR = "ExampleValidator"
    LAST_ACCEPTED_STATISTICS = "LastAcceptedStatistics"
    ANOMALY_GATE = "AnomalyGate"
    TRANSFORM = "Transform"
    WORD_VECTORS = "WordVectors"
    SIMPLE_BASELINE = "SimpleBaseline"
    TUNER = "Tuner"
    BEST_HYPERPARAMETERS = "BestHyperparameters"
    TRAINER = "Trainer"
    LATEST_BLESSED_MODEL = "LatestBlessedModel"
    EVALUATOR = "Evaluator"
    SMOKE_TEST = "SmokeTest"
    PUSHER = "Pusher"
    MODEL_REPORT = "ModelReport"
    LABELLER = "Labeller"


# Custom properties of artifacts.
REASON_PROPERTY: Final = "reason"
"""Reasons why a model failed the smoke test or was not pushed, one per line; empty on success."""
OUTCOME_PROPERTY: Final = "outcome"
"""Property of PushedModel: a `PushStatus` of `components.pusher.decision`, or `not blessed`."""

PUSHED_PROPERTY: Final = "pushed"
"""Property of PushedModel, named by TFX's Pusher: 1 if the model is served, else 0."""
PUSHED_VERSION_PROPERTY: Final = "pushed_version"
"""Property of PushedModel, named by TFX's Pusher: the version, as text."""
PUSHED_DESTINATION_PROPERTY: Final = "pushed_destination"
"""Property of PushedModel, named by TFX's Pusher: the directory of the version."""

# Files inside artifacts.
MOVIES_SHARD: Final = "movies-{:05}-of-{:05}.csv"
"""Name of a movies CSV shard, with its number (from 0) and the number of shards."""
MOVIES_PATTERN: Final = MOVIES_SHARD.replace("{:05}-of-{:05}", "*")
"""Pattern that matches all movies CSV shards; ingest writes them, CsvExampleGen reads them."""
UNLABELLED_SHARD: Final = "unlabelled-{:05}-of-{:05}.csv"
"""Name of a CSV shard of movies without genres, which has the columns of a movies CSV shard."""
UNLABELLED_PATTERN: Final = UNLABELLED_SHARD.replace("{:05}-of-{:05}", "*")
"""Pattern that matches all shards of movies without genres; ingest writes them, Labeller reads
them."""
MOVIES_SPLIT: Final = "movies"
"""Only input split of CsvExampleGen."""
EXAMPLES_COMPRESSION: Final = "GZIP"
"""TensorFlow's name for the compression of the TFRecord files of ExampleGen and Transform."""
INGEST_SUMMARY_FILE: Final = "summary.json"
"""Counts of ingest, and what the movies were built from."""
REJECTS_FILE: Final = "rejects.tsv"
"""Malformed lines that ingest skipped."""
STATISTICS_FILE: Final = "FeatureStats.pb"
"""TFX's name for the statistics of a split."""
ANOMALY_REPORT_FILE: Final = "report.json"
WORD_VECTORS_FILE: Final = "vectors.npy"
"""float32 [vocabulary of `plot_words`, dimensions]. Word vectors."""
WORD_VECTORS_INFO_FILE: Final = "info.json"
SIMPLE_BASELINE_FILE: Final = "metrics.json"
TRAINING_RECORD_FILE: Final = "training.json"
"""Hyperparameters, learning curves, thresholds and library versions of a training."""
EXTRA_ASSETS: Final = "assets.extra"
"""Directory of a SavedModel of which TensorFlow Serving reads only the warm-up requests."""
WARMUP_FILE: Final = Path(EXTRA_ASSETS, "tf_serving_warmup_requests")
MANIFEST_FILE: Final = Path(EXTRA_ASSETS, "manifest.json")
"""Size and SHA-256 of each other file of a model (see `schema.manifest`)."""
SAVED_MODEL_FILE: Final = "saved_model.pb"
VERDICT_FILE: Final = "verdict.json"
PASSED_FILE: Final = "INFRA_BLESSED"
"""File whose presence means that the model passed the smoke test, named by the InfraValidator."""
NOT_PASSED_FILE: Final = "INFRA_NOT_BLESSED"
"""File whose presence means that the model failed the smoke test, named by the InfraValidator."""
SMOKE_TEST_REPORT_FILE: Final = "report.json"
SMOKE_TEST_LOG_FILE: Final = "probe.log"
MODEL_REPORT_FILE: Final = "report.html"
LABELS_FILE: Final = "genres.parquet"
"""Predicted genres of the movies that have none."""
DOUBTS_FILE: Final = "doubts.parquet"
"""Movies whose listed genres the model doubts."""
