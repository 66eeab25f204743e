import os
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.publish import workplace
from schema.errors import TryAgainError, UserError

OLD = 1_000_000_000


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def publish(output: Path, files: dict[str, str]) -> None:
    with workplace(output) as place:
        for name, text in files.items():
            (place.fresh / name).write_text(text)
        place.publish()


def test_contents_are_replaced_as_a_whole(tmp_path):
    output = tmp_path / "deep" / "movies"
    publish(output, {"report.json": "1", "movies-00000-of-00002.csv": "a"})
    publish(output, {"report.json": "2", "movies-00000-of-00001.csv": "b"})
    assert contents(output) == {"report.json": "2", "movies-00000-of-00001.csv": "b"}
    assert list(output.parent.iterdir()) == [output]


def test_unchanged_bytes_keep_their_time(tmp_path):
    files = {"movies-00000-of-00002.csv": "a", "movies-00001-of-00002.csv": "b"}
    publish(tmp_path / "movies", files)
    for name in files:
        os.utime(tmp_path / "movies" / name, (OLD, OLD))
    publish(tmp_path / "movies", files | {"movies-00001-of-00002.csv": "c"})
    times = [(tmp_path / "movies" / name).stat().st_mtime for name in files]
    assert times[0] == OLD
    assert times[1] > OLD


def test_without_publishing_nothing_changes(tmp_path):
    output = tmp_path / "movies"
    publish(output, {"report.json": "1"})
    with suppress(RuntimeError), workplace(output) as place:
        (place.fresh / "report.json").write_text("2")
        raise RuntimeError("on the way")
    assert contents(output) == {"report.json": "1"}
    assert list(tmp_path.iterdir()) == [output]


def test_a_kill_between_the_renames_is_mended(tmp_path):
    output = tmp_path / "movies"
    folder = tmp_path / ".movies.partial"
    for name, text in (("old", "1"), ("fresh", "2")):
        (folder / name).mkdir(parents=True)
        (folder / name / "report.json").write_text(text)
    with workplace(output) as place:
        assert contents(output) == {"report.json": "1"}
        assert list(place.fresh.iterdir()) == []


def test_one_process_at_a_time(tmp_path):
    with (
        workplace(tmp_path / "movies"),
        pytest.raises(TryAgainError, match="movies: another build is writing there"),
        workplace(tmp_path / "movies"),
    ):
        pass
    publish(tmp_path / "movies", {"report.json": "1"})


def test_files_of_others_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(UserError, match=r"holds files that are not of a build \(thesis.txt\)"),
        workplace(tmp_path),
    ):
        pass
    with pytest.raises(UserError, match="is a file"), workplace(tmp_path / "thesis.txt"):
        pass
    assert contents(tmp_path) == {"thesis.txt": "years of work"}


def test_the_rejects_of_a_stopped_build_are_kept_until_one_succeeds(tmp_path):
    with workplace(tmp_path / "movies") as place:
        (place.fresh / "rejects.tsv").write_text("why")
        place.keep_rejects()
    assert contents(tmp_path) == {"movies.rejects.tsv": "why"}
    publish(tmp_path / "movies", {"report.json": "1"})
    assert [path.name for path in tmp_path.iterdir()] == ["movies"]
