"""The tables, in Markdown, and where they stand in a document."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.quality.analysis import Agreement, Confusion, Doubt, Slice
from benchmarks.quality.comparison import Outcome
from benchmarks.quality.films import ALL_FIELDS, INPUTS, PLOT_AND_TITLE, SPARSE
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
from ingest.split_key import WINDOW
from report.metrics import Labels
from schema.errors import UserError
from schema.genres import GENRES

MODEL: Final = "model"
PRACTITIONER: Final = "practitioner"

ENOUGH_FILMS: Final = 100
"""Test films that a genre must have for an aim of its own."""

_HEADINGS: Final = {
    ALL_FIELDS: "all fields",
    PLOT_AND_TITLE: "plot and title only",
    SPARSE: "sparse catalogue",
}


def insert(document: Path, name: str, text: str) -> None:
    """Put text between the markers `<!-- name:begin -->` and `<!-- name:end -->` of a document.

    Raises:
        UserError: see `around`.
    """
    before, after = around(document, name)
    document.write_text(f"{before}\n\n{text.strip()}\n\n{after}", encoding="utf-8")


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option `--report`, the document that `insert` writes to."""
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write what is printed between the markers of this document too, such as "
        "docs/quality.md",
    )


def around(document: Path, name: str) -> tuple[str, str]:
    """What stands before and after the text between two markers of a document, the markers with it.

    Raises:
        UserError: the document cannot be read, or does not have both markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        old = document.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{document}: cannot be read: {error.strerror}") from error
    before, found, rest = old.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise UserError(f"{document}: has no lines `{begin}` and `{end}`. Add them where it goes.")
    return before + begin, end + after


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table whose first columns, so many, are text and whose others are numbers."""
    lines = [head, [*["---"] * texts, *["---:"] * (len(head) - texts)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def comparison(labels: Labels, outcomes: Mapping[str, Outcome], found: Leakage, seed: int) -> str:
    """What the command prints: scores, margins, aims, genres and costs.

    Args:
        labels: of the test films, bool [films, 22].
        outcomes: by arm, in the order of the tables.
        found: what straddles the splits.
        seed: of the resampling.
    """
    resampled = {
        known: resampled_macro_f1(
            labels, {arm: one.predictions[known] for arm, one in outcomes.items()}, seed
        )
        for known in INPUTS
    }
    margins = _margins(outcomes, resampled)
    parts = [
        _score_table(labels, outcomes, resampled),
        *([_margin_table(margins), _aims(labels, outcomes, margins)] if MODEL in outcomes else []),
        _genre_table(labels, outcomes),
        _carried_table(labels, outcomes),
        _cost_table(outcomes),
        _leakage(found),
    ]
    return "\n\n".join(parts)


def _score_table(
    labels: Labels,
    outcomes: Mapping[str, Outcome],
    resampled: Mapping[str, Mapping[str, np.ndarray]],
) -> str:
    rows: list[list[str]] = []
    names: list[str] = []
    for known in INPUTS:
        lines = []
        for arm, outcome in outcomes.items():
            values = scores(labels, outcome.predictions[known])
            names = list(values)
            bounds = interval(resampled[known][arm])
            macro, *others = (_short(value) for value in values.values())
            spread = f"{_short(bounds.low)}–{_short(bounds.high)}"
            lines.append([outcome.title, macro, spread, *others])
        rows += [[f"**{_HEADINGS[known]}**", *[""] * (len(names) + 1)], *lines]
    macro, *others = names
    head = table([f"{len(labels):,} test films", macro, "95%", *others], rows)
    return (
        f"{head}\n\nThe 95% intervals come from {RESAMPLES:,} bootstrap resamples of the test "
        "films, the same for all arms."
    )


@dataclass(frozen=True)
class Margin:
    """The model's lead in macro-F1 over a rival on the same films."""

    rival: str
    lead: Interval


def _margins(
    outcomes: Mapping[str, Outcome], resampled: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, Margin]:
    """The model's leads by input, and that of its sparse input over its own plot and title."""
    if MODEL not in outcomes:
        return {}

    def best(known: str, arms: Iterable[str]) -> str | None:
        return max(arms, key=lambda arm: float(resampled[known][arm][0]), default=None)

    baselines = [arm for arm in outcomes if arm != MODEL]
    rivals = {
        ALL_FIELDS: PRACTITIONER if PRACTITIONER in outcomes else best(ALL_FIELDS, baselines),
        PLOT_AND_TITLE: best(PLOT_AND_TITLE, (arm for arm in baselines if outcomes[arm].plot_only)),
        SPARSE: best(SPARSE, baselines),
    }
    margins = {
        known: Margin(
            _plain(outcomes[rival].title),
            interval(resampled[known][MODEL] - resampled[known][rival]),
        )
        for known, rival in rivals.items()
        if rival is not None
    }
    own = resampled[SPARSE][MODEL] - resampled[PLOT_AND_TITLE][MODEL]
    return {**margins, _OWN: Margin("its own plot and title only", interval(own))}


_OWN: Final = "sparse over plot and title"


def _margin_table(margins: Mapping[str, Margin]) -> str:
    rows = [
        [
            f"{_HEADINGS.get(name, _HEADINGS[SPARSE])}: over {one.rival}",
            f"{one.lead.value:+.3f}",
            f"{one.lead.low:+.3f} to {one.lead.high:+.3f}",
        ]
        for name, one in margins.items()
    ]
    return table(["the model's lead in macro-F1", "lead", "95%, paired"], rows)


def _aims(labels: Labels, outcomes: Mapping[str, Outcome], margins: Mapping[str, Margin]) -> str:
    model = outcomes[MODEL]
    every = scores(labels, model.predictions[ALL_FIELDS])
    plot = scores(labels, model.predictions[PLOT_AND_TITLE])
    rows = [
        _aim("all fields: macro-F1", every["macro-F1"], 0.70),
        _aim("all fields: micro-F1", every["micro-F1"], 0.73),
        _aim("all fields: mAP", every["mAP"], 0.74),
        _aim("all fields: ECE, at most", every["ECE"], 0.015, least=False),
    ]
    if lead := margins.get(ALL_FIELDS):
        rows.append(_aim("all fields: lower end of the lead's interval", lead.lead.low, 0.0))
    rows.append(_aim("plot and title only: macro-F1", plot["macro-F1"], 0.60))
    if lead := margins.get(SPARSE):
        rows.append(_aim("sparse catalogue: lead over the best baseline", lead.lead.value, 0.02))
    rows.append(
        _aim("sparse catalogue: lead over plot and title only", margins[_OWN].lead.value, 0.0)
    )

    large = np.flatnonzero(labels.sum(axis=0) >= ENOUGH_FILMS)
    if len(large):
        f1 = by_genre(labels, model.predictions[ALL_FIELDS])
        weakest = large[f1[large].argmin()]
        rows.append(_aim(f"weakest large genre, {GENRES[weakest]}: F1", f1[weakest], 0.50))
        if "tfidf" in outcomes:
            ahead = by_genre(labels, model.predictions[PLOT_AND_TITLE]) - by_genre(
                labels, outcomes["tfidf"].predictions[PLOT_AND_TITLE]
            )
            worst = large[ahead[large].argmin()]
            name = f"plot and title only: smallest lead over TF-IDF, {GENRES[worst]}: F1"
            rows.append(_aim(name, ahead[worst], 0.0))
    rows += [
        _aim("training, minutes, at most", model.training / 60, 25, least=False, digits=1),
        _aim("films a second", model.rate, 300, digits=0),
    ]
    return (
        f"{table(['aim', 'wanted', 'reached', 'met'], rows)}\n\n"
        f"Large are the genres of at least {ENOUGH_FILMS} test films."
    )


def _aim(
    name: str, reached: float, wanted: float, *, least: bool = True, digits: int = 3
) -> list[str]:
    """A row of the table; as many digits as tell what was missed from what was wanted."""
    met = reached >= wanted if least else reached <= wanted
    while not met and f"{reached:.{digits}f}" == f"{wanted:.{digits}f}":
        digits += 1
    return [name, f"{wanted:.{digits}f}", f"{reached:.{digits}f}", "yes" if met else "no"]


_GENRE_COLUMNS: Final = (
    (ALL_FIELDS, ("linear", PRACTITIONER, MODEL)),
    (PLOT_AND_TITLE, ("tfidf", "plot_blend", MODEL)),
    (SPARSE, (PRACTITIONER, MODEL)),
)
_SHORT_TITLES: Final = {
    "linear": "linear",
    "tfidf": "TF-IDF",
    "plot_blend": "best plot-only",
    PRACTITIONER: "practitioner",
    MODEL: "model",
}


def _genre_table(labels: Labels, outcomes: Mapping[str, Outcome]) -> str:
    columns = [
        (f"{_HEADINGS[known]}: {_SHORT_TITLES[arm]}", by_genre(labels, of_arm.predictions[known]))
        for known, arms in _GENRE_COLUMNS
        for arm in arms
        if (of_arm := outcomes.get(arm))
    ]
    support = labels.sum(axis=0)
    rows = [
        [genre, f"{support[g]:,}", *(_short(values[g]) for _, values in columns)]
        for g, genre in enumerate(GENRES)
    ]
    if MODEL in outcomes:
        errors = calibration_errors(labels, outcomes[MODEL].predictions[ALL_FIELDS].probabilities)
        columns.append(("all fields: model's ECE", errors))
        rows = [[*row, _short(errors[g])] for g, row in enumerate(rows)]
    return table(["F1 by genre", "films", *(name for name, _ in columns)], rows)


def _carried_table(labels: Labels, outcomes: Mapping[str, Outcome]) -> str:
    rows = [
        [
            outcome.title,
            *(
                _short(scores(labels, predictions[known])["macro-F1"])
                for known in (PLOT_AND_TITLE, SPARSE)
                for predictions in (outcome.predictions, outcome.carried)
            ),
        ]
        for outcome in outcomes.values()
    ]
    head = [
        "macro-F1",
        "plot and title: own thresholds",
        "those for all fields",
        "sparse: own thresholds",
        "those for all fields",
    ]
    return (
        "The tables above give each baseline calibration and thresholds of its own for each input. "
        "Beside them here are those chosen on complete films, which is what somebody would ship "
        "who does not know what will be missing. The model decides by itself what is known:\n\n"
        f"{table(head, rows)}"
    )


def _cost_table(outcomes: Mapping[str, Outcome]) -> str:
    rows = [
        [outcome.title, _digits(outcome.training), f"{outcome.size / 1e6:,.1f}", f"{rate:,.0f}"]
        for outcome in outcomes.values()
        for rate in [outcome.rate]
    ]
    return (
        f"{table(['cost', 'training: s', 'size: MB', 'films a second'], rows)}\n\nFrom raw fields "
        "to probabilities; the baselines on all test films at once, the model as it is served, in "
        "batches of 64. A baseline's time includes its features, each fitted once; its size is "
        "that of its pickle."
    )


def _leakage(found: Leakage) -> str:
    return (
        f"Splits: {found.keys:,} split keys, {found.stems:,} title stems, {found.plots:,} plots "
        f"with the same words and {found.windows:,} stretches of {WINDOW} words stand in more than "
        "one of them."
    )


def analysis(
    confusions: Sequence[Confusion],
    doubts: Mapping[str, Sequence[Doubt]],
    slices: Sequence[Slice],
    agreements: Mapping[str, Agreement],
    labels: Labels,
) -> str:
    """Strengths and weaknesses.

    Args:
        confusions: of the model with all fields.
        doubts: by a title for each table.
        slices: of the model and other arms.
        agreements: by what the films of a pair share.
        labels: of all films, bool [films, 22].
    """
    listed = labels.sum(axis=1)
    parts = [
        "### Genres that are confused\n\n"
        + table(
            ["missed", "given in its place", "films", "share of the missed genre"],
            [[one.missed, one.given, str(one.films), f"{one.share:.0%}"] for one in confusions],
            texts=2,
        ),
        "### Slices\n\n" + _slice_table(slices),
        "### Doubtful labels\n\n"
        + "\n\n".join(
            f"{title}\n\n"
            + table(
                ["film", "title", "listed", "in doubt", "probability"],
                [
                    [
                        one.tconst,
                        one.title.replace("|", "/"),
                        one.listed,
                        one.genre,
                        f"{one.probability:.3f}",
                    ]
                    for one in rows
                ],
                texts=4,
            )
            for title, rows in doubts.items()
        ),
        "### How far labels can be trusted\n\n"
        f"Of {len(labels):,} films, {(listed == 1).mean():.0%} have one genre, "
        f"{(listed == 2).mean():.0%} two and {(listed >= 3).mean():.0%} three or more. "
        "Agreement of the genres of two films (mean Jaccard index):\n\n"
        + table(
            ["pairs of films with", "pairs", "agreement", "two films at random"],
            [
                [name, f"{one.pairs:,}", _short(one.same), _short(one.chance)]
                for name, one in agreements.items()
            ],
        ),
    ]
    return "\n\n".join(parts)


def _slice_table(slices: Sequence[Slice]) -> str:
    arms = list(slices[0].scores) if slices else []
    head = ["slice", "films", "genres a film"]
    head += [f"{_SHORT_TITLES[arm]}: {score}" for arm in arms for score in ("micro", "mAP")]
    rows: list[list[str]] = []
    kind = ""
    for one in slices:
        if one.kind != kind:
            kind = one.kind
            rows.append([f"**{kind}**", *[""] * (len(head) - 1)])
        values = [_short(one.scores[arm][score]) for arm in arms for score in ("micro-F1", "mAP")]
        rows.append([one.name, f"{one.films:,}", f"{one.listed:.1f}", *values])
    return table(head, rows)


def _short(value: float) -> str:
    """Three decimals without a leading zero."""
    return "–" if np.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)


def _digits(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}"


def _plain(title: str) -> str:
    return title.replace("**", "")
