"""The metrics agree with scikit-learn, regardless of how the examples are grouped."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from tensorflow_model_analysis.metrics import metric_types

from components.evaluator.metrics import (
    GenreMetrics,
    average_precision,
    bucket_index,
    bucket_probability,
)

GENRES = 4


def compute_metrics(
    labels: np.ndarray, scores: np.ndarray, probabilities: np.ndarray, bundles: int = 1
) -> dict[tuple[str, int | None], float]:
    """Return all metrics by name and class id, with the examples split into several bundles."""
    values = extract_output(labels, scores, probabilities, bundles)
    return {
        (key.name, None if key.sub_key is None else key.sub_key.class_id): value
        for key, value in values.items()
        if not isinstance(key, metric_types.PlotKey)
    }


def compute_plots(
    labels: np.ndarray, scores: np.ndarray, probabilities: np.ndarray
) -> dict[tuple[str, int], Any]:
    """Return all plots, by name and class id."""
    return {
        (key.name, key.sub_key.class_id): value
        for key, value in extract_output(labels, scores, probabilities).items()
        if isinstance(key, metric_types.PlotKey)
    }


def extract_output(
    labels: np.ndarray, scores: np.ndarray, probabilities: np.ndarray, bundles: int = 1
) -> dict[metric_types.MetricKey, Any]:
    (computation,) = GenreMetrics(labels.shape[1]).computations()
    combiner = computation.combiner
    accumulators = []
    for rows in np.array_split(np.arange(len(labels)), bundles):
        accumulator = combiner.create_accumulator()
        for row in rows:
            element = metric_types.StandardMetricInputs(
                labels=labels[row],
                predictions={
                    "decision_scores": scores[row],
                    "probabilities": probabilities[row],
                },
            )
            accumulator = combiner.add_input(accumulator, element)
        accumulators.append(accumulator)
    values = combiner.extract_output(combiner.merge_accumulators(accumulators))
    assert set(values) == set(computation.keys)
    return values


def random_predictions(examples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, decision scores and probabilities of a model that is sometimes right."""
    random = np.random.default_rng(7)
    labels = (random.random((examples, GENRES)) < [0.5, 0.3, 0.1, 0.03]).astype(np.float32)
    probabilities = 1 / (1 + np.exp(-random.normal(2 * labels - 2, 1)))
    thresholds = np.array([0.5, 0.3, 0.2, 0.1])
    scores = np.where(probabilities >= thresholds, 0.6, 0.4)
    return labels, scores.astype(np.float32), probabilities.astype(np.float32)


@pytest.mark.parametrize("bundles", [1, 7])
def test_metrics_are_those_of_scikit_learn(bundles: int) -> None:
    labels, scores, probabilities = random_predictions(600)
    predicted = scores > 0.5
    values = compute_metrics(labels, scores, probabilities, bundles)

    by_genre = sklearn_metrics.precision_recall_fscore_support(labels, predicted, zero_division=0)
    for name, expected in zip(
        ("precision", "recall", "f1_score", "support"), by_genre, strict=True
    ):
        assert [values[name, genre] for genre in range(GENRES)] == pytest.approx(list(expected))
    for average in ("micro", "macro"):
        expected = sklearn_metrics.precision_recall_fscore_support(
            labels, predicted, average=average, zero_division=0
        )
        names = (f"{average}_precision", f"{average}_recall", f"{average}_f1_score")
        assert [values[name, None] for name in names] == pytest.approx(list(expected[:3]))
    assert values["samples_f1", None] == pytest.approx(
        sklearn_metrics.f1_score(labels, predicted, average="samples", zero_division=0)
    )
    assert values["subset_accuracy", None] == pytest.approx(
        sklearn_metrics.accuracy_score(labels, predicted)
    )
    assert values["hamming_accuracy", None] == pytest.approx(
        1 - sklearn_metrics.hamming_loss(labels, predicted)
    )
    assert values["example_count", None] == 600
    average_precisions = [
        sklearn_metrics.average_precision_score(labels[:, g], bucket_index(probabilities[:, g]))
        for g in range(GENRES)
    ]
    assert [values["auc_precision_recall", g] for g in range(GENRES)] == pytest.approx(
        average_precisions
    )
    assert values["macro_auc_precision_recall", None] == pytest.approx(np.mean(average_precisions))


def test_bucketing_changes_average_precision_by_less_than_0_005() -> None:
    labels, scores, probabilities = random_predictions(5000)
    values = compute_metrics(labels, scores, probabilities)
    for genre in range(GENRES):
        exact = sklearn_metrics.average_precision_score(labels[:, genre], probabilities[:, genre])
        assert values["auc_precision_recall", genre] == pytest.approx(exact, abs=0.005)


