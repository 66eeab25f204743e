"""Tables of labels by a real model, and jobs that continue after an interruption."""

import shutil
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from pyarrow import csv, parquet
from tfx.types import standard_artifacts

from components.labeller.component import Labeller, LabelTables
from components.labeller.inference import Model, Source, check_model, read_part
from components.labeller.job import (
    LabelJob,
    Part,
    Progress,
    delete_parts,
    unlabelled_digest,
    unlabelled_shards,
)
from pipeline.config import BeamConfig
from schema import manifest
from schema.errors import TryAgainError, UserError
from schema.files import lock
from schema.genres import GENRES
from schema.names import PUSHED_PROPERTY, PUSHED_VERSION_PROPERTY
from tests.data.tiny_model import save_tiny_model
from tests.data.tiny_movies import Row, make_movies, serialize, write_csv, write_examples

BEAM = BeamConfig().arguments()
FIXED_COLUMNS = ["tconst", "title", "genres", "confidence", "unsure", "model_version"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model") / "7")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Seven movies without genres; the first has nothing but a title and a long plot."""
    movies = [{**row, "genres": "", "split_key": ""} for row in make_movies(7, seed=3)]
    known = {"tconst": "tt1", "title": 'The "Lighthouse", 2', "plot": "sea\nand " * 60_000}
    return [dict.fromkeys(movies[0], "") | known, *movies[1:]]


@pytest.fixture
def movies(tmp_path: Path, rows: list[Row]) -> Path:
    """A directory with two shards, of five and two movies."""
    directory = tmp_path / "movies [1]"
    directory.mkdir()
    write_csv(directory / "unlabelled-00000-of-00002.csv", rows[:5])
    write_csv(directory / "unlabelled-00001-of-00002.csv", rows[5:])
    write_csv(directory / "movies-00000-of-00001.csv", make_movies(3))
    return directory


class Interruption:
    """Records the progress of a job and interrupts it after a number of parts."""

    def __init__(self, after: int = 99) -> None:
        self.after = after
        self.seen: list[tuple[str, int, int, int]] = []

    def __call__(self, progress: Progress) -> None:
        values = (progress.done, progress.total, progress.resumed)
        self.seen.append((progress.source.path.name[:16], *values))
        self.after -= progress.done > progress.resumed
        if self.after <= 0:
            raise KeyboardInterrupt


def make_job(on_progress: Any = lambda _: None) -> LabelJob:
    return LabelJob(PipelineOptions(BEAM), on_progress, rows_per_part=3)


def unlabelled(movies: Path, model: Path, version: str = "7") -> list[Source]:
    return [Source(shard, Model(model, version)) for shard in unlabelled_shards(movies)]


def read(table: Path) -> pa.Table:
    return parquet.read_table(table) if table.suffix == ".parquet" else csv.read_csv(table)


def expected(model: Path, movies: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return what the model itself answers for all movies, in the order of the shards."""
    parts = [Part(source, 0, 99) for source in unlabelled(movies, model)]
    examples = [example for part in parts for _, example in read_part(part)]
    outputs = tf.saved_model.load(str(model)).signatures["examples"](examples=tf.constant(examples))
    return {name: output.numpy() for name, output in outputs.items()}


@pytest.mark.parametrize("name", ["genres.csv", "genres.parquet"])
def test_every_movie_is_labelled_in_the_order_of_the_shards(
    model: Path, movies: Path, rows: list[Row], name: str
) -> None:
    table = movies / name
    seen = Interruption()
    counts = make_job(seen).write_labels(unlabelled(movies, model), table)
    labels, outputs = read(table), expected(model, movies)
    assert labels.column_names == [*FIXED_COLUMNS, *GENRES]
    assert labels["tconst"].to_pylist() == [row["tconst"] for row in rows]
    assert labels["title"].to_pylist() == [row["title"] for row in rows]
    probabilities = np.stack([labels[genre].to_numpy() for genre in GENRES], axis=1)
    np.testing.assert_allclose(probabilities, outputs["probabilities"], atol=1e-6)
    for row in range(len(rows)):
        chosen = labels["genres"][row].as_py().split("|")
        assert set(chosen) == set(np.array(GENRES)[outputs["predicted"][row]])
        assert probabilities[row, GENRES.index(chosen[0])] == probabilities[row].max()
    unsure = labels["unsure"].to_pylist()
    assert [value < 0.5 for value in labels["confidence"].to_pylist()] == unsure
    assert counts == (7, sum(unsure))
    assert set(map(str, labels["model_version"].to_pylist())) == {"7"}
    assert seen.seen == [
        ("unlabelled-00000", 0, 5, 0),
        ("unlabelled-00000", 3, 5, 0),
        ("unlabelled-00000", 5, 5, 0),
        ("unlabelled-00001", 0, 2, 0),
        ("unlabelled-00001", 2, 2, 0),
    ]
    delete_parts(table)
    assert not table.with_name(f"{name}.parts").exists()


def test_an_interrupted_job_continues_after_its_last_part(model: Path, movies: Path) -> None:
    sources = unlabelled(movies, model)
    table, whole = movies / "genres.csv", movies / "whole.csv"
    table.write_text("an earlier table")
    with pytest.raises(KeyboardInterrupt):
        make_job(Interruption(after=2)).write_labels(sources, table)
    assert table.read_text() == "an earlier table"
    parts = movies / "genres.csv.parts"
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert len(kept) == 3  # two parts and the empty one
    (parts / ".0a.parquet.99.part").write_text("left by a killed process")

    seen = Interruption(after=1)
    with pytest.raises(KeyboardInterrupt):
        make_job(seen).write_labels(sources, table)
    assert seen.seen == [
        ("unlabelled-00000", 5, 5, 5),
        ("unlabelled-00001", 0, 2, 0),
        ("unlabelled-00001", 2, 2, 0),
    ]
    now = {path: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert {
        path: now[path] for path in kept if path.name != "empty.parquet"
    }.items() <= kept.items()
    assert not list(parts.glob(".*"))

    make_job().write_labels(sources, table)
    make_job().write_labels(sources, whole)
    assert table.read_text() == whole.read_text()

    seen = Interruption()
    make_job(seen).write_labels(sources, table)
    assert [kept for _, _, _, kept in seen.seen] == [5, 2]
    assert table.read_text() == whole.read_text()
    delete_parts(table)
    assert not parts.exists()


@pytest.mark.parametrize("change", ["movies", "model"])
def test_parts_of_other_movies_or_another_model_are_not_kept(
    model: Path, movies: Path, rows: list[Row], tmp_path: Path, change: str
) -> None:
    table = movies / "genres.csv"
    with pytest.raises(KeyboardInterrupt):
        make_job(Interruption(after=2)).write_labels(unlabelled(movies, model), table)
    if change == "movies":
        first = [{**rows[0], "title": "Another title"}, *rows[1:5]]
        write_csv(movies / "unlabelled-00000-of-00002.csv", first)
    else:
        model = Path(shutil.copytree(model, tmp_path / "8"))
        (model / "assets.extra" / "training.json").write_text("{}")
        manifest.write(model)
    seen = Interruption()
    make_job(seen).write_labels(unlabelled(movies, model), table)
    assert {kept for _, _, _, kept in seen.seen} == {0}


def test_the_model_is_asked_about_listed_genres(model: Path, tmp_path: Path) -> None:
    movies = make_movies(9, seed=4)
    artifact = write_examples(
        tmp_path, {"eval": serialize(movies[:4]), "test": serialize(movies[4:])}
    )
    sources = [
        Source(path, Model(model, "7"), split)
        for split in ("eval", "test")
        for path in Path(artifact.uri, f"Split-{split}").iterdir()
    ]
    table = tmp_path / "doubts.csv"
    count = make_job().write_doubts(sources, table)
    doubts = read(table).to_pylist()
    assert count == len(doubts)
    signature = tf.saved_model.load(str(model)).signatures["examples"]
    probabilities = signature(examples=tf.constant(serialize(movies)))["probabilities"].numpy()
    listed = np.array([[genre == row["genres"] for genre in GENRES] for row in movies])
    wrong = np.where(listed, 1 - probabilities, probabilities)
    doubted = {
        row["tconst"]: (wrong[number].max(), row["genres"], "eval" if number < 4 else "test")
        for number, row in enumerate(movies)
        if wrong[number].max() > 0.5
    }
    found = {row["tconst"]: (row["doubt"], row["listed"], row["split"]) for row in doubts}
    assert found.keys() == doubted.keys()
    for tconst, (doubt, *rest) in found.items():
        assert doubt == pytest.approx(doubted[tconst][0], abs=1e-6)
        assert rest == list(doubted[tconst][1:])
    values = [row["doubt"] for row in doubts]
    assert values == sorted(values, reverse=True)
    number = [row["tconst"] for row in movies].index(doubts[0]["tconst"])
    add = {g for g, p in zip(GENRES, probabilities[number], strict=True) if p > 0.5}
    assert set(doubts[0]["add"].split("|")) == add - {doubts[0]["listed"]}


def test_without_any_movie_the_table_has_its_header(tmp_path: Path) -> None:
    assert make_job().write_labels([], tmp_path / "genres.csv") == (0, 0)
    assert (tmp_path / "genres.csv").read_text() == ",".join(FIXED_COLUMNS) + "\n"


def test_a_version_is_quoted(model: Path, movies: Path) -> None:
    sources = unlabelled(movies, model, "Bob's")[1:]
    make_job().write_labels(sources, movies / "genres.parquet")
    assert read(movies / "genres.parquet")["model_version"].to_pylist() == ["Bob's"] * 2


def test_two_jobs_cannot_write_the_same_table(tmp_path: Path) -> None:
    (tmp_path / "genres.csv.parts").mkdir()
    with (
        lock(tmp_path / "genres.csv.parts", ""),
        pytest.raises(TryAgainError, match=r"genres.csv: another command is writing this file"),
    ):
        make_job().write_labels([], tmp_path / "genres.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("genres.xlsx", r"genres.xlsx: expected a file name that ends in .csv or .parquet"),
        ("none/genres.csv", r"none: no such directory"),
        (".", r"expected a file name"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_job().write_labels([], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_no_model_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no readable SavedModel"):
        check_model(tmp_path)
    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    (broken / "saved_model.pb").write_bytes(b"\x0a\xff\xff\xff\xff\x7f")
    with pytest.raises(UserError, match="no readable SavedModel"):
        check_model(broken)
    other = save_tiny_model(tmp_path / "other", leave_out="examples")
    with pytest.raises(UserError, match=r"signature examples has no output genres"):
        check_model(other)


def test_the_digest_of_the_movies_without_genres(movies: Path, rows: list[Row]) -> None:
    before = unlabelled_digest(movies)
    write_csv(movies / "movies-00000-of-00001.csv", make_movies(2))
    assert unlabelled_digest(movies) == before
    write_csv(movies / "unlabelled-00001-of-00002.csv", rows[4:])
    assert unlabelled_digest(movies) != before


@pytest.fixture
def pushed(model: Path) -> standard_artifacts.PushedModel:
    artifact = standard_artifacts.PushedModel()
    artifact.uri = str(model)
    artifact.set_int_custom_property(PUSHED_PROPERTY, 1)
    artifact.set_string_custom_property(PUSHED_VERSION_PROPERTY, "1700000000")
    return artifact


def call_node(pushed: standard_artifacts.PushedModel, movies: Path, tmp_path: Path) -> LabelTables:
    listed = make_movies(6, seed=5)
    examples = write_examples(
        tmp_path / "examples", {"eval": serialize(listed[:2]), "test": serialize(listed[2:])}
    )
    labels = LabelTables()
    labels.uri = str(tmp_path / "labels")
    Labeller.test_call(
        labels=labels,
        pushed_model=pushed,
        examples=examples,
        movies=str(movies),
        beam_pipeline=beam.Pipeline(argv=BEAM),
    )
    return labels


def test_the_node_writes_both_tables(
    pushed: standard_artifacts.PushedModel, movies: Path, tmp_path: Path
) -> None:
    labels = call_node(pushed, movies, tmp_path)
    assert sorted(path.name for path in Path(labels.uri).iterdir()) == [
        "doubts.parquet",
        "genres.parquet",
    ]
    table = read(Path(labels.uri) / "genres.parquet")
    assert set(table["model_version"].to_pylist()) == {"1700000000"}
    doubts = read(Path(labels.uri) / "doubts.parquet")
    counts = {name: labels.get_int_custom_property(name) for name in ("labels", "unsure", "doubts")}
    assert counts == {
        "labels": 7,
        "unsure": sum(table["unsure"].to_pylist()),
        "doubts": doubts.num_rows,
    }


def test_the_node_writes_nothing_without_a_pushed_model(
    pushed: standard_artifacts.PushedModel, movies: Path, tmp_path: Path
) -> None:
    pushed.set_int_custom_property(PUSHED_PROPERTY, 0)
    labels = call_node(pushed, movies, tmp_path)
    assert list(Path(labels.uri).iterdir()) == []
    assert not labels.has_custom_property("labels")
