"""Masking of fields."""

import numpy as np
import pytest
from keras import ops

from schema import features as raw
from trainer.features import fields
from trainer.features.fields import FieldDropout
from transform import features as xf

NUM_GENRES = 5
SIZE = fields.target_encoding_size(NUM_GENRES)


def complete_movies(rows: int) -> dict[str, np.ndarray]:
    return {
        xf.PLOT_WORDS: np.ones((rows, 3), np.int32),
        fields.PLOT_LOGITS: np.ones((rows, NUM_GENRES), np.float32),
        fields.TITLE_LOGITS: np.ones((rows, NUM_GENRES), np.float32),
        fields.PEOPLE_TARGET_ENCODING: np.ones((rows, 4 * SIZE), np.float32),
        fields.CREDIT_COUNTS: np.ones((rows, 3), np.float32),
        xf.NUMBERS: np.ones((rows, 4), np.float32),
        xf.NUMBERS_MISSING: np.zeros((rows, 4), np.float32),
    }


def test_a_masked_people_field_leaves_the_others() -> None:
    encoding = np.ones((2, 4 * SIZE), np.float32)
    counts = np.ones((2, 3), np.float32)
    mask = np.ones((2, len(raw.PEOPLE)), np.float32)
    writers = raw.PEOPLE.index(raw.WRITERS)
    mask[0, writers] = 0
    inputs = {fields.PEOPLE_TARGET_ENCODING: encoding, fields.CREDIT_COUNTS: counts}
    masked = fields.mask_people_fields(inputs, ops.convert_to_tensor(mask))
    np.testing.assert_array_equal(masked[fields.CREDIT_COUNTS], mask)
    is_masked = np.asarray(masked[fields.PEOPLE_TARGET_ENCODING]) == 0
    assert is_masked.sum() == SIZE
    columns = is_masked.reshape(2, 4, SIZE)
    assert columns[0, writers].all()


def test_field_dropout_masks_fields() -> None:
    inputs = complete_movies(2000)
    layer = FieldDropout(0.3, seed=3)
    masked = {name: np.asarray(value) for name, value in layer(inputs, training=True).items()}
    is_masked = {name: (value == 0).all(1) for name, value in masked.items()}
    assert is_masked[fields.PEOPLE_TARGET_ENCODING].mean() == pytest.approx(0.3, abs=0.03)
    assert is_masked[xf.NUMBERS].mean() == pytest.approx(0.3, abs=0.03)
    assert is_masked[fields.TITLE_LOGITS].mean() == pytest.approx(0.3, abs=0.03)
    # Half of the movies with masked people keep their credit counts.
    has_counts = ~is_masked[fields.CREDIT_COUNTS][is_masked[fields.PEOPLE_TARGET_ENCODING]]
    assert has_counts.mean() == pytest.approx(0.5, abs=0.06)
    np.testing.assert_array_equal(masked[xf.NUMBERS_MISSING], 1 - masked[xf.NUMBERS])
    for name in (xf.PLOT_WORDS, fields.PLOT_LOGITS):
        np.testing.assert_array_equal(masked[name], inputs[name])
    unmasked = layer(inputs, training=False)
    assert all((np.asarray(unmasked[name]) == value).all() for name, value in inputs.items())


def test_field_dropout_masks_single_fields() -> None:
    inputs = complete_movies(3000)
    layer = FieldDropout(0.3, seed=3)
    masked = {name: np.asarray(value) for name, value in layer(inputs, training=True).items()}
    encoding = masked[fields.PEOPLE_TARGET_ENCODING].reshape(3000, 4, SIZE)
    known = encoding[encoding.any((1, 2))]
    # A tenth each of directors, writers and cast; the lead actors are masked with the cast.
    for field in range(3):
        assert (known[:, field] == 0).all(1).mean() == pytest.approx(0.1, abs=0.03)
    np.testing.assert_array_equal(known[:, 2], known[:, 3])
    numbers = masked[xf.NUMBERS]
    without_ratings = (numbers == [1, 1, 0, 0]).all(1)
    assert without_ratings[numbers.any(1)].mean() == pytest.approx(0.1, abs=0.03)
    assert ((numbers == numbers[:, :1]).all(1) | without_ratings).all()