def test_a_genre_without_examples_is_zero_and_in_no_average() -> None:
    labels = np.array([[1, 0], [1, 0]], np.float32)
    scores = np.array([[0.9, 0.9], [0.1, 0.1]], np.float32)
    values = compute_metrics(labels, scores, scores)

    for name in ("f1_score", "precision", "recall", "auc_precision_recall", "support"):
        assert values[name, 1] == 0.0
    assert values["f1_score", 0] == pytest.approx(2 / 3)
    assert values["macro_f1_score", None] == pytest.approx(2 / 3)
    assert values["micro_f1_score", None] == pytest.approx(0.5)


def test_no_examples_give_zeros() -> None:
    empty = np.zeros((0, 2), np.float32)
    assert set(compute_metrics(empty, empty, empty).values()) == {0.0}


def test_samples_f1_of_an_example_without_genres_is_zero() -> None:
    labels = np.array([[0, 0], [1, 0]], np.float32)
    scores = np.array([[0.1, 0.1], [0.9, 0.1]], np.float32)
    values = compute_metrics(labels, scores, scores)
    assert values["samples_f1", None] == 0.5
    assert values["subset_accuracy", None] == 1.0


def test_a_score_of_one_half_predicts_nothing() -> None:
    values = compute_metrics(
        np.array([[1]], np.float32), np.array([[0.5]], np.float32), np.array([[0.5]], np.float32)
    )
    assert values["recall", 0] == 0.0


def test_buckets_keep_the_order_and_the_extremes() -> None:
    probabilities = np.array([0.0, 1e-7, 0.01, 0.5, 0.501, 0.99, 1.0])
    assert bucket_index(probabilities).tolist() == [0, 0, 308, 500, 500, 691, 999]


def test_probabilities_of_buckets_are_the_inverse() -> None:
    positions = np.array([1, 308, 500, 999])
    assert bucket_index(bucket_probability(positions + 0.5)).tolist() == positions.tolist()


def test_plotted_curves_are_those_of_scikit_learn() -> None:
    labels, scores, probabilities = random_predictions(600)
    for genre in range(GENRES):
        curve = compute_plots(labels, scores, probabilities)[
            "confusion_matrix_plot", genre
        ].matrices
        truth = labels[:, genre] > 0.5
        assert len(curve) == 51
        assert [curve[0].threshold, curve[25].threshold, curve[50].threshold] == [0.0, 0.5, 1.0]
        for one in curve:
            # The threshold itself may fall on either side in float32.
            predicted = bucket_index(probabilities[:, genre]) >= bucket_index(
                np.array([one.threshold + 1e-12])
            )
            predicted &= one.threshold < 1
            negative, positive = sklearn_metrics.confusion_matrix(truth, predicted, labels=[0, 1])
            assert [one.true_negatives, one.false_positives] == negative.tolist()
            assert [one.false_negatives, one.true_positives] == positive.tolist()
            assert one.recall == pytest.approx(sklearn_metrics.recall_score(truth, predicted))
            assert one.precision == pytest.approx(
                sklearn_metrics.precision_score(truth, predicted, zero_division=0)
            )


def test_plotted_calibration_adds_up() -> None:
    labels, scores, probabilities = random_predictions(600)
    buckets_of_plot = compute_plots(labels, scores, probabilities)["calibration_plot", 1].buckets
    edges = [one.upper_threshold_exclusive for one in buckets_of_plot[:-1]]
    assert edges == pytest.approx(np.linspace(0, 1, 21))
    inside = buckets_of_plot[1:-1]
    assert sum(one.num_weighted_examples.value for one in inside) == 600
    assert sum(one.total_weighted_label.value for one in inside) == labels[:, 1].sum()
    assert sum(one.total_weighted_refined_prediction.value for one in inside) == pytest.approx(
        probabilities[:, 1].sum(), abs=0.003 * 600
    )
    for one in inside:
        mean = one.total_weighted_refined_prediction.value / (one.num_weighted_examples.value or 1)
        if one.num_weighted_examples.value:
            assert one.lower_threshold_inclusive <= mean <= one.upper_threshold_exclusive


def test_average_precision_of_a_known_ranking() -> None:
    histogram = np.zeros((2, 1, 1000), np.int64)
    histogram[1, 0, 900] = 1  # precision 1 for half of the recall
    histogram[0, 0, 800] = 1
    histogram[1, 0, 700] = 1  # precision 2/3 for the other half
    assert average_precision(histogram).tolist() == pytest.approx([5 / 6])
