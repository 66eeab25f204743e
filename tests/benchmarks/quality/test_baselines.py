"""The baselines on made-up movies whose plots determine the genre."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.baselines import BASELINES, PLOT_ONLY, Baseline, Blend, FieldDropout
from benchmarks.quality.comparison import FittedBaseline, evaluate_baseline, fit_baseline
from benchmarks.quality.dataset import ALL_FIELDS, PLOT_AND_TITLE, SPLITS, genres, make_views
from benchmarks.quality.features import Features, feature_sets
from benchmarks.quality.scores import scores
from tests.benchmarks.quality.test_dataset import frame
from tests.data.tiny_movies import make_movies

VIEWS = make_views({name: frame(make_movies(80, seed=seed)) for seed, name in enumerate(SPLITS)})


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored")


@pytest.fixture(scope="module")
def features() -> Features:
    return Features(VIEWS)


def fitted(name: str, features: Features, directory: Path) -> FittedBaseline:
    return fit_baseline(name, features, directory)[0]


def test_baselines_read_existing_feature_sets() -> None:
    single = {name: one for name, one in BASELINES.items() if isinstance(one, Baseline)}
    read = {name for baseline in single.values() for name in baseline.feature_sets}
    assert read <= set(feature_sets())
    for blend in (one for one in BASELINES.values() if isinstance(one, Blend)):
        assert set(blend.weights) < set(single)
        assert sum(blend.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", ["glove", "tfidf", "linear", "plot_mlp", "metadata_mlp"])
def test_baselines_that_read_the_plot_learn(name: str, features: Features, directory: Path) -> None:
    result = evaluate_baseline(name, fitted(name, features, directory), VIEWS)
    f1 = scores(genres(VIEWS["test", ALL_FIELDS]), result.predictions[ALL_FIELDS])["macro-F1"]
    # There are three genres; all fields other than the plot are random.
    assert f1 > 0.85 if name != "metadata_mlp" else f1 < 0.7
    assert result.training_seconds > 0
    assert result.size_bytes > 0
    assert result.movies_per_second > 0


def test_prevalence_is_the_same_for_all_movies(features: Features, directory: Path) -> None:
    result = evaluate_baseline("prevalence", fitted("prevalence", features, directory), VIEWS)
    assert len(np.unique(result.predictions[ALL_FIELDS].probabilities, axis=0)) == 1


@pytest.mark.parametrize("name", ["glove", "tfidf", "plot_mlp", "metadata_mlp", "linear"])
def test_only_plot_only_baselines_ignore_other_fields(
    name: str, features: Features, directory: Path
) -> None:
    logits = fitted(name, features, directory).logits
    every, plot = logits["test", ALL_FIELDS], logits["test", PLOT_AND_TITLE]
    assert np.array_equal(every, plot) == (name in PLOT_ONLY)


def test_a_blend_is_a_weighted_sum_and_counts_shared_costs_once(
    features: Features, directory: Path
) -> None:
    blend = fitted("plot_blend", features, directory)
    weights = BASELINES["plot_blend"].weights
    parts = {part: fitted(part, features, directory) for part in weights}
    expected = sum(
        weight * parts[part].logits["test", ALL_FIELDS] for part, weight in weights.items()
    )
    assert np.allclose(blend.logits["test", ALL_FIELDS], expected, atol=1e-5)
    shared = set(parts["tfidf"].costs) & set(parts["plot_mlp"].costs)
    assert shared == {"plot words"}
    assert set(blend.costs) == set(parts["tfidf"].costs) | set(parts["plot_mlp"].costs)


def test_stored_baselines_are_loaded(features: Features, directory: Path) -> None:
    first = fitted("metadata_lr", features, directory)
    again, loaded = fit_baseline("metadata_lr", Features(VIEWS), directory)
    assert loaded
    # The measured seconds would differ if it had been fitted again.
    assert again.costs == first.costs
    assert set(again.logits) == set(VIEWS) - {("train", ALL_FIELDS)}
    assert all(np.array_equal(again.logits[view], first.logits[view]) for view in again.logits)


def test_field_dropout_drops_whole_fields_only_in_training() -> None:
    layer = FieldDropout(["", "people", "people", "numbers"], rate=0.5, seed=1)
    ones = np.ones((2000, 4), np.float32)
    assert np.array_equal(layer(ones, training=False), ones)
    dropped = np.asarray(layer(ones, training=True))
    assert dropped[:, 0].all()
    assert np.array_equal(dropped[:, 1], dropped[:, 2])
    assert abs(dropped[:, 1].mean() - 0.5) < 0.05
    assert abs(dropped[:, 3].mean() - 0.5) < 0.05
    assert abs((dropped[:, 1] * dropped[:, 3]).mean() - 0.25) < 0.05
