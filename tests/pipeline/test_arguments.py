"""Options that several commands have in common."""

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from pipeline import arguments, lineage, rollback, schema_review, show_report
from schema.errors import ExitStatus


def test_files_of_settings_come_in_the_order_given() -> None:
    parser = argparse.ArgumentParser()
    arguments.add_config(parser)
    assert parser.parse_args([]).config == []
    found = parser.parse_args(["--config", "a.yaml", "--config", "b/c.yaml"]).config
    assert found == [Path("a.yaml"), Path("b/c.yaml")]
    assert parser.parse_args([]).config == []


@pytest.mark.parametrize("command", [lineage, rollback, schema_review, show_report])
def test_help_fits_a_terminal_and_names_the_exit_statuses(
    capsys: pytest.CaptureFixture[str], command: ModuleType
) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for status in ExitStatus.OK, ExitStatus.USER_ERROR, ExitStatus.TRY_AGAIN:
        assert f"\n  {status:<4} " in shown


def test_a_home_directory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    given = arguments.command_parser("pipeline.rollback", "").parse_args(["--output=~/runs"])
    assert given.output == Path("/home/ada/runs")


def test_an_option_of_earlier_versions_is_refused_with_its_new_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not hasattr(arguments.parser().parse_args([]), "reset_baseline")
    with pytest.raises(SystemExit) as ended:
        arguments.parser().parse_args(["--reset-baseline"])
    assert ended.value.code == ExitStatus.USER_ERROR
    told = capsys.readouterr().err
    assert "error: --reset-baseline is now called --ignore-blessed-model" in told
