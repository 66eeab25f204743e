"""What the evaluation measures: TFMA metrics of multi-label decisions, all from one pass of counts.

TFMA's own metrics by class keep a confusion matrix at ten thousand thresholds for each class and
metric, and know neither samples F1 nor subset or Hamming accuracy. Here one combiner counts
decisions and ranks for all genres at once, in every slice, and all metrics and TFMA's plots come
from its counts.

A ratio whose denominator is zero counts as 0.0, as in scikit-learn.
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
"""TFMA's own name: its views show a slice's size by it."""

SAMPLES_F1: Final = "samples_f1"
SUBSET_ACCURACY: Final = "subset_accuracy"
HAMMING_ACCURACY: Final = "hamming_accuracy"

_BUCKETS: Final = 1000
_LARGEST_LOGIT: Final = 12.0
"""Ranks are counted in buckets of equal width in the logit of the probability, from -12 to 12."""

_CURVE_STEP: Final = 20
"""Buckets from one point of a plotted curve to the next: 51 points, which a chart can show."""

_CALIBRATION_BUCKETS: Final = 20
"""Of equal width in the probability, as TFMA's calibration plots have them."""


@dataclass
class _Sums:
    """Sums over examples.

    Attributes:
        hits: examples that have the genre and were given it; int64 [genres].
        decided: examples that the model gave the genre; int64 [genres].
        ranks: examples by label (0, 1), genre and bucket of the probability;
            int64 [2, genres, buckets].
        exact: number of examples with all decisions right.
        samples_f1: sum of the examples' own F1.
    """

    hits: Counts
    decided: Counts
    ranks: Counts
    exact: int = 0
    samples_f1: float = 0.0


class GenreMetrics(metric_types.Metric):
    """F1, precision, recall, AUC-PR and support by genre, and what sums them up.

    The genres' metrics have the class id as sub key, the others none. Each genre has TFMA's plots
    by threshold of the probability, and of its calibration. Macro averages go over the genres that
    have an example, so that a genre absent from the data counts neither way.
    """

    def __init__(self, genres: int, name: str = "genre_metrics") -> None:
        """Make the metric for a number of genres; the name is TFMA's, values have their own."""
        super().__init__(_computations, genres=genres, name=name)


def _computations(
    genres: int, name: str, model_names: list[str] | None = None
) -> list[metric_types.MetricComputation]:
    del name
    combiners = [_Combiner(genres, model) for model in model_names or [""]]
    return [
        metric_types.MetricComputation(
            keys=[*combiner.extract_output(combiner.create_accumulator())],
            preprocessors=None,
            combiner=combiner,
        )
        for combiner in combiners
    ]


class _Combiner(beam.CombineFn):
    """Counts the decisions of one model."""

    def __init__(self, genres: int, model_name: str) -> None:
        self._genres = genres
        self._model_name = model_name

    def create_accumulator(self) -> _Sums:
        hits, decided = np.zeros((2, self._genres), np.int64)
        return _Sums(hits, decided, np.zeros((2, self._genres, _BUCKETS), np.int64))

    def add_input(self, sums: _Sums, element: metric_types.StandardMetricInputs) -> _Sums:
        predictions = element.get_predictions(self._model_name or None)
        truth, decided = element.get_labels() > 0.5, predictions[SCORES_OUTPUT] > 0.5
        hits = truth & decided
        places = buckets(predictions[PROBABILITIES_OUTPUT])
        sums.hits += hits
        sums.decided += decided
        sums.ranks[truth.astype(np.int64), np.arange(self._genres), places] += 1
        sums.exact += bool((truth == decided).all())
        both = np.count_nonzero(truth) + np.count_nonzero(decided)
        sums.samples_f1 += 2 * np.count_nonzero(hits) / both if both else 0.0
        return sums

    def merge_accumulators(self, accumulators: Iterable[_Sums]) -> _Sums:
        merged = self.create_accumulator()
        for one in accumulators:
            for name, value in vars(one).items():
                setattr(merged, name, getattr(merged, name) + value)
        return merged

    def extract_output(self, sums: _Sums) -> dict[metric_types.MetricKey, Any]:
        def named(
            values: Mapping[str, Any], genre: int | None = None, kind: Any = metric_types.MetricKey
        ) -> dict[metric_types.MetricKey, Any]:
            sub_key = None if genre is None else metric_types.SubKey(class_id=genre)
            return {
                kind(name, model_name=self._model_name, sub_key=sub_key): value
                for name, value in values.items()
            }

        by_genre, overall = _metrics(sums)
        results = named(overall)
        for genre in range(self._genres):
            ranks = sums.ranks[:, genre]
            results |= named({name: float(of[genre]) for name, of in by_genre.items()}, genre)
            plots = {
                confusion_matrix_plot.CONFUSION_MATRIX_PLOT_NAME: _curve(ranks),
                calibration_plot.CALIBRATION_PLOT_NAME: _calibration(ranks),
            }
            results |= named(plots, genre, metric_types.PlotKey)
        return results


