"""The doctor calls only what prevents a run a problem."""

from pathlib import Path

from bootstrap import doctor


def test_an_environment_that_is_not_yet_made_is_no_problem(tmp_path: Path) -> None:
    [finding] = doctor._check_environment(tmp_path)
    assert finding == (
        "environment",
        f"{tmp_path / '.venv'} is not yet made; `make run` makes it",
        "",
    )
    (tmp_path / ".venv").mkdir()
    [finding] = doctor._check_environment(tmp_path)
    assert finding.remedy == "run `make setup`"
