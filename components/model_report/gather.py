"""Reads what the nodes of a run made, for its report."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
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
from components.evaluator.decision import Verdict
from components.evaluator.verdict import read_verdict
from components.pusher import versions
from report import examples as shown
from report import facts
from report.examples import Film
from report.metrics import Floats
from schema import features as raw
from schema.errors import UserError
from schema.examples import serialize
from schema.genres import GENRES, NUM_GENRES
from schema.names import (
    ANOMALY_REPORT_FILE,
    EVALUATE_SIGNATURE,
    EXAMPLES_INPUT,
    EXTRA_ASSETS,
    INGEST_REPORT_FILE,
    MODEL_NAME,
    OUTCOME_PROPERTY,
    PROBABILITIES_OUTPUT,
    PUSHED_DESTINATION_PROPERTY,
    PUSHED_PROPERTY,
    PUSHED_VERSION_PROPERTY,
    REASON_PROPERTY,
    SCORES_OUTPUT,
    TRAINING_RECORD_FILE,
    Split,
)
from transform import features as xf

BATCH_SIZE: Final = 256
"""Films of a batch that is read from files."""

ROWS_AT_ONCE: Final = 64
"""Films of a batch that explains an example."""


def gather(given: Mapping[str, types.Artifact], movies: str, database: str) -> facts.Facts:
    """Read everything that the report contains.

    Args:
        given: the inputs of `ModelReport` by name; those that are missing are left out.
        movies: folder of the joined films, with ingest's report; may be empty.
        database: ML Metadata's SQLite database; lineage and times are left out if it is empty.

    Raises:
        UserError: the verdict or the record of the training is missing.
    """
    folder = Path(path_utils.serving_model_path(given["model"].uri))
    judged = read_verdict(Path(given["blessing"].uri))
    last = given.get("last_blessed") if judged.last_blessed_macro_f1 is not None else None
    training = _training(folder)
    last_training = _training(Path(path_utils.serving_model_path(last.uri))) if last else None
    evaluate = _evaluate(tf.saved_model.load(str(folder)))
    columns = example_files.columns(given["examples"], Split.TEST, [raw.TCONST, *raw.MODEL_INPUTS])
    films = _films(evaluate, given["examples"], columns)
    history = metadata.read(Path(database)) if database else metadata.History((), {})
    return facts.Facts(
        name=MODEL_NAME,
        written=datetime.now(UTC),
        model=str(folder),
        fingerprint=versions.fingerprint(folder),
        verdict=_verdict(judged, films),
        outcome=_outcome(given.get("infra_blessing"), given.get("pushed_model")),
        films=films,
        slices=tuple(read_slices(given["evaluation"].uri, tfma.CANDIDATE_KEY if last else "")),
        examples=tuple(shown.examples(films, columns, _ask(evaluate))),
        training=training,
        last_training=last_training,
        data=_data(given, Path(movies) if movies else None),
        recipe=metadata.recipe(history, given["model"].id),
        last_recipe=metadata.recipe(history, last.id) if last else None,
        also_used=tuple(metadata.trained_on_same_data(history, given["model"].id)),
        timings=tuple(metadata.timings(history, history.newest_run)),
    )


def _verdict(judged: Verdict, films: facts.Films) -> facts.Verdict:
    """The verdict with the counts of each genre, which its shares do not contain."""
    hits = (films.labels & films.predicted).sum(axis=0).tolist()
    predicted = films.predicted.sum(axis=0).tolist()
    genres = tuple(
        facts.Genre(**asdict(row) | {"judgement": row.judgement.value}, hits=both, predicted=given)
        for row, both, given in zip(judged.genres, hits, predicted, strict=True)
    )
    values = {field.name: getattr(judged, field.name) for field in fields(facts.Verdict)}
    return facts.Verdict(**values | {"genres": genres})


def _outcome(
    infra_blessing: types.Artifact | None, pushed_model: types.Artifact | None
) -> facts.Outcome:
    """What happened to the model; the smoke test's reasons come before the Pusher's."""
    if pushed_model is not None and pushed_model.get_int_custom_property(PUSHED_PROPERTY):
        return facts.Outcome(
            version=pushed_model.get_string_custom_property(PUSHED_VERSION_PROPERTY),
            destination=pushed_model.get_string_custom_property(PUSHED_DESTINATION_PROPERTY),
        )
    for artifact in (infra_blessing, pushed_model):
        reason = artifact and artifact.get_string_custom_property(REASON_PROPERTY)
        if reason:
            return facts.Outcome(reasons=tuple(reason.splitlines()))
    if pushed_model is None:
        return facts.Outcome(reasons=("the Pusher did not run",))
    outcome = pushed_model.get_string_custom_property(OUTCOME_PROPERTY)
    return facts.Outcome(reasons=(outcome or "no reason is given",))


Evaluate = Callable[[Any], Mapping[str, Floats]]
"""From serialized examples, string [N], to the outputs of the signature `evaluate`."""


def _evaluate(model: Any) -> Evaluate:
    """A call of the model's signature `evaluate`."""
    signature = model.signatures[EVALUATE_SIGNATURE]

    def evaluate(serialized: Any) -> Mapping[str, Floats]:
        outputs = signature(**{EXAMPLES_INPUT: tf.constant(serialized)})
        return {name: value.numpy() for name, value in outputs.items()}

    return evaluate


