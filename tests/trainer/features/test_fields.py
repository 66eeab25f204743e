"""Hiding fields."""

import numpy as np
import pytest
from keras import ops

from schema import features as raw
from schema.genres import NUM_GENRES
from trainer.features import fields
from trainer.features.fields import FieldDropout
from transform import features as xf


def a_movie_known_in_all(rows: int) -> dict[str, np.ndarray]:
    return {
        xf.PLOT_WORDS: np.ones((rows, 3), np.int32),
        fields.PLOT_LOGITS: np.ones((rows, NUM_GENRES), np.float32),
        fields.TITLE_LOGITS: np.ones((rows, NUM_GENRES), np.float32),
        fields.PEOPLE_LIFTS: np.ones((rows, 4 * fields.LIFT_SIZE), np.float32),
        fields.CREDIT_COUNTS: np.ones((rows, 3), np.float32),
        xf.NUMBERS: np.ones((rows, 4), np.float32),
        xf.NUMBERS_MISSING: np.zeros((rows, 4), np.float32),
    }


def test_a_hidden_role_leaves_the_others() -> None:
    lifts = np.ones((2, 4 * fields.LIFT_SIZE), np.float32)
    counts = np.ones((2, 3), np.float32)
    roles = np.ones((2, len(raw.PEOPLE)), np.float32)
    place = raw.PEOPLE.index(raw.WRITERS)
    roles[0, place] = 0
    inputs = {fields.PEOPLE_LIFTS: lifts, fields.CREDIT_COUNTS: counts}
    kept = fields.without_role(inputs, ops.convert_to_tensor(roles))
    np.testing.assert_array_equal(kept[fields.CREDIT_COUNTS], roles)
    hidden = np.asarray(kept[fields.PEOPLE_LIFTS]) == 0
    assert hidden.sum() == fields.LIFT_SIZE
    assert hidden[0, place * fields.LIFT_SIZE : (place + 1) * fields.LIFT_SIZE].all()


def test_field_dropout_hides_fields_as_if_never_known() -> None:
    inputs = a_movie_known_in_all(2000)
    layer = FieldDropout(0.3, seed=3)
    hidden = {name: np.asarray(value) for name, value in layer(inputs, training=True).items()}
    gone = {name: (value == 0).all(1) for name, value in hidden.items()}
    assert gone[fields.PEOPLE_LIFTS].mean() == pytest.approx(0.3, abs=0.03)
    assert gone[xf.NUMBERS].mean() == pytest.approx(0.3, abs=0.03)
    assert gone[fields.TITLE_LOGITS].mean() == pytest.approx(0.3, abs=0.03)
    # In half of the movies without people their number is unknown, too.
    counted = ~gone[fields.CREDIT_COUNTS][gone[fields.PEOPLE_LIFTS]]
    assert counted.mean() == pytest.approx(0.5, abs=0.06)
    np.testing.assert_array_equal(hidden[xf.NUMBERS_MISSING], 1 - hidden[xf.NUMBERS])
    for name in (xf.PLOT_WORDS, fields.PLOT_LOGITS):
        np.testing.assert_array_equal(hidden[name], inputs[name])
    kept = layer(inputs, training=False)
    assert all((np.asarray(kept[name]) == value).all() for name, value in inputs.items())


def test_field_dropout_hides_single_fields() -> None:
    inputs = a_movie_known_in_all(3000)
    layer = FieldDropout(0.3, seed=3)
    hidden = {name: np.asarray(value) for name, value in layer(inputs, training=True).items()}
    lifts = hidden[fields.PEOPLE_LIFTS].reshape(3000, 4, fields.LIFT_SIZE)
    listed = lifts[lifts.any((1, 2))]
    # Directors, writers, cast: a tenth each; the leads go with the cast.
    for role in range(3):
        assert (listed[:, role] == 0).all(1).mean() == pytest.approx(0.1, abs=0.03)
    np.testing.assert_array_equal(listed[:, 2], listed[:, 3])
    numbers = hidden[xf.NUMBERS]
    unrated = (numbers == [1, 1, 0, 0]).all(1)
    assert unrated[numbers.any(1)].mean() == pytest.approx(0.1, abs=0.03)
    assert ((numbers == numbers[:, :1]).all(1) | unrated).all()
