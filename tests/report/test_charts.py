"""The charts of the report."""

from dataclasses import replace

import numpy as np
import pytest

from metadata import NodeTiming
from report import charts, metrics
from report.content import DistributionDistance, SliceMetrics
from schema.genres import GENRES, NUM_GENRES
from tests.data.made_up_report import make_genre_result, make_predictions


def test_f1_by_genre_is_sorted_and_compared() -> None:
    rows = [
        make_genre_result("Drama", f1=0.8, support=1200),
        make_genre_result("War", f1=0.2, last_blessed=0.5, judgement="not judged"),
    ]
    figure = charts.f1_by_genre(rows)
    floor, baseline, last, model = figure.data
    names = ("War (10)", "Drama (1,200)")
    assert all(tuple(trace.y) == names for trace in figure.data)
    assert (tuple(floor.x), tuple(baseline.x)) == ((0.3, 0.3), (0.4, 0.4))
    assert (last.name, tuple(last.x)) == ("last blessed model", (0.5, 0.7))
    assert tuple(model.x) == (0.2, 0.8)
    assert tuple(model.marker.symbol) == ("circle-open", "circle")
    low, high = metrics.f1_interval(6, 10, 8)
    assert model.customdata[0, :2] == pytest.approx([low, high])
    assert model.error_x.array[0] == pytest.approx(high - 0.2)
    assert figure.layout.xaxis.title.text == "F1 on the test split (0 to 1)"
    assert figure.layout.yaxis.title.text == "genre (number of test movies)"


def test_a_genre_without_test_movies_has_no_f1() -> None:
    war = make_genre_result("War", support=0, true_positives=0, predicted_positives=0, f1=0.0)
    rows = [make_genre_result("Drama"), war]
    floor, baseline, last, model = charts.f1_by_genre(rows).data
    assert (floor.x[0], baseline.x[0], last.x[0]) == (0.3, None, None)
    assert np.isnan(model.x[0])


def test_names_for_readers() -> None:
    names = ("num_votes", "runtime_minutes", "average_rating", "log_loss")
    assert [charts.display_name(name) for name in names] == [
        "votes",
        "running time",
        "rating",
        "log loss",
    ]


def test_f1_by_genre_without_models_to_compare() -> None:
    figure = charts.f1_by_genre(
        [make_genre_result("Drama", last_blessed=None, simple_baseline=None)]
    )
    assert [trace.name for trace in figure.data] == [
        "floor (lowest F1 allowed)",
        "this model with 95% confidence interval",
    ]


def test_threshold_curve_marks_the_threshold_of_the_model() -> None:
    predictions = make_predictions()
    figure = charts.threshold_curve(make_genre_result("Action", support=7), predictions, 0)
    curve = metrics.threshold_curve(predictions.labels[:, 0], predictions.probabilities[:, 0])
    lines = {trace.name: trace for trace in figure.data}
    for name, values in (
        ("precision", curve.precision),
        ("recall", curve.recall),
        ("F1", curve.f1),
    ):
        assert lines[name].y == pytest.approx(values)
        assert lines[name].x == pytest.approx(metrics.THRESHOLDS)
    # The scores of these movies are their probabilities, so every threshold is one half.
    assert lines["threshold of the model (median over movies)"].x == pytest.approx((0.5, 0.5))
    assert figure.layout.title.text == "Action (7 movies)"


def test_calibration_curve_shows_intervals() -> None:
    predictions = make_predictions()
    figure = charts.calibration_curve("all genres", predictions.labels, predictions.probabilities)
    curve = metrics.calibration_curve(predictions.labels, predictions.probabilities)
    bars, _, points = figure.data
    assert list(bars.text) == [f"{count:,}" for count in curve.movies]
    assert sum(bars.y) == pytest.approx(1.0)
    assert points.x == pytest.approx(curve.predicted)
    assert points.y == pytest.approx(curve.observed)
    assert points.y + points.error_y.array == pytest.approx(curve.high)
    assert points.customdata[:, 0].sum() == (predictions.probabilities > 0.02).sum()
    assert figure.layout.title.text == f"all genres, ECE {curve.expected_error:.3f}"


