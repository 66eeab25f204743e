"""Sentences about strengths and weaknesses."""

from dataclasses import replace

import numpy as np

from report import summary
from report.content import SliceMetrics
from schema.genres import GENRES, NUM_GENRES
from tests.data.made_up_report import make_genre_result, make_report_content


def test_strengths_name_the_best_genres() -> None:
    content = make_report_content()
    rows = list(content.verdict.genres)
    rows[5] = make_genre_result(
        "Crime",
        f1=0.95,
        precision=0.95,
        recall=0.95,
        support=400,
        true_positives=380,
        predicted_positives=400,
    )
    verdict = replace(content.verdict, genres=tuple(rows))
    best, gain, correct = summary.strengths(verdict, content.predictions)
    assert best.startswith(
        "Best genres, by the lower end of the 95% interval of F1: Crime (F1 0.95, 0.93 to 0.96, 400"
    )
    assert gain.startswith("F1 is more than 0.05 above the simple baseline in 22 of 22 genres")
    assert "Crime (+0.55)" in gain
    exact = int((content.predictions.labels == content.predictions.predicted).all(axis=1).sum())
    assert correct.startswith(f"All genres are correct for {exact} of 60 test movies")


def test_no_genre_is_best_and_worst_and_only_notable_differences_are_listed() -> None:
    content = make_report_content()
    baselines = {"Action": 0.2, "Crime": 0.64, "Drama": 0.8, "War": 0.9, "Sport": 0.7, "News": 1.0}
    rows = [
        make_genre_result(name, simple_baseline=baseline) for name, baseline in baselines.items()
    ]
    verdict = replace(content.verdict, genres=tuple(rows))
    best, gain, _ = summary.strengths(verdict, content.predictions)
    assert gain == (
        "F1 is more than 0.05 above the simple baseline in 1 of 6 genres, most of all in Action "
        "(+0.47)."
    )
    worst, lower, *_ = summary.weaknesses(verdict, content.predictions, (), GENRES)
    assert [name for name in baselines if name in best] == ["Action", "Crime", "Drama"]
    assert [name for name in baselines if name in worst] == ["War", "Sport", "News"]
    assert lower == (
        "F1 is below the simple baseline in 4 of 6 genres, most of all in News (-0.33), War "
        "(-0.23) and Drama (-0.13)."
    )
    drama = make_genre_result("Drama", support=1, true_positives=1, predicted_positives=1)
    single = replace(verdict, genres=(drama,))
    assert "1 movie)" in summary.strengths(single, content.predictions)[0]
    weaknesses = summary.weaknesses(single, content.predictions, (), GENRES)
    assert not any("Worst" in line for line in weaknesses)


def test_weaknesses_name_low_and_missing_metrics() -> None:
    content = make_report_content()
    rows = list(content.verdict.genres)
    rows[0] = make_genre_result(
        "Action", f1=0.1, true_positives=1, predicted_positives=10, simple_baseline=0.5
    )
    rows[1] = make_genre_result(
        "Adventure", support=0, true_positives=0, predicted_positives=0, f1=0.0
    )
    verdict = replace(content.verdict, genres=tuple(rows))
    text = "\n".join(summary.weaknesses(verdict, content.predictions, content.slices, GENRES))
    assert "Worst genres, by the upper end of the 95% interval of F1: Action (F1 0.10" in text
    assert "F1 is below the simple baseline in Action (-0.40)." in text
    assert "F1 is more than 0.05 below the last blessed model in Action (-0.60)." in text
    assert "Weakest slice: decade 1950s, with a micro-F1 of 0.550 on 20 movies" in text
    assert "Not measured, because no test movie has the genre: Adventure." in text
    assert "wider than 0.4: Animation (10), Biography (10)" in text
    # The probabilities of wrong genres are about 0.15.
    assert "the probabilities are too high" in text


def test_weaknesses_name_the_most_frequent_confusion() -> None:
    content = make_report_content()
    labels = np.zeros((5, NUM_GENRES), np.bool_)
    predicted = np.zeros_like(labels)
    labels[:, 2], predicted[:4, 3], predicted[4, 2] = True, True, True
    shown = replace(
        content.predictions,
        labels=labels,
        predicted=predicted,
        probabilities=0.9 * predicted + 0.01,
    )
    text = summary.weaknesses(content.verdict, shown, (), GENRES)
    assert f"Most frequent confusions: {GENRES[3]} instead of {GENRES[2]} (4 of 5 movies)." in text


def test_weaknesses_without_a_weak_slice() -> None:
    content = make_report_content()
    even = SliceMetrics("decade", "1950s", 20, 0.7, np.zeros(NUM_GENRES), np.zeros(NUM_GENRES))
    text = "\n".join(summary.weaknesses(content.verdict, content.predictions, (even,), GENRES))
    assert "No slice with at least 10 movies has a micro-F1" in text
