"""Features of the baselines, all fitted on the training movies only.

Each feature set of `feature_sets` is fitted once and yields one matrix per view. `Features` stores
the matrices and the time that each took. Baselines can thus share feature sets, and the costs of
each baseline still include all the feature sets that it needs.
"""

import pickle
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import tensorflow as tf
from gensim.models import Word2Vec
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.quality.dataset import (
    SEED,
    TEST_VIEW,
    TRAIN_VIEW,
    Movies,
    View,
    genres,
    people,
)
from components.word_vectors.vectors import look_up_glove
from schema import features as raw
from trainer.data import TitlePlotTokenizer
from trainer.encoder.pretrained import MINILM
from trainer.encoder.sentence_vectors import SentenceVectorStore
from trainer.hparams import HParams
from transform.wordpiece import basic_tokenize

TOP_BILLED: Final = 3
"""Number of cast members that have a target encoding of their own."""

TARGET_ENCODING_FOLDS: Final = 5
BINS: Final = 12
"""Number of bins of each number."""

PRIOR_MOVIES: Final = 2.0
"""Weight of the overall share of a genre in a person's share, as a number of movies."""

INDICATOR_VALUE: Final = np.float32(0.3)
"""Value of the indicators of names and bins, on the scale of TF-IDF, for linear models."""

MAX_PIECES: Final = 256
"""Largest number of word pieces that the sentence encoder reads, as its authors set it."""

Matrix = Any
"""float32 [movies, features], a NumPy array or a SciPy sparse matrix."""


FeatureSet = tuple[Callable[[Movies], Any] | str, Any]
"""Source and transformer of a feature set.

The source is a function of the movies, or the name of another feature set. The transformer has the
interface of scikit-learn; its pickle is what a server would need.
"""


class Cost(NamedTuple):
    """Cost of a feature set or model.

    Attributes:
        training_seconds: Float. Time to fit it and to apply it to the training movies.
        predicting_seconds: Float. Time to apply it to the test movies.
        size_bytes: Int. Size of its pickle.
    """

    training_seconds: float
    predicting_seconds: float
    size_bytes: int


class Features:
    """Matrices of all feature sets and views, computed on demand and stored.

    Attributes:
        views: Movies of each view.
        labels: float32 [movies, 22]. Labels of the training movies.
    """

    def __init__(self, views: Mapping[View, Movies]) -> None:
        self.views = views
        self.labels = genres(views[TRAIN_VIEW]).astype(np.float32)
        self._feature_sets = feature_sets()
        self._matrices: dict[tuple[str, View], Matrix] = {}
        self._seconds: dict[tuple[str, View], float] = defaultdict(float)

    def get(self, name: str, view: View) -> Matrix:
        """Return the matrix of a feature set for a view."""
        if (name, view) not in self._matrices:
            if view != TRAIN_VIEW:
                self.get(name, TRAIN_VIEW)
            source, transformer = self._feature_sets[name]
            # The time of the source's feature set is measured separately.
            matrix = self.get(source, view) if isinstance(source, str) else None
            started = time.monotonic()
            inputs = matrix if isinstance(source, str) else source(self.views[view])
            self._matrices[name, view] = (
                transformer.fit_transform(inputs, self.labels)
                if view == TRAIN_VIEW
                else transformer.transform(inputs)
            )
            self._seconds[name, view] = time.monotonic() - started
        return self._matrices[name, view]

    def costs(self, names: Iterable[str]) -> dict[str, Cost]:
        """Return the costs of feature sets and of all feature sets that they read."""
        costs = {}
        for name in names:
            source, transformer = self._feature_sets[name]
            training, predicting = (self._seconds[name, view] for view in (TRAIN_VIEW, TEST_VIEW))
            costs[name] = Cost(training, predicting, len(pickle.dumps(transformer)))
            if isinstance(source, str):
                costs |= self.costs([source])
        return costs


