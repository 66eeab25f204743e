"""The report as one HTML page that needs nothing else: no network, no files beside it.

Plotly's library is in it, compressed, and the page forbids itself to load anything.
"""

import base64
import functools
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any, Final

import numpy as np
import plotly.offline

from report import card, charts, lineage, measures, words
from report.facts import Change, Ended, Example, Facts, Films, Finding, Genre, Recipe
from report.markup import Html, bullets, joined, table, tag
from report.theme import TEMPLATES
from schema.genres import GENRES

LEAST_IN_SLICE: Final = 5
"""Films of a genre that a slice must have for its F1 to be drawn."""

DOUBTS: Final = 10
"""Labels in doubt that are listed, of each kind."""

WORDS_SHOWN: Final = 8

POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""Content-Security-Policy: whatever data or library say, nothing is loaded from anywhere."""

_AGGREGATES: Final = {
    "micro_f1_score": "micro-F1",
    "samples_f1": "samples F1",
    "hamming_accuracy": "Hamming accuracy",
    "macro_auc_precision_recall": "mean AUC-PR",
}

_NO_SCRIPT: Final = "The charts are drawn by JavaScript, which this browser does not run."


def render(facts: Facts) -> str:
    """The whole page.

    Args:
        facts: what it tells.

    Returns:
        HTML of about 2 MB, most of it Plotly's library.
    """
    figures: dict[str, charts.Figure] = {}
    sections = [
        ("summary", "In short", _summary(facts)),
        ("gate", "The gate", _gate(facts, figures)),
        ("decisions", "Thresholds and probabilities", _decisions(facts, figures)),
        ("confusions", "What is taken for what", _confusions(facts, figures)),
        ("slices", "Slices", _slices(facts, figures)),
        ("films", "Films", _films(facts)),
        ("data", "Data", _data(facts, figures)),
        ("training", "Training", _training(facts, figures)),
        ("changes", "Since the last blessed model", _changes(facts)),
        ("lineage", "Lineage", _lineage(facts)),
        ("time", "Time", _time(facts, figures)),
        ("card", "Model card", card.render(facts)),
    ]
    title = f"{facts.name}: model report"
    body = [
        tag("h1", title),
        tag(
            "p",
            f"Written {facts.written:%Y-%m-%d %H:%M} UTC about the model in {facts.model}.",
            class_="soft",
        ),
        _verdict(facts),
        tag("nav", *(tag("a", name, href=f"#{key}") for key, name, _ in sections)),
        *(tag("section", tag("h2", name), content, id=key) for key, name, content in sections),
    ]
    return document(title, joined(body), figures)


def render_refused(
    name: str,
    written: datetime,
    findings: Sequence[Finding],
    nodes: Sequence[Ended],
    ingest: Mapping[str, Any],
) -> str:
    """The page of a run that its data stopped before anything was trained.

    Args:
        name: of the model that there would have been.
        written: when.
        findings: what is wrong with the data.
        nodes: of the run, as far as it came.
        ingest: what was read, dropped and rejected.
    """
    rows = [[", ".join(one.splits), one.feature, one.problem, one.remedy] for one in findings]
    parts = [
        _box(
            "Stopped: the data have anomalies",
            [f"{one.feature}: {one.problem}" for one in findings],
        ),
        tag("h2", "What was found, and what to do"),
        table(["splits", "feature", "problem", "what to do"], rows, texts=4),
    ]
    return _unfinished(name, written, parts, nodes, ingest)


def render_failed(
    name: str,
    written: datetime,
    reasons: Sequence[str],
    nodes: Sequence[Ended],
    ingest: Mapping[str, Any],
) -> str:
    """The page of a run that a node ended before there was a model that could be told of.

    Args:
        name: of the model that there would have been.
        written: when.
        reasons: what went wrong.
        nodes: of the run, the one that failed last.
        ingest: what was read, dropped and rejected.
    """
    return _unfinished(name, written, [_box(_failed(nodes[-1].node), reasons)], nodes, ingest)


def _unfinished(
    name: str,
    written: datetime,
    parts: Sequence[Html],
    nodes: Sequence[Ended],
    ingest: Mapping[str, Any],
) -> str:
    """What stopped the run, and what it had come to."""
    title = f"{name}: report of a run that was stopped"
    left_out = _ingested(ingest)
    body = [
        tag("h1", title),
        tag("p", f"Written {written:%Y-%m-%d %H:%M} UTC.", class_="soft"),
        *parts,
        tag("h2", "What was read"),
        tag("p", f"{ingest.get('movies', 0):,} films of {ingest.get('titles', 0):,} titles."),
        *([bullets(left_out)] if left_out else []),
        tag("h2", "How far the run came"),
        table(
            ["node", "", "seconds"],
            [[one.node, one.status, f"{one.seconds:,.1f}"] for one in nodes],
            texts=2,
        ),
    ]
    return document(title, joined(body), {})


def document(title: str, body: Html, figures: Mapping[str, charts.Figure]) -> str:
    """A page with charts, whole in itself.

    Args:
        title: of the page.
        body: holds a `plot(...)` for each of the figures.
        figures: by name.
    """
    drawn = {name: figure.to_plotly_json() for name, figure in figures.items()}
    for one in drawn.values():
        one["layout"].pop("template", None)
    head = [
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", title),
        tag("style", Html(_file("page.css"))),
    ]
    tail = [
        _embedded("figures", _json(drawn)),
        _embedded("templates", _json(TEMPLATES)),
        _embedded("library", _library()),
        tag("script", Html(_file("page.js"))),
    ]
    page = tag("html", tag("head", *head), tag("body", body, *(tail if figures else [])), lang="en")
    return f"<!doctype html>\n{page}\n"


def plot(
    figures: dict[str, charts.Figure], name: str, figure: charts.Figure, caption: str = ""
) -> Html:
    """The place of a chart; the chart is put among the figures.

    Args:
        figures: of the page.
        name: of the chart on the page.
        figure: the chart.
        caption: what it shows, below which it is drawn.
    """
    figures[name] = figure
    place = tag(
        "div",
        tag("noscript", _NO_SCRIPT),
        class_="plot",
        data_figure=name,
        # Until it is drawn, it takes the room that it will have.
        style=f"min-height: {figure.layout.height or 300}px",
    )
    return tag("figure", *([tag("figcaption", caption)] if caption else []), place)


def _verdict(facts: Facts) -> Html:
    """What became of the model, and why: the first thing that is read."""
    verdict, outcome = facts.verdict, facts.outcome
    if outcome.failed:
        title, reasons = _failed(outcome.failed), outcome.reasons
    elif not verdict.blessed:
        title, reasons = "Not pushed: the gate refused the model", verdict.reasons
    elif outcome.version:
        title, reasons = f"Blessed, and pushed as version {outcome.version}", ()
    else:
        title, reasons = "Not pushed, though the gate let the model through", outcome.reasons
    kind = "good" if outcome.version and verdict.blessed else "bad"
    return _box(title, reasons, outcome.destination, kind)


def _failed(node: str) -> str:
    return f"Failed: {node} ended with an error"


def _box(title: str, reasons: Sequence[str], note: str = "", kind: str = "bad") -> Html:
    return tag(
        "div",
        tag("h2", title),
        *([bullets(reasons)] if reasons else []),
        *([tag("p", note, class_="soft")] if note else []),
        class_=f"verdict {kind}",
        id="verdict",
    )


def _summary(facts: Facts) -> Html:
    verdict = facts.verdict
    figures = {
        "macro-F1": verdict.macro_f1,
        "last blessed, macro-F1": verdict.last_blessed_macro_f1,
        "simple baseline, macro-F1": verdict.simple_baseline_macro_f1,
        **{
            _AGGREGATES.get(name, _plain(name)): value for name, value in verdict.aggregates.items()
        },
    }
    cards = [
        tag("div", tag("b", f"{value:.3f}"), name, class_="card")
        for name, value in figures.items()
        if value is not None
    ]
    films = tag("div", tag("b", f"{verdict.examples:,}"), "test films", class_="card")
    return joined(
        [
            tag("div", films, *cards, class_="cards"),
            tag("h3", "Strengths"),
            bullets(words.strengths(verdict, facts.films)),
            tag("h3", "Weaknesses"),
            bullets(words.weaknesses(verdict, facts.films, facts.slices, GENRES)),
        ]
    )


def _gate(facts: Facts, figures: dict[str, charts.Figure]) -> Html:
    verdict = facts.verdict
    low, high = measures.f1_interval(
        [row.hits for row in verdict.genres],
        [row.support for row in verdict.genres],
        [row.decided for row in verdict.genres],
    )
    rows = [
        [
            row.genre,
            row.judgement,
            f"{row.support:,}",
            f"{row.f1:.3f}",
            f"{one:.2f}–{other:.2f}",
            f"{row.floor:.3f}",
            _figure(row.last_blessed),
            _figure(row.simple_baseline),
            f"{row.precision:.3f}",
            f"{row.recall:.3f}",
            f"{row.auc_pr:.3f}",
        ]
        for row, one, other in zip(verdict.genres, low, high, strict=True)
    ]
    rows.append(
        [
            "macro-F1",
            "blessed" if verdict.blessed else "not blessed",
            f"{verdict.examples:,}",
            f"{verdict.macro_f1:.3f}",
            "",
            "",
            _figure(verdict.last_blessed_macro_f1),
            _figure(verdict.simple_baseline_macro_f1),
            *[""] * 3,
        ]
    )
    head = ["genre", "verdict", "films", "F1", "95%", "floor", "last blessed", "simple baseline"]
    return joined(
        [
            plot(
                figures,
                "f1",
                charts.f1_by_genre(verdict.genres),
                "F1 by genre on the test split, with the number of test films that have it. "
                "Intervals are Wilson's, by the Jaccard index. Open circles: too few films for the "
                "gate to judge.",
            ),
            table([*head, "precision", "recall", "AUC-PR"], rows, texts=2),
            bullets(verdict.notes),
        ]
    )


def _decisions(facts: Facts, figures: dict[str, charts.Figure]) -> Html:
    films = facts.films
    present = [(column, row) for column, row in enumerate(facts.verdict.genres) if row.support]
    if not len(films.labels):
        return tag("p", "The test split has no film.")
    curves = [
        plot(figures, f"threshold-{row.genre}", charts.threshold_curve(row, films, column))
        for column, row in present
    ]
    calibrations = [
        plot(
            figures,
            f"calibration-{row.genre}",
            charts.calibration(
                f"{row.genre} ({row.support:,})",
                films.labels[:, column],
                films.probabilities[:, column],
            ),
        )
        for column, row in present
    ]
    return joined(
        [
            tag("h3", "Thresholds"),
            tag(
                "p",
                "What each genre would reach at another threshold. Thresholds differ with what is "
                "known of a film; the vertical line is their median over the test films.",
                class_="soft",
            ),
            _key(
                ("precision", charts.BASELINE, "dotted"),
                ("recall", charts.LAST_BLESSED, "dashed"),
                ("F1", charts.MODEL, "solid"),
                ("threshold used", charts.FLOOR, "solid"),
            ),
            tag("div", *curves, class_="many"),
            tag("h3", "Calibration"),
            tag(
                "p",
                "Of the films that are given a probability, how many have the genre? Points are "
                "bins of equally many films with 95% intervals (Wilson's); on the dashed line "
                "probabilities can be taken at their word. ECE is the mean distance.",
                class_="soft",
            ),
            tag(
                "div",
                plot(
                    figures,
                    "calibration",
                    charts.calibration("all genres", films.labels, films.probabilities),
                ),
                *calibrations,
                class_="many",
            ),
        ]
    )


def _key(*lines: tuple[str, str, str]) -> Html:
    """One legend for many small charts."""
    return tag(
        "p",
        *(
            tag("span", tag("i", style=f"border-color: {colour}; border-top-style: {dash}"), name)
            for name, colour, dash in lines
        ),
        class_="key soft",
    )


def _confusions(facts: Facts, figures: dict[str, charts.Figure]) -> Html:
    films = facts.films
    return joined(
        [
            tag(
                "div",
                plot(
                    figures,
                    "confusion",
                    charts.confusion(films, GENRES),
                    "Films that have a genre which the model missed, and were given another which "
                    "they do not have, in percent of all films that have the first.",
                ),
                class_="square",
            ),
            tag("h3", "Genres that go together"),
            tag(
                "div",
                plot(
                    figures,
                    "together-true",
                    charts.co_occurrence(films.labels, GENRES),
                    "As the films have them.",
                ),
                plot(
                    figures,
                    "together-predicted",
                    charts.co_occurrence(films.decided, GENRES),
                    "As the model predicts.",
                ),
                class_="two",
            ),
        ]
    )


def _slices(facts: Facts, figures: dict[str, charts.Figure]) -> Html:
    if not facts.slices:
        return tag("p", "No slices were measured.")
    chart = plot(
        figures,
        "slices",
        charts.slices(facts.slices, GENRES, LEAST_IN_SLICE),
        f"F1 by slice and genre. Empty: fewer than {LEAST_IN_SLICE} films of the genre.",
    )
    return tag("div", chart, class_="scroll wide", tabindex="0")


def _films(facts: Facts) -> Html:
    parts = []
    for good, title in ((True, "Done well"), (False, "Done badly")):
        some = [_example(one) for one in facts.examples if one.good is good]
        if some:
            parts += [tag("h3", title), tag("div", *some, class_="films")]
    for listed, title, explained in (
        (
            True,
            "Labels in doubt: listed",
            "These films are listed under a genre that the model takes for unlikely.",
        ),
        (
            False,
            "Labels in doubt: not listed",
            "These films are not listed under a genre of which the model is sure.",
        ),
    ):
        rows = [
            [tconst, title_, genre, genres, f"{probability:.3f}"]
            for tconst, title_, genre, genres, probability in _doubts(facts.films, listed)
        ]
        parts += [
            tag("h3", title),
            tag("p", explained, class_="soft"),
            table(["film", "title", "genre in doubt", "listed", "probability"], rows, texts=4),
        ]
    return joined(
        [
            tag(
                "p",
                "Words and fields are those that moved the named genre most: each was left out and "
                "the model asked again. Figures are differences of the log-odds.",
                class_="soft",
            ),
            *parts,
        ]
    )


def _example(one: Example) -> Html:
    moved = [
        tag(
            "span",
            f"{effect.text or _plain(effect.field)} {effect.difference:+.2f}",
            class_=f"word {'for' if effect.difference > 0 else 'against'}",
            title=f"{'word of ' if effect.text else 'the whole field '}{_plain(effect.field)}",
        )
        for effect in one.effects[:WORDS_SHOWN]
    ]
    return tag(
        "div",
        tag("h4", one.title or "(no title)", " ", tag("span", one.tconst, class_="soft")),
        tag("p", f"listed: {', '.join(one.listed)}"),
        tag("p", f"predicted: {', '.join(one.decided)}"),
        tag("p", f"{one.genre}, {one.probability:.0%}: ", *moved),
        class_="film",
    )


def _doubts(films: Films, listed: bool) -> list[tuple[str, str, str, str, float]]:
    """The labels of which the model is surest that they are wrong; a film counts once."""
    if not len(films.labels):
        return []
    wrong = np.where(listed, 1 - films.probabilities, films.probabilities)
    wrong = np.where(films.labels == listed, wrong, -1.0)
    genre = wrong.argmax(axis=1)
    rows = np.argsort(-wrong.max(axis=1), kind="stable")[:DOUBTS]
    return [
        (
            str(films.tconst[row]),
            str(films.title[row]),
            GENRES[genre[row]],
            ", ".join(_names(films.labels[row])),
            float(films.probabilities[row, genre[row]]),
        )
        for row in rows
        if wrong[row, genre[row]] > 0.5
    ]


def _names(labels: Iterable[bool]) -> list[str]:
    return [name for name, has in zip(GENRES, labels, strict=True) if has]


def _data(facts: Facts, figures: dict[str, charts.Figure]) -> Html:
    data = facts.data
    splits = list(data.films)
    rows = [["all films", *(f"{data.films[split]:,}" for split in splits)]] + [
        [name, *(f"{int(data.genres[split][column]):,}" for split in splits)]
        for column, name in enumerate(GENRES)
    ]
    ingest = _ingested(data.ingest)
    problems = [*data.anomalies, *ingest]
    parts = [
        _pairs(
            {
                "read from": data.folder,
                "span": str(data.span),
                "fingerprint": data.fingerprint,
            }
        ),
        tag("h3", "Films by split and genre"),
        table(["genre", *splits], rows),
        tag("h3", "Problems found"),
        bullets(problems) if problems else tag("p", "None."),
    ]
    if data.distances:
        parts.append(
            plot(
                figures,
                "distances",
                charts.distances(data.distances),
                "How far the splits are from each other, and these data from the last accepted "
                "ones, in percent of what is allowed.",
            )
        )
    return joined(parts)


def _ingested(ingest: Mapping[str, Any]) -> list[str]:
    """What the join of the dumps left out, one line for each reason."""
    if not ingest:
        return []
    lines = [
        f"{count:,} of {ingest['titles']:,} titles dropped: {reason}"
        for reason, count in ingest.get("dropped", {}).items()
        if count
    ]
    for file, reasons in ingest.get("rejected", {}).items():
        lines += [f"{file}: {count:,} lines rejected: {name}" for name, count in reasons.items()]
    return lines + [
        f"listed under {name}, which is none of the genres: {count:,}"
        for name, count in ingest.get("other_genres", {}).items()
    ]


def _training(facts: Facts, figures: dict[str, charts.Figure]) -> Html:
    training = facts.training
    losses, scores = charts.learning_curves(training.history)
    before = (
        f", after {training.seconds_before:,.0f} s in which an earlier training fine-tuned MiniLM"
        if training.seconds_before
        else ""
    )
    return joined(
        [
            tag(
                "p",
                f"{training.parameters:,} parameters, trained in {training.seconds:,.0f} s"
                + f"{before}. The best pass on the eval split was kept.",
            ),
            tag(
                "div",
                plot(figures, "losses", losses),
                plot(figures, "scores", scores),
                class_="two",
            ),
            tag("h3", "Hyperparameters"),
            _values(training.hparams),
            tag("h3", "Versions"),
            _values(training.versions),
        ]
    )


def _changes(facts: Facts) -> Html:
    if facts.last_training is None:
        return tag("p", "No other model has been blessed, or the comparison was left out.")
    found = _differences("hyperparameter ", facts.last_training.hparams, facts.training.hparams)
    found += _differences("version of ", facts.last_training.versions, facts.training.versions)
    if facts.recipe and facts.last_recipe:
        found += [
            change
            for change in lineage.changes(facts.last_recipe, facts.recipe)
            if ".hparams." not in change.what
        ]
    moved = sorted(
        (row for row in facts.verdict.genres if row.last_blessed not in (None, row.f1)),
        key=lambda row: row.f1 - (row.last_blessed or 0.0),
    )
    return joined(
        [
            tag("h3", "In how it was made"),
            table(
                ["what", "then", "now"],
                [[one.what, _short(one.before), _short(one.after)] for one in found],
                texts=3,
            )
            if found
            else tag("p", "Nothing: the same data, schema, code and settings."),
            tag("h3", "In what it reaches"),
            table(
                ["genre", "films", "F1 then", "F1 now", "change"],
                [_moved(row) for row in moved],
            )
            if moved
            else tag("p", "Nothing: the same F1 in every genre."),
        ]
    )


def _moved(row: Genre) -> list[str]:
    before = row.last_blessed or 0.0
    return [
        row.genre,
        f"{row.support:,}",
        f"{before:.3f}",
        f"{row.f1:.3f}",
        f"{row.f1 - before:+.3f}",
    ]


def _differences(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    names = dict.fromkeys([*before, *after])
    return [
        Change(prefix + name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _lineage(facts: Facts) -> Html:
    if facts.recipe is None:
        return tag("p", "ML Metadata was not at hand.")
    others = (
        bullets(facts.also_used) if facts.also_used else tag("p", "Nothing else was trained on it.")
    )
    return joined(
        [
            _recipe(facts.recipe, facts.fingerprint),
            tag("h3", "Code"),
            tag(
                "p",
                "Fingerprints of the sources that each node's result depends on.",
                class_="soft",
            ),
            _values(facts.recipe.code),
            tag("h3", "What else was made from these data"),
            others,
            tag(
                "p",
                "What a further run would do again, and why, is told by ",
                tag("code", "make lineage"),
                ".",
                class_="soft",
            ),
        ]
    )


def _recipe(recipe: Recipe, fingerprint: str) -> Html:
    return _pairs(
        {
            "model": recipe.model,
            "SHA-256 of the model": fingerprint,
            "trained": f"{recipe.made:%Y-%m-%d %H:%M:%S} UTC",
            "in the run": recipe.run,
            "data": f"{recipe.data.get('folder', '')}, span {recipe.data.get('span', '')}, "
            f"{recipe.data.get('fingerprint', '')}",
            "schema": recipe.schema,
        }
    )


def _time(facts: Facts, figures: dict[str, charts.Figure]) -> Html:
    if not facts.timings:
        return tag("p", "ML Metadata was not at hand.")
    made = sum(one.seconds for one in facts.timings if not one.cached)
    whole = sum(one.seconds for one in facts.timings)
    return plot(
        figures,
        "time",
        charts.timings(facts.timings),
        f"Time of each node, without this report: {made:,.0f} s of this run, {whole:,.0f} s with "
        "the results that it took from earlier runs.",
    )


def _values(values: Mapping[str, Any]) -> Html:
    """Names and values, in as many columns as there is room for."""
    pairs = (
        tag("div", tag("dt", _plain(name)), tag("dd", _short(value)))
        for name, value in values.items()
    )
    return tag("dl", *pairs, class_="values")


def _pairs(values: Mapping[str, str]) -> Html:
    return tag(
        "dl",
        *(
            tag(kind, text)
            for pair in values.items()
            for kind, text in zip(("dt", "dd"), pair, strict=True)
        ),
    )


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _json(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, cls=plotly.utils.PlotlyJSONEncoder).replace("<", "\\u003c")


def _embedded(name: str, text: str) -> Html:
    return tag("script", Html(text), type="text/plain", id=name)


def _file(name: str) -> str:
    return resources.files("report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _library() -> str:
    """Plotly's library, gzipped, in base64: a third of its size."""
    script = plotly.offline.get_plotlyjs().encode()
    return base64.b64encode(gzip.compress(script, 9, mtime=0)).decode()
