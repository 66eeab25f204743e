"""Folds of the movies: whole split groups, each movie in one, and files that stay."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from pipeline.folds import fold_of, prepare_folds
from schema import features as raw
from schema.features import CSV_COLUMNS
from tests.data.tiny_movies import Row, make_movies, write_csv


@pytest.fixture
def rows() -> list[Row]:
    """60 movies in 30 split groups."""
    rows = [
        {**row, "split_key": f"group {number // 2}"} for number, row in enumerate(make_movies(60))
    ]
    rows[0]["plot"] = 'A "long"\nplot, ' * 20_000
    return rows


@pytest.fixture
def movies(tmp_path: Path, rows: list[Row]) -> Path:
    directory = tmp_path / "movies"
    directory.mkdir()
    write_csv(directory / "movies-00000-of-00002.csv", rows[:31])
    write_csv(directory / "movies-00001-of-00002.csv", rows[31:])
    write_csv(directory / "unlabelled-00000-of-00001.csv", make_movies(3, seed=9))
    return directory


def read(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(1 << 24)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_fold_has_whole_groups(movies: Path, rows: list[Row], tmp_path: Path) -> None:
    paths = prepare_folds(movies, 3, tmp_path / "folds")
    assert [path.name for path in paths] == ["fold-0.csv", "fold-1.csv", "fold-2.csv"]
    assert all(path.read_text().startswith(",".join(CSV_COLUMNS) + "\n") for path in paths)
    folds = [read(path) for path in paths]
    assert all(len(fold) > 10 for fold in folds)
    found = {row[raw.TCONST]: row for fold in folds for row in fold}
    assert len(found) == sum(map(len, folds)) == len(rows)
    assert found == {
        row[raw.TCONST]: {name: str(value) for name, value in row.items()} for row in rows
    }
    of_group = {(row[raw.SPLIT_KEY], number) for number, fold in enumerate(folds) for row in fold}
    assert len(of_group) == 30
    assert of_group == {(key, fold_of(key, 3)) for key, _ in of_group}


def test_folds_have_similar_sizes() -> None:
    sizes = Counter(fold_of(f"movie {number}", 5) for number in range(5000))
    assert sorted(sizes) == list(range(5))
    assert max(sizes.values()) - min(sizes.values()) < 150


def test_folds_of_unchanged_movies_stay(movies: Path, rows: list[Row], tmp_path: Path) -> None:
    folds = tmp_path / "folds"
    before = {path: path.stat().st_mtime_ns for path in prepare_folds(movies, 2, folds)}
    (next(iter(before)).parent / "trained").touch()
    after = prepare_folds(movies, 2, folds)
    assert {path: path.stat().st_mtime_ns for path in after} == before
    assert (after[0].parent / "trained").exists()

    write_csv(movies / "movies-00001-of-00002.csv", rows[32:])
    changed = prepare_folds(movies, 2, folds)
    assert sum(len(read(path)) for path in changed) == len(rows) - 1
    assert [path.name for path in folds.iterdir()] == [changed[0].parent.name]
    assert len(prepare_folds(movies, 12, folds)) == 12
    assert [path.name for path in folds.iterdir()] != [changed[0].parent.name]
