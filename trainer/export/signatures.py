"""The signatures of the SavedModel, and its export."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from schema import features as raw
from schema import names
from trainer.data import PIECES, TitlePlotTokenizer, input_names, model_inputs
from trainer.encoder.sentence import SentenceEncoder
from trainer.ensemble.decision_rule import DecisionRule, missingness_patterns
from trainer.export import warmup
from trainer.features import fields
from trainer.features.extractor import FOLD
from transform import features as xf
from transform.language import Language

Tensors = dict[str, tf.Tensor]


def export(
    feature_extractor: keras.Model,
    encoder: SentenceEncoder | None,
    members: keras.Model,
    decision_rule: DecisionRule,
    genres: Sequence[str],
    familiar_languages: Sequence[Language],
    tft_output: tft.TFTransformOutput,
    directory: Path,
) -> None:
    """Write a SavedModel with the whole computation from raw features to predicted genres.

    docs/signatures.md lists its signatures. Inputs of different lengths raise an
    InvalidArgumentError, except an input of one value that means `unknown`.

    Args:
        feature_extractor: Network of `trainer.features.extractor.build`.
        encoder: Sentence encoder; None if the model has none.
        members: Model with both members.
        decision_rule: Decision rule of the members.
        genres: Names of the genres, in the order of the labels.
        familiar_languages: Languages of which the model has seen many plots.
        tft_output: Output of Transform.
        directory: Directory of the SavedModel.
    """
    transform = tft_output.transform_features_layer()
    raw_spec = tft_output.raw_feature_spec()
    tokenizer = TitlePlotTokenizer() if encoder else None
    input_spec = {name: raw_spec[name] for name in raw.MODEL_INPUTS}
    vocabulary_size = tft_output.vocabulary_size_by_name(xf.PLOT_WORDS)

    def predict(transformed: Tensors) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return probabilities, margins and thresholds, each [N, genres]."""
        inputs = model_inputs(transformed, tokenizer)
        inputs[FOLD] = tf.zeros_like(inputs[xf.PLOT_WORDS][:, :1])
        extractor_inputs = {name: inputs[name] for name in input_names(feature_extractor)}
        inputs |= feature_extractor(extractor_inputs, training=False)
        if encoder:
            inputs[fields.SENTENCE_VECTORS] = encoder(inputs[PIECES])
        logits = members({name: inputs[name] for name in input_names(members)}, training=False)
        patterns = missingness_patterns(inputs)
        probabilities, margins = decision_rule.apply(logits, patterns)
        return probabilities, margins, tf.gather(decision_rule.thresholds, patterns)

    def serve(raw_features: dict[str, Any]) -> Tensors:
        transformed = transform(raw_features)
        probabilities, margins, thresholds = predict(transformed)
        language = tf.reshape(transformed[xf.LANGUAGE], [-1, 1])
        return {
            names.GENRES_OUTPUT: tf.tile(tf.constant([genres]), [tf.shape(probabilities)[0], 1]),
            names.PROBABILITIES_OUTPUT: probabilities,
            names.PREDICTED_OUTPUT: margins >= 0,
            names.THRESHOLDS_OUTPUT: thresholds,
            names.UNFAMILIAR_OUTPUT: tf.reduce_all(language != familiar_languages, axis=1),
            names.KNOWN_WORDS_OUTPUT: _known_words(transformed[xf.PLOT_WORDS], vocabulary_size),
        }

    def evaluate(raw_features: dict[str, Any]) -> Tensors:
        transformed = transform(raw_features)
        probabilities, margins, _ = predict(transformed)
        # A margin of 0 predicts the genre, but the Evaluator requires a score above 0.5.
        scores = tf.sigmoid(margins)
        scores = tf.where(margins >= 0, tf.maximum(scores, 0.5 + 1e-6), scores)
        return {
            names.SCORES_OUTPUT: scores,
            names.PROBABILITIES_OUTPUT: probabilities,
            xf.LABEL: transformed[xf.LABEL],
            **{name: tf.reshape(transformed[name], [-1]) for name in xf.SLICE_KEYS},
        }

    archive = keras.export.ExportArchive()
    # Only lookup tables need tracking. Variables are found through the endpoints; to track their
    # layers as well would save each variable twice.
    archive.track(transform)
    if tokenizer:
        archive.track(tokenizer)
    named_inputs = [
        tf.TensorSpec([None], tf.float32 if name in raw.NUMBERS else tf.string, name=name)
        for name in raw.MODEL_INPUTS
    ]
    archive.add_endpoint(names.SERVING_SIGNATURE, _with_named_inputs(serve), named_inputs)
    for name, function, spec in (
        (names.EXAMPLES_SIGNATURE, serve, input_spec),
        (names.EVALUATE_SIGNATURE, evaluate, raw_spec),
        (names.TRANSFORM_SIGNATURE, transform, raw_spec),
    ):
        examples = [tf.TensorSpec([None], tf.string, name=names.EXAMPLES_INPUT)]
        archive.add_endpoint(name, _with_parsed_examples(function, spec), examples)
    archive.write_out(str(directory), verbose=False)
    warmup.write(directory)


