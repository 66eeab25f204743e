"""TFMA metrics for multi-label classification, all computed from the same counts.

TFMA's own metrics by class keep a confusion matrix at ten thousand thresholds for each class and
metric, and TFMA has neither samples F1 nor subset accuracy nor Hamming accuracy. Here, one combiner
counts predicted genres and probabilities of all genres at once, in every slice. All metrics and
TFMA's plots are computed from these counts.

Ratios with a denominator of zero are 0.0, as in scikit-learn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam
import numpy as np
from scipy.special import expit, logit
from tensorflow_model_analysis.metrics import calibration_plot, confusion_matrix_plot, metric_types
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from report.metrics import Counts, Floats, ratio
from schema.names import PROBABILITIES_OUTPUT, SCORES_OUTPUT

F1: Final = "f1_score"
PRECISION: Final = "precision"
RECALL: Final = "recall"
AUC_PR: Final = "auc_precision_recall"
SUPPORT: Final = "support"
MICRO_F1: Final = f"micro_{F1}"
MACRO_AUC_PR: Final = f"macro_{AUC_PR}"
EXAMPLE_COUNT: Final = "example_count"
"""TFMA's own name, by which its views find the size of a slice."""

SAMPLES_F1: Final = "samples_f1"
SUBSET_ACCURACY: Final = "subset_accuracy"
HAMMING_ACCURACY: Final = "hamming_accuracy"

_NUM_BUCKETS: Final = 1000
_MAX_LOGIT: Final = 12.0
"""Probabilities are counted in buckets of equal width in their logit, from -12 to 12."""

_BUCKETS_PER_CURVE_POINT: Final = 20
"""Number of buckets between two points of a plotted curve, which gives 51 points."""

_NUM_CALIBRATION_BUCKETS: Final = 20
"""Number of buckets of equal width in the probability, as in TFMA's calibration plots."""


@dataclass
class _Accumulator:
    """Counts over examples.

    Attributes:
        true_positives: int64 [genres]. Examples that have the genre and are predicted to have it.
        predicted: int64 [genres]. Examples that are predicted to have the genre.
        histogram: int64 [2, genres, buckets]. Examples by label (0 or 1), genre and bucket of the
            probability.
        exact_matches: Number of examples whose genres are all predicted correctly.
        samples_f1: Sum of the F1 scores of single examples.
    """

    true_positives: Counts
    predicted: Counts
    histogram: Counts
    exact_matches: int = 0
    samples_f1: float = 0.0


class GenreMetrics(metric_types.Metric):
    """F1, precision, recall, AUC-PR and support of each genre, and averages over genres.

    Metrics of single genres have the class id as sub key; averages have no sub key. Each genre also
    has TFMA's confusion matrix plot and calibration plot. Macro averages include only genres that
    have an example.
    """

    def __init__(self, num_genres: int, name: str = "genre_metrics") -> None:
        """Create the metric.

        Args:
            num_genres: Number of genres.
            name: Name of the metric in TFMA's configuration. The computed values have other names.
        """
        super().__init__(_computations, num_genres=num_genres, name=name)


def _computations(
    num_genres: int, name: str, model_names: list[str] | None = None
) -> list[metric_types.MetricComputation]:
    del name
    combiners = [_Combiner(num_genres, model_name) for model_name in model_names or [""]]
    return [
        metric_types.MetricComputation(
            keys=[*combiner.extract_output(combiner.create_accumulator())],
            preprocessors=None,
            combiner=combiner,
        )
        for combiner in combiners
    ]


