"""What the baselines read of a film, each kind fitted on the training films alone.

A recipe of `RECIPES` is fitted once and gives a matrix for each view (a split and what is known of
its films). `Features` keeps what has been computed, and how long each part took, so that many arms
can share it and each is still charged with all that it needs.
"""

import hashlib
import pickle
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import tensorflow as tf
from gensim.models import Word2Vec
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from benchmarks.quality.films import ALL_FIELDS, Films
from components.word_vectors.vectors import from_glove
from schema import features as raw
from schema.genres import NUM_GENRES
from schema.names import Split
from trainer.encoder.pretrained import MINILM
from trainer.encoder.sentence import SentenceEncoder
from transform import minilm, wordpiece

View = tuple[str, str]
"""A split, and what is known of its films."""

TRAINING: Final[View] = (Split.TRAIN, ALL_FIELDS)
JUDGED: Final[View] = (Split.TEST, ALL_FIELDS)

TOP_BILLED: Final = 3
FOLDS: Final = 5
PRIOR_FILMS: Final = 2.0
"""Films' worth of the genres' overall shares that is added to what each person's films say."""

MAX_PIECES: Final = 256
"""Word pieces of a plot that the sentence encoder reads, as its makers set it."""

Matrix = Any
"""float32 [films, features], a NumPy array or a SciPy sparse matrix."""


@dataclass(frozen=True)
class Fitted:
    """Features after fitting.

    Attributes:
        matrix: of a view.
        kept: what a server would have to keep, to be measured by its pickle.
        training: the matrix of the training films, where fitting gave it.
    """

    matrix: Callable[[View], Matrix]
    kept: object
    training: Matrix | None = None


@dataclass(frozen=True)
class Cost:
    """What a part of an arm takes.

    Attributes:
        training: seconds on the training films, to fit and to apply.
        predicting: seconds for the test films with all fields.
        size: bytes to keep.
    """

    training: float
    predicting: float
    size: int


class Features:
    """Matrices by recipe and view, computed once.

    Attributes:
        views: the films of each view.
        given: genres of the training films, float32 [films, 22].
        sentences: what encodes the plots.
        seed: of everything random.
    """

    def __init__(self, views: Mapping[View, Films], sentences: "Sentences", seed: int) -> None:
        self.views = views
        self.given = views[TRAINING].labels.astype(np.float32)
        self.sentences = sentences
        self.seed = seed
        self._fitted: dict[str, Fitted] = {}
        self._matrices: dict[tuple[str, View], Matrix] = {}
        self._seconds: dict[tuple[str, View], float] = defaultdict(float)
        self._needs: dict[str, set[str]] = defaultdict(set)
        self._running: list[tuple[str, View]] = []
        self._since = 0.0

    def get(self, name: str, view: View) -> Matrix:
        """The matrix of a recipe of `RECIPES` for a view."""
        if self._running:
            self._needs[self._running[-1][0]].add(name)
        if name not in self._fitted:
            with self._charged(name, TRAINING):
                fitted = self._fitted[name] = RECIPES[name](self)
            if fitted.training is not None:
                self._matrices[name, TRAINING] = fitted.training
        if (name, view) not in self._matrices:
            with self._charged(name, view):
                self._matrices[name, view] = self._fitted[name].matrix(view)
        return self._matrices[name, view]

    def charge(self, name: str, view: View, seconds: float) -> None:
        """Count seconds that went by in an earlier process, whose result was kept."""
        self._seconds[name, view] += seconds

    def costs(self, names: Sequence[str]) -> dict[str, Cost]:
        """What recipes and all that they need took, each without the others."""
        found: dict[str, Cost] = {}
        waiting = list(names)
        while waiting:
            if (name := waiting.pop()) not in found:
                found[name] = Cost(
                    self._seconds[name, TRAINING],
                    self._seconds[name, JUDGED],
                    len(pickle.dumps(self._fitted[name].kept)),
                )
                waiting.extend(self._needs[name])
        return found

    @contextmanager
    def _charged(self, name: str, view: View) -> Iterator[None]:
        """Time the block, without what it asks of other recipes."""
        now = time.monotonic()
        if self._running:
            self._seconds[self._running[-1]] += now - self._since
        self._running.append((name, view))
        self._since = now
        try:
            yield
        finally:
            now = time.monotonic()
            self._seconds[self._running.pop()] += now - self._since
            self._since = now


def names_by_role(films: Films) -> list[list[str]]:
    """Every credit of each film as `role=name`."""
    rows: list[list[str]] = [[] for _ in range(len(films))]
    for role in raw.PEOPLE:
        for row, names in zip(rows, films.people(role), strict=True):
            row.extend(f"{role}={name}" for name in names)
    return rows


