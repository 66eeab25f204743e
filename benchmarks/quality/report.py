"""The tables of the comparison, in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from benchmarks.quality.arms import PLOT_ONLY
from benchmarks.quality.comparison import Outcome
from benchmarks.quality.dataset import ALL_FIELDS, INPUTS, PLOT_AND_TITLE, SPARSE
from benchmarks.quality.leakage import Leakage
from benchmarks.quality.scores import (
    RESAMPLES,
    Interval,
    by_genre,
    calibration_errors,
    interval,
    resampled_macro_f1,
    scores,
)
from benchmarks.tables import table
from ingest.split_key import SHINGLE_WORDS
from report.metrics import Floats, Labels
from schema.genres import GENRES

MODEL: Final = "model"
PRACTITIONER: Final = "practitioner"

ENOUGH_MOVIES: Final = 100
"""Test movies that a genre must have for an aim of its own."""

SHORT_TITLES: Final = {
    "linear": "linear",
    "tfidf": "TF-IDF",
    "plot_blend": "best plot-only",
    PRACTITIONER: "practitioner",
    MODEL: "model",
}

_GENRE_COLUMNS: Final = (
    (ALL_FIELDS, ("linear", PRACTITIONER, MODEL)),
    (PLOT_AND_TITLE, ("tfidf", "plot_blend", MODEL)),
    (SPARSE, (PRACTITIONER, MODEL)),
)

Outcomes = Mapping[str, Outcome]
"""By arm, in the order of the tables."""

Resampled = Mapping[str, Mapping[str, Floats]]
"""What `resampled_macro_f1` gives, by input and arm."""


def comparison(labels: Labels, outcomes: Outcomes, found: Leakage) -> str:
    """Scores, margins, aims, genres and costs.

    Args:
        labels: Genres of the test movies, bool [movies, 22].
        outcomes: Results of all arms, the model among them.
        found: Counts of what stands in more than one split.
    """
    resampled = {
        known: resampled_macro_f1(
            labels, {arm: one.predictions[known] for arm, one in outcomes.items()}
        )
        for known in INPUTS
    }
    leads = _leads(outcomes, resampled)
    by_score = ["macro-F1", "95%", *list(scores(labels, outcomes[MODEL].predictions[SPARSE]))[1:]]
    return "\n\n".join(
        [
            table(
                [f"{len(labels):,} test movies", *by_score],
                list(_score_rows(labels, outcomes, resampled)),
            ),
            f"The 95% intervals come from {RESAMPLES:,} bootstrap resamples of the test movies, "
            "the same for all arms.",
            table(
                ["the model's lead in macro-F1", "lead", "95%, paired"],
                [
                    [over, f"{lead.value:+.3f}", f"{lead.low:+.3f} to {lead.high:+.3f}"]
                    for over, lead in leads.items()
                ],
            ),
            table(["aim", "wanted", "reached", "met"], list(_aims(labels, outcomes, leads))),
            f"Large are the genres of at least {ENOUGH_MOVIES} test movies.",
            _genre_table(labels, outcomes),
            "The tables above give each baseline calibration and thresholds of its own for each "
            "input. Beside them here are those chosen on complete movies, which is what somebody "
            "would ship who does not know what will be missing. The model decides by itself what "
            "is known:",
            _carried_table(labels, outcomes),
            table(
                ["cost", "training: s", "size: MB", "movies a second"],
                [
                    [
                        one.title,
                        f"{one.training:,.{0 if one.training >= 10 else 1}f}",
                        f"{one.size / 1e6:,.1f}",
                        f"{one.rate:,.0f}",
                    ]
                    for one in outcomes.values()
                ],
            ),
            "From raw fields to probabilities; the baselines on all test movies at once, the model "
            "as it is served, in batches of 64. A baseline's time includes its features, each "
            "fitted once; its size is that of its pickle.",
            f"Splits: {found.keys:,} split keys, {found.stems:,} title stems, {found.plots:,} "
            f"plots with the same words and {found.windows:,} stretches of {SHINGLE_WORDS} words "
            "stand in more than one of them.",
        ]
    )


def _score_rows(labels: Labels, outcomes: Outcomes, resampled: Resampled) -> Iterator[list[str]]:
    for known in INPUTS:
        values = {
            arm: list(scores(labels, outcome.predictions[known]).values())
            for arm, outcome in outcomes.items()
        }
        yield [f"**{known}**", *[""] * (len(values[MODEL]) + 1)]
        for arm, outcome in outcomes.items():
            macro, *others = map(short, values[arm])
            _, low, high = map(short, interval(resampled[known][arm]))
            yield [outcome.title, macro, f"{low}–{high}", *others]


def _leads(outcomes: Outcomes, resampled: Resampled) -> dict[str, Interval]:
    """The model's leads in macro-F1 on the same movies, by input and rival.

    The last is that of the sparse catalogue over its own plot and title.
    """
    leads = {}
    for known, of_arms in resampled.items():
        rivals = [arm for arm in outcomes if arm != MODEL]
        if known == ALL_FIELDS and PRACTITIONER in outcomes:
            rivals = [PRACTITIONER]
        elif known == PLOT_AND_TITLE:
            rivals = [arm for arm in rivals if arm in PLOT_ONLY]
        if rivals:
            best = max(rivals, key=lambda arm: float(of_arms[arm][0]))
            title = outcomes[best].title.replace("**", "")
            leads[f"{known}: over {title}"] = interval(of_arms[MODEL] - of_arms[best])
    own = resampled[SPARSE][MODEL] - resampled[PLOT_AND_TITLE][MODEL]
    return {**leads, f"{SPARSE}: over its own plot and title only": interval(own)}


def _aims(labels: Labels, outcomes: Outcomes, leads: Mapping[str, Interval]) -> Iterator[list[str]]:
    model = outcomes[MODEL]
    every = scores(labels, model.predictions[ALL_FIELDS])
    plot = scores(labels, model.predictions[PLOT_AND_TITLE])
    over_best, *_, sparse, own = leads.values()
    yield _aim("all fields: macro-F1", every["macro-F1"], 0.70)
    yield _aim("all fields: micro-F1", every["micro-F1"], 0.73)
    yield _aim("all fields: mAP", every["mAP"], 0.74)
    yield _aim("all fields: ECE, at most", every["ECE"], 0.015, least=False)
    yield _aim("all fields: lower end of the lead's interval", over_best.low, 0.0)
    yield _aim("plot and title only: macro-F1", plot["macro-F1"], 0.60)
    yield _aim("sparse catalogue: lead over the best baseline", sparse.value, 0.02)
    yield _aim("sparse catalogue: lead over plot and title only", own.value, 0.0)
    large = np.flatnonzero(labels.sum(axis=0) >= ENOUGH_MOVIES)
    if len(large):
        f1 = by_genre(labels, model.predictions[ALL_FIELDS])
        weakest = large[f1[large].argmin()]
        yield _aim(f"weakest large genre, {GENRES[weakest]}: F1", f1[weakest], 0.50)
    if len(large) and "tfidf" in outcomes:
        ahead = by_genre(labels, model.predictions[PLOT_AND_TITLE])
        ahead = ahead - by_genre(labels, outcomes["tfidf"].predictions[PLOT_AND_TITLE])
        worst = large[ahead[large].argmin()]
        name = f"plot and title only: smallest lead over TF-IDF, {GENRES[worst]}: F1"
        yield _aim(name, ahead[worst], 0.0)
    yield _aim("training, minutes, at most", model.training / 60, 25, least=False, digits=1)
    yield _aim("movies a second", model.rate, 300, digits=0)


def _aim(
    name: str, reached: float, wanted: float, *, least: bool = True, digits: int = 3
) -> list[str]:
    """A row of the table; as many digits as tell what was missed from what was wanted."""
    met = reached >= wanted if least else reached <= wanted
    while not met and f"{reached:.{digits}f}" == f"{wanted:.{digits}f}":
        digits += 1
    return [name, f"{wanted:.{digits}f}", f"{reached:.{digits}f}", "yes" if met else "no"]


def _genre_table(labels: Labels, outcomes: Outcomes) -> str:
    columns = {
        f"{known}: {SHORT_TITLES[arm]}": by_genre(labels, of_arm.predictions[known])
        for known, arms in _GENRE_COLUMNS
        for arm in arms
        if (of_arm := outcomes.get(arm))
    }
    probabilities = outcomes[MODEL].predictions[ALL_FIELDS].probabilities
    columns["all fields: model's ECE"] = calibration_errors(labels, probabilities)
    rows = [
        [genre, f"{movies:,}", *(short(value) for value in values)]
        for genre, movies, *values in zip(
            GENRES, labels.sum(axis=0), *columns.values(), strict=True
        )
    ]
    return table(["F1 by genre", "movies", *columns], rows)


def _carried_table(labels: Labels, outcomes: Outcomes) -> str:
    def macro_f1(outcome: Outcome) -> Iterator[str]:
        for known in (PLOT_AND_TITLE, SPARSE):
            for predictions in (outcome.predictions, outcome.carried):
                yield short(scores(labels, predictions[known])["macro-F1"])

    other = "those for all fields"
    return table(
        ["macro-F1", "plot and title: own thresholds", other, "sparse: own thresholds", other],
        [[outcome.title, *macro_f1(outcome)] for outcome in outcomes.values()],
    )


def short(value: float) -> str:
    """Three decimals without a leading zero."""
    return "–" if np.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)
