"""What the evaluation measures: TFMA metrics of multi-label decisions, all from one pass of counts.

TFMA's own metrics by class keep a confusion matrix at ten thousand thresholds for each class and
metric, and know neither samples F1 nor subset or Hamming accuracy. Here one combiner counts
decisions and ranks for all genres at once, in every slice, and all metrics and TFMA's plots come
from its counts.

A ratio whose denominator is zero counts as 0.0, as in scikit-learn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import apache_beam as beam
import numpy as np
from scipy.special import expit, logit
from tensorflow_model_analysis.metrics import (
    calibration_plot,
    confusion_matrix_plot,
    metric_types,
)
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from report.metrics import Counts, Floats, ratio
from schema.names import PROBABILITIES_OUTPUT, SCORES_OUTPUT

F1: Final = "f1_score"
PRECISION: Final = "precision"
RECALL: Final = "recall"
AUC_PR: Final = "auc_precision_recall"
SUPPORT: Final = "support"
MICRO: Final = "micro"
MACRO: Final = "macro"
EXAMPLE_COUNT: Final = "example_count"
"""TFMA's own name: its views show a slice's size by it."""

SAMPLES_F1: Final = "samples_f1"
SUBSET_ACCURACY: Final = "subset_accuracy"
HAMMING_ACCURACY: Final = "hamming_accuracy"

_BUCKETS: Final = 1000
_LARGEST_LOGIT: Final = 12.0
"""Ranks are counted in buckets of equal width in the logit of the probability, from -12 to 12."""

_CURVE_STEP: Final = 20
"""Buckets from one point of a plotted curve to the next: 50 points, which a chart can show."""

_CALIBRATION_BUCKETS: Final = 20
"""Of equal width in the probability, as TFMA's calibration plots have them."""


@dataclass
class _Accumulator:
    """Sums over examples.

    Attributes:
        examples: how many.
        true_positives: int64 [genres], as the next two.
        decided: examples that the model gave the genre.
        support: examples that have the genre.
        correct: decisions that are right, over all genres.
        exact: examples with all decisions right.
        samples_f1: sum of the examples' own F1.
        ranks: examples by label (0, 1), genre and bucket of the probability;
            int64 [2, genres, buckets].
    """

    genres: int
    examples: int = 0
    correct: int = 0
    exact: int = 0
    samples_f1: float = 0.0
    true_positives: Counts = field(init=False)
    decided: Counts = field(init=False)
    support: Counts = field(init=False)
    ranks: Counts = field(init=False)

    def __post_init__(self) -> None:
        for name in ("true_positives", "decided", "support"):
            setattr(self, name, np.zeros(self.genres, np.int64))
        self.ranks = np.zeros((2, self.genres, _BUCKETS), np.int64)

    def add(self, labels: Floats, decision_scores: Floats, probabilities: Floats) -> None:
        """Count one example; each argument [genres]."""
        truth, decided = labels > 0.5, decision_scores > 0.5
        hits = truth & decided
        correct = int(np.count_nonzero(truth == decided))
        both = int(np.count_nonzero(truth)) + int(np.count_nonzero(decided))
        self.examples += 1
        self.true_positives += hits
        self.decided += decided
        self.support += truth
        self.correct += correct
        self.exact += correct == self.genres
        self.samples_f1 += 2 * int(np.count_nonzero(hits)) / both if both else 0.0
        self.ranks[truth.astype(np.int64), np.arange(self.genres), buckets(probabilities)] += 1

    def merge(self, other: "_Accumulator") -> None:
        """Add the counts of other examples."""
        for name in vars(self):
            if name != "genres":
                setattr(self, name, getattr(self, name) + getattr(other, name))


class GenreMetrics(metric_types.Metric):
    """F1, precision, recall, AUC-PR and support by genre, and what sums them up.

    The genres' metrics have the class id as sub key, the others none. Each genre has TFMA's plots
    by threshold of the probability, and of its calibration. Macro averages go over the genres that
    have an example, so that a genre absent from the data counts neither way.
    """

    def __init__(self, genres: int, name: str = "genre_metrics") -> None:
        """Make the metric.

        Args:
            genres: number of genres, the length of labels and predictions.
            name: name of the metric in the configuration; the values have names of their own.
        """
        super().__init__(_computations, genres=genres, name=name)


