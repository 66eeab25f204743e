"""The arms and the pipeline's model on the same movies."""

import json
import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import tensorflow as tf

from benchmarks.quality.arms import ARMS, Arm, Blend, Logits
from benchmarks.quality.dataset import ALL_FIELDS, INPUTS, JUDGED, TRAINING, Movies, View, genres
from benchmarks.quality.features import Cost, Features
from benchmarks.quality.scores import Predictions, decide
from schema import features as raw
from schema.files import atomic_write
from schema.names import (
    EXTRA_ASSETS,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    SERVING_SIGNATURE,
    TRAINING_RECORD_FILE,
    Split,
)


class Outcome(NamedTuple):
    """What an arm comes to on the test split.

    Attributes:
        title: for tables.
        predictions: by input, with thresholds that were chosen for that input.
        carried: by input, with the thresholds for all fields.
        training: seconds.
        size: bytes.
        rate: movies a second.
    """

    title: str
    predictions: Mapping[str, Predictions]
    carried: Mapping[str, Predictions]
    training: float
    size: float
    rate: float


class Fit(NamedTuple):
    """Logits of a fitted arm, float32 [movies, 22], by view; costs by the names of its parts."""

    logits: Mapping[View, Logits]
    costs: Mapping[str, Cost]


def fit(name: str, features: Features, folder: Path) -> tuple[Fit, bool]:
    """A fitted arm of `ARMS`, and whether it was all kept from an earlier time.

    Args:
        name: Name of the arm.
        features: Features of all movies that the arms read.
        folder: Directory of the kept results; its name identifies the movies and the code.
    """
    arm = ARMS[name]
    if isinstance(arm, Blend):
        parts = [(weight, *fit(part, features, folder)) for part, weight in arm.weights.items()]
        logits = {
            view: np.sum(
                [np.float32(weight) * one.logits[view] for weight, one, _ in parts], axis=0
            )
            for view in parts[0][1].logits
        }
        costs = {key: cost for _, one, _ in parts for key, cost in one.costs.items()}
        return Fit(logits, costs), all(kept for *_, kept in parts)
    file = folder / f"{name}.joblib"
    if file.exists():
        return joblib.load(file), True
    fitted = _fit(name, arm, features)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        joblib.dump(fitted, part)
    return fitted, False


def _fit(name: str, arm: Arm, features: Features) -> Fit:
    # Matrices first: what they take is counted apart.
    matrices = {
        view: {recipe: features.get(recipe, view) for recipe in arm.recipes}
        for view in features.views
    }
    started = time.monotonic()
    compute, keep = arm.fit(matrices.pop(TRAINING), features.given)
    training = time.monotonic() - started
    logits, seconds = {}, {}
    for view, parts in matrices.items():
        started = time.monotonic()
        logits[view] = np.asarray(compute(parts), np.float32)
        seconds[view] = time.monotonic() - started
    own = Cost(training, seconds[JUDGED], len(pickle.dumps(keep)))
    return Fit(logits, {f"arm {name}": own, **features.costs(arm.recipes)})


def judge(name: str, fitted: Fit, views: Mapping[View, Movies]) -> Outcome:
    """Decide for the test movies, with thresholds from the eval split."""
    labels = genres(views[Split.EVAL, ALL_FIELDS])

    def decided(tuned_on: str, known: str) -> Predictions:
        return decide(fitted.logits[Split.EVAL, tuned_on], labels, fitted.logits[Split.TEST, known])

    training, predicting, size = map(sum, zip(*fitted.costs.values(), strict=True))
    return Outcome(
        ARMS[name].title,
        predictions={known: decided(known, known) for known in INPUTS},
        carried={known: decided(ALL_FIELDS, known) for known in INPUTS},
        training=training,
        size=size,
        rate=len(views[JUDGED]) / max(predicting, 1e-9),
    )


def judge_model(folder: Path, views: Mapping[View, Movies]) -> Outcome:
    """Ask the pipeline's model, a version in this folder, which decides by itself."""
    model = tf.saved_model.load(str(folder))
    predictions, seconds = {}, {}
    for known in INPUTS:
        movies = views[Split.TEST, known]
        predictions[known], seconds[known] = _ask(model.signatures[SERVING_SIGNATURE], movies)
    record = json.loads((folder / EXTRA_ASSETS / TRAINING_RECORD_FILE).read_text(encoding="utf-8"))
    return Outcome(
        "**the pipeline's model**",
        predictions=predictions,
        carried=predictions,
        training=record["seconds"] + record["cached_finetuning_seconds"],
        size=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        rate=len(views[JUDGED]) / seconds[ALL_FIELDS],
    )


def _ask(
    answer: Callable[..., Mapping[str, tf.Tensor]], movies: Movies
) -> tuple[Predictions, float]:
    """Predictions and the seconds for all movies, in batches as a server has them."""
    columns = tf.data.Dataset.from_tensor_slices(dict(movies[list(raw.MODEL_INPUTS)]))
    batches = list(columns.batch(64))
    for batch in batches[:3]:
        # Before the clock starts.
        answer(**batch)
    started = time.monotonic()
    answers = [answer(**batch) for batch in batches]
    probabilities, decided = (
        np.concatenate([one[output].numpy() for one in answers])
        for output in (PROBABILITIES_OUTPUT, PREDICTED_OUTPUT)
    )
    return Predictions(probabilities, decided), time.monotonic() - started