def test_confusion_is_in_percent_of_the_movies_that_have_the_genre() -> None:
    predictions = make_predictions()
    [heat] = charts.confusion(predictions, GENRES).data
    counts = metrics.confusion_counts(predictions.labels, predictions.predicted)
    support = predictions.labels.sum(axis=0)
    assert heat.customdata.tolist() == counts.tolist()
    assert np.asarray(heat.z) * support[:, np.newaxis] == pytest.approx(100.0 * counts)
    assert heat.y[0] == f"Action ({support[0]})"
    assert list(heat.x) == list(GENRES)


def test_cells_have_numbers_and_the_scale_has_a_length_without_confusions() -> None:
    predictions = make_predictions()
    mixed_up = replace(predictions, predicted=np.roll(predictions.predicted, 1, axis=0))
    [heat] = charts.confusion(mixed_up, GENRES).data
    share = np.asarray(heat.z)
    assert heat.zmax == share.max() > 1
    shown = np.array(heat.text)
    assert [int(text) for text in shown[share > 0.5]] == np.rint(share[share > 0.5]).tolist()
    assert set(shown[share == 0]) == {""}
    right = replace(predictions, predicted=predictions.labels)
    [heat] = charts.confusion(right, GENRES).data
    assert (heat.zmin, heat.zmax) == (0, 1)


def test_co_occurrence_leaves_the_diagonal_out() -> None:
    predictions = make_predictions()
    [heat] = charts.co_occurrence(predictions.labels, GENRES).data
    assert np.isnan(np.diag(heat.z)).all()
    both = (predictions.labels[:, 0] & predictions.labels[:, 1]).sum()
    assert heat.customdata[0, 1] == both
    assert heat.z[0, 1] == pytest.approx(100 * both / predictions.labels[:, 0].sum())


def test_f1_by_slice_leaves_out_genres_with_few_movies() -> None:
    support = np.array([6] * (NUM_GENRES - 1) + [2])
    slices = [SliceMetrics("plot_length", "short", 40, 0.6, np.full(NUM_GENRES, 0.5), support)]
    figure = charts.f1_by_slice(slices, GENRES, min_support=5)
    [heat] = figure.data
    assert heat.z[0, 0] == 0.6
    assert heat.z[0, 1:-1].tolist() == [0.5] * (NUM_GENRES - 1)
    assert np.isnan(heat.z[0, -1])
    assert heat.customdata[0].tolist() == [40, *support]
    assert list(heat.y) == ["plot length: short (40)"]


def test_learning_curves_mark_the_best_epoch() -> None:
    history = {
        "loss": [1.0, 0.8],
        "val_loss": [0.3, 0.2],
        "val_map": [0.6, 0.5],
        "val_macro_f1": [0.4, 0.45],
    }
    training, evaluation, scores = charts.learning_curves(history, 0)
    assert [list(trace.y) for trace in training.data] == [history["loss"]]
    assert [list(trace.y) for trace in evaluation.data] == [history["val_loss"]]
    assert [list(trace.y) for trace in scores.data] == [[0.6, 0.5], [0.4, 0.45]]
    assert {tuple(trace.x) for trace in (*training.data, *scores.data)} == {(1, 2)}
    charted = (training, evaluation, scores)
    assert [shape.x0 for figure in charted for shape in figure.layout.shapes] == [1, 1, 1]


def test_node_times_mark_cached_results() -> None:
    figure = charts.node_times(
        [NodeTiming("Trainer", 61.5, cached=False), NodeTiming("Tuner", 9.0, True)]
    )
    made, cached = figure.data
    assert (made.name, list(made.x), list(made.y)) == ("this run", [61.5], ["Trainer"])
    assert (cached.name, list(cached.x)) == ("cached result of an earlier run", [9.0])
    assert list(figure.layout.yaxis.categoryarray) == ["Trainer", "Tuner"]
    assert figure.layout.xaxis.title.text == "time (seconds)"


def test_distances_are_shares_of_their_limits() -> None:
    distances = [
        DistributionDistance("eval and train", "year", "l_infty", 0.05, 0.2),
        DistributionDistance("eval and train", "genres", "l_infty", 0.3, 0.2),
    ]
    figure = charts.distribution_distances(distances)
    assert list(figure.data[0].x) == pytest.approx([25.0, 150.0])
    assert figure.layout.xaxis.range[1] > 150


@pytest.mark.parametrize("colour", ["paper_bgcolor", "plot_bgcolor"])
def test_charts_have_no_background(colour: str) -> None:
    assert charts.f1_by_genre([make_genre_result("Drama")]).layout[colour] is None
