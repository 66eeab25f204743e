"""The component on generated movies."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.simple_baseline.component import SimpleBaseline, SimpleBaselineMetrics, load_metrics
from schema import features as raw
from schema.errors import UserError
from tests.data.tiny_movies import Row, make_movies, serialize, with_values, write_examples


def run_component(
    directory: Path, splits: dict[str, list[Row]], **parameters: str
) -> SimpleBaselineMetrics:
    metrics = SimpleBaselineMetrics()
    metrics.uri = str(directory / "metrics")
    examples = write_examples(
        directory / "examples", {split: serialize(rows) for split, rows in splits.items()}
    )
    SimpleBaseline.test_call(examples=examples, metrics=metrics, seed=4, **parameters)
    return metrics


def test_genres_that_the_plot_names_are_predicted(tmp_path: Path) -> None:
    splits = {"train": make_movies(150, 1), "eval": make_movies(50, 2), "test": make_movies(50, 3)}
    # A movie with an uninformative plot and a genre that only this split has.
    splits["test"].append(
        with_values(splits["test"][:1], plot="the letter", genres="Sport")[0] | {raw.TITLE: None}
    )
    artifact = run_component(tmp_path, splits)
    metrics = load_metrics(artifact.uri)

    assert metrics.pop("seconds") >= 0
    assert metrics["movies"] == 51
    for genre in ("Western", "Sci-Fi", "Horror"):
        assert metrics["genres"][genre]["recall"] == 1.0
    assert metrics["genres"]["Sport"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 1}
    assert metrics["subset_accuracy"] == pytest.approx(50 / 51)
    assert 0.7 < metrics["macro_f1"] < 0.75
    assert (artifact.macro_f1, artifact.micro_f1, artifact.samples_f1) == (
        metrics["macro_f1"],
        metrics["micro_f1"],
        metrics["samples_f1"],
    )

    again = tmp_path / "again"
    again.mkdir()
    written_otherwise = {
        split: [row | {raw.PLOT: f"<p>{row[raw.PLOT]}&nbsp;</p>"} for row in rows]
        for split, rows in splits.items()
    }
    repeated = load_metrics(run_component(again, written_otherwise).uri)
    del repeated["seconds"]
    assert json.dumps(repeated) == json.dumps(metrics)


def test_corrected_test_movies_are_left_out(tmp_path: Path) -> None:
    splits = {"train": make_movies(90, 1), "eval": make_movies(30, 2), "test": make_movies(40, 3)}
    # Plots of all genres that are listed under Sport.
    wrong = with_values(make_movies(60, 4), genres="Sport", corrected=1)

    def metrics(name: str, more: dict[str, list[Row]]) -> dict[str, Any]:
        (tmp_path / name).mkdir()
        added = {split: rows + more.get(split, []) for split, rows in splits.items()}
        found = load_metrics(run_component(tmp_path / name, added).uri)
        del found["seconds"]
        return found

    without = metrics("without", {})
    assert without["movies"] == 40
    assert metrics("test", {"test": wrong}) == without
    # Corrections are genres like any other in the splits that the model is fitted on.
    assert metrics("train", {"train": wrong}) != without

    with pytest.raises(UserError, match=r"test split has no movies with uncorrected genres\. Add"):
        run_component(tmp_path, splits | {"test": wrong})


def test_the_genres_are_those_of_the_run(tmp_path: Path) -> None:
    splits = {"train": make_movies(150, 1), "eval": make_movies(50, 2), "test": make_movies(50, 3)}
    genres = ["Western", "Children's", "Horror"]
    metrics = load_metrics(run_component(tmp_path, splits, genres=json.dumps(genres)).uri)
    assert list(metrics["genres"]) == genres
    assert [row["support"] > 0 for row in metrics["genres"].values()] == [True, False, True]
    assert metrics["genres"]["Western"]["recall"] == 1.0


def test_a_split_without_movies(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^The eval split has no movies\. Add more movies\.$"):
        run_component(tmp_path, {"train": make_movies(50), "eval": [], "test": make_movies(5)})
