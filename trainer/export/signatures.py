"""The SavedModel: what it answers to, and how it is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from schema import features as raw
from schema import names
from schema.genres import GENRES
from trainer.data import PIECES, TextPieces, input_names, model_inputs
from trainer.encoder.sentence import SentenceEncoder
from trainer.ensemble.network import SENTENCE
from trainer.ensemble.thresholds import Decisions, pattern_of
from trainer.export import warmup
from trainer.features.network import TABLE
from transform import features as xf

Tensors = dict[str, tf.Tensor]


def export(
    features: keras.Model,
    encoder: SentenceEncoder | None,
    members: keras.Model,
    decisions: Decisions,
    tft_output: tft.TFTransformOutput,
    directory: Path,
) -> None:
    """Write a SavedModel with everything from raw features to decisions in it.

    Its signatures, with their inputs and outputs, are listed in docs/signatures.md. Inputs of
    different lengths are an InvalidArgumentError, unless those of one value say `not known`.

    `features` is the network from ids to features; `encoder` is None if there is none.
    """
    transform = tft_output.transform_features_layer()
    raw_spec = tft_output.raw_feature_spec()
    pieces = TextPieces() if encoder else None
    input_spec = {name: raw_spec[name] for name in raw.MODEL_INPUTS}

    def decide(transformed: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = model_inputs(transformed, pieces)
        inputs[TABLE] = tf.zeros_like(inputs[xf.PLOT_WORDS][:, :1])
        inputs |= features({name: inputs[name] for name in input_names(features)}, training=False)
        if encoder:
            inputs[SENTENCE] = encoder(inputs[PIECES])
        logits = members({name: inputs[name] for name in input_names(members)}, training=False)
        return decisions.margins(logits, pattern_of(inputs))

    def answer(given: dict[str, Any]) -> Tensors:
        probabilities, margin = decide(transform(given))
        return {
            names.GENRES_OUTPUT: tf.tile(tf.constant([GENRES]), [tf.shape(probabilities)[0], 1]),
            names.PROBABILITIES_OUTPUT: probabilities,
            names.PREDICTED_OUTPUT: margin >= 0,
        }

    def evaluate(given: dict[str, Any]) -> Tensors:
        transformed = transform(given)
        probabilities, margin = decide(transformed)
        # A margin of 0 is a decision for the genre, and the Evaluator asks for more than one half.
        scores = tf.sigmoid(margin)
        scores = tf.where(margin >= 0, tf.maximum(scores, 0.5 + 1e-6), scores)
        return {
            names.SCORES_OUTPUT: scores,
            names.PROBABILITIES_OUTPUT: probabilities,
            xf.LABEL: transformed[xf.LABEL],
            **{name: tf.reshape(transformed[name], [-1]) for name in xf.SLICE_KEYS},
        }

    archive = keras.export.ExportArchive()
    # For their tables of words alone: variables are found through the endpoints, and to track their
    # layers as well would save each of them twice.
    archive.track(transform)
    if pieces:
        archive.track(pieces)
    named = [
        tf.TensorSpec([None], tf.float32 if name in raw.NUMBERS else tf.string, name=name)
        for name in raw.MODEL_INPUTS
    ]
    archive.add_endpoint(names.SERVING_SIGNATURE, _named(answer), named)
    for name, function, spec in (
        (names.EXAMPLES_SIGNATURE, answer, input_spec),
        (names.EVALUATE_SIGNATURE, evaluate, raw_spec),
        (names.TRANSFORM_SIGNATURE, transform, raw_spec),
    ):
        signature = [tf.TensorSpec([None], tf.string, name=names.EXAMPLES_INPUT)]
        archive.add_endpoint(name, _of_examples(function, spec), signature)
    archive.write_out(str(directory), verbose=False)
    warmup.write(directory)


def _of_examples(
    function: Callable[[dict[str, Any]], Tensors], spec: dict[str, Any]
) -> Callable[[tf.Tensor], Tensors]:
    return lambda examples: function(tf.io.parse_example(examples, spec))


def _named(answer: Callable[[dict[str, Any]], Tensors]) -> Callable[..., Tensors]:
    """The answer as a function of named features, each with a default of one value for all rows."""
    unknown_text, unknown_number = tf.constant([""]), tf.constant([float("nan")])

    # A signature takes its names and defaults from the parameters of the function itself, which are
    # in the order of `MODEL_INPUTS`.
    def serve(
        plot: tf.Tensor = unknown_text,
        title: tf.Tensor = unknown_text,
        year: tf.Tensor = unknown_number,
        runtime_minutes: tf.Tensor = unknown_number,
        average_rating: tf.Tensor = unknown_number,
        num_votes: tf.Tensor = unknown_number,
        directors: tf.Tensor = unknown_text,
        writers: tf.Tensor = unknown_text,
        cast: tf.Tensor = unknown_text,
    ) -> Tensors:
        numbers = year, runtime_minutes, average_rating, num_votes
        values = plot, title, *numbers, directors, writers, cast
        given = _same_length(dict(zip(raw.MODEL_INPUTS, values, strict=True)))
        return answer({name: _optional(name, value) for name, value in given.items()})

    return serve


def _same_length(given: Tensors) -> Tensors:
    """The inputs, string or float32 [N] or [1] by name, with one value for each row.

    Lengths that differ are an InvalidArgumentError when the graph runs, but for inputs of one value
    that means `not known`.
    """
    sizes = tf.stack([tf.size(value) for value in given.values()])
    rows = tf.reduce_max(sizes)
    unknown = tf.stack([tf.reduce_all(~_is_known(value)) for value in given.values()])
    fits = (sizes == rows) | ((sizes == 1) & unknown)
    message = f"The inputs {', '.join(given)} must have one value for each row. Number of values:"
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(fits), [message, sizes], 16)]):
        return {name: tf.broadcast_to(value, [rows]) for name, value in given.items()}


def _is_known(value: tf.Tensor) -> tf.Tensor:
    if value.dtype == tf.string:
        return tf.strings.length(value) > 0
    return tf.math.is_finite(value) & (value > 0)


def _optional(name: str, value: tf.Tensor) -> tf.SparseTensor:
    """A dense column as the optional feature that Transform was traced with."""
    known = _is_known(value)
    if name in raw.NUMBERS and name != raw.RATING:
        value = tf.cast(tf.round(tf.where(known, value, 1.0)), tf.int64)
    rows = tf.where(known)
    return tf.SparseTensor(
        tf.pad(rows, [[0, 0], [0, 1]]),
        tf.boolean_mask(value, known),
        tf.stack([tf.size(value, tf.int64), tf.constant(1, tf.int64)]),
    )
