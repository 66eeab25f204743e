"""Reads what the nodes of a run made, for its report."""

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
from components.anomaly_gate.figures import load_anomalies
from components.evaluator import metrics
from components.evaluator.measurement import read_metrics
from components.evaluator.verdict import read_verdict
from components.pusher import versions
from components.simple_baseline.model import labels
from report import examples as shown
from report import facts
from report.examples import Movie
from report.metrics import Floats
from schema import features as raw
from schema import names
from schema.errors import UserError
from schema.examples import serialize
from schema.genres import NUM_GENRES
from schema.verdict import Verdict
from transform import features as xf

_BATCH_SIZE: Final = 256


def gather(
    given: Mapping[str, types.Artifact], movies_directory: str, database: str
) -> facts.Facts:
    """Read everything that the report contains.

    Args:
        given: the inputs of `ModelReport` by name; those that are missing are left out or None.
        movies_directory: folder of the joined movies, with ingest's report; may be empty.
        database: ML Metadata's SQLite database; lineage and times are left out if it is empty.

    Raises:
        UserError: the verdict or the record of the training is missing.
    """
    folder = Path(path_utils.serving_model_path(given["model"].uri))
    judged = read_verdict(Path(given["blessing"].uri))
    last = given.get("last_blessed") if judged.last_blessed_macro_f1 is not None else None
    training = _training(folder)
    last_training = _training(Path(path_utils.serving_model_path(last.uri))) if last else None
    model = tf.saved_model.load(str(folder))
    columns = example_files.columns(
        given["examples"], names.Split.TEST, [raw.TCONST, *raw.MODEL_INPUTS]
    )
    evaluated = _evaluated(model, example_files.serialized(given["examples"], names.Split.TEST))
    movies = facts.Movies(
        tconst=columns[raw.TCONST],
        title=columns[raw.TITLE],
        labels=evaluated[xf.LABEL] > 0.5,
        predicted=evaluated[names.SCORES_OUTPUT] > 0.5,
        probabilities=evaluated[names.PROBABILITIES_OUTPUT],
        scores=evaluated[names.SCORES_OUTPUT],
    )

    def ask(asked: Sequence[Movie]) -> Floats:
        """Probabilities of movies, float [movies, genres]."""
        rows = tf.data.Dataset.from_tensor_slices([serialize(movie) for movie in asked])
        return _evaluated(model, rows)[names.PROBABILITIES_OUTPUT]

    history = metadata.read(Path(database)) if database else metadata.History((), {})
    return facts.Facts(
        name=names.MODEL_NAME,
        written=datetime.now(UTC),
        model=str(folder),
        fingerprint=versions.fingerprint(folder),
        verdict=_verdict(judged, movies),
        outcome=_outcome(given.get("infra_blessing"), given.get("pushed_model")),
        movies=movies,
        slices=tuple(_slices(given["evaluation"].uri, tfma.CANDIDATE_KEY if last else "")),
        examples=tuple(shown.examples(movies, columns, ask)),
        training=training,
        last_training=last_training,
        data=_data(given, Path(movies_directory) if movies_directory else None),
        recipe=metadata.recipe(history, given["model"].id),
        last_recipe=metadata.recipe(history, last.id) if last else None,
        also_used=tuple(metadata.trained_on_same_data(history, given["model"].id)),
        timings=tuple(metadata.timings(history, history.newest_run)),
    )


def _evaluated(model: Any, rows: tf.data.Dataset) -> dict[str, Floats]:
    """Labels, probabilities and scores that the model gives serialized examples, by output.

    The signature `evaluate` runs on the whole test split anyway; the first call of another one
    would take seconds.
    """
    ask = model.signatures[names.EVALUATE_SIGNATURE]
    answers = [ask(**{names.EXAMPLES_INPUT: batch}) for batch in rows.batch(_BATCH_SIZE)]
    return {
        name: np.concatenate([answer[name] for answer in answers])
        for name in (xf.LABEL, names.PROBABILITIES_OUTPUT, names.SCORES_OUTPUT)
    }


def _verdict(judged: Verdict, movies: facts.Movies) -> facts.Verdict:
    """The verdict with the counts of each genre, which its shares do not contain."""
    hits = (movies.labels & movies.predicted).sum(axis=0).tolist()
    predicted = movies.predicted.sum(axis=0).tolist()
    genres = tuple(
        facts.Genre(**vars(row), hits=both, predicted=given)
        for row, both, given in zip(judged.genres, hits, predicted, strict=True)
    )
    return facts.Verdict(**vars(judged) | {"genres": genres})


