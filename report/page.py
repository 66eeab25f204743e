"""Renders the report as one HTML page that needs no network and no other file.

Plotly's library is in it, compressed, and the page's own policy forbids it to load anything.
"""

import base64
import functools
import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any, Final

import jinja2
import plotly.graph_objects as go
import plotly.offline

from metadata import Difference, lineage_differences, mapping_differences
from report import charts, examples, summary
from report.facts import Ended, Facts, Finding, Genre
from schema import features as raw
from schema.genres import GENRES
from schema.names import Split

LEAST_IN_SLICE: Final = 5
"""Number of movies of a genre that a slice must have for its F1 to be drawn."""

_AGGREGATES: Final = {
    "micro_f1_score": "micro-F1",
    "samples_f1": "samples F1",
    "hamming_accuracy": "Hamming accuracy",
    "macro_auc_precision_recall": "mean AUC-PR",
}


def render(facts: Facts) -> str:
    """The whole page: HTML of about 2 MB, most of it Plotly's library."""
    return _render(
        "report.html.j2",
        f"{facts.name}: model report",
        figures=_figures(facts),
        facts=facts,
        verdict=facts.verdict,
        scores=_scores(facts),
        strengths=summary.strengths(facts.verdict, facts.movies),
        weaknesses=summary.weaknesses(facts.verdict, facts.movies, facts.slices, GENRES),
        present=[row for row in facts.verdict.genres if row.support],
        doubts={
            listed: examples.doubtful_labels(facts.movies, listed=listed)
            for listed in (True, False)
        },
        changes=_changes(facts),
        moved=_moved(facts.verdict.genres),
        training_shares=_training_shares(facts),
        least_in_slice=LEAST_IN_SLICE,
    )


def render_refused(
    name: str,
    written: datetime,
    findings: Sequence[Finding],
    nodes: Sequence[Ended],
    ingest: Mapping[str, Any],
) -> str:
    """The page of a run that was stopped by anomalies of its data before the training.

    `nodes` are those that ran, and `ingest` is the report of what was read, dropped and rejected.
    """
    return _render_stopped(
        name,
        written=written,
        verdict_title="Stopped: the data have anomalies",
        reasons=[f"{one.feature}: {one.problem}" for one in findings],
        nodes=nodes,
        ingest=ingest,
        findings=findings,
    )


def render_failed(
    name: str,
    written: datetime,
    reasons: Sequence[str],
    nodes: Sequence[Ended],
    ingest: Mapping[str, Any],
) -> str:
    """The page of a run in which a node, the last of `nodes`, failed before there was a model.

    `reasons` have one line each; `ingest` is the report of what was read, dropped and rejected.
    """
    return _render_stopped(
        name,
        written=written,
        verdict_title=f"Failed: {nodes[-1].node} ended with an error",
        reasons=reasons,
        nodes=nodes,
        ingest=ingest,
        findings=(),
    )


def _render_stopped(name: str, **context: Any) -> str:
    return _render("stopped.html.j2", f"{name}: report of a run that was stopped", {}, **context)


def _render(template: str, title: str, figures: Mapping[str, go.Figure], **context: Any) -> str:
    embedded = {}
    if figures:
        drawn = {name: figure.to_plotly_json() for name, figure in figures.items()}
        for one in drawn.values():
            one["layout"].pop("template", None)
        embedded = {
            "figures": _json(drawn),
            "templates": _json(charts.TEMPLATES),
            "library": _library(),
        }
    context |= {"title": title, "css": _file("page.css"), "script": _file("page.js")}
    page = _environment().get_template(template)
    return page.render(figures=figures, embedded=embedded, **context)


@functools.cache
def _environment() -> jinja2.Environment:
    """Templates escape every value that is not marked as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": "{:,}".format, "plain": charts.plain}
    environment.filters |= {"score": _score, "value": _value}
    environment.globals |= {"GENRES": GENRES, "MODEL_INPUTS": raw.MODEL_INPUTS, "charts": charts}
    environment.globals["html"] = environment.get_template("macros.html.j2").module
    return environment


def _figures(facts: Facts) -> dict[str, go.Figure]:
    """All charts of the page, by the names that the templates place them by."""
    movies = facts.movies
    losses, scores = charts.learning_curves(facts.training.history, facts.training.best_epoch)
    found = {
        "f1": charts.f1_by_genre(facts.verdict.genres),
        "confusion": charts.confusion(movies, GENRES),
        "together-true": charts.co_occurrence(movies.labels, GENRES),
        "together-predicted": charts.co_occurrence(movies.predicted, GENRES),
        "losses": losses,
        "scores": scores,
    }
    if len(movies.labels):
        found["calibration"] = charts.calibration("all genres", movies.labels, movies.probabilities)
        for column, row in enumerate(facts.verdict.genres):
            if row.support:
                found[f"threshold-{row.genre}"] = charts.threshold_curve(row, movies, column)
                cases = movies.labels[:, column], movies.probabilities[:, column]
                title = f"{row.genre} ({row.support:,})"
                found[f"calibration-{row.genre}"] = charts.calibration(title, *cases)
    if facts.slices:
        found["slices"] = charts.slices(facts.slices, GENRES, LEAST_IN_SLICE)
    if facts.data.distances:
        found["distances"] = charts.distances(facts.data.distances)
    if facts.timings:
        found["time"] = charts.timings(facts.timings)
    return found


def _scores(facts: Facts) -> dict[str, float]:
    """Figures of the summary, by what they are called."""
    verdict = facts.verdict
    figures = {
        "macro-F1": verdict.macro_f1,
        "last blessed, macro-F1": verdict.last_blessed_macro_f1,
        "simple baseline, macro-F1": verdict.simple_baseline_macro_f1,
    }
    for name, value in verdict.aggregates.items():
        figures[_AGGREGATES.get(name, charts.plain(name))] = value
    return {name: value for name, value in figures.items() if value is not None}


def _changes(facts: Facts) -> list[Difference]:
    """How the model was made differently from the last blessed one."""
    last, now = facts.last_training, facts.training
    if last is None:
        return []
    found = mapping_differences("hyperparameter ", last.hparams, now.hparams)
    found += mapping_differences("version of ", last.versions, now.versions)
    if facts.recipe and facts.last_recipe:
        recipes = lineage_differences(facts.last_recipe, facts.recipe)
        found += [one for one in recipes if ".hparams." not in one.name]
    return found


def _moved(genres: Sequence[Genre]) -> list[tuple[Genre, float]]:
    """Genres whose F1 is not that of the last blessed model, with that one's F1."""
    pairs = [(row, row.last_blessed) for row in genres if row.last_blessed is not None]
    moved = [(row, before) for row, before in pairs if before != row.f1]
    return sorted(moved, key=lambda pair: pair[0].f1 - pair[1])


def _training_shares(facts: Facts) -> list[tuple[str, float]]:
    """The share of the training movies that has each genre; empty if there are no such movies."""
    movies = facts.data.movies.get(Split.TRAIN)
    if not movies or Split.TRAIN not in facts.data.genres:
        return []
    return list(zip(GENRES, facts.data.genres[Split.TRAIN] / movies, strict=True))


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _value(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _json(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, cls=plotly.utils.PlotlyJSONEncoder).replace("<", "\\u003c")


def _file(name: str) -> str:
    return resources.files("report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _library() -> str:
    """Plotly's library, gzipped, in base64: a third of its size."""
    script = plotly.offline.get_plotlyjs().encode()
    return base64.b64encode(gzip.compress(script, 9, mtime=0)).decode()
