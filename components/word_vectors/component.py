"""Makes vectors for the words of the plots.

No TFX component makes word vectors. `WordVectors` runs after Transform, whose vocabulary of plot
words gives the rows their order, and hands the vectors on as a Model, so that the stock Trainer and
Tuner take it as `base_model`.
"""

import json
import time
from pathlib import Path

import numpy as np
import tensorflow_transform as tft
from absl import logging
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components import examples as example_files
from components.word_vectors.vectors import from_glove, from_plots
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
        model: output: `vectors.npy`, float32 [ids, dimensions], row i that of id i in the feature
            `plot_words`; and `info.json`, which says how they were made.
        source: `glove` (50 dimensions) or `word2vec`.
        dimensions: length of Word2Vec's vectors.
        epochs: number of epochs of Word2Vec's training.
        seed: of whatever is random.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        UserError: there are too few plots, or GloVe is not installed.
    """
    started = time.monotonic()
    transform = tft.TFTransformOutput(transform_graph.uri)
    words = [word.decode("utf-8") for word in transform.vocabulary_by_name(xf.PLOT_WORDS)]
    num_ids = len(words) + xf.NUM_OOV_BUCKETS
    plots = example_files.id_lists(examples, Split.TRAIN, xf.PLOT_WORDS)
    if source == "glove":
        vectors, known = from_glove(words, num_ids, seed)
    else:
        vectors, known = from_plots(plots.to_list(), num_ids, dimensions, epochs, seed)

    counts = np.bincount(plots.flat_values.numpy(), minlength=num_ids)
    has_vector = known[: len(words)]
    running = counts[: len(words)] @ has_vector
    info = {
        "source": source,
        "dimensions": int(vectors.shape[1]),
        "seed": seed,
        "words": len(words),
        "coverage": {
            "vocabulary": round(float(has_vector.sum() / max(len(words), 1)), 6),
            "running_words": round(float(running / max(counts.sum(), 1)), 6),
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
