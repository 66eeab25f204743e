"""Create vectors of the words in plots.

TFX has no component for word vectors. `WordVectors` runs after Transform, whose vocabulary of plot
words determines the order of the vectors. Its output is a Model, so that the stock Trainer and
Tuner can read it as `base_model`.
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
from components.word_vectors.vectors import look_up_glove, train_word2vec
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
    """Create word vectors and write them as a base model for the Trainer.

    Args:
        transform_graph: Output of Transform, with the vocabulary of plot words.
        examples: Transformed examples; only the split `train` is read.
        model: Output with `vectors.npy`, float32 [ids, dimensions], whose row i is the vector of id
            i in the feature `plot_words`, and `info.json`, which describes how they were created.
        source: `glove`, with 50 dimensions, or `word2vec`.
        dimensions: Number of dimensions of Word2Vec's vectors.
        epochs: Number of epochs of Word2Vec's training.
        seed: Seed of random vectors and of Word2Vec's training.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        UserError: There are too few plots, or GloVe is not installed.
    """
    started = time.monotonic()
    transform = tft.TFTransformOutput(transform_graph.uri)
    words = [word.decode("utf-8") for word in transform.vocabulary_by_name(xf.PLOT_WORDS)]
    num_ids = len(words) + xf.NUM_OOV_BUCKETS
    plots = example_files.read_id_lists(examples, Split.TRAIN, xf.PLOT_WORDS)
    if source == "glove":
        vectors, known = look_up_glove(words, num_ids, seed)
    else:
        vectors, known = train_word2vec(plots.to_list(), num_ids, dimensions, epochs, seed)

    counts = np.bincount(plots.flat_values.numpy(), minlength=num_ids)
    has_vector = known[: len(words)]
    covered_words = counts[: len(words)] @ has_vector
    info = {
        "source": source,
        "dimensions": int(vectors.shape[1]),
        "seed": seed,
        "words": len(words),
        "coverage": {
            "vocabulary": round(float(has_vector.sum() / max(len(words), 1)), 6),
            "running_words": round(float(covered_words / max(counts.sum(), 1)), 6),
        },
        "seconds": round(time.monotonic() - started, 1),
    }
    directory = Path(path_utils.serving_model_dir(model.uri))
    directory.mkdir(parents=True, exist_ok=True)
    np.save(directory / WORD_VECTORS_FILE, vectors)
    (directory / WORD_VECTORS_INFO_FILE).write_text(
        json.dumps(info, indent=2) + "\n", encoding="utf-8"
    )
    logging.info("WordVectors: %s", info)
