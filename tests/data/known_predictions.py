"""Small SavedModels with known predictions, and examples for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from schema import features as raw
from schema.genres import GENRES, NUM_GENRES
from tests.data.tiny_model import write_genres
from transform import features as xf

NUM_MOVIES = 330
"""Number of movies."""

RARE_GENRE = "Film-Noir"
"""Genre of three movies. Drama has 27 movies, all other genres 15."""

TEXT_FEATURES = (raw.PLOT, raw.GENRES_FIELD, raw.DIRECTORS)


def genre_of(number: int) -> str:
    """Return the only genre of a movie."""
    genre = GENRES[number % NUM_GENRES]
    return "Drama" if genre == RARE_GENRE and number >= 3 * NUM_GENRES else genre


def make_movie(number: int, *, corrected: bool = False) -> tf.train.Example:
    """Create a movie whose plot begins with `strong_` or `weak_` and the name of its genre.

    Five of the 15 movies of each genre are weak. Every second movie has no director. The years are
    1950 to 1999.
    """
    example = tf.train.Example()
    weak = number // NUM_GENRES % 3 == 0
    texts = {
        raw.PLOT: f"{'weak' if weak else 'strong'}_{genre_of(number)} " + "word " * (number % 5),
        raw.GENRES_FIELD: genre_of(number),
    } | ({raw.DIRECTORS: "Ada Example"} if number % 2 else {})
    for name, text in texts.items():
        example.features.feature[name].bytes_list.value.append(text.encode())
    example.features.feature[raw.YEAR].int64_list.value.append(1950 + number % 50)
    # CsvExampleGen writes an empty cell as a feature without values.
    example.features.feature[raw.CORRECTED].int64_list.value.extend([1] if corrected else [])
    return example


def write_movies(
    directory: Path, movies: int = NUM_MOVIES, more: Sequence[tf.train.Example] = ()
) -> standard_artifacts.Examples:
    """Write movies to the split `test` of an Examples artifact, in two shards; `more` to both."""
    split = directory / "Split-test"
    split.mkdir(parents=True)
    for shard in range(2):
        path = split / f"data_tfrecord-{shard:05d}-of-00002.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for number in range(shard, movies, 2):
                writer.write(make_movie(number).SerializeToString())
            for movie in more:
                writer.write(movie.SerializeToString())
    examples = standard_artifacts.Examples()
    examples.uri = str(directory)
    examples.split_names = artifact_utils.encode_split_names(["test"])
    return examples


class KnownPredictionsModel(tf.Module):
    """Model that predicts the genre that a plot names.

    Attributes:
        genres: string [genres]. Names of the genres.
        weakness: int32 [genres]. 0 for genres that are always predicted, 1 for genres that are not
            predicted for weak movies, 2 for genres that are never predicted.
        strength: float32 [genres]. Probabilities of the genres where they are predicted.
    """

    def __init__(self, weakness: Mapping[str, int], genres: Sequence[str]) -> None:
        super().__init__()
        self.genres = tf.constant(genres)
        self.weakness = tf.constant([weakness.get(genre, 0) for genre in genres])
        self.strength = tf.linspace(0.9, 0.6, len(genres))

    def evaluate(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {name: tf.io.FixedLenFeature([], tf.string, "") for name in TEXT_FEATURES}
        spec[raw.YEAR] = tf.io.FixedLenFeature([], tf.int64, 0)
        rows = tf.io.parse_example(serialized, spec)
        first_word = tf.ensure_shape(
            tf.strings.split(rows[raw.PLOT])[:, :1].to_tensor(""), [None, 1]
        )
        strong = tf.cast(first_word == "strong_" + self.genres, tf.int32)
        weak = tf.cast(first_word == "weak_" + self.genres, tf.int32)
        predicted = 2 * strong + weak > self.weakness
        probabilities = tf.where(predicted, self.strength, 0.1)
        decade = tf.strings.as_string(rows[raw.YEAR] // 10 * 10) + "s"
        return {
            "decision_scores": tf.where(predicted, 0.75, 0.25) * tf.ones_like(probabilities),
            "probabilities": probabilities,
            xf.LABEL: tf.cast(rows[raw.GENRES_FIELD][:, tf.newaxis] == self.genres, tf.float32),
            xf.DECADE: decade,
            xf.PLOT_LENGTH: tf.where(tf.strings.length(rows[raw.PLOT]) < 20, "short", "medium"),
            xf.METADATA: tf.where(rows[raw.DIRECTORS] == "", "no credits", "complete"),
            xf.LANGUAGE: tf.where(rows[raw.YEAR] < 1960, "other Latin", "English"),
        }


def save_model(
    directory: Path,
    weakness: Mapping[str, int] | None = None,
    leave_out: str = "",
    genres: Sequence[str] = GENRES,
) -> standard_artifacts.Model:
    """Save a model as a Model artifact.

    Args:
        directory: Path of the artifact's directory.
        weakness: Weakness of genres, by name, as in `KnownPredictionsModel`; 0 by default. A
            weakness of 0, 1 or 2 gives a genre with 15 movies an F1 of 1.0, 0.8 or 0.0.
        leave_out: Name of an output that the signature lacks.
        genres: Names of the genres.
    """
    module = KnownPredictionsModel(weakness or {}, genres)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluate(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = module.evaluate(examples)
        outputs.pop(leave_out, None)
        return outputs

    path = directory / "Format-Serving"
    tf.saved_model.save(module, str(path), {"evaluate": evaluate})
    write_genres(path, genres)
    model = standard_artifacts.Model()
    model.uri = str(directory)
    return model
