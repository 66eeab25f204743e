"""`ordained label` explains errors, and an interrupted command continues."""

import csv
import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.app import main
from ingest.dumps import BASICS
from schema.errors import ExitStatus, UserError
from tests.data import tiny_dumps
from tests.data.tiny_movies import make_movies, write_csv

PROJECT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 600.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--output o.csv --run none", "error: --run none: no such directory. Push a model first "),
        ("--output o.csv --data none", "error: --data none: no such directory. Name a directory "),
        ("--output o.csv --model none", "error: --model none: no such directory.\n"),
        ("--output o.json", "error: o.json: expected a file name that ends in .csv or .parquet.\n"),
        ("--doubts none/o.csv", "error: none: no such directory. Create it, or choose another "),
        ("", "error: expected --output FILE, --doubts FILE or both.\n"),
        ("--output o.csv --folds 3", "error: --folds needs --doubts FILE.\n"),
        ("--doubts o.csv --folds 3", "error: serving/movie_genres holds no model. Push one first"),
        ("--output o.csv --doubts ./o.csv", "error: --output and --doubts must be different"),
    ],
)
def test_a_wrong_option_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--data", ".", "--run", ".", *options.split()]
    assert main(["label", *given]) == ExitStatus.USER_ERROR
    assert capsys.readouterr().err.startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_only_a_pushed_model_has_doubts(tmp_path: Path) -> None:
    from components.labeller.inference import Model
    from pipeline.label import judged_sources

    served = tmp_path / "serving"
    for model in (tmp_path / "7", served / "mine"):
        with pytest.raises(UserError, match=r"--doubts: .* is not a version in .*serving"):
            judged_sources(tmp_path, served, Model(model, model.name))
    with pytest.raises(UserError, match=r"metadata.sqlite does not exist"):
        judged_sources(tmp_path, served, Model(served / "7", "7"))


def test_movies_that_were_built_without_those_that_have_no_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "7"
    model.mkdir()
    (model / "saved_model.pb").touch()
    (tmp_path / "summary.json").write_text(
        '{"built_from": {"settings": {"unlabelled_without_plot": false}}}'
    )
    options = {"--data": tmp_path, "--run": tmp_path, "--model": model}
    options |= {"--output": tmp_path / "genres.csv"}
    given = [part for name, path in options.items() for part in (name, str(path))]
    assert main(["label", *given, "--without-plot"]) == ExitStatus.USER_ERROR
    assert capsys.readouterr().err.startswith(
        f"error: {tmp_path}: these movies were built without those that have no plot. Build them "
        "with `ordained ingest build --unlabelled-without-plot`"
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "error: nothing was trained: agree with --yes\n"),
        ("n\n", "error: nothing was trained: you did not agree\n"),
    ],
)
def test_the_cost_of_the_folds_is_said_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str | None,
    message: str,
) -> None:
    record = tmp_path / "serving" / "movie_genres" / "7" / "assets.extra" / "training.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"seconds": 200.4, "cached_finetuning_seconds": 100}')
    (record.parents[1] / "saved_model.pb").touch()
    if answer is not None:
        stdin = io.StringIO(answer)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
    options = ["--data", str(tmp_path), "--run", str(tmp_path), "--folds", "4"]
    doubts = ["--doubts", str(tmp_path / "doubts.csv")]
    assert main(["label", *options, *doubts]) == ExitStatus.USER_ERROR
    printed = capsys.readouterr()
    assert printed.out.startswith(
        "--folds 4 trains 4 models. The training of the pushed model took 300 s, so these take "
        "about 20 minutes, "
    )
    assert printed.err == message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["serving"]


def command(run: Path, movies: Path, model: Path) -> list[str]:
    options = {"--data": movies, "--run": run, "--model": model, "--output": run / "genres.csv"}
    named = [part for name, path in options.items() for part in (name, str(path))]
    return [sys.executable, "-m", "cli", "label", *named]