def _as_is(tokens: list[str]) -> list[str]:
    return tokens


def _texts_recipe(field: str, **settings: Any) -> Callable[[Features], Fitted]:
    """TF-IDF of a text field."""

    def fit(features: Features) -> Fitted:
        vectorizer = TfidfVectorizer(
            sublinear_tf=True, strip_accents="unicode", dtype=np.float32, **settings
        )
        train = vectorizer.fit_transform(features.views[TRAINING][field])
        return Fitted(
            lambda view: vectorizer.transform(features.views[view][field]), vectorizer, train
        )

    return fit


def _svd_recipe(source: str, dimensions: int) -> Callable[[Features], Fitted]:
    """A sparse recipe's main directions; zero rows stay zero."""

    def fit(features: Features) -> Fitted:
        matrix = features.get(source, TRAINING)
        svd = TruncatedSVD(
            min(dimensions, *matrix.shape), n_iter=3, random_state=features.seed
        ).fit(matrix)
        return Fitted(
            lambda view: svd.transform(features.get(source, view)).astype(np.float32), svd
        )

    return fit


def _hashed_people(features: Features) -> Fitted:
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False, dtype=np.float32)

    def matrix(view: View) -> Matrix:
        hashed = hasher.transform(names_by_role(features.views[view]))
        return hashed.minimum(1.0).tocsr() * np.float32(HASHED_WEIGHT)

    return Fitted(matrix, hasher)


HASHED_WEIGHT: Final = 0.3


def _weighted_people(features: Features) -> Fitted:
    """Names by role that two films share, each by its inverse document frequency."""
    vectorizer = TfidfVectorizer(analyzer=_as_is, min_df=2, norm=None, dtype=np.float32)
    vectorizer.fit(names_by_role(features.views[TRAINING]))
    return Fitted(
        lambda view: vectorizer.transform(names_by_role(features.views[view])),
        vectorizer,
    )


def _numbers(features: Features) -> Fitted:
    """Numbers scaled, 0 where not known; and for each whether it is known."""

    def values(view: View) -> npt.NDArray[np.float32]:
        columns = np.stack([features.views[view][name] for name in raw.NUMBERS], axis=1)
        votes = raw.NUMBERS.index(raw.VOTES)
        columns[:, votes] = np.log1p(columns[:, votes])
        return columns

    train = values(TRAINING)
    known = np.isfinite(train)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, train, 0).sum(axis=0) / count
    deviation = np.sqrt(np.square(np.where(known, train - mean, 0)).sum(axis=0) / count) + 1e-6

    def matrix(view: View) -> Matrix:
        scaled = np.clip((values(view) - mean) / deviation, -4, 4)
        there = np.isfinite(scaled)
        return np.hstack([np.where(there, scaled, 0), there]).astype(np.float32)

    return Fitted(matrix, (mean, deviation))


def _binned_numbers(features: Features) -> Fitted:
    """Numbers as one of some classes each, for linear models; no class where not known."""
    views = features.views
    edges = {
        name: np.unique(
            np.nanquantile(
                np.append(views[TRAINING][name], 0.0), np.linspace(0, 1, NUMBER_CLASSES + 1)[1:-1]
            )
        )
        for name in raw.NUMBERS
    }

    def matrix(view: View) -> Matrix:
        parts = []
        for name, cuts in edges.items():
            value = views[view][name]
            there = np.flatnonzero(np.isfinite(value))
            place = np.searchsorted(cuts, value[there])
            parts.append(
                sp.csr_matrix(
                    (np.full(len(there), 0.3, np.float32), (there, place)),
                    shape=(len(value), len(cuts) + 1),
                )
            )
        return sp.hstack(parts, format="csr")

    return Fitted(matrix, edges)


NUMBER_CLASSES: Final = 12


def _credit_counts(features: Features) -> Fitted:
    """How many names each role has (log), and whether there is any."""

    def matrix(view: View) -> Matrix:
        films = features.views[view]
        counts = np.array([[len(names) for names in films.people(role)] for role in raw.PEOPLE]).T
        return np.hstack([np.log1p(counts), counts > 0]).astype(np.float32)

    return Fitted(matrix, None)