def _computations(
    genres: int, name: str, model_names: list[str] | None = None
) -> list[metric_types.MetricComputation]:
    del name
    return [
        metric_types.MetricComputation(
            keys=[*_values(_Accumulator(genres), model), *_plots(_Accumulator(genres), model)],
            preprocessors=None,
            combiner=_Combiner(genres, model),
        )
        for model in model_names or [""]
    ]


class _Combiner(beam.CombineFn):
    """Counts the decisions of one model."""

    def __init__(self, genres: int, model_name: str) -> None:
        self._genres = genres
        self._model_name = model_name

    def create_accumulator(self) -> _Accumulator:
        return _Accumulator(self._genres)

    def add_input(
        self, accumulator: _Accumulator, element: metric_types.StandardMetricInputs
    ) -> _Accumulator:
        predictions = element.get_predictions(self._model_name or None)
        accumulator.add(
            element.get_labels(), predictions[SCORES_OUTPUT], predictions[PROBABILITIES_OUTPUT]
        )
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Accumulator]) -> _Accumulator:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: _Accumulator) -> dict[metric_types.MetricKey, Any]:
        return {
            **_values(accumulator, self._model_name),
            **_plots(accumulator, self._model_name),
        }


def _values(counts: _Accumulator, model_name: str) -> dict[metric_types.MetricKey, float]:
    """All metrics of one model in one slice."""
    by_genre = {
        F1: ratio(2 * counts.true_positives, counts.decided + counts.support),
        PRECISION: ratio(counts.true_positives, counts.decided),
        RECALL: ratio(counts.true_positives, counts.support),
        AUC_PR: average_precision(counts.ranks),
        SUPPORT: counts.support.astype(np.float64),
    }
    hits, decided, support = (
        int(total.sum()) for total in (counts.true_positives, counts.decided, counts.support)
    )
    micro = {
        F1: ratio(2 * hits, decided + support),
        PRECISION: ratio(hits, decided),
        RECALL: ratio(hits, support),
    }
    present = counts.support > 0
    macro = {
        name: ratio(by_genre[name][present].sum(), present.sum())
        for name in (F1, PRECISION, RECALL, AUC_PR)
    }
    overall = {
        EXAMPLE_COUNT: np.float64(counts.examples),
        SAMPLES_F1: ratio(counts.samples_f1, counts.examples),
        SUBSET_ACCURACY: ratio(counts.exact, counts.examples),
        HAMMING_ACCURACY: ratio(counts.correct, counts.examples * counts.genres),
    }
    values: dict[metric_types.MetricKey, float] = {}

    def put(named: Mapping[str, Any], sub_key: metric_types.SubKey | None = None) -> None:
        for name, value in named.items():
            values[metric_types.MetricKey(name, model_name=model_name, sub_key=sub_key)] = float(
                value
            )

    for genre in range(counts.genres):
        put(
            {name: of_genres[genre] for name, of_genres in by_genre.items()},
            metric_types.SubKey(class_id=genre),
        )
    # TFMA's own mark of an average would give its views the name "micro_average: true\n_f1_score".
    put({f"{MICRO}_{name}": value for name, value in micro.items()})
    put({f"{MACRO}_{name}": value for name, value in macro.items()})
    put(overall)
    return values


def _plots(counts: _Accumulator, model_name: str) -> dict[metric_types.PlotKey, Any]:
    """What TFMA's views plot of each genre in one slice: curves by threshold, and calibration."""

    def key(name: str, genre: int) -> metric_types.PlotKey:
        sub_key = metric_types.SubKey(class_id=genre)
        return metric_types.PlotKey(name, model_name=model_name, sub_key=sub_key)

    plots: dict[metric_types.PlotKey, Any] = {}
    for genre in range(counts.genres):
        ranks = counts.ranks[:, genre]
        plots[key(confusion_matrix_plot.CONFUSION_MATRIX_PLOT_NAME, genre)] = _curve(ranks)
        plots[key(calibration_plot.CALIBRATION_PLOT_NAME, genre)] = _calibration(ranks)
    return plots


