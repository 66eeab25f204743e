"""Names that several packages share: the model, its signatures, splits, nodes and files.

Each name is written here once and imported everywhere else. Files that cannot import Python
(`deploy/`, the web page) are compared with these names by a test.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

MODEL_NAME: Final = "movie_genres"
"""The name under which the model is served. It also names the pipeline in ML Metadata."""

SERVING_FOLDER: Final = Path("serving")
"""The folder of an output directory that holds the served models, one folder for each name."""

METADATA_FILE: Final = "metadata.sqlite"
"""ML Metadata's database in an output directory."""

MOVIES_FOLDER: Final = "movies"
"""The folder of an output directory into which ingest writes the shards of the joined movies."""

LOGS_FOLDER: Final = "logs"
"""The folder of an output directory with the logs of runs, of servers and of TensorBoard."""

# Signatures of the exported model.
SERVING_SIGNATURE: Final = "serving_default"
"""Takes `schema.features.MODEL_INPUTS` by name."""
EXAMPLES_SIGNATURE: Final = "examples"
"""Takes serialized `tf.train.Example`s."""
EVALUATE_SIGNATURE: Final = "evaluate"
"""Takes serialized examples with genres; returns scores, labels and slice keys for TFMA."""
TRANSFORM_SIGNATURE: Final = "transform_features"
"""Takes serialized examples with genres; returns the transformed features."""

# Inputs and outputs of these signatures.
EXAMPLES_INPUT: Final = "examples"
"""The only input of all signatures but `SERVING_SIGNATURE`: string [N]."""
GENRES_OUTPUT: Final = "genres"
"""Names of the genres: string [N, genres]."""
PROBABILITIES_OUTPUT: Final = "probabilities"
"""Calibrated probability of each genre: float32 [N, genres]."""
PREDICTED_OUTPUT: Final = "predicted"
"""Whether each genre is predicted: bool [N, genres]."""
SCORES_OUTPUT: Final = "decision_scores"
"""Distance of each genre's logit from its threshold, as a value that is at least 0.5 where the
genre is predicted: float32 [N, genres]. Only of `EVALUATE_SIGNATURE`."""


class Split(StrEnum):
    """The splits of the data."""

    TRAIN = "train"
    EVAL = "eval"
    TEST = "test"


SPLIT_BUCKETS: Final[dict[Split, int]] = {Split.TRAIN: 8, Split.EVAL: 1, Split.TEST: 1}
"""Hash buckets of each split. The split `train` fits the model, `eval` stops the training and
calibrates the model, and `test` judges it."""


class Node(StrEnum):
    """Ids of the pipeline's nodes."""

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


# Custom properties of artifacts.
REASON_PROPERTY: Final = "reason"
"""Why the smoke test refused a model, or why it was not pushed; one reason a line, empty if it
passed or was pushed."""
OUTCOME_PROPERTY: Final = "outcome"
"""Of the PushedModel: what the Pusher did, a value of `components.pusher.decision.PushStatus`, or
that the model was not blessed."""

PUSHED_PROPERTY: Final = "pushed"
"""Of the PushedModel, as TFX's Pusher names it: 1 if the model is served, else 0."""
PUSHED_VERSION_PROPERTY: Final = "pushed_version"
"""As TFX's Pusher names it: the version, as text."""
PUSHED_DESTINATION_PROPERTY: Final = "pushed_destination"
"""As TFX's Pusher names it: the folder of the version."""

# Files inside artifacts.
MOVIES_SHARD: Final = "movies-{:05}-of-{:05}.csv"
"""A shard of the joined movies, named by its number and the number of shards."""
MOVIES_PATTERN: Final = MOVIES_SHARD.replace("{:05}-of-{:05}", "*")
"""All shards of the joined movies, written by ingest and read by CsvExampleGen."""
MOVIES_SPLIT: Final = "movies"
"""The only input split of CsvExampleGen."""
EXAMPLES_COMPRESSION: Final = "GZIP"
"""How ExampleGen and Transform compress their TFRecord files, in the words of TensorFlow."""
INGEST_REPORT_FILE: Final = "report.json"
REJECTS_FILE: Final = "rejects.tsv"
STATISTICS_FILE: Final = "FeatureStats.pb"
"""TFX's own name of the statistics of a split."""
ANOMALY_REPORT_FILE: Final = "report.json"
WORD_VECTORS_FILE: Final = "vectors.npy"
"""Word vectors: float32 [ids of `plot_words`, dimensions]."""
WORD_VECTORS_INFO_FILE: Final = "info.json"
SIMPLE_BASELINE_FILE: Final = "metrics.json"
TRAINING_RECORD_FILE: Final = "training.json"
"""Hyperparameters, learning curves, thresholds and library versions of one training."""
EXTRA_ASSETS: Final = "assets.extra"
"""The folder of a SavedModel that TensorFlow Serving leaves alone, but for the warm-up requests."""
WARMUP_FILE: Final = Path(EXTRA_ASSETS, "tf_serving_warmup_requests")
SAVED_MODEL_FILE: Final = "saved_model.pb"
VERDICT_FILE: Final = "verdict.json"
PASSED_FILE: Final = "INFRA_BLESSED"
"""As the InfraValidator names it: the model passed the smoke test."""
NOT_PASSED_FILE: Final = "INFRA_NOT_BLESSED"
"""As the InfraValidator names it: the model did not pass the smoke test."""
SMOKE_TEST_REPORT_FILE: Final = "report.json"
SMOKE_TEST_LOG_FILE: Final = "probe.log"
MODEL_REPORT_FILE: Final = "report.html"