def _encoded_people(features: Features) -> Fitted:
    """What the other films of a film's people say about its genres, see `encode_people`."""
    views, given = features.views, features.given
    fold = np.random.default_rng(features.seed).integers(0, FOLDS, len(given))
    kinds = [(role, None) for role in raw.PEOPLE] + [(raw.CAST, TOP_BILLED)]
    vectorizers = []
    for role, first in kinds:
        vectorizer = CountVectorizer(analyzer=_as_is, binary=True, dtype=np.float32)
        vectorizers.append(vectorizer.fit(_names(views[TRAINING], role, first)))

    def matrix(view: View) -> Matrix:
        parts = []
        for (role, first), vectorizer in zip(kinds, vectorizers, strict=True):
            theirs = vectorizer.transform(_names(views[view], role, first)).tocsr()
            if view == TRAINING:
                parts.append(encode_out_of_fold(theirs, given, fold))
            else:
                known = vectorizer.transform(_names(views[TRAINING], role, first)).tocsr()
                parts.append(encode_people(theirs, known, given))
        return np.hstack(parts)

    return Fitted(matrix, (vectorizers, NUM_GENRES * len(given)))


def _names(films: Films, role: str, first: int | None) -> list[list[str]]:
    # Without any name at all a vectorizer refuses: nobody's name is a blank.
    return [[" "], *[names[:first] for names in films.people(role)]][1:]


def encode_people(people: sp.csr_matrix, known: sp.csr_matrix, given: Matrix) -> Matrix:
    """How much more often than others the people of a film make each genre.

    Args:
        people: 1.0 where a film has a person, float32 [films, persons].
        known: the same of films whose genres are known, float32 [known films, persons].
        given: their genres, float32 [known films, 22].

    Returns:
        float32 [films, 46]: by genre the mean over a film's known people of the log of the lift of
        their share of the genre over the overall one, shares shrunk by `PRIOR_FILMS`; then the same
        of the films of all its people together; the number of known people (log), and that of their
        films (log). All 0 for a film without known people.
    """
    prior = given.mean(axis=0) + 1e-6
    genres = np.asarray(known.T @ given)
    films = np.asarray(known.sum(axis=0)).ravel()
    seen = (films > 0).astype(np.float32)
    lift = _log_lift(genres, films[:, np.newaxis], prior) * seen[:, np.newaxis]
    count = np.asarray(people @ seen)[:, np.newaxis]
    mean = np.asarray(people @ lift) / np.maximum(count, 1)
    total = np.asarray(people @ films)[:, np.newaxis]
    pooled = _log_lift(np.asarray(people @ genres), total, prior)
    return np.hstack([mean, pooled, np.log1p(count), np.log1p(total)]).astype(np.float32)


def encode_out_of_fold(people: sp.csr_matrix, given: Matrix, fold: Matrix) -> Matrix:
    """`encode_people` for the films whose genres are known, each by the films of other folds.

    Args:
        people: float32 [films, persons].
        given: genres of the same films, float32 [films, 22].
        fold: of each film, int [films].

    Returns:
        float32 [films, 46]; nothing of a film's own genres is in its row.
    """
    result = np.zeros((len(given), 2 * given.shape[1] + 2), np.float32)
    for one in np.unique(fold):
        inside, outside = fold == one, fold != one
        result[inside] = encode_people(people[inside], people[outside], given[outside])
    return result


def _log_lift(genres: Matrix, films: Matrix, prior: Matrix) -> Matrix:
    shares = (genres + PRIOR_FILMS * prior) / (films + PRIOR_FILMS)
    return np.log(shares) - np.log(prior)


def _plot_tokens(films: Films) -> list[list[str]]:
    analyze = CountVectorizer(strip_accents="unicode", token_pattern=r"\w+").build_analyzer()
    return [analyze(plot) for plot in films[raw.PLOT]]


def _pooled(plots: list[list[str]], rows: Mapping[str, int], vectors: Matrix) -> Matrix:
    """Mean and maximum over a plot's words; float32 [plots, 2 * dimensions]."""
    result = np.zeros((len(plots), 2 * vectors.shape[1]), np.float32)
    for row, plot in enumerate(plots):
        found = [rows[word] for word in plot if word in rows]
        if found:
            result[row] = np.hstack([vectors[found].mean(axis=0), vectors[found].max(axis=0)])
    return result


def _glove(features: Features) -> Fitted:
    train = _plot_tokens(features.views[TRAINING])
    words = sorted({word for plot in train for word in plot})
    vectors, known = from_glove(words, len(words), features.seed)
    rows = {word: row for row, word in enumerate(words) if known[row]}
    return Fitted(
        lambda view: _pooled(_plot_tokens(features.views[view]), rows, vectors), (rows, vectors)
    )