def _curve(ranks: Counts) -> metrics_for_slice_pb2.ConfusionMatrixAtThresholds:
    """Confusion matrices of one genre at thresholds from 0 to 1; ranks int64 [2, buckets]."""
    starts = np.arange(0, _BUCKETS + 1, _CURVE_STEP)
    thresholds = probability_of(starts.astype(np.float64))
    thresholds[0], thresholds[-1] = 0.0, 1.0
    above = np.concatenate([np.cumsum(ranks[:, ::-1], axis=1)[:, ::-1], np.zeros((2, 1))], axis=1)
    negatives, positives = above[:, 0]
    false_positives, true_positives = above[:, starts]
    matrices = zip(
        thresholds,
        true_positives,
        false_positives,
        ratio(true_positives, true_positives + false_positives),
        ratio(true_positives, np.full_like(true_positives, positives)),
        strict=True,
    )
    return metrics_for_slice_pb2.ConfusionMatrixAtThresholds(
        matrices=[
            metrics_for_slice_pb2.ConfusionMatrixAtThresholds.ConfusionMatrixAtThreshold(
                threshold=threshold,
                true_positives=hits,
                false_positives=alarms,
                true_negatives=negatives - alarms,
                false_negatives=positives - hits,
                precision=precision,
                recall=recall,
            )
            for threshold, hits, alarms, precision, recall in matrices
        ]
    )


def _calibration(ranks: Counts) -> metrics_for_slice_pb2.CalibrationHistogramBuckets:
    """Predicted beside true shares of one genre; ranks int64 [2, buckets].

    The probability of an example counts as the middle of its rank bucket, which is at most .003
    away.
    """
    middles = probability_of(np.arange(_BUCKETS) + 0.5)
    places = (middles * _CALIBRATION_BUCKETS).astype(np.int64)
    examples, labels, predictions = (
        np.bincount(places, weights, _CALIBRATION_BUCKETS)
        for weights in (ranks.sum(axis=0), ranks[1], ranks.sum(axis=0) * middles)
    )
    edges = np.linspace(0, 1, _CALIBRATION_BUCKETS + 1)
    bucket = metrics_for_slice_pb2.CalibrationHistogramBuckets.Bucket
    rows = zip(edges[:-1], edges[1:], examples, labels, predictions, strict=True)
    return metrics_for_slice_pb2.CalibrationHistogramBuckets(
        buckets=[
            # TFMA's views expect a bucket below 0 and one above 1.
            bucket(lower_threshold_inclusive=-np.inf, upper_threshold_exclusive=0.0),
            *(
                bucket(
                    lower_threshold_inclusive=low,
                    upper_threshold_exclusive=high,
                    num_weighted_examples={"value": count},
                    total_weighted_label={"value": label},
                    total_weighted_refined_prediction={"value": prediction},
                )
                for low, high, count, label, prediction in rows
            ),
            bucket(lower_threshold_inclusive=1.0, upper_threshold_exclusive=np.inf),
        ]
    )


def buckets(probabilities: Floats) -> Counts:
    """The rank bucket of each probability, 0 for the lowest; int64 of the same shape."""
    clipped = np.clip(probabilities.astype(np.float64), 1e-9, 1 - 1e-9)
    place = (logit(clipped) + _LARGEST_LOGIT) / (2 * _LARGEST_LOGIT) * _BUCKETS
    return np.clip(place, 0, _BUCKETS - 1).astype(np.int64)


def probability_of(places: Floats) -> Floats:
    """The probability at a place on the scale of rank buckets: the inverse of `buckets`."""
    return np.asarray(expit(places / _BUCKETS * 2 * _LARGEST_LOGIT - _LARGEST_LOGIT))


def average_precision(ranks: Counts) -> Floats:
    """Area under the precision-recall curve: precision weighted by the recall that a bucket adds.

    Probabilities of one bucket count as equal; nothing is interpolated between buckets.

    Args:
        ranks: examples by label (0, 1), genre and bucket; int64 [2, genres, buckets].

    Returns:
        float64 [genres]; 0.0 for a genre without an example.
    """
    above = np.cumsum(ranks[:, :, ::-1], axis=2)
    precision = ratio(above[1], above.sum(axis=0))
    hits = ranks[1, :, ::-1]
    return ratio((precision * hits).sum(axis=1), hits.sum(axis=1))
