"""The simple model that a served one has to beat: TF-IDF and logistic regression, from the texts
alone.

It is fitted on the same splits as the hybrid model. The evaluation gate compares with it, and the
README quotes it.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.sparse
from absl import logging
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    hamming_loss,
    precision_recall_fscore_support,
)
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import examples as example_files
from schema import features as raw
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES

METRICS_FILE: Final = "metrics.json"
EXAMPLES: Final = "examples"
METRICS: Final = "metrics"

TRAIN: Final = "train"
EVAL: Final = "eval"
TEST: Final = "test"

MAX_FEATURES: Final = 50_000
MIN_FILMS: Final = 2
"""Films that an n-gram must occur in; those that too few films share cannot generalize."""

INVERSE_REGULARIZATION: Final = 4.0
TOLERANCE: Final = 0.1
"""Of the solver; a hundredth of it took three times as long for the same macro-F1."""

LEAST_THRESHOLD: Final = 1e-6
"""Keeps a genre never seen, whose probability is 0, from being given to all films."""

Labels = npt.NDArray[np.bool_]
Probabilities = npt.NDArray[np.float64]


class BaselineMetrics(Artifact):
    """What the baseline reached on the test split; `metrics.json` as `evaluate` gives it."""

    TYPE_NAME = "BaselineMetrics"
    PROPERTIES = {
        "macro_f1": Property(type=PropertyType.FLOAT),
        "micro_f1": Property(type=PropertyType.FLOAT),
        "samples_f1": Property(type=PropertyType.FLOAT),
    }


def labels(genres: Sequence[str]) -> Labels:
    """Which genres each film has.

    Args:
        genres: joined names, one string a film; names not in `GENRES` count for nothing.

    Returns:
        bool [films, 22], in the order of `GENRES`.
    """
    columns = {name: column for column, name in enumerate(GENRES)}
    result = np.zeros((len(genres), NUM_GENRES), dtype=np.bool_)
    for row, joined in enumerate(genres):
        for name in joined.split(raw.LIST_SEPARATOR):
            if (column := columns.get(name.strip())) is not None:
                result[row, column] = True
    return result


def fit_predict(
    texts: Sequence[str], given: Labels, others: Sequence[Sequence[str]], seed: int
) -> list[Probabilities]:
    """Fit TF-IDF of one- and two-word n-grams and one logistic regression a genre.

    Args:
        texts: of the films to fit on.
        given: their genres, bool [films, 22].
        others: lists of texts to predict.
        seed: of the solver.

    Returns:
        For each of `others` the probabilities, float64 [films, 22]. A genre that no film to fit on
        has, or that all have, gets its constant share.

    Raises:
        UserError: no word occurs in two of the texts.
    """
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2),
        min_df=MIN_FILMS,
        max_features=MAX_FEATURES,
        sublinear_tf=True,
        strip_accents="unicode",
        dtype=np.float32,
    )
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise UserError(
            f"No word occurs in {MIN_FILMS} of the {len(texts)} plots of the {TRAIN} split. "
            "Give more films."
        ) from error
    unseen = scipy.sparse.vstack([vectorizer.transform(one) for one in others], format="csr")
    probabilities = np.tile(given.mean(axis=0, dtype=np.float64), (unseen.shape[0], 1))
    for genre in range(NUM_GENRES):
        if given[:, genre].any() and not given[:, genre].all():
            # The dual form takes a seventh of the time of the primal on such sparse rows.
            model = LogisticRegression(
                C=INVERSE_REGULARIZATION,
                solver="liblinear",
                dual=True,
                tol=TOLERANCE,
                random_state=seed,
            )
            model.fit(features, given[:, genre])
            probabilities[:, genre] = model.predict_proba(unseen)[:, 1]
    return np.split(probabilities, np.cumsum([len(one) for one in others])[:-1])


def best_thresholds(probabilities: Probabilities, given: Labels) -> npt.NDArray[np.float64]:
    """For each genre the threshold with the highest F1.

    Args:
        probabilities: float64 [films, 22].
        given: the genres of these films, bool [films, 22].

    Returns:
        float64 [22], above 0. A genre that none of the films has gets 0.5.
    """
    thresholds = np.full(NUM_GENRES, 0.5)
    for genre in np.flatnonzero(given.any(axis=0)):
        order = np.argsort(-probabilities[:, genre], kind="stable")
        ranked, positive = probabilities[order, genre], given[order, genre]
        f1 = 2 * np.cumsum(positive) / (np.arange(1, len(order) + 1) + positive.sum())
        # Equal probabilities are decided alike: only the last of them is a place to cut.
        f1[:-1][ranked[:-1] == ranked[1:]] = 0.0
        best = int(f1.argmax())
        below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
        thresholds[genre] = max((ranked[best] + below) / 2, LEAST_THRESHOLD)
    return thresholds


def decide(probabilities: Probabilities, thresholds: npt.NDArray[np.float64]) -> Labels:
    """The genres above their thresholds; the one nearest to its threshold where there is none.

    Args:
        probabilities: float64 [films, 22].
        thresholds: float64 [22], above 0.

    Returns:
        bool [films, 22], at least one in each row.
    """
    decided = probabilities >= thresholds
    nearest = (probabilities / thresholds).argmax(axis=1)
    nothing = ~decided.any(axis=1)
    decided[nothing, nearest[nothing]] = True
    return decided


def evaluate(given: Labels, decided: Labels) -> dict[str, Any]:
    """Compare decisions with the truth.

    Args:
        given: bool [films, 22].
        decided: bool [films, 22].

    Returns:
        `films`; `macro_f1`, `micro_f1`, `samples_f1`, `subset_accuracy` and `hamming_accuracy`; and
        under `genres` for each name its `f1`, `precision`, `recall` and `support`. What is divided
        by zero is 0. The macro mean goes over the genres that at least one film has.
    """
    precision, recall, f1, support = precision_recall_fscore_support(
        given, decided, average=None, zero_division=0
    )
    present = np.flatnonzero(support)
    return {
        "films": len(given),
        "macro_f1": float(f1[present].mean()) if len(present) else 0.0,
        "micro_f1": float(f1_score(given, decided, average="micro", zero_division=0)),
        "samples_f1": float(f1_score(given, decided, average="samples", zero_division=0)),
        "subset_accuracy": float(accuracy_score(given, decided)),
        "hamming_accuracy": 1.0 - float(hamming_loss(given, decided)),
        "genres": {
            name: {
                "f1": float(f1[genre]),
                "precision": float(precision[genre]),
                "recall": float(recall[genre]),
                "support": int(support[genre]),
            }
            for genre, name in enumerate(GENRES)
        },
    }


class BaselineSpec(ComponentSpec):
    """Channels and parameters of `Baseline`."""

    INPUTS = {EXAMPLES: ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS = {METRICS: ChannelParameter(type=BaselineMetrics)}
    PARAMETERS = {
        "seed": ExecutionParameter(type=int),
        "code_fingerprint": ExecutionParameter(type=str),
    }


class Executor(base_executor.BaseExecutor):
    """Fits on `train`, tunes thresholds on `eval`, measures on `test`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fit and measure the baseline.

        Raises:
            UserError: a split has no films, or their plots share no words.
        """
        started = time.monotonic()
        examples = artifact_utils.get_single_instance(input_dict[EXAMPLES])
        texts, given = {}, {}
        for split in (TRAIN, EVAL, TEST):
            columns = example_files.columns(
                examples, split, [raw.PLOT, raw.TITLE, raw.GENRES_FIELD]
            )
            texts[split] = [
                f"{plot}\n{title}"
                for plot, title in zip(columns[raw.PLOT], columns[raw.TITLE], strict=True)
            ]
            given[split] = labels(columns[raw.GENRES_FIELD].tolist())
            if not texts[split]:
                raise UserError(f"The {split} split has no films. Give more films.")
        tuning, unseen = fit_predict(
            texts[TRAIN], given[TRAIN], [texts[EVAL], texts[TEST]], exec_properties["seed"]
        )
        thresholds = best_thresholds(tuning, given[EVAL])
        metrics = evaluate(given[TEST], decide(unseen, thresholds))
        metrics["seconds"] = round(time.monotonic() - started, 1)

        artifact = artifact_utils.get_single_instance(output_dict[METRICS])
        folder = Path(artifact.uri)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / METRICS_FILE).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        for name in BaselineMetrics.PROPERTIES:
            setattr(artifact, name, metrics[name])
        logging.info(
            "Baseline: macro-F1 %.3f on %d films of %s", metrics["macro_f1"], metrics["films"], TEST
        )


class Baseline(base_component.BaseComponent):
    """TF-IDF and logistic regression on plot and title, measured on the test split."""

    SPEC_CLASS = BaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, examples: types.BaseChannel[Any], seed: int = 1, code_fingerprint: str = ""
    ) -> None:
        """Make the node.

        Args:
            examples: raw Examples with the splits `train`, `eval` and `test`.
            seed: of the solver.
            code_fingerprint: enters the cache key only, so that a change to the code runs it again.
        """
        super().__init__(
            BaselineSpec(
                examples=examples,
                seed=seed,
                code_fingerprint=code_fingerprint,
                metrics=types.Channel(type=BaselineMetrics),
            )
        )


def load(uri: str) -> dict[str, Any]:
    """Read the metrics of a BaselineMetrics artifact at `uri`, as `evaluate` gives them."""
    return json.loads((Path(uri) / METRICS_FILE).read_text(encoding="utf-8"))
