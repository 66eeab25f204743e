"""Warm-up requests, which a server runs before it serves a version.

TensorFlow Serving reads them from the SavedModel. They make the first real request fast: the first
call of a graph is many times as slow as later calls, because TensorFlow then plans its execution.
"""

import math
from pathlib import Path
from typing import Final

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from schema import features as raw
from schema.examples import serialize
from schema.names import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, SERVING_SIGNATURE, WARMUP_FILE

_MOVIE: Final[dict[str, str | float]] = {
    raw.TITLE: "The Long Ford",
    raw.PLOT: "A retired gunman rides into a mining town to find the men who burned his ranch.",
    raw.YEAR: 1957,
    raw.RUNTIME: 94,
    raw.RATING: 6.4,
    raw.VOTES: 1200,
    raw.DIRECTORS: "A Director",
    raw.WRITERS: "A Writer|Another Writer",
    raw.CAST: "An Actor|Another Actor",
}


def write(directory: Path) -> Path:
    """Write the warm-up file of a SavedModel, a TFRecord file of PredictionLogs.

    Args:
        directory: Directory of the SavedModel.

    Returns:
        The path of the file.
    """
    file = directory / WARMUP_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for rows in (1, 8):
            named_inputs = {
                name: tf.constant([_MOVIE.get(name, math.nan)] * rows, tf.float32)
                if name in raw.NUMBERS
                else tf.constant([_MOVIE.get(name, "")] * rows)
                for name in raw.MODEL_INPUTS
            }
            for signature, inputs in (
                (SERVING_SIGNATURE, named_inputs),
                (EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: tf.constant([serialize(_MOVIE)] * rows)}),
            ):
                # The model's name is left out, because it is only known to the server.
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.signature_name = signature
                for name, values in inputs.items():
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
                writer.write(log.SerializeToString(deterministic=True))
    return file