def _metrics(sums: _Sums) -> tuple[dict[str, Floats], dict[str, float]]:
    """All metrics of one slice by name: of the genres, float64 [genres], and over all of them."""
    support = sums.ranks[1].sum(axis=1)
    examples = int(sums.ranks[:, 0].sum())
    by_genre = _rates(sums.hits, sums.decided, support) | {
        AUC_PR: average_precision(sums.ranks),
        SUPPORT: support.astype(np.float64),
    }
    present = support > 0
    macro = {
        name: ratio(by_genre[name][present].sum(), present.sum())
        for name in (F1, PRECISION, RECALL, AUC_PR)
    }
    hits, decided, true = sums.hits.sum(), sums.decided.sum(), support.sum()
    wrong = decided + true - 2 * hits
    decisions = examples * len(support)
    # TFMA's own mark of an average would give its views the name "micro_average: true\n_f1_score".
    overall: dict[str, Any] = {
        **{f"micro_{name}": value for name, value in _rates(hits, decided, true).items()},
        **{f"macro_{name}": value for name, value in macro.items()},
        EXAMPLE_COUNT: examples,
        SAMPLES_F1: ratio(sums.samples_f1, examples),
        SUBSET_ACCURACY: ratio(sums.exact, examples),
        HAMMING_ACCURACY: ratio(decisions - wrong, decisions),
    }
    return by_genre, {name: float(value) for name, value in overall.items()}


def _rates(hits: Any, decided: Any, support: Any) -> dict[str, Floats]:
    """F1, precision and recall of counts, of their shape."""
    return {
        F1: ratio(2 * hits, decided + support),
        PRECISION: ratio(hits, decided),
        RECALL: ratio(hits, support),
    }


def _curve(ranks: Counts) -> metrics_for_slice_pb2.ConfusionMatrixAtThresholds:
    """Confusion matrices of one genre at thresholds from 0 to 1; ranks int64 [2, buckets]."""
    starts = np.arange(0, _BUCKETS + 1, _CURVE_STEP)
    thresholds = probability_of(starts.astype(np.float64))
    thresholds[0], thresholds[-1] = 0.0, 1.0
    above = np.concatenate([np.cumsum(ranks[:, ::-1], axis=1)[:, ::-1], np.zeros((2, 1))], axis=1)
    negatives, positives = above[:, 0]
    false, true = above[:, starts]
    columns = {
        "threshold": thresholds,
        "true_positives": true,
        "false_positives": false,
        "true_negatives": negatives - false,
        "false_negatives": positives - true,
        "precision": ratio(true, true + false),
        "recall": ratio(true, positives),
    }
    curve = metrics_for_slice_pb2.ConfusionMatrixAtThresholds()
    for row in zip(*columns.values(), strict=True):
        curve.matrices.add(**dict(zip(columns, row, strict=True)))
    return curve


def _calibration(ranks: Counts) -> metrics_for_slice_pb2.CalibrationHistogramBuckets:
    """Predicted beside true shares of one genre; ranks int64 [2, buckets].

    The probability of an example counts as the middle of its rank bucket, which is at most .003
    away.
    """
    middles = probability_of(np.arange(_BUCKETS) + 0.5)
    places = (middles * _CALIBRATION_BUCKETS).astype(np.int64)
    counted = [
        np.bincount(places, weights, _CALIBRATION_BUCKETS)
        for weights in (ranks.sum(axis=0), ranks[1], ranks.sum(axis=0) * middles)
    ]
    edges = np.linspace(0, 1, _CALIBRATION_BUCKETS + 1)
    histogram = metrics_for_slice_pb2.CalibrationHistogramBuckets()
    # TFMA's views expect a bucket below 0 and one above 1.
    histogram.buckets.add(lower_threshold_inclusive=-np.inf, upper_threshold_exclusive=0.0)
    for low, high, examples, label, prediction in zip(edges[:-1], edges[1:], *counted, strict=True):
        histogram.buckets.add(
            lower_threshold_inclusive=low,
            upper_threshold_exclusive=high,
            num_weighted_examples={"value": examples},
            total_weighted_label={"value": label},
            total_weighted_refined_prediction={"value": prediction},
        )
    histogram.buckets.add(lower_threshold_inclusive=1.0, upper_threshold_exclusive=np.inf)
    return histogram


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