class _Combiner(beam.CombineFn):
    """Combiner that counts the predictions of one model and computes metrics from the counts."""

    def __init__(self, num_genres: int, model_name: str) -> None:
        self._num_genres = num_genres
        self._model_name = model_name

    def create_accumulator(self) -> _Accumulator:
        true_positives, predicted = np.zeros((2, self._num_genres), np.int64)
        histogram = np.zeros((2, self._num_genres, _NUM_BUCKETS), np.int64)
        return _Accumulator(true_positives, predicted, histogram)

    def add_input(
        self, accumulator: _Accumulator, element: metric_types.StandardMetricInputs
    ) -> _Accumulator:
        predictions = element.get_predictions(self._model_name or None)
        labels, predicted = element.get_labels() > 0.5, predictions[SCORES_OUTPUT] > 0.5
        true_positives = labels & predicted
        buckets = bucket_index(predictions[PROBABILITIES_OUTPUT])
        accumulator.true_positives += true_positives
        accumulator.predicted += predicted
        genres = np.arange(self._num_genres)
        accumulator.histogram[labels.astype(np.int64), genres, buckets] += 1
        accumulator.exact_matches += bool((labels == predicted).all())
        denominator = np.count_nonzero(labels) + np.count_nonzero(predicted)
        if denominator:
            accumulator.samples_f1 += 2 * np.count_nonzero(true_positives) / denominator
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Accumulator]) -> _Accumulator:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            for name, value in vars(accumulator).items():
                setattr(merged, name, getattr(merged, name) + value)
        return merged

    def extract_output(self, accumulator: _Accumulator) -> dict[metric_types.MetricKey, Any]:
        def with_keys(
            values: Mapping[str, Any],
            genre: int | None = None,
            key_type: Any = metric_types.MetricKey,
        ) -> dict[metric_types.MetricKey, Any]:
            sub_key = None if genre is None else metric_types.SubKey(class_id=genre)
            return {
                key_type(name, model_name=self._model_name, sub_key=sub_key): value
                for name, value in values.items()
            }

        by_genre, overall = _metrics(accumulator)
        results = with_keys(overall)
        for genre in range(self._num_genres):
            genre_metrics = {name: float(values[genre]) for name, values in by_genre.items()}
            histogram = accumulator.histogram[:, genre]
            plots = {
                confusion_matrix_plot.CONFUSION_MATRIX_PLOT_NAME: _confusion_matrices(histogram),
                calibration_plot.CALIBRATION_PLOT_NAME: _calibration_histogram(histogram),
            }
            results |= with_keys(genre_metrics, genre)
            results |= with_keys(plots, genre, metric_types.PlotKey)
        return results


def _metrics(counts: _Accumulator) -> tuple[dict[str, Floats], dict[str, float]]:
    """Compute all metrics of one slice.

    Returns:
        Metrics of single genres, float64 [genres] by name, and metrics over all genres, by name.
    """
    support = counts.histogram[1].sum(axis=1)
    examples = int(counts.histogram[:, 0].sum())
    by_genre = _f1_precision_recall(counts.true_positives, counts.predicted, support) | {
        AUC_PR: average_precision(counts.histogram),
        SUPPORT: support.astype(np.float64),
    }
    present = support > 0
    macro = {
        name: ratio(by_genre[name][present].sum(), present.sum())
        for name in (F1, PRECISION, RECALL, AUC_PR)
    }
    true_positives, predicted = counts.true_positives.sum(), counts.predicted.sum()
    micro = _f1_precision_recall(true_positives, predicted, support.sum())
    wrong = predicted + support.sum() - 2 * true_positives
    total = examples * len(support)
    # Averages have plain names, since TFMA's views would show its own marker of an average as
    # "micro_average: true\n_f1_score".
    overall: dict[str, Any] = {
        **{f"micro_{name}": value for name, value in micro.items()},
        **{f"macro_{name}": value for name, value in macro.items()},
        EXAMPLE_COUNT: examples,
        SAMPLES_F1: ratio(counts.samples_f1, examples),
        SUBSET_ACCURACY: ratio(counts.exact_matches, examples),
        HAMMING_ACCURACY: ratio(total - wrong, total),
    }
    return by_genre, {name: float(value) for name, value in overall.items()}


def _f1_precision_recall(true_positives: Any, predicted: Any, support: Any) -> dict[str, Floats]:
    """Compute F1, precision and recall from counts. The results have the shape of the counts."""
    return {
        F1: ratio(2 * true_positives, predicted + support),
        PRECISION: ratio(true_positives, predicted),
        RECALL: ratio(true_positives, support),
    }


