"""Arms on made-up movies whose plots tell the genre."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality.arms import ARMS, PLOT_ONLY, Arm, Blend, FieldDropout

from benchmarks.quality.comparison import Fit, fit, judge
from benchmarks.quality.dataset import ALL_FIELDS, PLOT_AND_TITLE, SPLITS, genres, views
from benchmarks.quality.features import Features, recipes
from benchmarks.quality.scores import scores
from tests.benchmarks.quality.test_dataset import frame
from tests.data.tiny_movies import movies

MADE = views({name: frame(movies(80, seed=seed)) for seed, name in enumerate(SPLITS)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def features() -> Features:
    return Features(MADE)


def fitted(name: str, features: Features, folder: Path) -> Fit:
    return fit(name, features, folder)[0]


def test_arms_read_what_there_is() -> None:
    arms = {name: arm for name, arm in ARMS.items() if isinstance(arm, Arm)}
    assert {recipe for arm in arms.values() for recipe in arm.recipes} <= set(recipes())
    for blend in (arm for arm in ARMS.values() if isinstance(arm, Blend)):
        assert set(blend.weights) < set(arms)
        assert sum(blend.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", ["glove", "tfidf", "linear", "plot_mlp", "metadata_mlp"])
def test_arms_that_read_the_plot_learn(name: str, features: Features, folder: Path) -> None:
    outcome = judge(name, fitted(name, features, folder), MADE)
    f1 = scores(genres(MADE["test", ALL_FIELDS]), outcome.predictions[ALL_FIELDS])["macro-F1"]
    # Three genres; what is not in the plot is made by chance here.
    assert f1 > 0.85 if name != "metadata_mlp" else f1 < 0.7
    assert outcome.training > 0
    assert outcome.size > 0
    assert outcome.rate > 0


def test_prevalence_says_the_same_of_all(features: Features, folder: Path) -> None:
    outcome = judge("prevalence", fitted("prevalence", features, folder), MADE)
    assert len(np.unique(outcome.predictions[ALL_FIELDS].probabilities, axis=0)) == 1


@pytest.mark.parametrize("name", ["glove", "tfidf", "plot_mlp", "metadata_mlp", "linear"])
def test_plot_only_arms_alone_do_not_see_other_fields(
    name: str, features: Features, folder: Path
) -> None:
    one = fitted(name, features, folder)
    every, plot = one.logits["test", ALL_FIELDS], one.logits["test", PLOT_AND_TITLE]
    assert np.array_equal(every, plot) == (name in PLOT_ONLY)


def test_a_blend_is_the_mean_of_its_parts_and_counts_shared_parts_once(
    features: Features, folder: Path
) -> None:
    blend = fitted("plot_blend", features, folder)
    arm = ARMS["plot_blend"]
    assert isinstance(arm, Blend)
    parts = {part: fitted(part, features, folder) for part in arm.weights}
    expected = sum(
        weight * parts[part].logits["test", ALL_FIELDS] for part, weight in arm.weights.items()
    )
    assert np.allclose(blend.logits["test", ALL_FIELDS], expected, atol=1e-5)
    shared = set(parts["tfidf"].costs) & set(parts["plot_mlp"].costs)
    assert shared == {"plot words"}
    assert set(blend.costs) == set(parts["tfidf"].costs) | set(parts["plot_mlp"].costs)


def test_what_is_kept_is_read_again(features: Features, folder: Path) -> None:
    first = fitted("metadata_lr", features, folder)
    again, kept = fit("metadata_lr", Features(MADE), folder)
    assert kept
    # Seconds would differ if it had been fitted again.
    assert again.costs == first.costs
    assert set(again.logits) == set(MADE) - {("train", ALL_FIELDS)}
    assert all(np.array_equal(again.logits[view], first.logits[view]) for view in again.logits)


def test_field_dropout_hides_whole_fields_in_training_alone() -> None:
    layer = FieldDropout(["", "people", "people", "numbers"], rate=0.5, seed=1)
    ones = np.ones((2000, 4), np.float32)
    assert np.array_equal(layer(ones, training=False), ones)
    dropped = np.asarray(layer(ones, training=True))
    assert dropped[:, 0].all()
    assert np.array_equal(dropped[:, 1], dropped[:, 2])
    assert abs(dropped[:, 1].mean() - 0.5) < 0.05
    assert abs(dropped[:, 3].mean() - 0.5) < 0.05
    assert abs((dropped[:, 1] * dropped[:, 3]).mean() - 0.25) < 0.05
