"""Layers: what they hide, weigh and count."""

import numpy as np
import pytest

from schema.genres import NUM_GENRES
from trainer.ensemble.layers import Bag, FieldDropout, Fixed, IdDropout, PeopleLift, WindowMean
from trainer.features import fields
from transform import features as xf


def a_film_known_in_all(rows: int) -> dict[str, np.ndarray]:
    return {
        xf.PLOT_WORDS: np.ones((rows, 3), np.int32),
        xf.TITLE_WORDS: np.ones((rows, 3), np.int32),
        fields.TITLE_FACTORS: np.ones((rows, 2), np.float32),
        fields.PEOPLE_FACTORS: np.ones((rows, 2), np.float32),
        fields.PEOPLE_LIFTS: np.ones((rows, 4 * fields.LIFT_SIZE), np.float32),
        fields.CREDIT_COUNTS: np.ones((rows, 3), np.float32),
        xf.NUMBERS: np.ones((rows, 4), np.float32),
        xf.NUMBERS_MISSING: np.zeros((rows, 4), np.float32),
    }


def test_field_dropout_hides_fields_as_if_never_known() -> None:
    inputs = a_film_known_in_all(2000)
    layer = FieldDropout(0.3, seed=3)
    hidden = {name: np.asarray(value) for name, value in layer(inputs, training=True).items()}
    gone = {name: (value == 0).all(1) for name, value in hidden.items()}
    assert gone[fields.PEOPLE_LIFTS].mean() == pytest.approx(0.3, abs=0.03)
    assert gone[xf.NUMBERS].mean() == pytest.approx(0.3, abs=0.03)
    assert gone[xf.TITLE_WORDS].mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(gone[xf.TITLE_WORDS], gone[fields.TITLE_FACTORS])
    # Nobody is known: nothing mixes them, and in half of the rows not even their number is known.
    assert gone[fields.PEOPLE_FACTORS][gone[fields.PEOPLE_LIFTS]].all()
    counted = ~gone[fields.CREDIT_COUNTS][gone[fields.PEOPLE_LIFTS]]
    assert counted.mean() == pytest.approx(0.5, abs=0.06)
    np.testing.assert_array_equal(hidden[xf.NUMBERS_MISSING], 1 - hidden[xf.NUMBERS])
    np.testing.assert_array_equal(hidden[xf.PLOT_WORDS], inputs[xf.PLOT_WORDS])
    kept = layer(inputs, training=False)
    assert all((np.asarray(kept[name]) == value).all() for name, value in inputs.items())


def test_field_dropout_hides_single_fields() -> None:
    inputs = a_film_known_in_all(3000)
    layer = FieldDropout(0.3, seed=3)
    hidden = {name: np.asarray(value) for name, value in layer(inputs, training=True).items()}
    lifts = hidden[fields.PEOPLE_LIFTS].reshape(3000, 4, fields.LIFT_SIZE)
    listed = lifts[lifts.any((1, 2))]
    # Directors, writers, cast: a tenth each; the leads go with the cast.
    for role in range(3):
        assert (listed[:, role] == 0).all(1).mean() == pytest.approx(0.1, abs=0.03)
    np.testing.assert_array_equal(listed[:, 2], listed[:, 3])
    mixed = hidden[fields.PEOPLE_FACTORS].any(1)
    np.testing.assert_array_equal(mixed, lifts.all((1, 2)))
    numbers = hidden[xf.NUMBERS]
    unrated = (numbers == [1, 1, 0, 0]).all(1)
    assert unrated[numbers.any(1)].mean() == pytest.approx(0.1, abs=0.03)
    assert ((numbers == numbers[:, :1]).all(1) | unrated).all()


def test_id_dropout_hides_single_ids() -> None:
    ids = np.ones((100, 50), np.int32)
    hidden = np.asarray(IdDropout(0.3, seed=1)(ids, training=True))
    assert hidden.mean() == pytest.approx(0.7, abs=0.03)
    assert set(np.unique(hidden)) == {0, 1}


def test_a_bag_adds_weighted_vectors() -> None:
    weights = np.array([0, 3, 4], np.float32)
    vectors = np.array([[9, 9], [1, 0], [0, 1]], np.float32)
    ids = np.array([[1, 2, 0], [2, 0, 0], [0, 0, 0]], np.int32)
    np.testing.assert_allclose(Bag(weights, vectors)(ids), [[3, 4], [0, 4], [0, 0]])
    scaled = Bag(weights, vectors, unit_length=True)(ids)
    np.testing.assert_allclose(scaled, [[0.6, 0.8], [0, 1], [0, 0]], atol=1e-6)


def test_a_bag_of_several_tables() -> None:
    tables = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    ids = np.int32([[1, 2], [2, 0], [1, 3]])
    bag = Bag(np.float32([0, 1, 1]), tables)
    found = bag(ids, np.int32([[1], [0], [1]]))
    np.testing.assert_array_equal(found, [tables[1, 1] + tables[1, 2], tables[0, 2], tables[1, 1]])
    np.testing.assert_array_equal(bag(ids)[0], tables[0, 1] + tables[0, 2])


def test_a_fixed_start_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected values of shape"):
        Fixed(np.zeros((2, 3), np.float32))((3, 2))


def test_means_of_windows_leave_padding_out() -> None:
    sequence = np.arange(1, 6, dtype=np.float32).reshape(1, 5, 1)
    mask = np.array([1, 1, 1, 1, 0], np.float32).reshape(1, 5, 1)
    means, windows = WindowMean(3)([sequence, mask])
    np.testing.assert_allclose(np.ravel(means), [2, 4])
    np.testing.assert_allclose(np.ravel(windows), [1, 1])
    _, beyond = WindowMean(3)([np.pad(sequence, [(0, 0), (0, 4), (0, 0)]), np.zeros((1, 9, 1))])
    np.testing.assert_allclose(np.ravel(beyond), [0, 0, 0])


def test_people_lift() -> None:
    counts = np.zeros((2, 4, NUM_GENRES + 1), np.float32)
    counts[0, 1, [0, -1]] = 6, 8  # 6 films of 8 are of the first genre
    counts[0, 2, [0, -1]] = 0, 2
    counts[1] = counts[0]
    counts[1, 2] = 0  # whose two films are all in the fold of table 1
    rates = np.full(NUM_GENRES, 0.25)
    layer = PeopleLift(counts, rates, prior=2.0)
    ids = np.array([[1, 2, 3], [1, 2, 3], [0, 0, 0]], np.int32)
    lifts = np.asarray(layer(ids, np.array([[0], [1], [0]], np.int32)))

    first, second = np.log((6 + 0.5) / 10 / 0.25), np.log(0.5 / 4 / 0.25)
    together = np.log((6 + 0.5) / 12 / 0.25)
    size = fields.LIFT_SIZE
    assert lifts.shape == (3, size)
    np.testing.assert_allclose(
        lifts[:, [0, NUM_GENRES, size - 2, size - 1]],
        [
            [(first + second) / 2, together, np.log1p(2), np.log1p(10)],
            [first, first, np.log1p(1), np.log1p(8)],
            [0, 0, 0, 0],
        ],
        atol=1e-5,
    )
    known = fields.anyone_known({fields.PEOPLE_LIFTS: np.tile(lifts, (1, 4))})
    assert np.asarray(known).tolist() == [True, True, False]