def _confusion_matrices(histogram: Counts) -> metrics_for_slice_pb2.ConfusionMatrixAtThresholds:
    """Compute the confusion matrices of one genre at thresholds from 0 to 1.

    Args:
        histogram: int64 [2, buckets]. Examples by label and bucket.
    """
    starts = np.arange(0, _NUM_BUCKETS + 1, _BUCKETS_PER_CURVE_POINT)
    thresholds = bucket_probability(starts.astype(np.float64))
    thresholds[0], thresholds[-1] = 0.0, 1.0
    cumulative = np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]
    above = np.concatenate([cumulative, np.zeros((2, 1))], axis=1)
    negatives, positives = above[:, 0]
    false_positives, true_positives = above[:, starts]
    columns = {
        "threshold": thresholds,
        "true_positives": true_positives,
        "false_positives": false_positives,
        "true_negatives": negatives - false_positives,
        "false_negatives": positives - true_positives,
        "precision": ratio(true_positives, true_positives + false_positives),
        "recall": ratio(true_positives, positives),
    }
    matrices = metrics_for_slice_pb2.ConfusionMatrixAtThresholds()
    for row in zip(*columns.values(), strict=True):
        matrices.matrices.add(**dict(zip(columns, row, strict=True)))
    return matrices


def _calibration_histogram(
    histogram: Counts,
) -> metrics_for_slice_pb2.CalibrationHistogramBuckets:
    """Compute predicted and true shares of one genre by probability.

    Each example has the probability at the center of its bucket, which differs from its own
    probability by at most .003.

    Args:
        histogram: int64 [2, buckets]. Examples by label and bucket.
    """
    centers = bucket_probability(np.arange(_NUM_BUCKETS) + 0.5)
    calibration_buckets = (centers * _NUM_CALIBRATION_BUCKETS).astype(np.int64)
    examples_by_bucket = histogram.sum(axis=0)
    sums = [
        np.bincount(calibration_buckets, weights, _NUM_CALIBRATION_BUCKETS)
        for weights in (examples_by_bucket, histogram[1], examples_by_bucket * centers)
    ]
    edges = np.linspace(0, 1, _NUM_CALIBRATION_BUCKETS + 1)
    result = metrics_for_slice_pb2.CalibrationHistogramBuckets()
    # TFMA's views expect one bucket below 0 and one above 1.
    result.buckets.add(lower_threshold_inclusive=-np.inf, upper_threshold_exclusive=0.0)
    for low, high, examples, label, prediction in zip(edges[:-1], edges[1:], *sums, strict=True):
        result.buckets.add(
            lower_threshold_inclusive=low,
            upper_threshold_exclusive=high,
            num_weighted_examples={"value": examples},
            total_weighted_label={"value": label},
            total_weighted_refined_prediction={"value": prediction},
        )
    result.buckets.add(lower_threshold_inclusive=1.0, upper_threshold_exclusive=np.inf)
    return result


def bucket_index(probabilities: Floats) -> Counts:
    """Return the index of the bucket of each probability; int64 of the same shape."""
    clipped = np.clip(probabilities.astype(np.float64), 1e-9, 1 - 1e-9)
    position = (logit(clipped) + _MAX_LOGIT) / (2 * _MAX_LOGIT) * _NUM_BUCKETS
    return np.clip(position, 0, _NUM_BUCKETS - 1).astype(np.int64)


def bucket_probability(position: Floats) -> Floats:
    """Return the probability at a position on the scale of bucket indices.

    This is the inverse of `bucket_index`: an integer is the lower edge of a bucket, and 0.5 more is
    its center.
    """
    return np.asarray(expit(position / _NUM_BUCKETS * 2 * _MAX_LOGIT - _MAX_LOGIT))


def average_precision(histogram: Counts) -> Floats:
    """Compute the area under the precision-recall curve of each genre.

    This is the mean of the precision, weighted by the recall that each bucket adds. Probabilities
    in the same bucket count as equal, and there is no interpolation between buckets.

    Args:
        histogram: int64 [2, genres, buckets]. Examples by label (0 or 1), genre and bucket.

    Returns:
        float64 [genres]. 0.0 for a genre without an example.
    """
    above = np.cumsum(histogram[:, :, ::-1], axis=2)
    precision = ratio(above[1], above.sum(axis=0))
    positives = histogram[1, :, ::-1]
    return ratio((precision * positives).sum(axis=1), positives.sum(axis=1))