def _ask(evaluate: Evaluate) -> Callable[[Sequence[Film]], Floats]:
    """Probabilities of films, float [films, genres]."""

    # `evaluate` has predicted the whole split before: the first call of another signature would
    # take seconds.
    def ask(films: Sequence[Film]) -> Floats:
        rows = [serialize(film) for film in films]
        starts = range(0, len(rows), ROWS_AT_ONCE)
        answers = [evaluate(rows[start : start + ROWS_AT_ONCE]) for start in starts]
        return np.concatenate([answer[PROBABILITIES_OUTPUT] for answer in answers])

    return ask


def _films(evaluate: Evaluate, examples: types.Artifact, columns: Mapping[str, Any]) -> facts.Films:
    """The model's predictions on the test split."""
    batches = example_files.serialized(examples, Split.TEST).batch(BATCH_SIZE)
    answers = [evaluate(batch) for batch in batches]
    nothing = np.zeros((0, NUM_GENRES), np.float32)
    labels, probabilities, scores = (
        np.concatenate([nothing, *(answer[name] for answer in answers)])
        for name in (xf.LABEL, PROBABILITIES_OUTPUT, SCORES_OUTPUT)
    )
    return facts.Films(
        tconst=columns[raw.TCONST],
        title=columns[raw.TITLE],
        labels=labels > 0.5,
        predicted=scores > 0.5,
        probabilities=probabilities,
        scores=scores,
    )


def read_slices(evaluation: str, model_name: str) -> list[facts.Slice]:
    """Metrics by slice from TFMA's results, without those of the whole split.

    Args:
        evaluation: folder of TFMA's results.
        model_name: TFMA's name of the model; empty if only one model was evaluated.
    """
    results = tfma.load_eval_result(evaluation, model_name=model_name or None).slicing_metrics
    found = []
    for key, values in results:
        if key == ():
            continue
        [(kind, name)] = key
        of_genres = [values[""][f"classId:{column}"] for column in range(NUM_GENRES)]
        overall = values[""][""]
        found.append(
            facts.Slice(
                kind=str(kind),
                name=str(name),
                films=round(overall[metrics.EXAMPLE_COUNT]["doubleValue"]),
                micro_f1=float(overall[f"{metrics.MICRO}_{metrics.F1}"]["doubleValue"]),
                f1=np.array([one[metrics.F1]["doubleValue"] for one in of_genres]),
                support=np.array([round(one[metrics.SUPPORT]["doubleValue"]) for one in of_genres]),
            )
        )
    order = {kind: place for place, kind in enumerate(xf.SLICES)}
    return sorted(found, key=lambda one: (order.get(one.kind, len(order)), one.name))


def _training(folder: Path) -> facts.Training:
    """The record that the Trainer left with the model.

    Raises:
        UserError: there is none.
    """
    path = folder / EXTRA_ASSETS / TRAINING_RECORD_FILE
    if not path.is_file():
        raise UserError(f"{path} is missing: train the model again (--from Trainer)")
    record = _json(path)
    # Records of earlier versions of the project have fewer fields.
    names = {field.name for field in fields(facts.Training)} & record.keys()
    return facts.Training(**{name: record[name] for name in names})


def _data(given: Mapping[str, types.Artifact], movies: Path | None) -> facts.Data:
    examples = given["examples"]
    genres = {
        split: example_files.columns(examples, split, [raw.GENRES_FIELD])[raw.GENRES_FIELD]
        for split in artifact_utils.decode_split_names(examples.split_names)
    }
    ingest = movies and movies / INGEST_REPORT_FILE
    return facts.Data(
        span=examples.get_int_custom_property("span"),
        fingerprint=examples.get_string_custom_property("input_fingerprint"),
        folder=str(movies or ""),
        films={split: len(rows) for split, rows in genres.items()},
        genres={split: _genre_counts(rows) for split, rows in genres.items()},
        anomalies=tuple(_anomalies(given["anomalies"])) if "anomalies" in given else (),
        distances=tuple(_distances(Path(given["accepted"].uri))) if "accepted" in given else (),
        ingest=_json(ingest)["report"] if ingest and ingest.is_file() else {},
    )


def _genre_counts(rows: Iterable[str]) -> Floats:
    """How many films have each genre, int64 [genres], from their joined genres."""
    counts = Counter(
        name for row in rows for name in {one.strip() for one in row.split(raw.LIST_SEPARATOR)}
    )
    return np.array([counts[genre] for genre in GENRES])


def _anomalies(artifact: types.Artifact) -> list[str]:
    """What TFDV found, one line for each feature and split."""
    return [
        f"{split}: {feature}: {info.short_description}: {info.description}"
        for split in artifact_utils.decode_split_names(artifact.split_names)
        for feature, info in sorted(load_anomalies(artifact, split).anomaly_info.items())
    ]


def _distances(accepted: Path) -> list[facts.Distance]:
    """The distances that the AnomalyGate measured."""
    report = _json(accepted / ANOMALY_REPORT_FILE)
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