def _outcome(
    infra_blessing: types.Artifact | None, pushed_model: types.Artifact | None
) -> facts.Outcome:
    """What happened to the model; the smoke test's reasons come before the Pusher's."""
    if pushed_model is not None and pushed_model.get_int_custom_property(names.PUSHED_PROPERTY):
        return facts.Outcome(
            version=pushed_model.get_string_custom_property(names.PUSHED_VERSION_PROPERTY),
            destination=pushed_model.get_string_custom_property(names.PUSHED_DESTINATION_PROPERTY),
        )
    for artifact in (infra_blessing, pushed_model):
        reason = artifact and artifact.get_string_custom_property(names.REASON_PROPERTY)
        if reason:
            return facts.Outcome(reasons=tuple(reason.splitlines()))
    if pushed_model is None:
        return facts.Outcome(reasons=("the Pusher did not run",))
    outcome = pushed_model.get_string_custom_property(names.OUTCOME_PROPERTY)
    return facts.Outcome(reasons=(outcome or "no reason is given",))


def _slices(evaluation: str, model_name: str) -> list[facts.Slice]:
    """Metrics by slice, without those of the whole split; for the arguments see `read_metrics`."""
    found = []
    for key, measured in read_metrics(evaluation, model_name).items():
        for kind, name in key:
            of_genres = [measured[f"classId:{column}"] for column in range(NUM_GENRES)]
            found.append(
                facts.Slice(
                    kind=kind,
                    name=name,
                    movies=round(measured[""][metrics.EXAMPLE_COUNT]),
                    micro_f1=measured[""][metrics.MICRO_F1],
                    f1=np.array([one[metrics.F1] for one in of_genres]),
                    support=np.array([round(one[metrics.SUPPORT]) for one in of_genres]),
                )
            )
    return sorted(found, key=lambda one: (xf.SLICE_KEYS.index(one.kind), one.name))


def _training(folder: Path) -> facts.Training:
    """The record that the Trainer left with the model.

    Raises:
        UserError: there is none.
    """
    path = folder / names.EXTRA_ASSETS / names.TRAINING_RECORD_FILE
    if not path.is_file():
        raise UserError(f"{path} is missing: train the model again (--from Trainer)")
    record = _json(path)
    # Records of earlier versions of the project have fewer fields.
    known = {field.name for field in fields(facts.Training)} & record.keys()
    return facts.Training(**{name: record[name] for name in known})


def _data(given: Mapping[str, types.Artifact], movies_directory: Path | None) -> facts.Data:
    examples = given["examples"]
    anomalies, accepted = given.get("anomalies"), given.get("accepted")
    genres = {}
    for split in artifact_utils.decode_split_names(examples.split_names):
        joined = example_files.columns(examples, split, [raw.GENRES_FIELD])[raw.GENRES_FIELD]
        genres[split] = labels(joined.tolist())
    ingest = movies_directory and movies_directory / names.INGEST_SUMMARY_FILE
    return facts.Data(
        span=examples.get_int_custom_property("span"),
        fingerprint=examples.get_string_custom_property("input_fingerprint"),
        folder=str(movies_directory or ""),
        movies={split: len(rows) for split, rows in genres.items()},
        genres={split: rows.sum(axis=0) for split, rows in genres.items()},
        anomalies=tuple(_anomalies(anomalies)) if anomalies else (),
        distances=tuple(_distances(Path(accepted.uri))) if accepted else (),
        ingest=_json(ingest)["summary"] if ingest and ingest.is_file() else {},
    )


def _anomalies(artifact: types.Artifact) -> list[str]:
    """What TFDV found, one line for each feature and split."""
    return [
        f"{split}: {feature}: {info.short_description}: {info.description}"
        for split in artifact_utils.decode_split_names(artifact.split_names)
        for feature, info in sorted(load_anomalies(artifact, split).anomaly_info.items())
    ]


def _distances(accepted: Path) -> list[facts.Distance]:
    """The distances that the AnomalyGate measured."""
    report = _json(accepted / names.ANOMALY_REPORT_FILE)
    compared = {f"{split} and train": measured for split, measured in report["skew"].items()}
    if report["drift"]:
        compared["train and the data before"] = report["drift"]
    return [
        facts.Distance(name, feature, found["kind"], found["value"], found["limit"])
        for name, measured in compared.items()
        for feature, found in measured.get("distances", {}).items()
    ]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
