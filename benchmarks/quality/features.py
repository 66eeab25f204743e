"""What the baselines read of a movie, each kind fitted on the training movies alone.

A recipe of `recipes` is fitted once and gives a matrix for each view. `Features` keeps what has
been computed, and how long each part took, so that many arms can share it and each is still charged
with all that it needs.
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

from benchmarks.quality.dataset import JUDGED, SEED, TRAINING, Movies, View, genres, people
from components.word_vectors.vectors import look_up_glove
from schema import features as raw
from trainer.data import TitlePlotTokenizer
from trainer.encoder.pretrained import MINILM
from trainer.encoder.sentence_vectors import SentenceVectorStore
from trainer.hparams import HParams
from transform.wordpiece import basic_tokenize

TOP_BILLED: Final = 3
FOLDS: Final = 5
NUMBER_CLASSES: Final = 12
PRIOR_MOVIES: Final = 2.0
"""Movies' worth of the genres' overall shares that is added to what each person's movies say."""

INDICATOR: Final = np.float32(0.3)
"""Value of an indicator of a name or of a number's class beside the TF-IDF of a linear model."""

MAX_PIECES: Final = 256
"""Word pieces of a plot that the sentence encoder reads, as its makers set it."""

Matrix = Any
"""float32 [movies, features], a NumPy array or a SciPy sparse matrix."""


Recipe = tuple[Callable[[Movies], Any] | str, Any]
"""What is read of the movies, or the name of another recipe, and what is fitted on it.

The latter is a transformer of scikit-learn's kind; its pickle is what a server would keep.
"""


class Cost(NamedTuple):
    """Seconds on the training movies, to fit and to apply; seconds on the test movies; bytes
    kept.
    """

    training: float
    predicting: float
    size: int


class Features:
    """Matrices by recipe and view, computed once.

    Attributes:
        views: the movies of each view.
        given: genres of the training movies, float32 [movies, 22].
    """

    def __init__(self, views: Mapping[View, Movies]) -> None:
        self.views = views
        self.given = genres(views[TRAINING]).astype(np.float32)
        self._recipes = recipes()
        self._matrices: dict[tuple[str, View], Matrix] = {}
        self._seconds: dict[tuple[str, View], float] = defaultdict(float)

    def get(self, name: str, view: View) -> Matrix:
        """The matrix of a recipe for a view."""
        if (name, view) not in self._matrices:
            if view != TRAINING:
                self.get(name, TRAINING)
            source, transformer = self._recipes[name]
            # Another recipe is charged for its own matrix, before the clock starts.
            matrix = self.get(source, view) if isinstance(source, str) else None
            started = time.monotonic()
            read = matrix if isinstance(source, str) else source(self.views[view])
            self._matrices[name, view] = (
                transformer.fit_transform(read, self.given)
                if view == TRAINING
                else transformer.transform(read)
            )
            self._seconds[name, view] = time.monotonic() - started
        return self._matrices[name, view]

    def costs(self, names: Iterable[str]) -> dict[str, Cost]:
        """What recipes and all that they read took, each without the others."""
        found = {}
        for name in names:
            source, transformer = self._recipes[name]
            training, predicting = (self._seconds[name, view] for view in (TRAINING, JUDGED))
            found[name] = Cost(training, predicting, len(pickle.dumps(transformer)))
            if isinstance(source, str):
                found |= self.costs([source])
        return found


class Learned:
    """A transformer made of two functions."""

    def __init__(self, learn: Callable[[Any], tuple[Any, ...]], apply: Callable[..., Any]) -> None:
        """Take what learns from the training movies, and what applies the results to any movies."""
        self.learn, self.apply = learn, apply

    def fit_transform(self, read: Any, _given: Matrix) -> Matrix:
        """Learn, and apply to the same movies."""
        self.kept = self.learn(read)
        return self.transform(read)

    def transform(self, read: Any) -> Matrix:
        """Apply."""
        return self.apply(read, *self.kept)

    def __getstate__(self) -> object:
        return self.kept


class Directions(TruncatedSVD):
    """The main directions of a sparse matrix, all of them where there are fewer than wanted."""

    def fit_transform(self, matrix: Matrix, _given: Matrix = None) -> Matrix:
        """Fit; float32 [movies, features] in, [movies, directions] out."""
        self.set_params(n_components=min(self.n_components, *matrix.shape))
        return super().fit_transform(matrix)


def names_by_role(movies: Movies) -> list[list[str]]:
    """Every credit of each movie as `role=name`."""
    roles = [
        [[f"{role}={name}" for name in names] for names in people(movies, role)]
        for role in raw.PEOPLE
    ]
    return [list(chain(*names)) for names in zip(*roles, strict=True)]


