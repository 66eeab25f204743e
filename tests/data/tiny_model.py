"""Small SavedModel with the signatures of the exported model, whose outputs tests can change."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from schema import features as raw
from schema import manifest
from schema.genres import GENRES
from schema.names import EXTRA_ASSETS, TRAINING_RECORD_FILE, VERDICT_FILE
from schema.verdict import Verdict

Tensors = dict[str, tf.Tensor]

SPECS = {
    name: tf.TensorSpec([None], tf.float32 if name in raw.NUMBERS else tf.string, name=name)
    for name in raw.MODEL_INPUTS
}
PARSED = {
    name: tf.io.VarLenFeature(
        tf.float32 if name == raw.RATING else tf.int64 if name in raw.NUMBERS else tf.string
    )
    for name in raw.MODEL_INPUTS
}


class TinyModel(tf.Module):
    """Model that computes probabilities from the lengths of texts, numbers and a known title."""

    def __init__(self, words: Path, genres: Sequence[str]) -> None:
        super().__init__()
        self.genres = tuple(genres)
        self.words = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                str(words),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        )
        size = (len(raw.MODEL_INPUTS) + 1, len(genres))
        self.weights = tf.Variable(np.random.default_rng(5).normal(size=size), dtype=tf.float32)

    def probabilities(self, features: Tensors) -> tf.Tensor:
        columns = [tf.cast(self.words.lookup(features[raw.TITLE]), tf.float32)]
        for name in raw.MODEL_INPUTS:
            value = features[name]
            if name in raw.NUMBERS:
                value = tf.cast(value, tf.float32)
                known = tf.math.is_finite(value) & (value > 0)
                columns.append(tf.math.log1p(tf.where(known, value, 0.0)) / 10)
            else:
                columns.append(tf.math.log1p(tf.cast(tf.strings.length(value), tf.float32)) / 10)
        return tf.sigmoid(tf.stack(columns, axis=1) @ self.weights)

    def predict(self, features: Tensors) -> Tensors:
        probabilities = self.probabilities(features)
        threshold = tf.minimum(0.5, tf.reduce_max(probabilities, axis=1, keepdims=True))
        return {
            "genres": tf.tile(tf.constant([self.genres]), [tf.shape(probabilities)[0], 1]),
            "probabilities": probabilities,
            "predicted": probabilities >= threshold,
            "thresholds": tf.fill(tf.shape(probabilities), 0.5),
            "unfamiliar_language": tf.strings.regex_full_match(features[raw.PLOT], r".*[^ -~].*"),
            "known_words": tf.ones_like(probabilities[:, 0]),
        }


def to_dense(values: tf.SparseTensor) -> tf.Tensor:
    """Return a dense tensor [rows]; a missing value becomes an empty text or 0."""
    column = tf.SparseTensor(values.indices, values.values, tf.stack([values.dense_shape[0], 1]))
    return tf.reshape(tf.sparse.to_dense(column), [-1])


OutputChange = Callable[[Tensors, Tensors], Tensors]
"""Function of the features and the correct outputs that returns the outputs of a signature."""


def unchanged(features: Tensors, outputs: Tensors) -> Tensors:
    """Return the correct outputs."""
    return outputs


def save_tiny_model(
    directory: Path,
    *,
    genres: Sequence[str] = GENRES,
    serving_default: OutputChange = unchanged,
    examples: OutputChange = unchanged,
    evaluate: OutputChange = unchanged,
    leave_out: str = "",
    number_default: float = float("nan"),
    has_defaults: bool = True,
) -> Path:
    """Save a tiny model.

    Args:
        directory: Path of the SavedModel. The vocabulary is written next to it.
        genres: Names of the genres, which the training record has too.
        serving_default: Change to the outputs of the signature `serving_default`.
        examples: Change to the outputs of the signature `examples`.
        evaluate: Change to the outputs of the signature `evaluate`.
        leave_out: Name of a signature that is not exported.
        number_default: Float. Default of the numeric inputs.
        has_defaults: Whether the inputs of `serving_default` have defaults.

    Returns:
        Path of the SavedModel.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    words = directory.with_suffix(".words")
    words.write_text("The Lighthouse\n")
    model = TinyModel(words, genres)
    text = tf.constant([""]) if has_defaults else tf.TensorSpec([None])
    number = tf.constant([number_default]) if has_defaults else tf.TensorSpec([None])

    def predict_columns(inputs: Tensors) -> Tensors:
        rows = tf.reduce_max(tf.stack([tf.size(value) for value in inputs.values()]))
        features = {name: tf.broadcast_to(value, [rows]) for name, value in inputs.items()}
        return serving_default(features, model.predict(features))

    @tf.function(input_signature=list(SPECS.values()))
    def with_defaults(
        plot: Any = text,
        title: Any = text,
        year: Any = number,
        runtime_minutes: Any = number,
        average_rating: Any = number,
        num_votes: Any = number,
        directors: Any = text,
        writers: Any = text,
        cast: Any = text,
    ) -> Tensors:
        values = (plot, title, year, runtime_minutes, average_rating, num_votes)
        return predict_columns(
            dict(zip(raw.MODEL_INPUTS, (*values, directors, writers, cast), strict=True))
        )

    @tf.function(input_signature=[SPECS])
    def without_defaults(inputs: Tensors) -> Tensors:
        return predict_columns(inputs)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def predict_examples(serialized: tf.Tensor) -> Tensors:
        parsed = tf.io.parse_example(serialized, PARSED)
        features = {name: to_dense(values) for name, values in parsed.items()}
        return examples(features, model.predict(features))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluate_examples(serialized: tf.Tensor) -> Tensors:
        parsed = tf.io.parse_example(serialized, PARSED)
        features = {name: to_dense(values) for name, values in parsed.items()}
        outputs = model.predict(features)
        probabilities = outputs["probabilities"]
        # The threshold of every genre is 0.5, so the score equals the probability.
        scores = tf.where(
            outputs["predicted"], tf.maximum(probabilities, 0.5 + 1e-6), probabilities
        )
        return evaluate(features, {"probabilities": probabilities, "decision_scores": scores})

    signatures = {
        "serving_default": with_defaults if has_defaults else without_defaults,
        "examples": predict_examples,
        "evaluate": evaluate_examples,
    }
    signatures.pop(leave_out, None)
    tf.saved_model.save(model, str(directory), signatures)
    write_genres(directory, genres)
    return directory


