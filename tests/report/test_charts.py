"""Each chart draws the data that it was given."""

import numpy as np
import pytest

from metadata import NodeTiming
from report import charts, metrics
from report.facts import Distance, Slice
from schema.genres import GENRES, NUM_GENRES
from tests.data.made_up_report import genre, movies


def test_f1_by_genre_has_the_best_on_top_with_counts_and_rivals() -> None:
    rows = [
        genre("Drama", f1=0.8, support=1200),
        genre("War", f1=0.2, last_blessed=0.5, judgement="not judged"),
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
    assert figure.layout.yaxis.title.text == "genre (test movies)"


def test_without_a_last_blessed_model_there_is_no_mark_of_one() -> None:
    figure = charts.f1_by_genre([genre("Drama", last_blessed=None, simple_baseline=None)])
    assert [trace.name for trace in figure.data] == ["floor", "this model, with 95% interval"]


def test_threshold_curve_marks_the_threshold_used() -> None:
    shown = movies()
    figure = charts.threshold_curve(genre("Action", support=7), shown, 0)
    curve = metrics.threshold_curve(shown.labels[:, 0], shown.probabilities[:, 0])
    lines = {trace.name: trace for trace in figure.data}
    for name, values in (
        ("precision", curve.precision),
        ("recall", curve.recall),
        ("F1", curve.f1),
    ):
        assert lines[name].y == pytest.approx(values)
        assert lines[name].x == pytest.approx(metrics.THRESHOLDS)
    # The scores of these movies are their probabilities: all were decided at one half.
    assert lines["threshold used (median over movies)"].x == pytest.approx((0.5, 0.5))
    assert figure.layout.title.text == "Action (7 movies)"


def test_calibration_shows_bins_with_intervals() -> None:
    shown = movies()
    figure = charts.calibration("all genres", shown.labels, shown.probabilities)
    found = metrics.calibration(shown.labels, shown.probabilities)
    points = figure.data[1]
    assert points.x == pytest.approx(found.predicted)
    assert points.y == pytest.approx(found.observed)
    assert points.y + points.error_y.array == pytest.approx(found.high)
    assert points.customdata[:, 0].sum() == shown.labels.size
    assert figure.layout.title.text == f"all genres, ECE {found.error:.3f}"


def test_confusion_is_in_percent_of_the_movies_that_have_the_genre() -> None:
    shown = movies()
    [heat] = charts.confusion(shown, GENRES).data
    counts = metrics.confusion(shown.labels, shown.predicted)
    support = shown.labels.sum(axis=0)
    assert heat.customdata.tolist() == counts.tolist()
    assert np.asarray(heat.z) * support[:, np.newaxis] == pytest.approx(100.0 * counts)
    assert heat.y[0] == f"Action ({support[0]})"
    assert list(heat.x) == list(GENRES)


def test_co_occurrence_leaves_the_diagonal_out() -> None:
    shown = movies()
    [heat] = charts.co_occurrence(shown.labels, GENRES).data
    assert np.isnan(np.diag(heat.z)).all()
    both = (shown.labels[:, 0] & shown.labels[:, 1]).sum()
    assert heat.customdata[0, 1] == both
    assert heat.z[0, 1] == pytest.approx(100 * both / shown.labels[:, 0].sum())


def test_slices_leave_out_what_too_few_movies_have() -> None:
    support = np.array([6] * (NUM_GENRES - 1) + [2])
    found = [Slice("plot_length", "short", 40, 0.6, np.full(NUM_GENRES, 0.5), support)]
    figure = charts.slices(found, GENRES, least=5)
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
    losses, scores = charts.learning_curves(history, 0)
    assert [list(trace.y) for trace in losses.data] == [history["loss"], history["val_loss"]]
    assert [list(trace.y) for trace in scores.data] == [[0.6, 0.5], [0.4, 0.45]]
    assert {tuple(trace.x) for trace in (*losses.data, *scores.data)} == {(1, 2)}
    assert [shape.x0 for shape in (*losses.layout.shapes, *scores.layout.shapes)] == [1, 1]


def test_timings_tell_what_was_cached() -> None:
    figure = charts.timings(
        [NodeTiming("Trainer", 61.5, cached=False), NodeTiming("Tuner", 9.0, True)]
    )
    made, cached = figure.data
    assert (made.name, list(made.x), list(made.y)) == ("made by this run", [61.5], ["Trainer"])
    assert (cached.name, list(cached.x)) == ("made by an earlier run", [9.0])
    assert list(figure.layout.yaxis.categoryarray) == ["Trainer", "Tuner"]
    assert figure.layout.xaxis.title.text == "time (seconds)"


def test_distances_are_shares_of_their_limits() -> None:
    found = [
        Distance("eval and train", "year", "l_infty", 0.05, 0.2),
        Distance("eval and train", "genres", "l_infty", 0.3, 0.2),
    ]
    figure = charts.distances(found)
    assert list(figure.data[0].x) == pytest.approx([25.0, 150.0])
    assert figure.layout.xaxis.range[1] > 150


@pytest.mark.parametrize("unlit", ["paper_bgcolor", "plot_bgcolor"])
def test_charts_leave_their_ground_to_the_page(unlit: str) -> None:
    assert charts.f1_by_genre([genre("Drama")]).layout[unlit] is None