def _at_most_once(hashed: sp.csr_matrix) -> sp.csr_matrix:
    return hashed.minimum(1.0).tocsr() * INDICATOR


def _numbers(movies: Movies) -> npt.NDArray[np.float32]:
    """float32 [movies, 4], NaN where not known."""
    return np.stack([movies[name] for name in raw.NUMBERS], axis=1)


def _log_votes(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where(np.array(raw.NUMBERS) == raw.VOTES, np.log1p(numbers), numbers)


def _limited(scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Numbers, 0 where not known; and for each whether it is known."""
    return np.hstack([np.clip(np.nan_to_num(scaled), -4, 4), np.isfinite(scaled)], dtype=np.float32)


def _edges(numbers: npt.NDArray[np.float32]) -> tuple[list[npt.NDArray[np.float64]]]:
    """What divides each number into classes of like size."""
    shares = np.linspace(0, 1, NUMBER_CLASSES + 1)[1:-1]
    return ([np.unique(np.nanquantile(np.append(one, 0.0), shares)) for one in numbers.T],)


def _classes(
    numbers: npt.NDArray[np.float32], edges: Sequence[npt.NDArray[np.float64]]
) -> sp.csr_matrix:
    """Numbers as one of some classes each, for linear models; no class where not known."""
    classes = [
        np.eye(len(cuts) + 1)[np.searchsorted(cuts, one)] * np.isfinite(one)[:, np.newaxis]
        for one, cuts in zip(numbers.T, edges, strict=True)
    ]
    return sp.csr_matrix(np.hstack(classes), dtype=np.float32) * INDICATOR


def _credit_counts(movies: Movies) -> Matrix:
    """How many names each role has (log), and whether there is any."""
    counts = np.array([[len(names) for names in people(movies, role)] for role in raw.PEOPLE]).T
    return np.hstack([np.log1p(counts), counts > 0]).astype(np.float32)


class EncodedPeople:
    """What the other movies of a movie's people say about its genres, see `encode_people`."""

    def __init__(self, role: str, first: int | None = None) -> None:
        """Make the encoding of a role, or of the first few names of it alone."""
        self.role, self.first = role, first
        self.vectorizer = CountVectorizer(analyzer=list, binary=True, dtype=np.float32)

    def fit_transform(self, movies: Movies, given: Matrix) -> Matrix:
        """float32 [movies, 46], each movie by the movies of other folds, without its own genres."""
        self.given = given
        self.known = self.vectorizer.fit_transform(self._names(movies))
        fold = np.random.default_rng(SEED).integers(0, FOLDS, len(given))
        return encode_out_of_fold(self.known, given, fold)

    def transform(self, movies: Movies) -> Matrix:
        """float32 [movies, 46] of movies whose genres are not known."""
        return encode_people(self.vectorizer.transform(self._names(movies)), self.known, self.given)

    def _names(self, movies: Movies) -> list[list[str]]:
        return [names[: self.first] for names in people(movies, self.role)]

    def __getstate__(self) -> object:
        """The people alone count as what is kept."""
        return self.vectorizer


def encode_people(people: sp.csr_matrix, known: sp.csr_matrix, given: Matrix) -> Matrix:
    """How much more often than others the people of a movie make each genre.

    Args:
        people: 1.0 where a movie has a person, float32 [movies, persons].
        known: the same of movies whose genres are known, float32 [known movies, persons].
        given: their genres, float32 [known movies, 22].

    Returns:
        float32 [movies, 46]: by genre the mean over a movie's known people of the log of the lift
        of their share of the genre over the overall one, shares shrunk by `PRIOR_MOVIES`; then the
        same of the movies of all its people together; the number of known people (log), and that of
        their movies (log). All 0 for a movie without known people.
    """
    prior = given.mean(axis=0) + 1e-6
    by_genre = np.asarray(known.T @ given)
    movies = np.asarray(known.sum(axis=0)).ravel()
    seen = (movies > 0).astype(np.float32)
    lift = _log_lift(by_genre, movies[:, np.newaxis], prior) * seen[:, np.newaxis]
    count = np.asarray(people @ seen)[:, np.newaxis]
    mean = np.asarray(people @ lift) / np.maximum(count, 1)
    total = np.asarray(people @ movies)[:, np.newaxis]
    pooled = _log_lift(np.asarray(people @ by_genre), total, prior)
    return np.hstack([mean, pooled, np.log1p(count), np.log1p(total)]).astype(np.float32)


def encode_out_of_fold(people: sp.csr_matrix, given: Matrix, fold: Matrix) -> Matrix:
    """`encode_people` for movies whose genres are known, each by the movies of other folds.

    Nothing of a movie's own genres is in its row; float32 [movies, 46].
    """
    result = np.zeros((len(given), 2 * given.shape[1] + 2), np.float32)
    for one in np.unique(fold):
        inside, outside = fold == one, fold != one
        result[inside] = encode_people(people[inside], people[outside], given[outside])
    return result


def _log_lift(by_genre: Matrix, movies: Matrix, prior: Matrix) -> Matrix:
    shares = (by_genre + PRIOR_MOVIES * prior) / (movies + PRIOR_MOVIES)
    return np.log(shares) - np.log(prior)


def _plot_words(movies: Movies) -> list[list[str]]:
    analyze = CountVectorizer(strip_accents="unicode", token_pattern=r"\w+").build_analyzer()
    return [analyze(plot) for plot in movies[raw.PLOT]]


def _glove(plots: list[list[str]]) -> tuple[Mapping[str, int], Matrix]:
    words = sorted({word for plot in plots for word in plot})
    vectors, known = look_up_glove(words, len(words), SEED)
    return {word: row for row, word in enumerate(words) if known[row]}, vectors


def _word2vec(plots: list[list[str]]) -> tuple[Mapping[str, int], Matrix]:
    model = Word2Vec(
        plots, vector_size=150, window=5, min_count=3, sg=1, epochs=8, seed=SEED, workers=1
    )
    return model.wv.key_to_index, model.wv.vectors


def _pooled(plots: list[list[str]], rows: Mapping[str, int], vectors: Matrix) -> Matrix:
    """Mean and maximum over a plot's words; float32 [plots, 2 * dimensions]."""
    result = np.zeros((len(plots), 2 * vectors.shape[1]), np.float32)
    for row, plot in enumerate(plots):
        if found := [rows[word] for word in plot if word in rows]:
            result[row] = np.hstack([vectors[found].mean(axis=0), vectors[found].max(axis=0)])
    return result


@cache
def _encoder() -> tuple[TitlePlotTokenizer, SentenceVectorStore]:
    """MiniLM with all its layers, as its makers trained it."""
    hparams = HParams(encoder_layers=MINILM.num_layers, finetuned_layers=0, precision="float32")
    return TitlePlotTokenizer(), SentenceVectorStore(None, hparams)


def _sentences(plots: Any, _weights: bytes) -> Matrix:
    """The encoder's vectors of plots; float32 [plots, 384]."""
    read, store = _encoder()
    one = tf.ones([len(plots), 1], tf.int64)
    ids = read.tokenizer.tokenize(basic_tokenize(tf.constant(plots.tolist())))[:, : MAX_PIECES - 2]
    whole = tf.concat([one * read.begin_id, ids, one * read.end_id], axis=1)
    # The store puts the vectors of a lower layer first.
    return store.encode(tf.cast(whole, tf.int32))[:, -MINILM.dimensions :].astype(np.float32)


def recipes() -> dict[str, Recipe]:
    """All recipes by name, none of them fitted yet."""
    tfidf = partial(TfidfVectorizer, dtype=np.float32)
    of_text = partial(tfidf, sublinear_tf=True, strip_accents="unicode")
    directions = partial(Directions, n_iter=3, random_state=SEED)
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False, dtype=np.float32)
    plots, titles, as_it_is = itemgetter(raw.PLOT), itemgetter(raw.TITLE), FunctionTransformer()
    characters = of_text(analyzer="char_wb", ngram_range=(3, 5), min_df=10, max_features=100_000)
    scaled = [FunctionTransformer(_log_votes), StandardScaler(), FunctionTransformer(_limited)]
    encoded = [*map(EncodedPeople, raw.PEOPLE), EncodedPeople(raw.CAST, TOP_BILLED)]
    return {
        "constant": (lambda movies: np.ones((len(movies), 1), np.float32), as_it_is),
        "glove": (_plot_words, Learned(_glove, _pooled)),
        "word2vec": (_plot_words, Learned(_word2vec, _pooled)),
        "sentences": (plots, Learned(lambda _plots: (MINILM.read_weights_file(),), _sentences)),
        "plot words": (plots, of_text(ngram_range=(1, 2), min_df=3, max_features=150_000)),
        "plot characters": (plots, characters),
        "plot directions": ("plot words", directions(256)),
        "title words": (titles, of_text(min_df=3)),
        "title directions": ("title words", directions(64)),
        "hashed people": (names_by_role, make_pipeline(hasher, FunctionTransformer(_at_most_once))),
        # Names that two movies share, each by its inverse document frequency.
        "weighted people": (names_by_role, tfidf(analyzer=list, min_df=2, norm=None)),
        "people directions": ("weighted people", directions(128)),
        "encoded people": (lambda movies: movies, make_union(*encoded)),
        "credit counts": (_credit_counts, as_it_is),
        "numbers": (_numbers, make_pipeline(*scaled)),
        "number classes": (_numbers, Learned(_edges, _classes)),
    }
