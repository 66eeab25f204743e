"""Render the report as one HTML page that loads nothing from the network or from other files.

The page contains Plotly's library in compressed form, and its content security policy forbids it to
load anything.
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
from report import alternatives, charts, explanations, metrics, summary
from report.content import Anomaly, GenreResult, NodeResult, ReportContent
from report.formats import (
    format_duration,
    format_percent,
    format_score,
    format_value,
    with_relative_paths,
)
from schema import features as raw
from schema.names import Split
from schema.verdict import Verdict

MIN_SLICE_SUPPORT: Final = 5
"""Number of movies of a genre that a slice must have for its F1 to be shown."""

MAX_CHARTED_GENRES: Final = 40
"""Largest number of genres in heat maps and with charts of their own. More would be illegible."""

METRIC_NAMES: Final = {
    "micro_f1_score": "micro-F1",
    "samples_f1": "samples-averaged F1",
    "hamming_accuracy": "Hamming accuracy",
    "macro_auc_precision_recall": "mean AUC-PR",
}
"""Display names of `Verdict.aggregates`."""

METRIC_MEANINGS: Final = {
    "macro-F1": "mean F1 of the genres; F1 is the harmonic mean of precision and recall",
    "macro-F1 of the last blessed model": "on the same movies",
    "macro-F1 of the simple baseline": "logistic regression on words, on the same movies",
    "micro-F1": "F1 of all pairs of movie and genre together",
    "samples-averaged F1": "mean F1 of the movies",
    "subset accuracy": "share of movies with exactly the listed genres",
    "Hamming accuracy": "share of right decisions among all pairs of movie and genre",
    "mean AUC-PR": "mean area under the precision-recall curve of the genres",
}
"""What the metrics over all genres mean, by display name."""


def render_report(content: ReportContent) -> str:
    """Render the report of a model, HTML of about 2 MB. Most of it is Plotly's library."""
    output_directory = content.output_directory
    content = with_relative_paths(content)
    training_shares = _training_shares(content)
    names = content.verdict.genre_names
    columns = _charted_columns(content.verdict.genres)
    return _render(
        "report.html.j2",
        f"{content.name}: model report",
        figures=_figures(content, columns),
        content=content,
        output_directory=output_directory,
        min_calibrated=metrics.MIN_CALIBRATED,
        metric_meanings=METRIC_MEANINGS,
        verdict=content.verdict,
        overall_metrics=_overall_metrics(content),
        strengths=summary.strengths(content.verdict, content.predictions),
        with_corrected=with_corrected(content.verdict),
        genre_names=names,
        weaknesses=summary.weaknesses(content.verdict, content.predictions, content.slices, names),
        present=[row for row in content.verdict.genres if row.support],
        charted=[content.verdict.genres[column] for column in columns],
        doubtful_labels={
            listed: explanations.doubtful_labels(content.predictions, names, listed=listed)
            for listed in (True, False)
        },
        changes=_changes(content),
        changed_genres=_changed_genres(content.verdict.genres),
        training_shares=[(genre, share) for genre, share in training_shares if share],
        untrained_genres=[genre for genre, share in training_shares if not share],
        min_slice_support=MIN_SLICE_SUPPORT,
    )


def render_anomalies(
    name: str,
    written: datetime,
    anomalies: Sequence[Anomaly],
    nodes: Sequence[NodeResult],
    ingest: Mapping[str, Any],
) -> str:
    """Render the report of a run that anomalies in the data stopped before the training.

    Args:
        name: Name of the model.
        written: Time at which the report is written, in UTC.
        anomalies: Anomalies that stopped the run.
        nodes: Nodes that ran, in order.
        ingest: Ingest's summary of dropped and rejected rows.
    """
    return _render_stopped(
        name,
        written=written,
        verdict_title="Stopped: the data have anomalies",
        reasons=[f"{anomaly.feature}: {anomaly.problem}" for anomaly in anomalies],
        nodes=nodes,
        ingest=ingest,
        anomalies=anomalies,
    )


def render_failure(
    name: str,
    written: datetime,
    reasons: Sequence[str],
    nodes: Sequence[NodeResult],
    ingest: Mapping[str, Any],
) -> str:
    """Render the report of a run in which a node failed before there was a model.

    Args:
        name: Name of the model.
        written: Time at which the report is written, in UTC.
        reasons: Description of the error, one line each.
        nodes: Nodes that ran, in order; the last one failed.
        ingest: Ingest's summary of dropped and rejected rows.
    """
    return _render_stopped(
        name,
        written=written,
        verdict_title=f"Failed: {nodes[-1].node} ended with an error",
        reasons=reasons,
        nodes=nodes,
        ingest=ingest,
        anomalies=(),
    )


def _render_stopped(name: str, **context: Any) -> str:
    return _render("stopped.html.j2", f"{name}: report of a stopped run", {}, **context)


def _render(template: str, title: str, figures: Mapping[str, go.Figure], **context: Any) -> str:
    embedded = {}
    if figures:
        specs = {name: figure.to_plotly_json() for name, figure in figures.items()}
        for spec in specs.values():
            spec["layout"].pop("template", None)
        embedded = {
            "figures": _to_json(specs),
            "templates": _to_json(charts.TEMPLATES),
            "library": _compressed_plotly(),
        }
    context |= {"title": title, "css": _read_file("page.css"), "script": _read_file("page.js")}
    page = _environment().get_template(template)
    return page.render(figures=figures, embedded=embedded, **context)


