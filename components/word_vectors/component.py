"""Makes vectors for the words of the plots.

No TFX component makes word vectors. `WordVectors` runs after Transform, whose vocabulary of plot
words gives the rows their order, and hands the vectors on as a Model, so that the stock Trainer and
Tuner take it as `base_model`.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_transform as tft
from absl import logging
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components import examples as example_files
from components.word_vectors.vectors import Vectors, from_glove, from_plots
from schema.names import WORD_VECTORS_FILE, WORD_VECTORS_INFO_FILE, Split
from transform import features as xf


@component
def WordVectors(  # noqa: N802 (TFX names the node after the function)
    transform_graph: InputArtifact[standard_artifacts.TransformGraph],
    examples: InputArtifact[standard_artifacts.Examples],
    model: OutputArtifact[standard_artifacts.Model],
    source: Parameter[str] = "glove",
    dimensions: Parameter[int] = 100,
    epochs: Parameter[int] = 5,
    seed: Parameter[int] = 1,
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
) -> None:
    """Make the vectors and write them where the Trainer looks for a base model.

    Args:
        transform_graph: for its vocabulary of plot words.
        examples: transformed examples; only the split `train` is read.
        model: output: `vectors.npy` and `info.json`; read them with `load(fn_args.base_model)`.
        source: `glove` (50 dimensions) or `word2vec`.
        dimensions: length of Word2Vec's vectors.
        epochs: passes of Word2Vec's training over the plots.
        seed: of whatever is random.
        code_fingerprint: hash of the node's sources; part of the cache key only.

    Raises:
        UserError: there are too few plots, or GloVe is not installed.
        ValueError: the source is not known.
    """
    started = time.monotonic()
    transform = tft.TFTransformOutput(transform_graph.uri)
    words = [word.decode("utf-8") for word in transform.vocabulary_by_name(xf.PLOT_WORDS)]
    num_ids = len(words) + xf.OOV_BUCKETS
    plots = example_files.id_lists(examples, Split.TRAIN, xf.PLOT_WORDS)
    if source == "glove":
        vectors, known = from_glove(words, num_ids, seed)
    elif source == "word2vec":
        vectors, known = from_plots(plots.to_list(), num_ids, dimensions, epochs, seed)
    else:
        raise ValueError(f"source must be glove or word2vec. Received: {source!r}")

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
    folder = Path(path_utils.serving_model_dir(model.uri))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / WORD_VECTORS_FILE, vectors)
    (folder / WORD_VECTORS_INFO_FILE).write_text(
        json.dumps(info, indent=2) + "\n", encoding="utf-8"
    )
    logging.info("Word vectors: %s", info)


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
    info = json.loads((folder / WORD_VECTORS_INFO_FILE).read_text(encoding="utf-8"))
    return np.load(folder / WORD_VECTORS_FILE), info


def _share(chosen: npt.NDArray[np.bool_], weights: npt.NDArray[np.int64]) -> float:
    """Share of the weight that is on the chosen ones; 0 where there is no weight at all."""
    total = int(weights.sum())
    return round(float(weights[chosen].sum()) / total, 6) if total else 0.0