class FittedTransformer:
    """A transformer made of a fit function and an apply function."""

    def __init__(self, fit: Callable[[Any], tuple[Any, ...]], apply: Callable[..., Any]) -> None:
        """Initialize the transformer.

        Args:
            fit: Function from the training inputs to a tuple of parameters.
            apply: Function from any inputs and the parameters to a matrix.
        """
        self.fit, self.apply = fit, apply

    def fit_transform(self, inputs: Any, _labels: Matrix) -> Matrix:
        """Fit the parameters and apply them to the same inputs."""
        self.parameters = self.fit(inputs)
        return self.transform(inputs)

    def transform(self, inputs: Any) -> Matrix:
        """Apply the fitted parameters."""
        return self.apply(inputs, *self.parameters)

    def __getstate__(self) -> object:
        return self.parameters


class CappedSVD(TruncatedSVD):
    """A truncated SVD with at most as many components as the matrix allows."""

    def fit_transform(self, matrix: Matrix, _labels: Matrix = None) -> Matrix:
        """Fit and transform; float32 [movies, features] in, [movies, components] out."""
        self.set_params(n_components=min(self.n_components, *matrix.shape))
        return super().fit_transform(matrix)


def names_by_role(movies: Movies) -> list[list[str]]:
    """Return the credits of each movie as `role=name`."""
    roles = [
        [[f"{role}={name}" for name in names] for names in people(movies, role)]
        for role in raw.PEOPLE
    ]
    return [list(chain(*names)) for names in zip(*roles, strict=True)]


def _to_indicators(hashed: sp.csr_matrix) -> sp.csr_matrix:
    return hashed.minimum(1.0).tocsr() * INDICATOR_VALUE


def _read_numbers(movies: Movies) -> npt.NDArray[np.float32]:
    """Return float32 [movies, 4], NaN if missing."""
    return np.stack([movies[name] for name in raw.NUMBERS], axis=1)


