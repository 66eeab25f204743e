"""Tests of the curated schema, and of how Transform reads it."""

import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from pipeline.schema_review import format_schema, read_schema
from schema import features as raw
from tests.data.tiny_movies import compute_statistics, make_movies, without_column

HEADER, SCHEMA = read_schema(raw.SCHEMA_FILE)
FEATURES = {feature.name: feature for feature in SCHEMA.feature}
REQUIRED = {raw.TCONST, raw.PLOT, raw.GENRES_FIELD, raw.SPLIT_KEY}


def test_the_features_are_the_columns_of_the_csv() -> None:
    assert tuple(FEATURES) == (
        "tconst",
        "title",
        "plot",
        "genres",
        "year",
        "runtime_minutes",
        "average_rating",
        "num_votes",
        "directors",
        "writers",
        "cast",
        "split_key",
        "corrected",
    )
    assert tuple(FEATURES) == raw.CSV_COLUMNS


def test_the_file_is_in_canonical_form() -> None:
    assert format_schema(SCHEMA, HEADER) == raw.SCHEMA_FILE.read_text(encoding="utf-8")
    assert all(line.startswith("#") for line in HEADER.splitlines() if line)


def test_required_features() -> None:
    assert {name for name, feature in FEATURES.items() if feature.value_count.min == 1} == REQUIRED
    assert all(FEATURES[name].presence.min_fraction == 1.0 for name in REQUIRED)
    assert all(feature.value_count.max == 1 for feature in SCHEMA.feature)


def test_transform_reads_every_feature_as_sparse() -> None:
    spec = schema_utils.schema_as_feature_spec(SCHEMA).feature_spec
    kinds = dict.fromkeys(raw.CSV_COLUMNS, tf.string)
    kinds |= dict.fromkeys(raw.NUMBERS, tf.int64)
    kinds[raw.CORRECTED] = tf.int64
    kinds[raw.RATING] = tf.float32
    assert spec == {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}


def test_limits_of_skew_and_drift() -> None:
    limits: dict[str, list[float]] = {}
    for name, feature in FEATURES.items():
        for comparator in (feature.skew_comparator, feature.drift_comparator):
            if comparator.HasField("infinity_norm"):
                limits.setdefault(name, []).append(comparator.infinity_norm.threshold)
            elif comparator.HasField("jensen_shannon_divergence"):
                divergence = comparator.jensen_shannon_divergence
                kind = schema_pb2.HistogramSelection.Type.Name(divergence.source.type)
                assert kind == "QUANTILES"
                limits.setdefault(name, []).append(divergence.threshold)
    assert limits == {raw.GENRES_FIELD: [0.1, 0.08], **{name: [0.2, 0.15] for name in raw.NUMBERS}}


def test_requests_need_no_features_of_training() -> None:
    rows = make_movies(50)
    for name in (raw.GENRES_FIELD, raw.TCONST, raw.SPLIT_KEY, raw.CORRECTED):
        rows = without_column(rows, name)
    requests = compute_statistics(rows)

    serving = tfdv.validate_statistics(requests, SCHEMA, environment="SERVING")
    assert dict(serving.anomaly_info) == {}
    training = tfdv.validate_statistics(requests, SCHEMA, environment="TRAINING")
    assert sorted(training.anomaly_info) == ["genres", "split_key", "tconst"]
