"""The content of a report on a made-up model, small enough to be counted by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from metadata import ModelLineage, NodeTiming
from report.content import (
    DataSummary,
    DistributionDistance,
    ExplainedMovie,
    GenreResult,
    OcclusionEffect,
    Predictions,
    PushResult,
    ReportContent,
    ReportVerdict,
    SliceMetrics,
    TrainingRecord,
)
from schema.genres import GENRES, NUM_GENRES

HTML_TITLE = '<img src="https://outside.example/x.png"> & "quotes" </script><b>'
"""A title with HTML, which a page must escape."""


def make_genre_result(name: str, **changes: Any) -> GenreResult:
    """Return a genre with 10 test movies, 8 predicted ones and 6 true positives, so F1 is 2/3."""
    values: dict[str, Any] = {
        "support": 10,
        "true_positives": 6,
        "predicted_positives": 8,
        "f1": 2 / 3,
        "precision": 0.75,
        "recall": 0.6,
        "auc_pr": 0.7,
        "floor": 0.3,
        "last_blessed": 0.7,
        "simple_baseline": 0.4,
        "judgement": "pass",
    }
    return GenreResult(genre=name, **{**values, **changes})


def make_predictions(count: int = 60, seed: int = 4, num_genres: int = NUM_GENRES) -> Predictions:
    """Return movies with one to three genres, most of which the model predicts.

    The title of the first movie is `HTML_TITLE`.
    """
    random = np.random.default_rng(seed)
    labels = np.zeros((count, num_genres), np.bool_)
    for row in range(count):
        labels[row, random.choice(num_genres, 1 + row % 3, replace=False)] = True
    probabilities = np.clip(random.normal(0.15 + 0.6 * labels, 0.15), 0.01, 0.99)
    scores = np.where(probabilities >= 0.5, 0.6, 0.4)
    odds = probabilities / (1 - probabilities)
    return Predictions(
        tconst=np.array([f"tt{row:07}" for row in range(count)], object),
        title=np.array([HTML_TITLE, *(f"Movie {row}" for row in range(1, count))], object),
        labels=labels,
        predicted=scores > 0.5,
        probabilities=probabilities,
        scores=odds / (1 + odds),
    )


def make_report_content(genres: Sequence[str] = GENRES, **changes: Any) -> ReportContent:
    """Return the content of a report on a model that was blessed and pushed."""
    num_genres = len(genres)
    lineage = ModelLineage(
        model="/srv/out/artifacts/Trainer/model/12",
        trained=datetime(2026, 3, 1, 10, 30, tzinfo=UTC),
        run="2026-03-01T10:00:00+00:00",
        data={"checksum": "split:movies,num_files:1", "span": 0, "directory": "/srv/out/movies"},
        schema="/srv/out/schema/0123/schema.pbtxt",
        code={"Trainer": "aaaa", "Transform": "bbbb"},
        settings={"Transform.transform.max_cast": 12},
        commit="0123abc, with changes that are not committed",
        command="ordained run --data imdb",
    )
    training = TrainingRecord(
        hparams={"epochs": 3, "word_encoder": "cnn", "sentence_encoder": "mpnet"},
        history={
            "loss": [1.0, 0.8, 0.7],
            "val_loss": [0.3, 0.25, 0.26],
            "val_map": [0.5, 0.62, 0.6],
            "val_macro_f1": [0.4, 0.5, 0.51],
        },
        parameters=12345,
        seconds=61.0,
        versions={"tfx": "1.21.0"},
        cached_finetuning_seconds=754.0,
        best_epoch=1,
    )
    few = {"support": 3, "true_positives": 2, "predicted_positives": 3, "judgement": "not judged"}
    rows = tuple(make_genre_result(name, **(few if name == "Music" else {})) for name in genres)
    values: dict[str, Any] = {
        "name": "movie_genres",
        "written": datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        "output_directory": "/srv/out",
        "model_directory": "/srv/out/artifacts/Trainer/model/12",
        "model_digest": "f" * 64,
        "verdict": ReportVerdict(
            blessed=True,
            reasons=(),
            notes=("not judged, with fewer than 5 test movies: Music 3",),
            examples=60,
            genres=rows,
            macro_f1=0.667,
            last_blessed_macro_f1=0.7,
            simple_baseline_macro_f1=0.4,
            aggregates={"micro_f1_score": 0.7, "samples_f1": 0.69},
        ),
        "push": PushResult(version="1700000000", destination="/srv/out/serving/1700000000"),
        "predictions": make_predictions(num_genres=num_genres),
        "slices": (
            SliceMetrics(
                "decade", "1950s", 20, 0.55, np.full(num_genres, 0.5), np.full(num_genres, 6)
            ),
            SliceMetrics(
                "decade", "1960s", 40, 0.75, np.full(num_genres, 0.8), np.full(num_genres, 2)
            ),
        ),
        "examples": (
            ExplainedMovie(
                tconst="tt0000000",
                title=HTML_TITLE,
                listed=("Drama",),
                predicted=("Drama",),
                genre="Drama",
                probability=0.93,
                correct=True,
                effects=(
                    OcclusionEffect("plot", "<b>ranch</b>", 0.71, 1.25, False),
                    OcclusionEffect("plot", "function words", 0.9, 0.02, True),
                    OcclusionEffect("cast", "", 0.95, -0.5, False),
                ),
            ),
        ),
        "training": training,
        "last_training": TrainingRecord(
            {**training.hparams, "epochs": 2}, training.history, 12, 60.0, {"tfx": "1.20.0"}
        ),
        "data": DataSummary(
            span=0,
            checksum="split:movies,num_files:1",
            directory="/srv/out/movies",
            movies={"train": 480, "eval": 60, "test": 60},
            genres={split: np.arange(num_genres) + 1 for split in ("train", "eval", "test")},
            anomalies=(f"train: title: {HTML_TITLE}",),
            distances=(
                DistributionDistance(
                    "eval and train", "year", "jensen_shannon_divergence", 0.05, 0.2
                ),
            ),
            ingest={
                "titles": 650,
                "movies": 600,
                "dropped": {"no plot": 50, "plot of an earlier movie": 0},
                "rejected": {"title.basics.tsv": {"wrong number of fields": 2}},
                "unreadable": {"Release year": 7},
                "plots": {"joined by id": 590, "joined by title, one year off": 10},
                "other_genres": {"News": 1},
            },
        ),
        "lineage": lineage,
        "last_lineage": ModelLineage(
            **{**vars(lineage), "code": {"Trainer": "cccc", "Transform": "bbbb"}}
        ),
        "models_on_same_data": (
            "the model of 2026-02-01 10:00 UTC: output/artifacts/Trainer/model/3",
        ),
        "timings": (
            NodeTiming("Trainer", 61.5, cached=False),
            NodeTiming("Transform", 30.0, cached=True),
        ),
    }
    return ReportContent(**{**values, **changes})