def _log_votes(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where(np.array(raw.NUMBERS) == raw.VOTES, np.log1p(numbers), numbers)


def _clip_with_indicators(scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the numbers, 0 if missing, and an indicator of each number that is present."""
    return np.hstack([np.clip(np.nan_to_num(scaled), -4, 4), np.isfinite(scaled)], dtype=np.float32)


def _fit_bin_edges(numbers: npt.NDArray[np.float32]) -> tuple[list[npt.NDArray[np.float64]]]:
    """Return the edges that divide each number into bins with about as many movies each."""
    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    return ([np.unique(np.nanquantile(np.append(column, 0.0), shares)) for column in numbers.T],)


def _to_bins(
    numbers: npt.NDArray[np.float32], edges: Sequence[npt.NDArray[np.float64]]
) -> sp.csr_matrix:
    """Return one-hot bins of each number; all zeros if it is missing."""
    bins = [
        np.eye(len(cuts) + 1)[np.searchsorted(cuts, column)] * np.isfinite(column)[:, np.newaxis]
        for column, cuts in zip(numbers.T, edges, strict=True)
    ]
    return sp.csr_matrix(np.hstack(bins), dtype=np.float32) * INDICATOR_VALUE


def _credit_counts(movies: Movies) -> Matrix:
    """Return the log of the number of names of each role, and whether there is one."""
    counts = np.array([[len(names) for names in people(movies, role)] for role in raw.PEOPLE]).T
    return np.hstack([np.log1p(counts), counts > 0]).astype(np.float32)


class PeopleTargetEncoder:
    """Target encoding of the people in one role. See `target_encode_people`."""

    def __init__(self, role: str, max_names: int | None = None) -> None:
        """Initialize the encoder.

        Args:
            role: Field with the names.
            max_names: Int. Number of names of each movie that are encoded; None encodes all.
        """
        self.role, self.max_names = role, max_names
        self.vectorizer = CountVectorizer(analyzer=list, binary=True, dtype=np.float32)

    def fit_transform(self, movies: Movies, labels: Matrix) -> Matrix:
        """Return float32 [movies, 46]. Each movie is encoded by the movies of other folds."""
        self.labels = labels
        self.train_people = self.vectorizer.fit_transform(self._names(movies))
        folds = np.random.default_rng(SEED).integers(0, TARGET_ENCODING_FOLDS, len(labels))
        return target_encode_out_of_fold(self.train_people, labels, folds)

    def transform(self, movies: Movies) -> Matrix:
        """Return float32 [movies, 46] for movies that are not in the training split."""
        movie_people = self.vectorizer.transform(self._names(movies))
        return target_encode_people(movie_people, self.train_people, self.labels)

    def _names(self, movies: Movies) -> list[list[str]]:
        return [names[: self.max_names] for names in people(movies, self.role)]

    def __getstate__(self) -> object:
        """Return only the people; the size of the labels does not count."""
        return self.vectorizer


def target_encode_people(
    people: sp.csr_matrix, train_people: sp.csr_matrix, labels: Matrix
) -> Matrix:
    """Encode the people of movies by the genres of their training movies.

    A person's share of a genre is shrunk towards the overall share by `PRIOR_MOVIES`. The encoding
    is the log of the ratio of both shares.

    Args:
        people: float32 [movies, people]. 1 if the movie has the person.
        train_people: float32 [training movies, people]. The same matrix for the training movies.
        labels: float32 [training movies, 22]. Labels of the training movies.

    Returns:
        float32 [movies, 46]. By genre, the mean encoding of the movie's people; by genre, the
        encoding of the pooled movies of these people; the log of the number of people who have
        training movies; the log of the number of these movies. All 0 if there are none.
    """
    prior = labels.mean(axis=0) + 1e-6
    by_genre = np.asarray(train_people.T @ labels)
    movies = np.asarray(train_people.sum(axis=0)).ravel()
    has_movies = (movies > 0).astype(np.float32)
    encoding = _log_ratio(by_genre, movies[:, np.newaxis], prior) * has_movies[:, np.newaxis]
    count = np.asarray(people @ has_movies)[:, np.newaxis]
    mean = np.asarray(people @ encoding) / np.maximum(count, 1)
    total = np.asarray(people @ movies)[:, np.newaxis]
    pooled = _log_ratio(np.asarray(people @ by_genre), total, prior)
    return np.hstack([mean, pooled, np.log1p(count), np.log1p(total)]).astype(np.float32)


def target_encode_out_of_fold(people: sp.csr_matrix, labels: Matrix, folds: Matrix) -> Matrix:
    """Encode training movies by the movies of the other folds, without their own genres.

    Args:
        people: float32 [movies, people]. 1 if the movie has the person.
        labels: float32 [movies, 22]. Labels of the movies.
        folds: int [movies]. Fold of each movie.

    Returns:
        float32 [movies, 46]. See `target_encode_people`.
    """
    result = np.zeros((len(labels), 2 * labels.shape[1] + 2), np.float32)
    for fold in np.unique(folds):
        inside, outside = folds == fold, folds != fold
        result[inside] = target_encode_people(people[inside], people[outside], labels[outside])
    return result


def _log_ratio(by_genre: Matrix, movies: Matrix, prior: Matrix) -> Matrix:
    shares = (by_genre + PRIOR_MOVIES * prior) / (movies + PRIOR_MOVIES)
    return np.log(shares) - np.log(prior)


def _tokenize_plots(movies: Movies) -> list[list[str]]:
    analyze = CountVectorizer(strip_accents="unicode", token_pattern=r"\w+").build_analyzer()
    return [analyze(plot) for plot in movies[raw.PLOT]]


def _fit_glove(plots: list[list[str]]) -> tuple[Mapping[str, int], Matrix]:
    words = sorted({word for plot in plots for word in plot})
    vectors, known = look_up_glove(words, len(words), SEED)
    return {word: row for row, word in enumerate(words) if known[row]}, vectors


def _fit_word2vec(plots: list[list[str]]) -> tuple[Mapping[str, int], Matrix]:
    model = Word2Vec(
        plots, vector_size=150, window=5, min_count=3, sg=1, epochs=8, seed=SEED, workers=1
    )
    return model.wv.key_to_index, model.wv.vectors


def _pool_vectors(plots: list[list[str]], rows: Mapping[str, int], vectors: Matrix) -> Matrix:
    """Return mean and maximum of a plot's word vectors; float32 [plots, 2 * dimensions]."""
    result = np.zeros((len(plots), 2 * vectors.shape[1]), np.float32)
    for row, plot in enumerate(plots):
        if indices := [rows[word] for word in plot if word in rows]:
            of_plot = vectors[indices]
            result[row] = np.hstack([of_plot.mean(axis=0), of_plot.max(axis=0)])
    return result


@cache
def _sentence_encoder() -> tuple[TitlePlotTokenizer, SentenceVectorStore]:
    """Return MiniLM with all its layers and its published weights."""
    hparams = HParams(encoder_layers=MINILM.num_layers, finetuned_layers=0, precision="float32")
    return TitlePlotTokenizer(), SentenceVectorStore(None, hparams)


def _encode_sentences(plots: Any, _weights: bytes) -> Matrix:
    """Return the sentence encoder's vectors of plots; float32 [plots, 384]."""
    tokenizer, store = _sentence_encoder()
    one = tf.ones([len(plots), 1], tf.int64)
    words = basic_tokenize(tf.constant(plots.tolist()))
    ids = tokenizer.tokenizer.tokenize(words)[:, : MAX_PIECES - 2]
    pieces = tf.concat([one * tokenizer.begin_id, ids, one * tokenizer.end_id], axis=1)
    # The vectors of a lower layer come first and are not used here.
    return store.encode(tf.cast(pieces, tf.int32))[:, -MINILM.dimensions :].astype(np.float32)


def feature_sets() -> dict[str, FeatureSet]:
    """Return all feature sets by name, not yet fitted."""
    tfidf = partial(TfidfVectorizer, dtype=np.float32)
    text_tfidf = partial(tfidf, sublinear_tf=True, strip_accents="unicode")
    svd = partial(CappedSVD, n_iter=3, random_state=SEED)
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False, dtype=np.float32)
    plots, titles, identity = itemgetter(raw.PLOT), itemgetter(raw.TITLE), FunctionTransformer()
    characters = text_tfidf(analyzer="char_wb", ngram_range=(3, 5), min_df=10, max_features=100_000)
    scaled = [
        FunctionTransformer(_log_votes),
        StandardScaler(),
        FunctionTransformer(_clip_with_indicators),
    ]
    encoders = [*map(PeopleTargetEncoder, raw.PEOPLE), PeopleTargetEncoder(raw.CAST, TOP_BILLED)]
    return {
        "constant": (lambda movies: np.ones((len(movies), 1), np.float32), identity),
        "glove": (_tokenize_plots, FittedTransformer(_fit_glove, _pool_vectors)),
        "word2vec": (_tokenize_plots, FittedTransformer(_fit_word2vec, _pool_vectors)),
        "sentences": (
            plots,
            FittedTransformer(lambda _plots: (MINILM.read_weights_file(),), _encode_sentences),
        ),
        "plot words": (plots, text_tfidf(ngram_range=(1, 2), min_df=3, max_features=150_000)),
        "plot characters": (plots, characters),
        "plot SVD": ("plot words", svd(256)),
        "title words": (titles, text_tfidf(min_df=3)),
        "title SVD": ("title words", svd(64)),
        "hashed people": (
            names_by_role,
            make_pipeline(hasher, FunctionTransformer(_to_indicators)),
        ),
        # Only names of at least two movies are kept, weighted by inverse document frequency.
        "people TF-IDF": (names_by_role, tfidf(analyzer=list, min_df=2, norm=None)),
        "people SVD": ("people TF-IDF", svd(128)),
        "people target encoding": (lambda movies: movies, make_union(*encoders)),
        "credit counts": (_credit_counts, identity),
        "numbers": (_read_numbers, make_pipeline(*scaled)),
        "binned numbers": (_read_numbers, FittedTransformer(_fit_bin_edges, _to_bins)),
    }
