"""The tables, in Markdown, and where they stand in a document."""

from collections.abc import Mapping, Sequence
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
    Labels,
    by_genre,
    calibration_errors,
    interval,
    resampled_macro_f1,
    scores,
)
from ingest.split_key import WINDOW
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


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
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


def _margins(
    outcomes: Mapping[str, Outcome], resampled: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, Interval]:
    """The model's lead in macro-F1, by what it is compared with."""
    if MODEL not in outcomes:
        return {}
    found = {}

    def best(known: str, plot_only: bool) -> str | None:
        arms = [
            arm
            for arm, outcome in outcomes.items()
            if arm != MODEL and (outcome.plot_only or not plot_only)
        ]
        return max(arms, key=lambda arm: resampled[known][arm][0], default=None)

    rivals = {
        ALL_FIELDS: PRACTITIONER if PRACTITIONER in outcomes else best(ALL_FIELDS, False),
        PLOT_AND_TITLE: best(PLOT_AND_TITLE, True),
        SPARSE: best(SPARSE, False),
    }
    for known, rival in rivals.items():
        if rival is not None:
            lead = resampled[known][MODEL] - resampled[known][rival]
            found[f"{_HEADINGS[known]}: over {_plain(outcomes[rival].title)}"] = interval(lead)
    found["sparse catalogue: over its own plot and title only"] = interval(
        resampled[SPARSE][MODEL] - resampled[PLOT_AND_TITLE][MODEL]
    )
    return found


def _margin_table(margins: Mapping[str, Interval]) -> str:
    rows = [
        [name, f"{one.value:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}"]
        for name, one in margins.items()
    ]
    return table(["the model's lead in macro-F1", "points", "95%, paired"], rows)


def _aims(labels: Labels, outcomes: Mapping[str, Outcome], margins: Mapping[str, Interval]) -> str:
    model = outcomes[MODEL]
    values = {known: scores(labels, model.predictions[known]) for known in INPUTS}
    every, plot = values[ALL_FIELDS], values[PLOT_AND_TITLE]
    large = labels.sum(axis=0) >= ENOUGH_FILMS
    f1 = by_genre(labels, model.predictions[ALL_FIELDS])
    weakest = min(zip(f1[large], np.array(GENRES)[large], strict=True), default=(0.0, "none"))
    lead = list(margins.values())
    rows = [
        _aim("all fields: macro-F1", every["macro-F1"], 0.70),
        _aim("all fields: micro-F1", every["micro-F1"], 0.73),
        _aim("all fields: mAP", every["mAP"], 0.74),
        _aim("all fields: ECE, at most", every["ECE"], 0.015, least=False),
        _aim("all fields: lead, lower end of its interval", lead[0].low, 0.0),
        _aim("plot and title: macro-F1", plot["macro-F1"], 0.60),
        _aim("sparse: lead over the best baseline", lead[-2].value, 0.02),
        _aim("sparse: lead over its own plot and title only", lead[-1].value, 0.0),
        _aim(f"weakest genre of {ENOUGH_FILMS} films ({weakest[1]}): F1", weakest[0], 0.50),
    ]
    if "tfidf" in outcomes:
        behind = (
            by_genre(labels, model.predictions[PLOT_AND_TITLE])
            - by_genre(labels, outcomes["tfidf"].predictions[PLOT_AND_TITLE])
        )[large]
        worst = min(zip(behind, np.array(GENRES)[large], strict=True), default=(0.0, "none"))
        name = f"plot and title: smallest lead over TF-IDF in a genre ({worst[1]})"
        rows.append(_aim(name, worst[0], 0.0))
    rows += [
        _aim("training, minutes, at most", model.training / 60, 25, least=False, digits=1),
        _aim("films a second", model.rate, 300, digits=0),
    ]
    return table(["aim", "wanted", "reached", "met"], rows)


def _aim(
    name: str, reached: float, wanted: float, *, least: bool = True, digits: int = 3
) -> list[str]:
    met = reached >= wanted if least else reached <= wanted
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
        "The tables above give each baseline calibration and thresholds of its own for each input, "
        "chosen on the eval split made in the same way. With those chosen on complete films, as "
        "somebody would use it who does not know what will be missing, they reach less; the model "
        f"decides by itself what is known:\n\n{table(head, rows)}"
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
            )
            for title, rows in doubts.items()
        ),
        "### How far labels can be trusted\n\n"
        f"Of {len(labels):,} films, {(listed == 1).mean():.0%} have one genre, "
        f"{(listed == 2).mean():.0%} two and {(listed >= 3).mean():.0%} three, the most that are "
        "listed. Agreement of the genres of two films (mean Jaccard index):\n\n"
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
