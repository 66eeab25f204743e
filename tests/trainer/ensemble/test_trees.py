"""The boosted trees: grown by scikit-learn, evaluated by TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from trainer.data import Rows
from trainer.ensemble import trees
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

NUM_GENRES = 5
SIZE = fields.target_encoding_size(NUM_GENRES)

HPARAMS = HParams(trees=12, field_dropout=0.0)
ROWS = 600

Classifiers = list[HistGradientBoostingClassifier]


def movies(rows: int = ROWS, seed: int = 1) -> Rows:
    """Return movies whose first genre depends on both the year and the lead actor."""
    rng = np.random.default_rng(seed)
    inputs = {
        fields.PEOPLE_TARGET_ENCODING: rng.normal(size=(rows, 4 * SIZE)).astype(np.float16),
        fields.CREDIT_COUNTS: rng.uniform(size=(rows, 3)).astype(np.float16),
        xf.NUMBERS: rng.normal(size=(rows, 4)).astype(np.float32),
        xf.NUMBERS_MISSING: np.zeros((rows, 4), np.float32),
        fields.PLOT_LOGITS: rng.normal(size=(rows, NUM_GENRES)).astype(np.float16),
        fields.TITLE_LOGITS: rng.normal(size=(rows, NUM_GENRES)).astype(np.float16),
    }
    labels = np.zeros((rows, NUM_GENRES), np.float32)
    labels[:, 0] = (inputs[xf.NUMBERS][:, 0] > 0) & (
        inputs[fields.PEOPLE_TARGET_ENCODING][:, 0] > 0
    )
    labels[:, 2] = rng.uniform(size=rows) < 0.05
    labels[:, 3] = 1
    return Rows(inputs, labels)


def columns(inputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(
        [inputs[name].astype(np.float32) for name in trees.input_sizes(NUM_GENRES)], axis=1
    )


@pytest.fixture
def classifiers(monkeypatch: pytest.MonkeyPatch) -> Classifiers:
    """Collect the classifiers that scikit-learn fits."""
    recorded: Classifiers = []

    class Recorded(HistGradientBoostingClassifier):
        def fit(self, *args: np.ndarray) -> "Recorded":
            recorded.append(self)
            return super().fit(*args)

    monkeypatch.setattr(trees, "HistGradientBoostingClassifier", Recorded)
    return recorded


def test_the_forest_predicts_as_scikit_learn_does(classifiers: Classifiers) -> None:
    forest_layer = trees.ForestLayer(trees.fit(movies(), HPARAMS))
    unseen = columns(movies(200, seed=2).inputs)
    logits = forest_layer(unseen).numpy()
    assert logits.shape == (200, NUM_GENRES)
    assert not forest_layer.trainable_weights
    assert len(classifiers) == 2
    for genre, classifier in zip((0, 2), classifiers, strict=True):
        expected = classifier.decision_function(unseen)
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(logits[:, genre], expected, atol=1e-4)


def test_trees_combine_two_conditions() -> None:
    forest_layer = trees.ForestLayer(trees.fit(movies(4000), HPARAMS.updated({"trees": 60})))
    unseen = movies(500, seed=2)
    predicted = forest_layer(columns(unseen.inputs)).numpy()[:, 0] > 0
    assert np.mean(predicted == unseen.labels[:, 0]) > 0.95


def test_a_genre_of_no_movie_or_of_all_has_only_a_bias() -> None:
    forest = trees.fit(movies(), HPARAMS)
    for genre, sign in ((1, -1), (3, 1)):
        assert not forest.leaf_values[genre].any()
        assert sign * forest.biases[genre] > 3


def test_too_few_movies_for_a_split_give_only_a_bias() -> None:
    few = movies(50)
    logits = trees.ForestLayer(trees.fit(few, HPARAMS))(columns(few.inputs)).numpy()
    assert np.isfinite(logits).all()
    assert np.ptp(logits[:, 0]) < 1e-6


def test_fields_are_masked(classifiers: Classifiers) -> None:
    """Without masking, trees would rely on people although no people are known in use."""
    known = movies()
    inputs = known.inputs
    known.labels[:, 0] = inputs[fields.PEOPLE_TARGET_ENCODING][:, 0] > 0
    probabilities = []
    for rate in (0.0, 0.5):
        trees.fit(known, HPARAMS.updated({"field_dropout": rate}))
        without_people = columns(
            inputs | {fields.PEOPLE_TARGET_ENCODING: 0 * inputs[fields.PEOPLE_TARGET_ENCODING]}
        )
        probabilities.append(classifiers[-2].predict_proba(without_people)[:, 1])
    assert np.abs(probabilities[1] - 0.5).mean() < 0.1 < np.abs(probabilities[0] - 0.5).mean()


def test_the_same_movies_give_the_same_trees() -> None:
    one, other = (trees.fit(movies(), HPARAMS) for _ in range(2))
    np.testing.assert_array_equal(one.split_columns, other.split_columns)
    np.testing.assert_array_equal(one.leaf_values, other.leaf_values)


def test_the_last_digit_of_a_value_does_not_matter() -> None:
    """The value of a training movie that is a threshold may differ a little when it is served."""
    train = movies()
    levels = np.linspace(0.5, 1.5, 7, dtype=np.float16)
    logits = np.random.default_rng(3).choice(levels, (ROWS, NUM_GENRES))
    train.inputs[fields.PLOT_LOGITS] = logits
    train.labels[:, 0] = logits[:, 0] > 0.9
    forest = trees.fit(train, HPARAMS)
    # The thresholds are at values of training movies, as if there were more than 255 of them.
    first = columns(train.inputs).shape[1] - 2 * NUM_GENRES
    is_logit = forest.split_columns == first
    nearest = levels[np.abs(forest.split_thresholds[..., None] - levels).argmin(-1)]
    thresholds = np.where(is_logit, nearest, forest.split_thresholds).astype(np.float32)
    layer = trees.ForestLayer(replace(forest, split_thresholds=thresholds))
    stored = columns(train.inputs)
    served = stored.copy()
    served[:, first] = np.nextafter(stored[:, first], np.float32(2))
    assert is_logit.any()
    assert (served != stored).any()
    np.testing.assert_array_equal(layer(served), layer(stored))
