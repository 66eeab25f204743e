"""What the baselines read: nothing of a movie's own genres, and nothing where fields are hidden."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.quality.dataset import JUDGED, PLOT_AND_TITLE, SPLITS, TRAINING, views
from benchmarks.quality.features import (
    PRIOR_MOVIES,
    Features,
    encode_out_of_fold,
    encode_people,
    recipes,
)
from schema import features as raw
from schema.genres import NUM_GENRES
from tests.benchmarks.quality.test_dataset import frame
from tests.data.tiny_movies import movies

HIDDEN = ("eval", PLOT_AND_TITLE)


@pytest.fixture(scope="module")
def features() -> Features:
    splits = {
        name: frame([{**row, raw.TITLE: row[raw.PLOT][:30]} for row in movies(60, seed=seed)])
        for seed, name in enumerate(SPLITS)
    }
    return Features(views(splits))


def made_up(movies: int, persons: int) -> tuple[sp.csr_matrix, np.ndarray]:
    generator = np.random.default_rng(2)
    people = sp.csr_matrix((generator.random((movies, persons)) < 0.2).astype(np.float32))
    return people, (generator.random((movies, NUM_GENRES)) < 0.3).astype(np.float32)


def test_encoding_is_the_log_of_the_shrunk_lift() -> None:
    # One person with two movies, both of the first genre; of four movies two have it.
    known = sp.csr_matrix(np.array([[1], [1], [0], [0]], np.float32))
    given = np.zeros((4, NUM_GENRES), np.float32)
    given[:2, 0] = 1
    row = encode_people(sp.csr_matrix(np.ones((1, 1), np.float32)), known, given)[0]
    lift = np.log((2 + PRIOR_MOVIES * 0.5) / (2 + PRIOR_MOVIES) / 0.5)
    assert row[[0, NUM_GENRES]] == pytest.approx([lift, lift], abs=1e-4)
    assert row[-2:] == pytest.approx([np.log(2), np.log(3)])


def test_unknown_people_say_nothing() -> None:
    people, given = made_up(50, 10)
    stranger = sp.csr_matrix(np.eye(12, dtype=np.float32)[10:])
    known = sp.hstack([people, sp.csr_matrix((50, 2), dtype=np.float32)]).tocsr()
    assert not encode_people(stranger, known, given).any()


def test_no_movie_sees_its_own_genres() -> None:
    people, given = made_up(80, 12)
    fold = np.arange(80) % 5
    before = encode_out_of_fold(people, given, fold)
    for movie in (0, 7, 33):
        changed = given.copy()
        changed[movie] = 1 - changed[movie]
        after = encode_out_of_fold(people, changed, fold)
        inside = fold == fold[movie]
        assert np.array_equal(before[inside], after[inside])
        assert not np.array_equal(before[~inside], after[~inside]), "others do see them"


def test_labels_by_chance_teach_nothing_out_of_fold() -> None:
    """With a person a movie and labels by chance, the encoding cannot tell a label."""
    people = sp.identity(200, dtype=np.float32, format="csr")
    given = (np.random.default_rng(0).random((200, NUM_GENRES)) < 0.5).astype(np.float32)
    assert encode_people(people, people, given)[given[:, 0] > 0, 0].min() > 0, "leaks in fold"
    assert not encode_out_of_fold(people, given, np.arange(200) % 5).any()


@pytest.mark.parametrize("name", sorted(set(recipes()) - {"sentences"}))
def test_each_recipe_fits_small_data(features: Features, name: str) -> None:
    train, hidden = features.get(name, TRAINING), features.get(name, HIDDEN)
    assert train.shape == (60, hidden.shape[1])
    assert train.dtype == hidden.dtype == np.float32
    dense = train.toarray() if sp.issparse(train) else train
    assert np.isfinite(dense).all()
    assert dense.any()


@pytest.mark.parametrize(
    "name",
    [
        "credit counts",
        "encoded people",
        "hashed people",
        "number classes",
        "numbers",
        "people directions",
        "weighted people",
    ],
)
def test_what_is_hidden_is_zero(features: Features, name: str) -> None:
    assert abs(features.get(name, HIDDEN)).sum() == 0


def test_costs_name_all_that_a_recipe_needs(features: Features) -> None:
    for name in ("people directions", "numbers"):
        features.get(name, JUDGED)
    costs = features.costs(["people directions", "numbers"])
    assert set(costs) == {"people directions", "weighted people", "numbers"}
    assert all(cost.training > 0 and cost.predicting > 0 for cost in costs.values())
    assert all(cost.size > 0 for cost in costs.values())


def test_sentences_are_vectors_of_the_plot(features: Features) -> None:
    vectors = features.get("sentences", TRAINING)
    assert vectors.shape == (60, 384)
    assert vectors.dtype == np.float32
    plots = features.views[TRAINING][raw.PLOT].to_numpy()
    same = plots[:, np.newaxis] == plots
    cosine = vectors @ vectors.T / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    assert cosine[same].min() > 0.999 > cosine[~same].max()
    [cost] = features.costs(["sentences"]).values()
    # The encoder's weights, without the vectors.
    assert 90e6 < cost.size < 92e6
