"""Trainings with other genres than the default set, from transformed movies to the SavedModel."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schema import features as raw
from schema.genres import read_genres
from schema.names import EVALUATE_SIGNATURE, SERVING_SIGNATURE
from tests.data.tiny_movies import Row, make_movies, serialize
from tests.data.tiny_training import TINY_HPARAMS, trainer_arguments
from trainer import run
from transform import features as xf

NAMES = {"Western": "Cowboys & Co.", "Sci-Fi": "Космос", "Horror": "Gespenster"}

FASTER = {**TINY_HPARAMS, "sentence_encoder": "none", "word_encoder": "none", "epochs": 1}


def make_renamed_movies(count: int, seed: int, also: str = "") -> list[Row]:
    """Return movies with the genres of `NAMES`; all of them also have the genres in `also`."""
    return [
        {**row, raw.GENRES_FIELD: NAMES[row[raw.GENRES_FIELD]] + also}
        for row in make_movies(count, seed)
    ]


@pytest.mark.parametrize(
    ("genres", "also"),
    [
        (("Gespenster", "Космос"), ""),
        (("Космос", "Every Movie's", "Gespenster", "No Movie's"), "|Every Movie's"),
        (("Gespenster", *(f"Genre {number}" for number in range(198)), "Космос"), ""),
    ],
    ids=["two", "constant labels", "two hundred"],
)
def test_a_model_of_any_set_of_genres(tmp_path: Path, genres: Sequence[str], also: str) -> None:
    movies = {
        "train": make_renamed_movies(160, 1, also),
        "eval": make_renamed_movies(60, 2, also),
    }
    arguments = trainer_arguments(tmp_path, movies, genres, **FASTER)
    run.run_fn(arguments)

    record = json.loads(Path(arguments.model_run_dir, "training.json").read_text())
    assert record["genres"] == list(genres)
    assert all(math.isfinite(value) for values in record["history"].values() for value in values)
    for rule in record["decision_rule"].values():
        assert list(rule) == list(genres)
        assert np.isfinite([[*row["weights"], row["threshold"]] for row in rule.values()]).all()

    model = Path(arguments.serving_model_dir)
    assert read_genres(model) == genres
    signatures = tf.saved_model.load(str(model)).signatures
    outputs = signatures[SERVING_SIGNATURE](
        **{
            name: tf.constant([row[name] for row in movies["eval"]], dtype)
            for name in raw.MODEL_INPUTS
            for dtype in [tf.float32 if name in raw.NUMBERS else tf.string]
        }
    )
    assert outputs["genres"].numpy().tolist() == [[name.encode() for name in genres]] * 60
    probabilities = outputs["probabilities"].numpy()
    assert probabilities.shape == (60, len(genres))
    # A constant label can have a probability that rounds to 1.
    assert ((probabilities > 0) & (probabilities <= 1)).all()
    assert outputs["predicted"].numpy().any(axis=1).all()
    if also:
        assert (probabilities[:, 1] > 0.9).all()
        assert (probabilities[:, 3] < 0.1).all()

    evaluated = signatures[EVALUATE_SIGNATURE](tf.constant(serialize(movies["eval"])))
    expected = [
        [name in row[raw.GENRES_FIELD].split("|") for name in genres] for row in movies["eval"]
    ]
    np.testing.assert_array_equal(evaluated[xf.LABEL], expected)