def _word2vec(features: Features) -> Fitted:
    model = Word2Vec(
        _plot_tokens(features.views[TRAINING]),
        vector_size=150,
        window=5,
        min_count=3,
        sg=1,
        epochs=8,
        seed=features.seed,
        workers=1,
    )
    rows, vectors = model.wv.key_to_index, model.wv.vectors
    return Fitted(
        lambda view: _pooled(_plot_tokens(features.views[view]), rows, vectors), (rows, vectors)
    )


def _sentences(features: Features) -> Fitted:
    def matrix(view: View) -> Matrix:
        vectors, seconds = features.sentences.encode(features.views[view][raw.PLOT].tolist())
        features.charge("sentences", view, seconds)
        return vectors

    return Fitted(matrix, minilm.read(minilm.WEIGHTS))


class Sentences:
    """MiniLM's vectors of texts; those once computed are kept in a folder."""

    BATCH: Final = 64
    CHUNK: Final = 4096
    """Texts after which the vectors are written down: an interruption loses no more."""

    def __init__(self, folder: Path, progress: Callable[[str], None]) -> None:
        """Read what is kept.

        Args:
            folder: where vectors are kept.
            progress: is told how far the work is.
        """
        self._file = folder / "sentences.npz"
        self._progress = progress
        self._known: dict[bytes, npt.NDArray[np.float16]] = {}
        self._each = 0.0
        if self._file.exists():
            with np.load(self._file) as kept:
                self._known = dict(
                    zip((key.tobytes() for key in kept["keys"]), kept["vectors"], strict=True)
                )
                self._each = float(kept["seconds_each"])

    def encode(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], float]:
        """The vectors of texts, float32 [texts, 384]; and the seconds that those kept had taken."""
        keys = [hashlib.sha256(text.encode()).digest()[:16] for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        kept = len(set(keys) - set(new))
        # Texts of like length side by side, or padding would double the work.
        waiting = sorted(new.items(), key=lambda item: len(item[1]))
        for start in range(0, len(waiting), self.CHUNK):
            self._progress(f"sentence {start:,} of {len(waiting):,}")
            self._compute(waiting[start : start + self.CHUNK])
        vectors = np.array([self._known[key] for key in keys], np.float32)
        return vectors.reshape(-1, MINILM.dimensions), kept * self._each

    def _compute(self, texts: Sequence[tuple[bytes, str]]) -> None:
        started = time.monotonic()
        run = self._encoder()
        for start in range(0, len(texts), self.BATCH):
            batch = texts[start : start + self.BATCH]
            found = run(tf.constant([text for _, text in batch])).numpy().astype(np.float16)
            self._known.update(zip((key for key, _ in batch), found, strict=True))
        before = (len(self._known) - len(texts)) * self._each
        self._each = (before + time.monotonic() - started) / len(self._known)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_suffix(".part.npz")
        np.savez(
            part,
            keys=np.array([np.frombuffer(key, np.uint8) for key in self._known]),
            vectors=np.array(list(self._known.values())),
            seconds_each=self._each,
        )
        part.replace(self._file)

    def _encoder(self) -> Callable[[tf.Tensor], tf.Tensor]:
        if not hasattr(self, "_run"):
            vocabulary = minilm.vocabulary()
            pieces = wordpiece.WordPieces(vocabulary)
            begin, end = (vocabulary.index(mark) for mark in (minilm.BEGIN, minilm.END))
            encoder = SentenceEncoder()

            @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
            def run(texts: tf.Tensor) -> tf.Tensor:
                ids = pieces.ids(wordpiece.basic_words(texts))[:, : MAX_PIECES - 2]
                edge = tf.ones([tf.size(texts), 1], tf.int64)
                whole = tf.concat([edge * begin, ids, edge * end], axis=1)
                return encoder(tf.cast(whole.to_tensor(), tf.int32))

            self._run = run
        return self._run


RECIPES: Final[Mapping[str, Callable[[Features], Fitted]]] = {
    "glove": _glove,
    "word2vec": _word2vec,
    "sentences": _sentences,
    "plot words": _texts_recipe(raw.PLOT, ngram_range=(1, 2), min_df=3, max_features=150_000),
    "plot characters": _texts_recipe(
        raw.PLOT, analyzer="char_wb", ngram_range=(3, 5), min_df=10, max_features=100_000
    ),
    "title words": _texts_recipe(raw.TITLE, min_df=3),
    "plot directions": _svd_recipe("plot words", 256),
    "title directions": _svd_recipe("title words", 64),
    "hashed people": _hashed_people,
    "weighted people": _weighted_people,
    "people directions": _svd_recipe("weighted people", 128),
    "encoded people": _encoded_people,
    "numbers": _numbers,
    "number classes": _binned_numbers,
    "credit counts": _credit_counts,
}
