"""What a search tries, without training any of it."""

from pathlib import Path
from typing import Any

from trainer.hparams import HParams
from trainer.tune import oracle

TRIALS = 8


def tried(defaults: HParams, folder: Path) -> list[dict[str, Any]]:
    """Settings of a search in which each trial does a little better than the one before."""
    search = oracle(defaults, TRIALS)
    search._set_project_dir(folder, "trials")  # as a tuner does
    found = []
    for number in range(TRIALS):
        trial = search.create_trial("tuner0")
        found.append(dict(trial.hyperparameters.values))
        search.update_trial(trial.trial_id, {"val_map": 0.5 + 0.01 * number})
        trial.status = "COMPLETED"
        search.end_trial(trial)
    return found


def different(settings: list[dict[str, Any]]) -> int:
    """How many of the settings differ by more than the last digit of a number."""
    return len(
        {
            tuple(
                round(value, 9) if isinstance(value, float) else value
                for _, value in sorted(one.items())
            )
            for one in settings
        }
    )


def test_the_defaults_come_first_and_nothing_twice(tmp_path: Path) -> None:
    defaults = HParams()
    settings = tried(defaults, tmp_path)
    assert defaults.changed(settings[0]) == defaults
    assert different(settings) == TRIALS


def test_a_search_from_what_another_found_tries_other_settings(tmp_path: Path) -> None:
    by_chance = tried(HParams(), tmp_path / "first")[: TRIALS // 2]
    found = HParams().changed(by_chance[1])
    again = tried(found, tmp_path / "second")
    assert found.changed(again[0]) == found
    assert different([*by_chance, *again]) == len(by_chance) + TRIALS - 1


def test_the_same_search_tries_the_same_settings(tmp_path: Path) -> None:
    assert tried(HParams(), tmp_path / "one") == tried(HParams(), tmp_path / "other")
