"""TF-IDF and logistic regression on the texts alone, fitted on the same splits as the served model.

The evaluation gate compares with it, and the README quotes it.
"""

import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer

from schema import features as raw
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from schema.names import Split

MAX_FEATURES: Final = 50_000
MIN_MOVIES: Final = 2
"""Movies that an n-gram must occur in; those that too few movies share cannot generalize."""

INVERSE_REGULARIZATION: Final = 4.0
TOLERANCE: Final = 0.1
"""Of the solver; a hundredth of it took three times as long for the same macro-F1."""

LEAST_THRESHOLD: Final = 1e-6
"""Keeps a genre never seen, whose probability is 0, from being given to all movies."""

Labels = npt.NDArray[np.bool_]
Probabilities = npt.NDArray[np.float64]


def labels(genres: Sequence[str]) -> Labels:
    """Which genres each movie has, bool [movies, 22], in the order of `GENRES`.

    Args:
        genres: joined names, one string a movie; names not in `GENRES` count for nothing.
    """
    known = [
        {name.strip() for name in joined.split(raw.LIST_SEPARATOR)} & set(GENRES)
        for joined in genres
    ]
    result: Labels = MultiLabelBinarizer(classes=GENRES).fit_transform(known).astype(np.bool_)
    return result


def fit_predict(
    texts: Sequence[str], given: Labels, others: Sequence[Sequence[str]], seed: int
) -> list[Probabilities]:
    """Fit TF-IDF of one- and two-word n-grams and one logistic regression a genre.

    The given genres are those of the texts to fit on, bool [movies, 22].

    Returns:
        For each of `others` the probabilities, float64 [movies, 22]. A genre that no movie to fit
        on has, or that all have, gets its constant share.

    Raises:
        UserError: no word occurs in two of the texts.
    """
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2),
        min_df=MIN_MOVIES,
        max_features=MAX_FEATURES,
        sublinear_tf=True,
        strip_accents="unicode",
        dtype=np.float32,
    )
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise UserError(
            f"No word occurs in {MIN_MOVIES} of the {len(texts)} plots of the {Split.TRAIN} split. "
            "Give more movies."
        ) from error
    # The dual form takes a seventh of the time of the primal on such sparse rows.
    model = OneVsRestClassifier(
        LogisticRegression(
            C=INVERSE_REGULARIZATION,
            solver="liblinear",
            dual=True,
            tol=TOLERANCE,
            random_state=seed,
        )
    )
    with warnings.catch_warnings():
        # Scikit-learn warns of a genre that no movie or every movie has; its probability is
        # constant.
        warnings.filterwarnings("ignore", "Label .* is present in all", UserWarning)
        model.fit(features, given)
        return [model.predict_proba(vectorizer.transform(one)) for one in others]


def best_thresholds(probabilities: Probabilities, given: Labels) -> npt.NDArray[np.float64]:
    """For each genre the threshold with the highest F1, float64 [22], above 0.

    Probabilities are float64 [movies, 22], the given genres of these movies bool [movies, 22]. A
    genre that none of the movies has gets 0.5.
    """
    thresholds = np.full(NUM_GENRES, 0.5)
    for genre in np.flatnonzero(given.any(axis=0)):
        # Each probability that occurs is a place to cut, in ascending order; of equal F1s the
        # highest cut counts.
        precision, recall, cuts = metrics.precision_recall_curve(
            given[:, genre], probabilities[:, genre]
        )
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = len(cuts) - 1 - int(f1[:-1][::-1].argmax())
        below = cuts[best - 1] if best else 0.0
        thresholds[genre] = max((cuts[best] + below) / 2, LEAST_THRESHOLD)
    return thresholds


def decide(probabilities: Probabilities, thresholds: npt.NDArray[np.float64]) -> Labels:
    """The genres above their thresholds; the one nearest to its threshold where there is none.

    Probabilities are float64 [movies, 22], thresholds float64 [22] and above 0. Returns bool
    [movies, 22].
    """
    decided = probabilities >= thresholds
    nearest = (probabilities / thresholds).argmax(axis=1)
    nothing = ~decided.any(axis=1)
    decided[nothing, nearest[nothing]] = True
    return decided


def evaluate(given: Labels, decided: Labels) -> dict[str, Any]:
    """Compare decisions with the given genres, each bool [movies, 22].

    Returns:
        `movies`; `macro_f1`, `micro_f1`, `samples_f1`, `subset_accuracy` and `hamming_accuracy`;
        and under `genres` for each name its `f1`, `precision`, `recall` and `support`. What is
        divided by zero is 0. The macro mean goes over the genres that at least one movie has.
    """
    by_genre = metrics.precision_recall_fscore_support(
        given, decided, average=None, zero_division=0
    )
    names = ("precision", "recall", "f1", "support")
    rows = zip(*(values.tolist() for values in by_genre), strict=True)
    genres = [dict(zip(names, row, strict=True)) for row in rows]
    present = [row["f1"] for row in genres if row["support"]]
    return {
        "movies": len(given),
        "macro_f1": sum(present) / max(len(present), 1),
        "micro_f1": float(metrics.f1_score(given, decided, average="micro", zero_division=0)),
        "samples_f1": float(metrics.f1_score(given, decided, average="samples", zero_division=0)),
        "subset_accuracy": float(metrics.accuracy_score(given, decided)),
        "hamming_accuracy": 1.0 - float(metrics.hamming_loss(given, decided)),
        "genres": dict(zip(GENRES, genres, strict=True)),
    }
