"""Collect the content of the report of a run from the outputs of its nodes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx import types
from tfx.types import artifact_utils
from tfx.utils import path_utils

import metadata
from components import examples as example_files
from components.anomaly_gate.tfdv_adapter import load_anomalies
from components.evaluator import metrics
from components.evaluator.measurement import ALL_EXAMPLES, read_metrics
from components.evaluator.verdict import read_verdict
from components.simple_baseline.model import binarize_genres
from report import content
from report.explanations import Movie, explain_movies
from report.metrics import Floats
from schema import features as raw
from schema import manifest, names
from schema.errors import UserError
from schema.examples import serialize
from schema.verdict import Verdict
from transform import features as xf

_BATCH_SIZE: Final = 256
"""Number of examples that the model reads at once."""


def collect_content(
    artifacts: Mapping[str, types.Artifact], movies_directory: str, database: str
) -> content.ReportContent:
    """Collect everything that the report contains.

    Args:
        artifacts: Inputs of `ModelReport`, by name; optional inputs may be absent or None.
        movies_directory: Path of the directory with the joined movies and the ingest summary; empty
            leaves the summary out.
        database: Path of ML Metadata's SQLite database; empty leaves lineage and times out.

    Raises:
        UserError: The verdict or the training record does not exist.
    """
    model_path = Path(path_utils.serving_model_path(artifacts["model"].uri))
    verdict = read_verdict(Path(artifacts["blessing"].uri))
    genres = verdict.genre_names
    compared = verdict.last_blessed_macro_f1 is not None
    last = artifacts.get("last_blessed") if compared else None
    training = _read_training_record(model_path)
    last_training = None
    if last:
        last_training = _read_training_record(Path(path_utils.serving_model_path(last.uri)))
    model = tf.saved_model.load(str(model_path))
    columns = example_files.read_columns(
        artifacts["examples"], names.Split.TEST, [raw.TCONST, *raw.MODEL_INPUTS, raw.CORRECTED]
    )
    outputs = _evaluate(
        model, example_files.serialized_examples(artifacts["examples"], names.Split.TEST)
    )
    # The verdict leaves these movies out as well.
    uncorrected = columns.pop(raw.CORRECTED) != 1
    columns = {name: values[uncorrected] for name, values in columns.items()}
    outputs = {name: values[uncorrected] for name, values in outputs.items()}
    movies = content.Predictions(
        tconst=columns[raw.TCONST],
        title=columns[raw.TITLE],
        labels=outputs[xf.LABEL] > 0.5,
        predicted=outputs[names.SCORES_OUTPUT] > 0.5,
        probabilities=outputs[names.PROBABILITIES_OUTPUT],
        scores=outputs[names.SCORES_OUTPUT],
    )

    def predict(inputs: Sequence[Movie]) -> Floats:
        """Return the probabilities of movies, float [movies, genres]."""
        examples = tf.data.Dataset.from_tensor_slices([serialize(movie) for movie in inputs])
        return _evaluate(model, examples)[names.PROBABILITIES_OUTPUT]

    history = metadata.read_history(Path(database)) if database else metadata.History((), {})
    model_id = artifacts["model"].id
    return content.ReportContent(
        name=names.MODEL_NAME,
        written=datetime.now(UTC),
        output_directory=str(Path(database).parent) if database else "",
        model_directory=artifacts["model"].uri,
        model_digest=manifest.digest(model_path),
        verdict=_with_counts(verdict, movies),
        push=_push_outcome(artifacts.get("infra_blessing"), artifacts.get("pushed_model")),
        predictions=movies,
        slices=tuple(
            _read_slices(
                artifacts["evaluation"].uri, tfma.CANDIDATE_KEY if last else "", len(genres)
            )
        ),
        examples=tuple(explain_movies(movies, columns, predict, genres)),
        training=training,
        last_training=last_training,
        data=_read_data(artifacts, Path(movies_directory) if movies_directory else None, genres),
        lineage=metadata.model_lineage(history, model_id),
        last_lineage=metadata.model_lineage(history, last.id) if last else None,
        models_on_same_data=tuple(metadata.trained_on_same_data(history, model_id)),
        timings=tuple(metadata.node_timings(history, history.newest_run)),
    )


def _evaluate(model: Any, examples: tf.data.Dataset) -> dict[str, Floats]:
    """Return labels, probabilities and scores of serialized examples, by name of the output.

    All calls use the signature `evaluate`, because the first call of another signature would take
    seconds.
    """
    evaluate = model.signatures[names.EVALUATE_SIGNATURE]
    batches = [evaluate(**{names.EXAMPLES_INPUT: batch}) for batch in examples.batch(_BATCH_SIZE)]
    return {
        name: np.concatenate([outputs[name] for outputs in batches])
        for name in (xf.LABEL, names.PROBABILITIES_OUTPUT, names.SCORES_OUTPUT)
    }


def _with_counts(verdict: Verdict, movies: content.Predictions) -> content.ReportVerdict:
    """Add the counts of predictions to each genre of a verdict."""
    all_hits = (movies.labels & movies.predicted).sum(axis=0).tolist()
    all_predicted = movies.predicted.sum(axis=0).tolist()
    genres = tuple(
        content.GenreResult(**vars(row), true_positives=hits, predicted_positives=predicted)
        for row, hits, predicted in zip(verdict.genres, all_hits, all_predicted, strict=True)
    )
    return content.ReportVerdict(**vars(verdict) | {"genres": genres})


def _push_outcome(
    infra_blessing: types.Artifact | None, pushed_model: types.Artifact | None
) -> content.PushResult:
    """Return where the model was pushed, or the reasons why it was not."""
    if pushed_model is not None and pushed_model.get_int_custom_property(names.PUSHED_PROPERTY):
        return content.PushResult(
            version=pushed_model.get_string_custom_property(names.PUSHED_VERSION_PROPERTY),
            destination=pushed_model.get_string_custom_property(names.PUSHED_DESTINATION_PROPERTY),
        )
    for artifact in (infra_blessing, pushed_model):
        reason = artifact and artifact.get_string_custom_property(names.REASON_PROPERTY)
        if reason:
            return content.PushResult(reasons=tuple(reason.splitlines()))
    if pushed_model is None:
        return content.PushResult(reasons=("the Pusher did not run",))
    outcome = pushed_model.get_string_custom_property(names.OUTCOME_PROPERTY)
    return content.PushResult(reasons=(outcome or "no reason is given",))


def _read_slices(evaluation: str, model_name: str, num_genres: int) -> list[content.SliceMetrics]:
    """Read the metrics of each slice by `SLICE_KEYS` from TFMA's results.

    Args:
        evaluation: Path of the directory with TFMA's results.
        model_name: TFMA's name of the model; empty if only one model was evaluated.
        num_genres: Number of genres.
    """
    slices = []
    for key, by_sub_key in read_metrics(evaluation, model_name).items():
        for kind, name in () if key == ALL_EXAMPLES else key:
            genres = [by_sub_key[f"classId:{column}"] for column in range(num_genres)]
            slices.append(
                content.SliceMetrics(
                    feature=kind,
                    value=name,
                    movies=round(by_sub_key[""][metrics.EXAMPLE_COUNT]),
                    micro_f1=by_sub_key[""][metrics.MICRO_F1],
                    f1=np.array([genre[metrics.F1] for genre in genres]),
                    support=np.array([round(genre[metrics.SUPPORT]) for genre in genres]),
                )
            )
    return sorted(slices, key=lambda row: (xf.SLICE_KEYS.index(row.feature), row.value))


def _read_training_record(model_path: Path) -> content.TrainingRecord:
    """Read the training record that the Trainer stores in a model's directory.

    Raises:
        UserError: The record does not exist.
    """
    path = model_path / names.EXTRA_ASSETS / names.TRAINING_RECORD_FILE
    if not path.is_file():
        raise UserError(f"{path} does not exist. Train the model again (--from Trainer)")
    try:
        record = _read_json(path)
    except ValueError as error:
        raise UserError(f"{path} is damaged. Train the model again (--from Trainer)") from error
    # Records of earlier versions of the project have fewer fields.
    known = {field.name for field in fields(content.TrainingRecord)} & record.keys()
    return content.TrainingRecord(**{name: record[name] for name in known})


def _read_data(
    artifacts: Mapping[str, types.Artifact], movies_directory: Path | None, genres: Sequence[str]
) -> content.DataSummary:
    """Describe the data of a run from its examples, anomalies, comparisons and ingest summary."""
    examples = artifacts["examples"]
    anomalies, accepted = artifacts.get("anomalies"), artifacts.get("accepted")
    labels = {}
    for split in artifact_utils.decode_split_names(examples.split_names):
        columns = example_files.read_columns(examples, split, [raw.GENRES_FIELD])
        labels[split] = binarize_genres(columns[raw.GENRES_FIELD].tolist(), genres)
    ingest = movies_directory and movies_directory / names.INGEST_SUMMARY_FILE
    return content.DataSummary(
        span=examples.get_int_custom_property("span"),
        checksum=examples.get_string_custom_property("input_fingerprint"),
        directory=str(movies_directory or ""),
        movies={split: len(rows) for split, rows in labels.items()},
        genres={split: rows.sum(axis=0) for split, rows in labels.items()},
        anomalies=tuple(_read_anomalies(anomalies)) if anomalies else (),
        distances=tuple(_read_distances(Path(accepted.uri))) if accepted else (),
        ingest=_read_json(ingest)["summary"] if ingest and ingest.is_file() else {},
    )


def _read_anomalies(artifact: types.Artifact) -> list[str]:
    """Return TFDV's anomalies, one line for each split and feature."""
    return [
        f"{split}: {feature}: {info.short_description}: {info.description}"
        for split in artifact_utils.decode_split_names(artifact.split_names)
        for feature, info in sorted(load_anomalies(artifact, split).anomaly_info.items())
    ]


def _read_distances(accepted: Path) -> list[content.DistributionDistance]:
    """Read the distances that the AnomalyGate measured from its report."""
    report = _read_json(accepted / names.ANOMALY_REPORT_FILE)
    comparisons = {f"{split} and train": measured for split, measured in report["skew"].items()}
    if report["drift"]:
        comparisons["train and the last accepted data"] = report["drift"]
    return [
        content.DistributionDistance(
            name, feature, distance["kind"], distance["value"], distance["limit"]
        )
        for name, measured in comparisons.items()
        for feature, distance in measured.get("distances", {}).items()
    ]


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