def write_genres(model: Path, genres: Sequence[str]) -> None:
    """Write the training record of a SavedModel, with only its genres, and its manifest."""
    record = model / EXTRA_ASSETS / TRAINING_RECORD_FILE
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps({"genres": list(genres)}), encoding="utf-8")
    manifest.write(model)


def write_verdict(blessing: Path, model_digest: str) -> None:
    """Write a verdict that blesses the model with a digest."""
    verdict = Verdict(True, (), (), 5, (), 0.5, None, None, {}, model_digest=model_digest)
    blessing.mkdir(exist_ok=True)
    (blessing / VERDICT_FILE).write_text(verdict.to_json(), encoding="utf-8")


def make_movie(number: int) -> tf.train.Example:
    """Return a movie in the format of CsvExampleGen. Number 3 has a title and no other field."""
    texts = {"tconst": f"tt{number:07d}", "title": f"Movie {number}"}
    numbers: dict[str, int] = {}
    if number != 3:
        texts |= {
            "plot": "A keeper of bees " + "counts her hives " * number,
            "genres": "Drama|Western",
            "directors": f"Director {number}",
            "writers": "Ada Example|Ben Example",
            "cast": "|".join(f"Actor {i}" for i in range(number)),
            "split_key": f"movie {number}",
        }
        numbers = {"year": 1950 + number, "runtime_minutes": 80 + number, "num_votes": 12 * number}
    example = tf.train.Example()
    feature = example.features.feature
    for name in (*raw.TEXTS, *raw.PEOPLE, "tconst", "genres", "split_key"):
        feature[name].bytes_list.value.extend([texts[name].encode()] if name in texts else [])
    for name in ("year", "runtime_minutes", "num_votes"):
        feature[name].int64_list.value.extend([numbers[name]] if name in numbers else [])
    feature["average_rating"].float_list.value.extend([5.5] if number != 3 else [])
    return example


def write_examples(directory: Path, count: int) -> Path:
    """Write movies to two gzipped TFRecord shards, in the format of CsvExampleGen."""
    directory.mkdir(parents=True)
    for shard in range(2):
        path = directory / f"data_tfrecord-{shard:05d}-of-00002.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for number in range(1 + shard, count + 1, 2):
                writer.write(make_movie(number).SerializeToString())
    return directory
