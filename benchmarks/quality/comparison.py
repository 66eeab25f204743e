"""The arms and the pipeline's model on the same films."""

import json
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from benchmarks.quality.arms import ARMS, BLENDS, Arm, Logits
from benchmarks.quality.features import JUDGED, Cost, Features, View
from benchmarks.quality.films import ALL_FIELDS, INPUTS, Films
from benchmarks.quality.scores import Predictions, decide
from schema import features as raw
from schema.names import (
    EXTRA_ASSETS,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    SERVING_SIGNATURE,
    TRAINING_RECORD_FILE,
    Split,
)

MODEL_BATCH: Final = 64
WARM_UP: Final = 3
"""Batches before the clock starts."""


@dataclass(frozen=True)
class Outcome:
    """What an arm comes to on the test split.

    Attributes:
        title: for tables.
        plot_only: whether it reads the plot alone.
        predictions: by input, with thresholds that were chosen for that input.
        carried: by input, with the thresholds for all fields.
        training: seconds.
        size: bytes.
        rate: films a second.
    """

    title: str
    plot_only: bool
    predictions: Mapping[str, Predictions]
    carried: Mapping[str, Predictions]
    training: float
    size: int
    rate: float


@dataclass(frozen=True)
class Fit:
    """A fitted arm on all views but that of the training films.

    Attributes:
        logits: float32 [films, 22] by view.
        costs: by the names of its parts, so that arms with a part in common count it once.
    """

    logits: Mapping[View, Logits]
    costs: Mapping[str, Cost]


def fit(name: str, features: Callable[[], Features], folder: Path) -> tuple[Fit, bool]:
    """A fitted arm of `ARMS`, or of `BLENDS` from its parts.

    Args:
        name: of the arm.
        features: what the arms read, asked for only if something has to be fitted.
        folder: keeps the results; its name stands for the films and the code.

    Returns:
        The arm, and whether it was all kept from an earlier time.
    """
    if name in BLENDS:
        weights = BLENDS[name].weights
        parts = {part: fit(part, features, folder) for part in weights}
        mixed = np.array(list(weights.values()), np.float32)
        logits = {
            view: np.tensordot(mixed, [one.logits[view] for one, _ in parts.values()], axes=1)
            for view in next(iter(parts.values()))[0].logits
        }
        costs = {key: cost for part, _ in parts.values() for key, cost in part.costs.items()}
        return Fit(logits, costs), all(kept for _, kept in parts.values())
    file = folder / f"{name}.npz"
    if file.exists():
        return _read(file), True
    fitted = _fit(name, ARMS[name], features())
    _write(file, fitted)
    return fitted, False


def _fit(name: str, arm: Arm, features: Features) -> Fit:
    for recipe in arm.recipes:
        features.get(recipe, JUDGED)
    started = time.monotonic()
    trained = arm.fit(features, arm)
    training = time.monotonic() - started
    logits = {}
    predicting = 0.0
    for view in features.views:
        if view[0] in (Split.EVAL, Split.TEST):
            for recipe in arm.recipes:
                features.get(recipe, view)
            started = time.monotonic()
            logits[view] = np.asarray(trained.logits(view), np.float32)
            if view == JUDGED:
                predicting = time.monotonic() - started
    own = Cost(training, predicting, len(pickle.dumps(trained.kept)))
    return Fit(logits, {f"arm {name}": own, **features.costs(arm.recipes)})


def _write(file: Path, fitted: Fit) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    costs = {name: asdict(cost) for name, cost in fitted.costs.items()}
    logits = {"|".join(view): values for view, values in fitted.logits.items()}
    arrays: dict[str, Any] = {"costs": np.array(json.dumps(costs)), **logits}
    np.savez(part, **arrays)
    part.replace(file)


def _read(file: Path) -> Fit:
    with np.load(file) as kept:
        costs = json.loads(str(kept["costs"]))
        logits = {}
        for key in kept.files:
            if key != "costs":
                split, _, known = key.partition("|")
                logits[split, known] = kept[key]
    return Fit(logits, {name: Cost(**cost) for name, cost in costs.items()})


def judge(name: str, fitted: Fit, views: Mapping[View, Films]) -> Outcome:
    """Decide for the test films, with thresholds from the eval split."""
    arm = ARMS[name] if name in ARMS else BLENDS[name]
    labels = views[Split.EVAL, ALL_FIELDS].labels
    films = len(views[JUDGED])

    def decided(tuned_on: str, known: str) -> Predictions:
        return decide(fitted.logits[Split.EVAL, tuned_on], labels, fitted.logits[Split.TEST, known])

    costs = fitted.costs.values()
    return Outcome(
        arm.title,
        arm.plot_only,
        {known: decided(known, known) for known in INPUTS},
        {known: decided(ALL_FIELDS, known) for known in INPUTS},
        sum(cost.training for cost in costs),
        sum(cost.size for cost in costs),
        films / max(sum(cost.predicting for cost in costs), 1e-9),
    )


def judge_model(
    folder: Path, views: Mapping[View, Films], progress: Callable[[str], None]
) -> Outcome:
    """Ask the pipeline's model, which decides by itself.

    Args:
        folder: of a version of the served model.
        views: of which those of the test split are asked.
        progress: is told how far the work is.
    """
    model = tf.saved_model.load(str(folder))
    answer = model.signatures[SERVING_SIGNATURE]
    predictions, rate = {}, 0.0
    for known in INPUTS:
        predictions[known], seconds = _ask(answer, views[Split.TEST, known])
        if known == ALL_FIELDS:
            rate = len(views[Split.TEST, known]) / seconds
        progress(f"{known} asked")
    record = json.loads((folder / EXTRA_ASSETS / TRAINING_RECORD_FILE).read_text(encoding="utf-8"))
    return Outcome(
        "**the pipeline's model**",
        False,
        predictions,
        predictions,
        record["seconds"] + record["seconds_before"],
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        rate,
    )


def _ask(answer: Callable[..., Mapping[str, tf.Tensor]], films: Films) -> tuple[Predictions, float]:
    """Predictions and the seconds for all films, in batches of `MODEL_BATCH`."""
    batches = [
        {
            name: tf.constant(
                films[name][start : start + MODEL_BATCH],
                tf.float32 if name in raw.NUMBERS else tf.string,
            )
            for name in raw.MODEL_INPUTS
        }
        for start in range(0, len(films), MODEL_BATCH)
    ]
    for batch in batches[:WARM_UP]:
        answer(**batch)
    started = time.monotonic()
    answers = [answer(**batch) for batch in batches]
    probabilities = np.concatenate([one[PROBABILITIES_OUTPUT].numpy() for one in answers])
    decided = np.concatenate([one[PREDICTED_OUTPUT].numpy() for one in answers])
    return Predictions(probabilities, decided), time.monotonic() - started
