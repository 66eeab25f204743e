"""The member of trees: grown by scikit-learn, walked by TensorFlow."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from schema.genres import NUM_GENRES
from trainer.data import Rows
from trainer.ensemble import trees
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

HPARAMS = HParams(trees=12, field_dropout=0.0)
ROWS = 600

Grown = list[HistGradientBoostingClassifier]


def movies(rows: int = ROWS, seed: int = 1) -> Rows:
    """Movies whose first genre is the year's and the lead's together, not either's alone."""
    rng = np.random.default_rng(seed)
    inputs = {
        fields.PEOPLE_LIFTS: rng.normal(size=(rows, 4 * fields.LIFT_SIZE)).astype(np.float16),
        fields.CREDIT_COUNTS: rng.uniform(size=(rows, 3)).astype(np.float16),
        xf.NUMBERS: rng.normal(size=(rows, 4)).astype(np.float32),
        xf.NUMBERS_MISSING: np.zeros((rows, 4), np.float32),
        fields.PLOT_LOGITS: rng.normal(size=(rows, NUM_GENRES)).astype(np.float16),
        fields.TITLE_LOGITS: rng.normal(size=(rows, NUM_GENRES)).astype(np.float16),
    }
    labels = np.zeros((rows, NUM_GENRES), np.float32)
    labels[:, 0] = (inputs[xf.NUMBERS][:, 0] > 0) & (inputs[fields.PEOPLE_LIFTS][:, 0] > 0)
    labels[:, 2] = rng.uniform(size=rows) < 0.05
    labels[:, 3] = 1
    return Rows(inputs, labels)


def columns(inputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([inputs[name].astype(np.float32) for name in trees.INPUTS], axis=1)


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> Grown:
    """Collects the models that scikit-learn fits."""
    found: Grown = []

    class Kept(HistGradientBoostingClassifier):
        def fit(self, *args: np.ndarray) -> "Kept":
            found.append(self)
            return super().fit(*args)

    monkeypatch.setattr(trees, "HistGradientBoostingClassifier", Kept)
    return found


def test_the_tables_answer_as_scikit_learn_does(grown: Grown) -> None:
    forest = trees.Forest(trees.fit(movies(), HPARAMS))
    unseen = columns(movies(200, seed=2).inputs)
    answers = forest(unseen).numpy()
    assert answers.shape == (200, NUM_GENRES)
    assert not forest.trainable_weights
    assert len(grown) == 2
    for genre, model in zip((0, 2), grown, strict=True):
        expected = model.decision_function(unseen)
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(answers[:, genre], expected, atol=1e-4)


def test_two_questions_together_decide() -> None:
    forest = trees.Forest(trees.fit(movies(4000), HPARAMS.changed({"trees": 60})))
    unseen = movies(500, seed=2)
    found = forest(columns(unseen.inputs)).numpy()[:, 0] > 0
    assert np.mean(found == unseen.labels[:, 0]) > 0.95


def test_a_genre_of_no_movie_or_of_all_is_a_bias_alone() -> None:
    found = trees.fit(movies(), HPARAMS)
    for genre, sign in ((1, -1), (3, 1)):
        assert not found.value[genre].any()
        assert sign * found.bias[genre] > 3


def test_movies_too_few_for_a_split_are_a_bias_alone() -> None:
    few = movies(50)
    answers = trees.Forest(trees.fit(few, HPARAMS))(columns(few.inputs)).numpy()
    assert np.isfinite(answers).all()
    assert np.ptp(answers[:, 0]) < 1e-6


def test_fields_are_hidden_from_them_as_from_the_others(grown: Grown) -> None:
    """Trees that saw people in every movie would ask for them where nobody is known."""
    known = movies()
    inputs = known.inputs
    known.labels[:, 0] = inputs[fields.PEOPLE_LIFTS][:, 0] > 0
    answers = []
    for rate in (0.0, 0.5):
        trees.fit(known, HPARAMS.changed({"field_dropout": rate}))
        nobody = columns(inputs | {fields.PEOPLE_LIFTS: 0 * inputs[fields.PEOPLE_LIFTS]})
        answers.append(grown[-2].predict_proba(nobody)[:, 1])
    assert np.abs(answers[1] - 0.5).mean() < 0.1 < np.abs(answers[0] - 0.5).mean()


def test_the_same_movies_give_the_same_trees() -> None:
    one, other = (trees.fit(movies(), HPARAMS) for _ in range(2))
    np.testing.assert_array_equal(one.column, other.column)
    np.testing.assert_array_equal(one.value, other.value)
