"""Markdown tables of the comparison with the baselines."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from benchmarks.quality.baselines import PLOT_ONLY
from benchmarks.quality.comparison import ModelResult
from benchmarks.quality.dataset import ALL_FIELDS, INPUT_VARIANTS, PLOT_AND_TITLE, SPARSE
from benchmarks.quality.leakage import Leakage
from benchmarks.quality.scores import (
    RESAMPLES,
    Interval,
    calibration_errors,
    f1_by_genre,
    interval,
    resampled_macro_f1,
    scores,
)
from benchmarks.tables import table
from ingest.split_key import SHINGLE_WORDS
from report.metrics import Floats, Labels
from schema.genres import GENRES

MODEL: Final = "model"
STRONG_BASELINE: Final = "strong_blend"

LARGE_GENRE_MOVIES: Final = 100
"""Smallest number of test movies of a large genre; only large genres have targets."""

SHORT_TITLES: Final = {
    "linear": "linear",
    "tfidf": "TF-IDF",
    "plot_blend": "strong plot-only",
    STRONG_BASELINE: "strong baseline",
    MODEL: "model",
}

_GENRE_COLUMNS: Final = (
    (ALL_FIELDS, ("linear", STRONG_BASELINE, MODEL)),
    (PLOT_AND_TITLE, ("tfidf", "plot_blend", MODEL)),
    (SPARSE, (STRONG_BASELINE, MODEL)),
)

Results = Mapping[str, ModelResult]
"""Results by name of the model, in the order of the tables."""

Resampled = Mapping[str, Mapping[str, Floats]]
"""Results of `resampled_macro_f1` by input variant and name of the model."""


def comparison(labels: Labels, results: Results, leakage: Leakage) -> str:
    """Return the tables of scores, leads, targets, genres and costs.

    Args:
        labels: bool [movies, 22]. Labels of the test movies.
        results: Results of the baselines and of the pipeline's model.
        leakage: Numbers of values that occur in more than one split.
    """
    resampled = {
        variant: resampled_macro_f1(
            labels, {name: result.predictions[variant] for name, result in results.items()}
        )
        for variant in INPUT_VARIANTS
    }
    leads = _leads(results, resampled)
    columns = ["macro-F1", "95%", *list(scores(labels, results[MODEL].predictions[SPARSE]))[1:]]
    return "\n\n".join(
        [
            table(
                [f"{len(labels):,} test movies", *columns],
                list(_score_rows(labels, results, resampled)),
            ),
            f"The 95% intervals come from {RESAMPLES:,} bootstrap resamples of the test movies, "
            "the same for all models.",
            table(
                ["the model's lead in macro-F1", "lead", "95%, paired"],
                [
                    [name, f"{lead.value:+.3f}", f"{lead.low:+.3f} to {lead.high:+.3f}"]
                    for name, lead in leads.items()
                ],
            ),
            table(["metric", "target", "value", "met"], list(_targets(labels, results, leads))),
            f"A large genre has at least {LARGE_GENRE_MOVIES} test movies.",
            _genre_table(labels, results),
            "In the tables above, the calibration and thresholds of each baseline are chosen for "
            "each input variant. The next table compares them with those chosen on movies with all "
            "fields, which one would have to use without knowing which fields will be missing. The "
            "pipeline's model recognizes missing fields by itself:",
            _thresholds_table(labels, results),
            table(
                ["cost", "training: s", "size: MB", "movies/s"],
                [
                    [
                        result.title,
                        f"{result.training_seconds:,.{0 if result.training_seconds >= 10 else 1}f}",
                        f"{result.size_bytes / 1e6:,.1f}",
                        f"{result.movies_per_second:,.0f}",
                    ]
                    for result in results.values()
                ],
            ),
            "Speed is measured from raw fields to probabilities: for the baselines on all test "
            "movies at once, for the pipeline's model as it is served, in batches of 64. The time "
            "of a baseline includes its features, each fitted once; its size is that of its "
            "pickle.",
            f"{leakage.keys:,} split keys, {leakage.stems:,} title stems, {leakage.plots:,} plots "
            f"with the same words and {leakage.shingles:,} sequences of {SHINGLE_WORDS} words "
            "occur in more than one split.",
        ]
    )


def _score_rows(labels: Labels, results: Results, resampled: Resampled) -> Iterator[list[str]]:
    for variant in INPUT_VARIANTS:
        values = {
            name: list(scores(labels, result.predictions[variant]).values())
            for name, result in results.items()
        }
        yield [f"**{variant}**", *[""] * (len(values[MODEL]) + 1)]
        for name, result in results.items():
            macro, *others = map(format_score, values[name])
            _, low, high = map(format_score, interval(resampled[variant][name]))
            yield [result.title, macro, f"{low}–{high}", *others]


def _leads(results: Results, resampled: Resampled) -> dict[str, Interval]:
    """Return the leads of the pipeline's model in macro-F1 over the best baseline of each variant.

    The last lead is that of the model on the sparse catalogue over itself on plot and title only.
    """
    leads = {}
    for variant, by_model in resampled.items():
        baselines = [name for name in results if name != MODEL]
        if variant == ALL_FIELDS and STRONG_BASELINE in results:
            baselines = [STRONG_BASELINE]
        elif variant == PLOT_AND_TITLE:
            baselines = [name for name in baselines if name in PLOT_ONLY]
        if baselines:
            best = max(baselines, key=lambda name: float(by_model[name][0]))
            title = results[best].title.replace("**", "")
            leads[f"{variant}: over {title}"] = interval(by_model[MODEL] - by_model[best])
    own = resampled[SPARSE][MODEL] - resampled[PLOT_AND_TITLE][MODEL]
    return {**leads, f"{SPARSE}: over itself on plot and title only": interval(own)}


def _targets(
    labels: Labels, results: Results, leads: Mapping[str, Interval]
) -> Iterator[list[str]]:
    model = results[MODEL]
    all_fields = scores(labels, model.predictions[ALL_FIELDS])
    plot_and_title = scores(labels, model.predictions[PLOT_AND_TITLE])
    over_best, *_, sparse, own = leads.values()
    yield _target_row("all fields: macro-F1", all_fields["macro-F1"], 0.70)
    yield _target_row("all fields: micro-F1", all_fields["micro-F1"], 0.73)
    yield _target_row("all fields: mAP", all_fields["mAP"], 0.74)
    yield _target_row("all fields: ECE, at most", all_fields["ECE"], 0.015, minimum=False)
    yield _target_row("all fields: lower end of the interval of the lead", over_best.low, 0.0)
    yield _target_row("plot and title only: macro-F1", plot_and_title["macro-F1"], 0.60)
    yield _target_row("sparse catalogue: lead over the best baseline", sparse.value, 0.02)
    yield _target_row("sparse catalogue: lead over itself on plot and title only", own.value, 0.0)
    large = np.flatnonzero(labels.sum(axis=0) >= LARGE_GENRE_MOVIES)
    if len(large):
        f1 = f1_by_genre(labels, model.predictions[ALL_FIELDS])
        weakest = large[f1[large].argmin()]
        yield _target_row(f"weakest large genre, {GENRES[weakest]}: F1", f1[weakest], 0.50)
    if len(large) and "tfidf" in results:
        of_model, of_baseline = (
            f1_by_genre(labels, results[name].predictions[PLOT_AND_TITLE])
            for name in (MODEL, "tfidf")
        )
        lead = of_model - of_baseline
        smallest = large[lead[large].argmin()]
        name = f"plot and title only: smallest lead over TF-IDF, {GENRES[smallest]}: F1"
        yield _target_row(name, lead[smallest], 0.0)
    yield _target_row(
        "training: minutes, at most", model.training_seconds / 60, 25, minimum=False, digits=1
    )
    yield _target_row("movies/s", model.movies_per_second, 300, digits=0)


def _target_row(
    name: str, value: float, target: float, *, minimum: bool = True, digits: int = 3
) -> list[str]:
    """Return a row of the table of targets.

    Args:
        name: Name of the metric.
        value: Float. Value of the metric.
        target: Float. Target of the metric.
        minimum: Whether the value should be at least, not at most, the target; True by default.
        digits: Int. Number of decimals; a missed target gets more if both numbers look the same.
    """
    met = value >= target if minimum else value <= target
    while not met and f"{value:.{digits}f}" == f"{target:.{digits}f}":
        digits += 1
    return [name, f"{target:.{digits}f}", f"{value:.{digits}f}", "yes" if met else "no"]


def _genre_table(labels: Labels, results: Results) -> str:
    columns = {
        f"{variant}: {SHORT_TITLES[name]}": f1_by_genre(labels, result.predictions[variant])
        for variant, names in _GENRE_COLUMNS
        for name in names
        if (result := results.get(name))
    }
    probabilities = results[MODEL].predictions[ALL_FIELDS].probabilities
    columns["all fields: model's ECE"] = calibration_errors(labels, probabilities)
    rows = [
        [genre, f"{movies:,}", *(format_score(value) for value in values)]
        for genre, movies, *values in zip(
            GENRES, labels.sum(axis=0), *columns.values(), strict=True
        )
    ]
    return table(["F1 by genre", "movies", *columns], rows)


def _thresholds_table(labels: Labels, results: Results) -> str:
    def macro_f1(result: ModelResult) -> Iterator[str]:
        for variant in (PLOT_AND_TITLE, SPARSE):
            for predictions in (
                result.predictions,
                result.predictions_with_thresholds_for_all_fields,
            ):
                yield format_score(scores(labels, predictions[variant])["macro-F1"])

    head = [
        f"{variant}: thresholds for {thresholds}"
        for variant in ("plot and title", "sparse")
        for thresholds in ("this variant", "all fields")
    ]
    rows = [[result.title, *macro_f1(result)] for result in results.values()]
    return table(["macro-F1", *head], rows)


def format_score(value: float) -> str:
    """Return three decimals without a leading zero."""
    return "–" if np.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)
