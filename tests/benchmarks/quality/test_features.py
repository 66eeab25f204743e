"""The feature sets: no leak of a movie's own genres, and zeros for missing fields."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.quality.dataset import (
    PLOT_AND_TITLE,
    SPLITS,
    TEST_VIEW,
    TRAIN_VIEW,
    make_views,
)
from benchmarks.quality.features import (
    PRIOR_MOVIES,
    Features,
    feature_sets,
    target_encode_out_of_fold,
    target_encode_people,
)
from schema import features as raw
from schema.genres import NUM_GENRES
from tests.benchmarks.quality.test_dataset import frame
from tests.data.tiny_movies import make_movies

PLOT_AND_TITLE_VIEW = ("eval", PLOT_AND_TITLE)


@pytest.fixture(scope="module")
def features() -> Features:
    splits = {
        name: frame([{**row, raw.TITLE: row[raw.PLOT][:30]} for row in make_movies(60, seed=seed)])
        for seed, name in enumerate(SPLITS)
    }
    return Features(make_views(splits))


def made_up(movies: int, persons: int) -> tuple[sp.csr_matrix, np.ndarray]:
    generator = np.random.default_rng(2)
    people = sp.csr_matrix((generator.random((movies, persons)) < 0.2).astype(np.float32))
    return people, (generator.random((movies, NUM_GENRES)) < 0.3).astype(np.float32)


def test_target_encoding_is_the_log_ratio_of_shrunk_shares() -> None:
    # One person with two movies, both of the first genre; of four movies two have it.
    known = sp.csr_matrix(np.array([[1], [1], [0], [0]], np.float32))
    labels = np.zeros((4, NUM_GENRES), np.float32)
    labels[:2, 0] = 1
    row = target_encode_people(sp.csr_matrix(np.ones((1, 1), np.float32)), known, labels)[0]
    log_ratio = np.log((2 + PRIOR_MOVIES * 0.5) / (2 + PRIOR_MOVIES) / 0.5)
    assert row[[0, NUM_GENRES]] == pytest.approx([log_ratio, log_ratio], abs=1e-4)
    assert row[-2:] == pytest.approx([np.log(2), np.log(3)])


def test_unknown_people_are_encoded_as_zeros() -> None:
    people, labels = made_up(50, 10)
    stranger = sp.csr_matrix(np.eye(12, dtype=np.float32)[10:])
    known = sp.hstack([people, sp.csr_matrix((50, 2), dtype=np.float32)]).tocsr()
    assert not target_encode_people(stranger, known, labels).any()


def test_a_movie_is_not_encoded_by_its_own_genres() -> None:
    people, labels = made_up(80, 12)
    folds = np.arange(80) % 5
    before = target_encode_out_of_fold(people, labels, folds)
    for movie in (0, 7, 33):
        changed = labels.copy()
        changed[movie] = 1 - changed[movie]
        after = target_encode_out_of_fold(people, changed, folds)
        inside = folds == folds[movie]
        assert np.array_equal(before[inside], after[inside])
        assert not np.array_equal(before[~inside], after[~inside]), "others do see them"


def test_random_labels_leak_nothing_out_of_fold() -> None:
    """If each movie has its own person, the encoding has no information about random labels."""
    people = sp.identity(200, dtype=np.float32, format="csr")
    labels = (np.random.default_rng(0).random((200, NUM_GENRES)) < 0.5).astype(np.float32)
    assert target_encode_people(people, people, labels)[labels[:, 0] > 0, 0].min() > 0, (
        "leaks in fold"
    )
    assert not target_encode_out_of_fold(people, labels, np.arange(200) % 5).any()


@pytest.mark.parametrize("name", sorted(set(feature_sets()) - {"sentences"}))
def test_each_feature_set_fits_small_data(features: Features, name: str) -> None:
    train, hidden = features.get(name, TRAIN_VIEW), features.get(name, PLOT_AND_TITLE_VIEW)
    assert train.shape == (60, hidden.shape[1])
    assert train.dtype == hidden.dtype == np.float32
    dense = train.toarray() if sp.issparse(train) else train
    assert np.isfinite(dense).all()
    assert dense.any()


@pytest.mark.parametrize(
    "name",
    [
        "credit counts",
        "people target encoding",
        "hashed people",
        "binned numbers",
        "numbers",
        "people SVD",
        "people TF-IDF",
    ],
)
def test_features_of_missing_fields_are_zero(features: Features, name: str) -> None:
    assert abs(features.get(name, PLOT_AND_TITLE_VIEW)).sum() == 0


def test_costs_include_the_feature_sets_that_are_read(features: Features) -> None:
    for name in ("people SVD", "numbers"):
        features.get(name, TEST_VIEW)
    costs = features.costs(["people SVD", "numbers"])
    assert set(costs) == {"people SVD", "people TF-IDF", "numbers"}
    assert all(cost.training_seconds > 0 and cost.predicting_seconds > 0 for cost in costs.values())
    assert all(cost.size_bytes > 0 for cost in costs.values())


def test_sentences_are_vectors_of_the_plot(features: Features) -> None:
    vectors = features.get("sentences", TRAIN_VIEW)
    assert vectors.shape == (60, 384)
    assert vectors.dtype == np.float32
    plots = features.views[TRAIN_VIEW][raw.PLOT].to_numpy()
    same = plots[:, np.newaxis] == plots
    cosine = vectors @ vectors.T / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    assert cosine[same].min() > 0.999 > cosine[~same].max()
    [cost] = features.costs(["sentences"]).values()
    # The size is that of the encoder's weights, without the vectors.
    assert 90e6 < cost.size_bytes < 92e6
