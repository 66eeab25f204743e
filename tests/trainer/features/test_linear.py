"""The regressions of the linear member, and the classes of numbers that they read."""

import numpy as np
from scipy import sparse

from schema.genres import NUM_GENRES
from trainer.ensemble.layers import CLASS_CENTRES, number_classes
from trainer.features import linear

CLASSES = len(CLASS_CENTRES)


def fitted(seed: int = 0) -> tuple[linear.Linear, np.ndarray, np.ndarray, np.ndarray]:
    """Regressions of rows whose first genre is a term's and whose second is a middle class's."""
    rng = np.random.default_rng(seed)
    words = (rng.uniform(size=(300, 6)) < 0.3).astype(np.float32)
    numbers = np.eye(5, dtype=np.float32)[rng.integers(0, 5, 300)]
    labels = np.zeros((300, NUM_GENRES), np.float32)
    labels[:, 0] = words[:, 2]
    labels[:, 1] = numbers[:, 2]
    labels[:, 3] = 1
    terms = {"words": sparse.csr_matrix(words), "names": sparse.csr_matrix((300, 2))}
    return linear.fit(terms, numbers, labels, seed=1), words, numbers, labels


def test_coefficients_find_the_term_and_the_class() -> None:
    found, words, numbers, labels = fitted()
    assert {name: value.shape for name, value in found.terms.items()} == {
        "words": (6, NUM_GENRES),
        "names": (2, NUM_GENRES),
    }
    logits = words @ found.terms["words"] + numbers @ found.numbers + found.bias
    np.testing.assert_array_equal(logits[:, :2] > 0, labels[:, :2] > 0.5)
    assert found.terms["words"][:, 0].argmax() == 2
    assert found.numbers[:, 1].argmax() == 2


def test_a_genre_of_no_film_or_of_all_is_a_bias_alone() -> None:
    found, *_ = fitted()
    for genre, sign in ((2, -1), (3, 1)):
        assert not found.terms["words"][:, genre].any()
        assert not found.numbers[:, genre].any()
        assert sign * found.bias[genre] > 3


def test_the_same_films_give_the_same_coefficients() -> None:
    for name, value in fitted()[0].terms.items():
        np.testing.assert_array_equal(value, fitted()[0].terms[name])


def test_no_film_is_told_its_own_genres() -> None:
    """Each film has a word of its own, which tells all of them to who has read its labels."""
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(60, NUM_GENRES)) < 0.4).astype(np.float32)
    labels[:, 5] = np.arange(60) % 2
    common = np.stack([labels[:, 5], 1 - labels[:, 5]], axis=1)
    words = sparse.csr_matrix(np.concatenate([common, 3 * np.eye(60)], axis=1))
    folds = 1 + np.arange(60) // 2 % 3
    tables = linear.out_of_fold({"words": words}, labels, folds, seed=1)["words"]
    assert tables.shape == (4, 62, NUM_GENRES)
    own = 2 + np.arange(60)
    assert (np.abs(tables[0, own, 0]) > 0.1).all()
    assert not tables[folds, own].any()
    assert (tables[:, 0, 5] > 0.5).all()


def test_one_film_has_nobody_to_learn_from() -> None:
    words = {"words": sparse.csr_matrix(np.ones((1, 3), np.float32))}
    tables = linear.out_of_fold(words, np.ones((1, NUM_GENRES)), np.ones(1, int), seed=1)["words"]
    np.testing.assert_array_equal(tables, np.zeros((2, 3, NUM_GENRES)))


def test_a_number_belongs_to_the_classes_beside_it() -> None:
    step = float(CLASS_CENTRES[1] - CLASS_CENTRES[0])
    numbers = np.float32([[CLASS_CENTRES[4], CLASS_CENTRES[7] + step / 4], [-9, 9]])
    found = np.asarray(number_classes(numbers, np.zeros_like(numbers))).reshape(2, 2, CLASSES)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(found[0, 0, 4], 1, atol=1e-5)
    np.testing.assert_allclose(found[0, 1, [7, 8]], [0.75, 0.25], atol=1e-5)
    assert found[1, 0, 0] == found[1, 1, -1] == 1


def test_an_unknown_number_has_no_class() -> None:
    numbers, missing = np.zeros((1, 2), np.float32), np.float32([[0, 1]])
    found = np.asarray(number_classes(numbers, missing)).reshape(2, CLASSES)
    assert found[0].sum() == 1
    assert not found[1].any()
