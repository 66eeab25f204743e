"""The texts that stand for charts."""

import numpy as np

from metadata import NodeTiming
from report import charts
from report.alternatives import describe
from report.content import SliceMetrics
from tests.data.made_up_report import make_genre_result, make_predictions


def test_points_are_listed_with_their_names() -> None:
    rows = [make_genre_result("Drama", f1=0.8, support=1200), make_genre_result("War", f1=0.25)]
    text = describe(charts.f1_by_genre(rows))
    assert text.startswith("genre (number of test movies) by F1 on the test split (0 to 1). floor")
    assert "this model with 95% confidence interval: War (10) 0.25, Drama (1,200) 0.8" in text
    text = describe(charts.node_times([NodeTiming("Trainer", 61.5, cached=False)]))
    assert text == "node by time (seconds). this run: Trainer 61.5."


def test_long_lines_are_told_by_their_ends_and_their_highest_point() -> None:
    text = describe(charts.threshold_curve(make_genre_result("Action"), make_predictions(), 0))
    assert text.startswith("Action (10 movies). value (0 to 1) by threshold (probability). ")
    assert "recall: from 1 at 0.01 to 0 at 0.99, highest 1 at 0.01" in text
    assert "threshold of the model (median over movies): 0 at 0.5, 1 at 0.5" in text


def test_heat_maps_are_told_by_their_highest_cells() -> None:
    support = np.array([6, 2])
    slices = [SliceMetrics("decade", "1950s", 40, 0.6, np.array([0.75, 0.9]), support)]
    text = describe(charts.f1_by_slice(slices, ["Drama", "War"], min_support=5))
    expected = "decade: 1950s (40) and Drama 0.75; decade: 1950s (40) and all genres (micro) 0.6"
    assert text == f"slice (number of test movies) by genre. Highest values: {expected}."
    empty = [SliceMetrics("decade", "1950s", 0, 0.0, np.zeros(2), np.zeros(2))]
    assert "All values are 0" in describe(charts.f1_by_slice(empty, ["Drama", "War"], 5))
