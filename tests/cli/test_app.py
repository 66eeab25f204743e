"""Help, version, errors and completion of `ordained`, and the commands of earlier releases."""

import os
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import app
from cli.app import main
from pipeline import launch, run_local
from schema import features as raw
from schema.errors import ExitStatus
from tests.data import tiny_dumps

PROJECT = Path(__file__).parents[2]
COMMON_STATUSES = [0, 2, 75, 130]


@pytest.mark.parametrize(
    ("command", "statuses"),
    [
        ("run", list(ExitStatus)),
        ("ingest build", [0, 2, 5, 75, 130]),
        ("ingest fetch", COMMON_STATUSES),
        ("label", [0, 1, 2, 5, 75, 130]),
        ("predict", [0, 1, 2, 3, 75, 130]),
        ("serve", [0, 1, 2, 75]),
        ("web", [0, 2, 75]),
        ("report", COMMON_STATUSES),
        ("lineage", COMMON_STATUSES),
        ("rollback", COMMON_STATUSES),
        ("schema", COMMON_STATUSES),
    ],
)
def test_help_fits_a_terminal_and_lists_the_exit_statuses(
    command: str, statuses: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--help"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert [int(number) for number in re.findall(r"^  • (\d+): ", printed, re.M)] == statuses


def test_the_program_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitStatus.USER_ERROR
    printed = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == printed
    names = typer.main.get_command(app.app).commands  # type: ignore[attr-defined]
    assert all(f"│ {name} " in printed for name in names)
    commands = "run ingest label predict serve web report lineage rollback schema"
    assert set(names) == set(commands.split(" "))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ordained {metadata.version('ordained')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("build", "No such command 'build'. See `ordained --help`."),
        ("ingest", "Missing command. See `ordained ingest --help`."),
        ("run --dota x", "No such option: --dota"),
        ("rollback --to new", "Invalid value for '--to'"),
        ("web --port 65536", "Invalid value for '--port'"),
        ("runn", "Did you mean 'run'? See `ordained --help`."),
        ("schema --yes", "Add --write."),
        ("ingest build --data x", "Missing option '--output'"),
        ("run --data x --table y.csv", "--data and --table: expected one of them."),
        ("lineage --data x --table y.csv", "--data and --table: expected one of them."),
        ("run --table y.csv --column plot", "--column plot: expected FIELD=NAME"),
        ("run --table nowhere.csv", "nowhere.csv: no such file. --table needs a table"),
        ("run --reset-baseline", "this option is now called --ignore-blessed-model"),
        ("run --republish", "this option is now called --push-again"),
    ],
)
def test_usage_errors_have_the_form_of_all_errors(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == ExitStatus.USER_ERROR
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("program", [lambda arguments: main(["run", *arguments]), run_local.main])
def test_options_of_a_run(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def run(*arguments: Any, **options: Any) -> ExitStatus:
        calls.append((*arguments, options))
        return ExitStatus.REFUSED

    # A run takes minutes. tests/end_to_end uses these options in real runs.
    monkeypatch.setattr(launch, "run", run)
    monkeypatch.setenv("HOME", "/home/ada")
    assert program([]) == ExitStatus.REFUSED
    line = (
        "--data=~/imdb --output out --config a.yaml --config ~/b.yaml --no-tune --no-cache --from "
        "Trainer --ignore-blessed-model --accept-drift --push-again --ignore-search"
    )
    assert program(shlex.split(line)) == ExitStatus.REFUSED
    assert program(shlex.split("--table=~/new/movies.csv --column 'plot=My Text'")) == 3
    defaults = {
        "table": None,
        "columns": {},
        "tune": None,
        "ignore_search": False,
        "cache": True,
        "from_node": None,
        "ignore_blessed_model": False,
        "accept_drift": False,
        "push_again": False,
    }
    home = Path("/home/ada")
    assert calls == [
        (PROJECT / "data" / "sample", Path("output"), [], defaults),
        (
            home / "imdb",
            Path("out"),
            [Path("a.yaml"), home / "b.yaml"],
            dict.fromkeys(defaults, True)
            | {"table": None, "columns": {}}
            | {"tune": False, "cache": False, "from_node": "Trainer"},
        ),
        (
            home / "new",
            Path("output"),
            [],
            defaults | {"table": home / "new" / "movies.csv", "columns": {"plot": "My Text"}},
        ),
    ]


def test_predict_has_an_option_for_each_input_of_the_model() -> None:
    predict = typer.main.get_command(app.app).commands["predict"]  # type: ignore[attr-defined]
    assert set(raw.MODEL_INPUTS) <= {option.name for option in predict.params}


def test_an_extra_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(app.REQUIRED_MODULES, "train", ("no_such_package",))
    assert main(["rollback"]) == ExitStatus.USER_ERROR
    assert capsys.readouterr().err == (
        "error: `ordained rollback` needs the package no_such_package, which is not installed. "
        "Run `pip install 'ordained[train]'`, or `make setup` in a checkout.\n"
    )


def test_the_shell_completes_commands() -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "cli"],
        env={
            **os.environ,
            "_ORDAINED_COMPLETE": "complete_bash",
            "COMP_WORDS": "ordained r",
            "COMP_CWORD": "1",
        },
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.stdout.split() == ["run", "report", "rollback"]


@pytest.mark.parametrize(
    ("old", "program", "arguments"),
    [
        ("ordained-ingest", app.ingest, ["build", "--help"]),
        ("ordained-predict", app.predict, ["--version=3", "--label", "stable", "--help"]),
    ],
)
def test_commands_of_earlier_releases_run_the_new_command(
    old: str,
    program: Any,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [old, *arguments])
    assert program() == 0
    printed = capsys.readouterr()
    new = old.replace("-", " ")
    assert printed.err.startswith(f"`{old}` is now called `{new}`.")
    assert f"Usage: {new}" in printed.out


def test_the_program_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, cli.app\n"
        "heavy = {'tensorflow', 'tfx', 'duckdb', 'pandas', 'fastapi', 'ml_metadata', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)


FULL = "error: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "redirection", "status", "errors"),
    [
        ("--version", "| sleep 0", ExitStatus.OK, ""),
        ("--version", "> /dev/full", ExitStatus.TRY_AGAIN, FULL),
        ("lineage --help", "| sleep 0", ExitStatus.OK, ""),
        ("lineage --help", "> /dev/full", ExitStatus.TRY_AGAIN, FULL),
        ("ingest build --data data --output movies", "| sleep 0", ExitStatus.OK, None),
        ("ingest build --data data --output movies", "> /dev/full", ExitStatus.OK, None),
        ("ingest build --data data --output movies", ">&- 2>&-", ExitStatus.OK, ""),
        ("rollback --to 7", "> /dev/full 2>&-", ExitStatus.USER_ERROR, ""),
    ],
)
def test_a_standard_output_that_breaks(
    tmp_path: Path, arguments: str, redirection: str, status: ExitStatus, errors: str | None
) -> None:
    tiny_dumps.write_dumps(tmp_path / "data")
    command = f'"$0" -m cli {arguments} {redirection}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    # The progress of ingest is on the standard error.
    assert "error" not in done.stderr if errors is None else done.stderr == errors
    assert (tmp_path / "movies" / "summary.json").exists() == arguments.startswith("ingest")