@pytest.mark.parametrize(
    ("table", "labelled", "step"),
    [
        (
            "id,Title,Plot\na1,Low,A ferry sinks.\na2,Two,Two cooks fall out.\n",
            ["a1", "a2"],
            "2 movies without genres of 2 titles (the table has no column of genres)",
        ),
        ("id,Plot,Genre\na1,A ferry sinks.,\n", ["a1"], "1 movie without genres of 1 title"),
        (
            "id,Plot,Genre\na1,A ferry sinks.,\na2,Two cooks fall out.,Opera\n",
            ["a1"],
            "1 movie without genres of 2 titles",
        ),
    ],
)
def test_a_table_without_enough_genres_is_labelled(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    table: str,
    labelled: list[str],
    step: str,
) -> None:
    from tests.data.tiny_model import save_tiny_model

    genres = ["Drama", "Spy, retired"]
    model = save_tiny_model(tmp_path / "model" / "7", genres=genres)
    movies, run = tmp_path / "movies.csv", tmp_path / "run"
    movies.write_text(table)
    run.mkdir()
    options = {"--table": movies, "--run": run, "--model": model, "--output": run / "genres.csv"}
    given = [part for name, path in options.items() for part in (name, str(path))]
    for state in ("done", "cached"):
        assert main(["label", *given]) == ExitStatus.OK
        printed = " ".join(capfd.readouterr().out.split())
        assert f"ingest {state}" in printed
        assert step in printed
        with (run / "genres.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["tconst"] for row in rows] == labelled
        assert all(list(row)[-2:] == genres for row in rows)


def test_dumps_without_genres_are_labelled(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from tests.data.tiny_model import save_tiny_model

    model = save_tiny_model(tmp_path / "model" / "7")
    data, run = tiny_dumps.write_dumps(tmp_path / "data"), tmp_path / "run"
    titles = [(*row[:-1], tiny_dumps.N) for row in tiny_dumps.TITLE_ROWS]
    tiny_dumps.write_dump(data, BASICS, titles)
    run.mkdir()
    options = {"--data": data, "--run": run, "--model": model, "--output": run / "genres.csv"}
    given = [part for name, path in options.items() for part in (name, str(path))]
    assert main(["label", *given]) == ExitStatus.OK
    assert "5 movies without genres of 10 titles" in capfd.readouterr().out
    assert len((run / "genres.csv").read_text().splitlines()) == 1 + 5


@pytest.mark.slow
def test_an_interrupted_command_continues(tmp_path: Path) -> None:
    from tests.data.tiny_model import save_tiny_model

    model = save_tiny_model(tmp_path / "model" / "7")
    movies, run = tmp_path / "movies", tmp_path / "run"
    movies.mkdir()
    run.mkdir()
    (movies / "summary.json").write_text("{}")
    # Many more parts than are finished while this process waits for its turn.
    shards = 60
    for shard in range(shards):
        name = f"unlabelled-{shard:05}-of-{shards:05}.csv"
        write_csv(movies / name, make_movies(2, seed=shard))
    arguments = command(run, movies, model)
    with subprocess.Popen(
        arguments, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        parts = run / "genres.csv.parts"
        while len(list(parts.glob("[!e]*.parquet"))) < 2 and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, errors) == (ExitStatus.INTERRUPTED, ""), printed
    last = printed.splitlines()[-1]
    assert last == "interrupted; the same command continues after the last finished part"
    assert not (run / "genres.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("[!e]*.parquet")}
    assert 2 <= len(kept) < shards

    done = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    continued = [line for line in done.stdout.splitlines() if "from an interrupted command" in line]
    assert len(continued) == len(kept)
    assert done.stdout.splitlines()[-1].startswith(f"{run / 'genres.csv'}: {2 * shards} movies, ")
    lines = (run / "genres.csv").read_text().splitlines()
    expected = [row["tconst"] for shard in range(shards) for row in make_movies(2, seed=shard)]
    assert [line.partition(",")[0] for line in lines[1:]] == expected
    assert not parts.exists()