def _known_words(word_ids: tf.SparseTensor, vocabulary_size: int) -> tf.Tensor:
    """Return the share of known words among the first words of each plot; 1 without words.

    Args:
        word_ids: int64 [N, longest]. Ids of words; those of unknown words follow the vocabulary.
        vocabulary_size: Integer. Number of words in the vocabulary.

    Returns:
        float32 [N].
    """
    num_rows = tf.cast(word_ids.dense_shape[0], tf.int32)
    rows, is_known = word_ids.indices[:, 0], word_ids.values < vocabulary_size
    known, total = (
        tf.math.unsorted_segment_sum(tf.cast(counted, tf.float32), rows, num_rows)
        for counted in (is_known, tf.ones_like(is_known))
    )
    return tf.where(total > 0, known / tf.maximum(total, 1.0), 1.0)


def _with_parsed_examples(
    function: Callable[[dict[str, Any]], Tensors], spec: dict[str, Any]
) -> Callable[[tf.Tensor], Tensors]:
    """Return a function of serialized examples from a function of raw features."""
    return lambda examples: function(tf.io.parse_example(examples, spec))


def _with_named_inputs(function: Callable[[dict[str, Any]], Tensors]) -> Callable[..., Tensors]:
    """Return a function of named inputs from a function of raw features.

    The default of each input is one value that means `unknown` for all rows.
    """
    unknown_text, unknown_number = tf.constant([""]), tf.constant([float("nan")])

    # The parameters, in the order of `MODEL_INPUTS`, give the signature its names and defaults.
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
        columns = _to_equal_lengths(dict(zip(raw.MODEL_INPUTS, values, strict=True)))
        return function({name: _to_sparse(name, column) for name, column in columns.items()})

    return serve


def _to_equal_lengths(columns: Tensors) -> Tensors:
    """Broadcast inputs of one value that means `unknown` to the number of rows.

    Other inputs of different lengths raise an InvalidArgumentError when the graph runs.

    Args:
        columns: string or float32 [N] or [1] by name.

    Returns:
        string or float32 [N] by name.
    """
    sizes = tf.stack([tf.size(column) for column in columns.values()])
    rows = tf.reduce_max(sizes)
    unknown = tf.stack([tf.reduce_all(~_is_known(column)) for column in columns.values()])
    valid = (sizes == rows) | ((sizes == 1) & unknown)
    message = f"The inputs {', '.join(columns)} must have one value for each row. Number of values:"
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(valid), [message, sizes], 16)]):
        return {name: tf.broadcast_to(column, [rows]) for name, column in columns.items()}


def _is_known(column: tf.Tensor) -> tf.Tensor:
    if column.dtype == tf.string:
        return tf.strings.length(column) > 0
    return tf.math.is_finite(column) & (column > 0)


def _to_sparse(name: str, column: tf.Tensor) -> tf.SparseTensor:
    """Convert a dense column, [N], to the sparse feature that Transform expects."""
    known = _is_known(column)
    if name in raw.NUMBERS and name != raw.RATING:
        column = tf.cast(tf.round(tf.where(known, column, 1.0)), tf.int64)
    rows = tf.where(known)
    return tf.SparseTensor(
        tf.pad(rows, [[0, 0], [0, 1]]),
        tf.boolean_mask(column, known),
        tf.stack([tf.size(column, tf.int64), tf.constant(1, tf.int64)]),
    )
