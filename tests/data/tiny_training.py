"""Inputs of the Trainer for fictional movies, made without a pipeline."""

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
from schema.genres import GENRES
from tests.data.tiny_movies import Row, make_movies
from transform import features as xf
from transform.preprocessing import preprocessing_fn

TYPES = {
    name: tf.int64 if name in (*raw.NUMBERS, raw.CORRECTED) else tf.string
    for name in raw.CSV_COLUMNS
} | {raw.RATING: tf.float32}
SPEC = {name: tf.io.VarLenFeature(dtype) for name, dtype in TYPES.items()}

MOVIES = {"train": make_movies(160, seed=1), "eval": make_movies(60, seed=2)}

TINY_HPARAMS: dict[str, Any] = {
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
"""Hyperparameters of a training that takes seconds. Identical to those of tests/data/tiny.yaml."""


def trainer_arguments(
    directory: Path,
    movies: Mapping[str, Sequence[Row]] = MOVIES,
    genres: Sequence[str] = GENRES,
    **hparams: Any,
) -> tfx.components.FnArgs:
    """Transform movies, write random word vectors, and return the arguments of `run_fn`.

    Args:
        directory: Path of the directory for all files.
        movies: Rows of the splits `train` and `eval`.
        genres: Names of the genres.
        **hparams: Hyperparameters.
    """
    graph = write_transformed(directory, movies, genres)
    vocabulary_size = tft.TFTransformOutput(str(graph)).vocabulary_size_by_name(xf.PLOT_WORDS)
    vectors = np.random.default_rng(0).normal(size=(vocabulary_size + xf.NUM_OOV_BUCKETS, 6))
    np.save(directory / "vectors.npy", vectors.astype(np.float32))
    return tfx.components.FnArgs(
        train_files=[str(directory / "train*")],
        eval_files=[str(directory / "eval*")],
        transform_graph_path=str(graph),
        base_model=str(directory),
        serving_model_dir=str(directory / "model"),
        model_run_dir=str(directory / "run"),
        custom_config={
            "genres": list(genres),
            "hparams": hparams,
            "sentence_store": str(directory / "sentences"),
        },
    )


def write_transformed(
    directory: Path, movies: Mapping[str, Sequence[Row]], genres: Sequence[str] = GENRES
) -> Path:
    """Write the transformed movies of each split, and return the path of the transform graph."""
    graph = directory / "graph"
    config = {"transform": {"min_word_count": 2}, "genres": list(genres)}
    schema = schema_utils.schema_from_feature_spec(SPEC)
    with tft_beam.Context(temp_dir=str(directory / "beam")):
        metadata = dataset_metadata.DatasetMetadata(schema)
        fitted = None
        for split, rows in movies.items():
            inputs = [
                {name: [] if row[name] is None else [row[name]] for name in SPEC} for row in rows
            ]
            if fitted is None:
                fitted = (inputs, metadata) | tft_beam.AnalyzeDataset(
                    lambda tensors: preprocessing_fn(tensors, config)
                )
                fitted | tft_beam.WriteTransformFn(str(graph))
                metadata_io.write_metadata(metadata, str(graph / "metadata"))
            examples, transformed_metadata = (
                (inputs, metadata),
                fitted,
            ) | tft_beam.TransformDataset()
            coder = tft.coders.ExampleProtoCoder(transformed_metadata.schema)
            options = tf.io.TFRecordOptions(compression_type="GZIP")
            with tf.io.TFRecordWriter(str(directory / f"{split}-0.gz"), options) as writer:
                for example in examples:
                    writer.write(coder.encode(example))
    return graph
