import errno
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.staging import staged_output
from schema.errors import TryAgainError, UserError


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def write(output: Path, files: dict[str, str]) -> None:
    with staged_output(output) as staged:
        for name, text in files.items():
            (staged.staging / name).write_text(text)
        staged.replace_output()


def test_contents_are_replaced_as_a_whole(tmp_path):
    output = tmp_path / "deep" / "movies"
    write(output, {"summary.json": "1", "movies-00000-of-00002.csv": "a"})
    write(output, {"summary.json": "2", "movies-00000-of-00001.csv": "b"})
    assert contents(output) == {"summary.json": "2", "movies-00000-of-00001.csv": "b"}
    assert list(output.parent.iterdir()) == [output]


def test_without_replacing_the_output_nothing_changes(tmp_path):
    output = tmp_path / "movies"
    write(output, {"summary.json": "1"})
    with suppress(RuntimeError), staged_output(output) as staged:
        (staged.staging / "summary.json").write_text("2")
        raise RuntimeError
    assert contents(output) == {"summary.json": "1"}
    assert list(tmp_path.iterdir()) == [output]


def test_recovery_after_a_kill_between_the_renames(tmp_path):
    output = tmp_path / "movies"
    partial = tmp_path / ".movies.partial"
    for name, text in (("old", "1"), ("staging", "2")):
        (partial / name).mkdir(parents=True)
        (partial / name / "summary.json").write_text(text)
    with staged_output(output) as staged:
        assert contents(output) == {"summary.json": "1"}
        assert list(staged.staging.iterdir()) == []


def test_the_old_contents_stay_if_the_staged_files_cannot_be_renamed(tmp_path, monkeypatch):
    output = tmp_path / "movies"
    write(output, {"summary.json": "1"})
    rename = Path.replace

    def fail_for_staged(path: Path, target: Path) -> Path:
        if path.name == "staging":
            raise OSError(errno.EIO, "Input/output error", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", fail_for_staged)
    with pytest.raises(OSError, match="Input/output error"):
        write(output, {"summary.json": "2"})
    assert contents(output) == {"summary.json": "1"}
    assert list(tmp_path.iterdir()) == [output]


def test_only_one_process_can_write(tmp_path):
    with (
        staged_output(tmp_path / "movies"),
        pytest.raises(TryAgainError, match="movies: another build is writing"),
        staged_output(tmp_path / "movies"),
    ):
        pass
    write(tmp_path / "movies", {"summary.json": "1"})


def test_other_files_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(UserError, match=r"files that ingest did not write \(thesis.txt\)"),
        staged_output(tmp_path),
    ):
        pass
    with (
        pytest.raises(UserError, match="expected a directory, got a file"),
        staged_output(tmp_path / "thesis.txt"),
    ):
        pass
    assert contents(tmp_path) == {"thesis.txt": "years of work"}


def test_rejects_of_a_failed_build_are_kept_until_a_build_succeeds(tmp_path):
    with staged_output(tmp_path / "movies") as staged:
        (staged.staging / "rejects.tsv").write_text("rejects")
        staged.save_rejects()
    assert contents(tmp_path) == {"movies.rejects.tsv": "rejects"}
    write(tmp_path / "movies", {"summary.json": "1"})
    assert [path.name for path in tmp_path.iterdir()] == ["movies"]
