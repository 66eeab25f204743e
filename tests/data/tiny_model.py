"""A small real SavedModel with the signatures of the exported one, sound or faulty."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from schema import features as raw
from schema.genres import GENRES

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
    """Probabilities from the lengths of the texts, the known numbers and a table of one word."""

    def __init__(self, words: Path) -> None:
        super().__init__()
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
        size = (len(raw.MODEL_INPUTS) + 1, len(GENRES))
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

    def answer(self, features: Tensors) -> Tensors:
        probabilities = self.probabilities(features)
        threshold = tf.minimum(0.5, tf.reduce_max(probabilities, axis=1, keepdims=True))
        return {
            "genres": tf.tile(tf.constant([GENRES]), [tf.shape(probabilities)[0], 1]),
            "probabilities": probabilities,
            "predicted": probabilities >= threshold,
        }


def first_or_nothing(values: tf.SparseTensor) -> tf.Tensor:
    """[N] from [N, at most one]: empty text or zero where there is no value."""
    one = tf.SparseTensor(values.indices, values.values, tf.stack([values.dense_shape[0], 1]))
    return tf.reshape(tf.sparse.to_dense(one), [-1])


Change = Callable[[Tensors, Tensors], Tensors]
"""From features and the sound answer to the faulty one."""


def sound(features: Tensors, answer: Tensors) -> Tensors:
    """No fault."""
    return answer


def save_tiny_model(
    folder: Path,
    *,
    named: Change = sound,
    examples: Change = sound,
    evaluate: Change = sound,
    leave_out: str = "",
    unknown_number: float = float("nan"),
    defaults: bool = True,
) -> Path:
    """Save a tiny model.

    Args:
        folder: where to; the vocabulary is written beside it.
        named: changes the answer of `serving_default`.
        examples: changes the answer of `examples`.
        evaluate: changes the answer of `evaluate`.
        leave_out: a signature that is not exported.
        unknown_number: default of the numbers.
        defaults: whether the named inputs have defaults.

    Returns:
        The folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    words = folder.with_suffix(".words")
    words.write_text("The Lighthouse\n")
    model = TinyModel(words)
    text = tf.constant([""]) if defaults else tf.TensorSpec([None])
    number = tf.constant([unknown_number]) if defaults else tf.TensorSpec([None])

    def answer_named(given: Tensors) -> Tensors:
        rows = tf.reduce_max(tf.stack([tf.size(value) for value in given.values()]))
        features = {name: tf.broadcast_to(value, [rows]) for name, value in given.items()}
        return named(features, model.answer(features))

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
        return answer_named(
            dict(zip(raw.MODEL_INPUTS, (*values, directors, writers, cast), strict=True))
        )

    @tf.function(input_signature=[SPECS])
    def without_defaults(given: Tensors) -> Tensors:
        return answer_named(given)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def answer_examples(serialized: tf.Tensor) -> Tensors:
        parsed = tf.io.parse_example(serialized, PARSED)
        features = {name: first_or_nothing(values) for name, values in parsed.items()}
        return examples(features, model.answer(features))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def answer_evaluate(serialized: tf.Tensor) -> Tensors:
        parsed = tf.io.parse_example(serialized, PARSED)
        features = {name: first_or_nothing(values) for name, values in parsed.items()}
        answer = model.answer(features)
        # The threshold of every genre is one half, so the score is the probability itself.
        scores = tf.where(
            answer["predicted"],
            tf.maximum(answer["probabilities"], 0.5 + 1e-6),
            answer["probabilities"],
        )
        probabilities = answer["probabilities"]
        return evaluate(features, {"probabilities": probabilities, "decision_scores": scores})

    signatures = {
        "serving_default": with_defaults if defaults else without_defaults,
        "examples": answer_examples,
        "evaluate": answer_evaluate,
    }
    signatures.pop(leave_out, None)
    tf.saved_model.save(model, str(folder), signatures)
    return folder


def movie(number: int) -> tf.train.Example:
    """A made-up movie, as CsvExampleGen writes it; number 3 has a title and nothing else."""
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


def write_examples(folder: Path, count: int) -> Path:
    """Two gzipped TFRecord shards with movies, as CsvExampleGen writes a split."""
    folder.mkdir(parents=True)
    for shard in range(2):
        path = folder / f"data_tfrecord-{shard:05d}-of-00002.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for number in range(1 + shard, count + 1, 2):
                writer.write(movie(number).SerializeToString())
    return folder
