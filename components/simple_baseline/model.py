"""TF-IDF and logistic regression on texts only, fitted on the same splits as the served model."""

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
from schema.genres import GENRES
from schema.names import Split
from schema.wording import count

MAX_FEATURES: Final = 50_000
"""Largest number of n-grams."""

MIN_DOCUMENT_FREQUENCY: Final = 2
"""Smallest number of movies in which an n-gram must occur. Rarer n-grams do not generalize."""

INVERSE_REGULARIZATION: Final = 4.0
"""Inverse of the strength of the L2 penalty."""

SOLVER_TOLERANCE: Final = 0.1
"""Tolerance at which the solver stops. 0.001 took three times as long for the same macro-F1."""

MIN_THRESHOLD: Final = 1e-6
"""Smallest threshold. A genre without training movies has probability 0 and must not reach it."""

Labels = npt.NDArray[np.bool_]
Probabilities = npt.NDArray[np.float64]


def binarize_genres(genres: Sequence[str], names: Sequence[str] = GENRES) -> Labels:
    """Convert the genres of movies to multi-hot labels.

    Args:
        genres: Joined names of genres, one string per movie; names that are not in `names` are
            ignored.
        names: Names of the genres in the order of the labels; IMDb's by default.

    Returns:
        bool [movies, genres]. Labels in the order of `names`.
    """
    known = [
        {name.strip() for name in joined.split(raw.LIST_SEPARATOR)} & set(names)
        for joined in genres
    ]
    result: Labels = MultiLabelBinarizer(classes=names).fit_transform(known).astype(np.bool_)
    return result


def fit_predict(
    texts: Sequence[str], labels: Labels, predict_texts: Sequence[Sequence[str]], seed: int
) -> list[Probabilities]:
    """Fit TF-IDF of unigrams and bigrams and one logistic regression per genre, and predict.

    Args:
        texts: Texts to fit on, one per movie.
        labels: bool [movies, genres]. Labels of these movies.
        predict_texts: Sets of texts to predict.
        seed: Seed of the solver.

    Returns:
        float64 [movies, genres] for each set of texts. Probabilities of the genres; constant 0 or 1
        for a genre that none or all of the movies to fit on have.

    Raises:
        UserError: No word occurs in two of the texts.
    """
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2),
        min_df=MIN_DOCUMENT_FREQUENCY,
        max_features=MAX_FEATURES,
        sublinear_tf=True,
        strip_accents="unicode",
        dtype=np.float32,
    )
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise UserError(
            f"No word occurs in {MIN_DOCUMENT_FREQUENCY} of the {count(len(texts), 'plot')} of the "
            f"{Split.TRAIN} split. Add more movies."
        ) from error
    # On sparse rows, the dual form takes a seventh of the time of the primal form.
    model = OneVsRestClassifier(
        LogisticRegression(
            C=INVERSE_REGULARIZATION,
            solver="liblinear",
            dual=True,
            tol=SOLVER_TOLERANCE,
            random_state=seed,
        )
    )
    with warnings.catch_warnings():
        # Scikit-learn warns about genres that none or all of the movies have. Their constant
        # probability is intended.
        warnings.filterwarnings("ignore", "Label .* is present in all", UserWarning)
        model.fit(features, labels)
        return [model.predict_proba(vectorizer.transform(text_set)) for text_set in predict_texts]


def best_thresholds(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """Return the threshold with the highest F1 of each genre.

    Args:
        probabilities: float64 [movies, genres]. Probabilities of the genres.
        labels: bool [movies, genres]. Labels of the movies.

    Returns:
        float64 [genres]. Thresholds above 0; 0.5 for a genre that no movie has.
    """
    thresholds = np.full(labels.shape[1], 0.5)
    for genre in np.flatnonzero(labels.any(axis=0)):
        # The distinct probabilities, in ascending order, are the candidates. The highest of those
        # with the same F1 is chosen.
        precision, recall, candidates = metrics.precision_recall_curve(
            labels[:, genre], probabilities[:, genre]
        )
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = len(candidates) - 1 - int(f1[:-1][::-1].argmax())
        next_lower = candidates[best - 1] if best else 0.0
        thresholds[genre] = max((candidates[best] + next_lower) / 2, MIN_THRESHOLD)
    return thresholds


def predict_genres(probabilities: Probabilities, thresholds: npt.NDArray[np.float64]) -> Labels:
    """Predict the genres of movies: those at or above their thresholds, but at least one.

    If no probability of a movie reaches its threshold, the genre that is nearest is predicted.

    Args:
        probabilities: float64 [movies, genres]. Probabilities of the genres.
        thresholds: float64 [genres]. Thresholds above 0.

    Returns:
        bool [movies, genres]. Predicted genres.
    """
    predicted = probabilities >= thresholds
    nearest = (probabilities / thresholds).argmax(axis=1)
    none_predicted = ~predicted.any(axis=1)
    predicted[none_predicted, nearest[none_predicted]] = True
    return predicted


def evaluate(labels: Labels, predicted: Labels, names: Sequence[str] = GENRES) -> dict[str, Any]:
    """Evaluate predicted genres.

    Args:
        labels: bool [movies, genres]. Labels of the movies.
        predicted: bool [movies, genres]. Predicted genres.
        names: Names of the genres in the order of the labels; IMDb's by default.

    Returns:
        `movies`, `macro_f1`, `micro_f1`, `samples_f1`, `subset_accuracy`, `hamming_accuracy`, and
        `genres` with `f1`, `precision`, `recall` and `support` by name of the genre. Ratios with a
        denominator of zero are 0. `macro_f1` is the mean over genres that at least one movie has.
    """
    by_genre = metrics.precision_recall_fscore_support(
        labels, predicted, average=None, zero_division=0
    )
    columns = ("precision", "recall", "f1", "support")
    rows = zip(*(values.tolist() for values in by_genre), strict=True)
    genres = [dict(zip(columns, row, strict=True)) for row in rows]
    present = [row["f1"] for row in genres if row["support"]]
    return {
        "movies": len(labels),
        "macro_f1": sum(present) / max(len(present), 1),
        "micro_f1": float(metrics.f1_score(labels, predicted, average="micro", zero_division=0)),
        "samples_f1": float(
            metrics.f1_score(labels, predicted, average="samples", zero_division=0)
        ),
        "subset_accuracy": float(metrics.accuracy_score(labels, predicted)),
        "hamming_accuracy": 1.0 - float(metrics.hamming_loss(labels, predicted)),
        "genres": dict(zip(names, genres, strict=True)),
    }
