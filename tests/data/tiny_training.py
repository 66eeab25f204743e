"""What the Trainer gets, made from small made-up movies without a pipeline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils
from tfx import v1 as tfx

from schema import features as raw
from tests.data.tiny_movies import Row, movies
from transform import features as xf
from transform.preprocessing import preprocessing_fn

TYPES = {
    name: tf.float32 if name == raw.RATING else tf.int64 if name in raw.NUMBERS else tf.string
    for name in raw.CSV_COLUMNS
}
SPEC = {name: tf.io.VarLenFeature(dtype) for name, dtype in TYPES.items()}

MOVIES = {"train": movies(160, seed=1), "eval": movies(60, seed=2)}

SHIPPED_BUT_SMALL: dict[str, Any] = {
    "word_encoder": "cnn_rnn",
    "sentence_encoder": "minilm",
    "encoder_layers": 1,
    "finetuned_layers": 1,
    "finetuning_epochs": 1,
    "filters": 4,
    "rnn_units": 4,
    "trees": 2,
    "hidden_units": 8,
    "batch_size": 64,
    "epochs": 2,
    "learning_rate": 0.005,
}
"""The encoders that ship, in a training that takes seconds; tests/data/tiny.yaml has the same."""


def trainer_arguments(
    folder: Path, movies: Mapping[str, Sequence[Row]] = MOVIES, **hparams: Any
) -> tfx.components.FnArgs:
    """Transform movies and make up word vectors.

    Args:
        folder: where everything is written.
        movies: rows of the splits `train` and `eval`.
        **hparams: hyperparameters of the training.

    Returns:
        What TFX's Trainer hands to `run_fn`.
    """
    graph = transformed(folder, movies)
    words = tft.TFTransformOutput(str(graph)).vocabulary_size_by_name(xf.PLOT_WORDS)
    vectors = np.random.default_rng(0).normal(size=(words + xf.NUM_OOV_BUCKETS, 6))
    np.save(folder / "vectors.npy", vectors.astype(np.float32))
    return tfx.components.FnArgs(
        train_files=[str(folder / "train*")],
        eval_files=[str(folder / "eval*")],
        transform_graph_path=str(graph),
        base_model=str(folder),
        serving_model_dir=str(folder / "model"),
        model_run_dir=str(folder / "run"),
        custom_config={"hparams": hparams, "sentence_store": str(folder / "sentences")},
    )


def transformed(folder: Path, movies: Mapping[str, Sequence[Row]]) -> Path:
    """Write the transformed movies of each split as the Transform component does.

    Returns:
        The folder of the transform graph.
    """
    graph = folder / "graph"
    schema = schema_utils.schema_from_feature_spec(SPEC)
    with tft_beam.Context(temp_dir=str(folder / "beam")):
        metadata = dataset_metadata.DatasetMetadata(schema)
        fitted = None
        for split, rows in movies.items():
            given = [{name: [row[name]] for name in SPEC if row[name] is not None} for row in rows]
            given = [{name: one.get(name, []) for name in SPEC} for one in given]
            if fitted is None:
                fitted = (given, metadata) | tft_beam.AnalyzeDataset(
                    lambda inputs: preprocessing_fn(inputs, {"transform": {"min_word_count": 2}})
                )
                fitted | tft_beam.WriteTransformFn(str(graph))
                metadata_io.write_metadata(metadata, str(graph / "metadata"))
            data, to = ((given, metadata), fitted) | tft_beam.TransformDataset()
            coder = tft.coders.ExampleProtoCoder(to.schema)
            options = tf.io.TFRecordOptions(compression_type="GZIP")
            with tf.io.TFRecordWriter(str(folder / f"{split}-0.gz"), options) as writer:
                for one in data:
                    writer.write(coder.encode(one))
    return graph