@functools.cache
def _environment() -> jinja2.Environment:
    """Return the templates, which escape every value that is not marked as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": "{:,}".format, "display_name": charts.display_name}
    environment.filters |= {"movies": summary.format_movies}
    environment.filters |= {"score": format_score, "value": format_value}
    environment.filters |= {"percent": format_percent}
    environment.filters |= {"duration": format_duration, "describe": alternatives.describe}
    environment.globals |= {"MODEL_INPUTS": raw.MODEL_INPUTS, "charts": charts}
    environment.globals["html"] = environment.get_template("macros.html.j2").module
    return environment


def _charted_columns(genres: Sequence[GenreResult]) -> list[int]:
    """Return the columns of the `MAX_CHARTED_GENRES` genres with the most test movies, in order."""
    by_support = sorted(range(len(genres)), key=lambda column: -genres[column].support)
    return sorted(by_support[:MAX_CHARTED_GENRES])


def _figures(content: ReportContent, columns: Sequence[int]) -> dict[str, go.Figure]:
    """Return all charts of the page, by the names that the templates use.

    Args:
        content: Content of the report.
        columns: Columns of the genres in heat maps and with charts of their own.
    """
    predictions, training = content.predictions, content.training
    names = [content.verdict.genre_names[column] for column in columns]
    charted = predictions.select_genres(columns)
    training_loss, eval_loss, scores = charts.learning_curves(training.history, training.best_epoch)
    figures = {
        "f1-by-genre": charts.f1_by_genre(content.verdict.genres),
        "confusion": charts.confusion(charted, names),
        "listed-co-occurrence": charts.co_occurrence(charted.labels, names),
        "predicted-co-occurrence": charts.co_occurrence(charted.predicted, names),
        "training-loss": training_loss,
        "eval-loss": eval_loss,
        "scores": scores,
    }
    if len(predictions.labels):
        figures["calibration"] = charts.calibration_curve(
            "all genres", predictions.labels, predictions.probabilities
        )
        for column in columns:
            row = content.verdict.genres[column]
            if row.support:
                figures[f"threshold-{row.genre}"] = charts.threshold_curve(row, predictions, column)
                figures[f"calibration-{row.genre}"] = charts.calibration_curve(
                    f"{row.genre} ({row.support:,})",
                    predictions.labels[:, column],
                    predictions.probabilities[:, column],
                )
    if content.slices:
        slices = [row.select_genres(columns) for row in content.slices]
        figures["f1-by-slice"] = charts.f1_by_slice(slices, names, MIN_SLICE_SUPPORT)
    if content.data.distances:
        figures["distances"] = charts.distribution_distances(content.data.distances)
    if content.timings:
        figures["node-times"] = charts.node_times(content.timings)
    return figures


def format_aggregates(aggregates: Mapping[str, float]) -> str:
    """Return metrics over all genres as text: `micro-F1 0.612, subset accuracy 0.300`."""
    return ", ".join(
        f"{_metric_name(name)} {format_score(value)}" for name, value in aggregates.items()
    )


def with_corrected(verdict: Verdict) -> str:
    """Return the metrics with the corrected test movies in words; empty if there are none."""
    if not (corrected := verdict.with_corrected):
        return ""
    return (
        f"{summary.format_movies(corrected.movies)} of the {Split.TEST} split with corrected "
        f"genres {'is' if corrected.movies == 1 else 'are'} left out. With "
        f"{'it' if corrected.movies == 1 else 'them'}: macro-F1 {corrected.macro_f1:.3f}, "
        f"{format_aggregates(corrected.aggregates)}."
    )


def _metric_name(name: str) -> str:
    return METRIC_NAMES.get(name, charts.display_name(name))


def _overall_metrics(content: ReportContent) -> dict[str, float]:
    """Return the metrics over all genres by display name."""
    verdict = content.verdict
    values = {
        "macro-F1": verdict.macro_f1,
        "macro-F1 of the last blessed model": verdict.last_blessed_macro_f1,
        "macro-F1 of the simple baseline": verdict.simple_baseline_macro_f1,
    }
    for name, value in verdict.aggregates.items():
        values[_metric_name(name)] = value
    return {name: value for name, value in values.items() if value is not None}


def _changes(content: ReportContent) -> list[Difference]:
    """Return the changes in data, code and settings since the last blessed model."""
    last, current = content.last_training, content.training
    if last is None:
        return []
    changed = mapping_differences("hyperparameter ", last.hparams, current.hparams)
    changed += mapping_differences("version of ", last.versions, current.versions)
    if content.lineage and content.last_lineage:
        lineage = lineage_differences(content.last_lineage, content.lineage)
        changed += [difference for difference in lineage if ".hparams." not in difference.name]
    return changed


def _changed_genres(genres: Sequence[GenreResult]) -> list[tuple[GenreResult, float]]:
    """Return the genres whose F1 has changed, with the last blessed model's F1."""
    pairs = [(row, row.last_blessed) for row in genres if row.last_blessed is not None]
    changed = [(row, before) for row, before in pairs if before != row.f1]
    return sorted(changed, key=lambda pair: pair[0].f1 - pair[1])


def _training_shares(content: ReportContent) -> list[tuple[str, float]]:
    """Return the share of the training movies that has each genre; empty without movies."""
    movies = content.data.movies.get(Split.TRAIN)
    if not movies or Split.TRAIN not in content.data.genres:
        return []
    shares = content.data.genres[Split.TRAIN] / movies
    return list(zip(content.verdict.genre_names, shares, strict=True))


def _to_json(value: Any) -> str:
    """Return JSON without `<`, so that it cannot end its script element."""
    return json.dumps(value, cls=plotly.utils.PlotlyJSONEncoder).replace("<", "\\u003c")


def _read_file(name: str) -> str:
    return resources.files("report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _compressed_plotly() -> str:
    """Return Plotly's library as gzip in base64, a third of its size."""
    script = plotly.offline.get_plotlyjs().encode()
    return base64.b64encode(gzip.compress(script, 9, mtime=0)).decode()
