"""What a search tries, without training any of it."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.ensemble.test_trees import movies
from trainer.ensemble import trees
from trainer.hparams import HParams
from trainer.tune import SEARCHED, oracle, search_space

TRIALS = 8


def tried(defaults: HParams, folder: Path, earlier: int = 0) -> list[dict[str, Any]]:
    """Settings of a search in which each trial does a little better than the one before."""
    search = oracle(defaults, TRIALS, earlier)
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


def test_a_search_that_is_made_again_tries_other_settings(tmp_path: Path) -> None:
    first = tried(HParams(), tmp_path / "first")[: TRIALS // 2]
    again = tried(HParams(), tmp_path / "again", earlier=1)[: TRIALS // 2]
    assert first[0] == again[0]
    assert different([*first, *again]) == TRIALS - 1


def test_the_first_trial_is_the_configuration() -> None:
    defaults = HParams(batch_size=16, learning_rate=0.004, input_dropout=0.25, dropout=0.45)
    assert defaults.changed(search_space(defaults).values) == defaults


def test_the_tuner_chooses_between_values_as_they_are_written() -> None:
    for searched in search_space(HParams()).space:
        for value in searched.values:
            assert value == (round(value, 6) if isinstance(value, float) else value)
        assert len(set(searched.values)) >= 2


@pytest.mark.parametrize(
    "kind",
    [("learning_rate",), ("batch_size",), ("optimizer",), ("word_encoder", "sentence_encoder")],
)
def test_each_of_the_four_kinds_differs_between_trials(
    tmp_path: Path, kind: tuple[str, ...]
) -> None:
    settings = tried(HParams(), tmp_path)
    for name in kind:
        assert len({one[name] for one in settings}) > 1, name


@pytest.mark.parametrize(
    "defaults",
    [
        HParams(),
        HParams(sentence_encoder="mpnet", encoder_layers=12, finetuned_layers=6),
        HParams(sentence_encoder="none", word_encoder="none"),
    ],
)
def test_every_combination_can_be_trained(defaults: HParams) -> None:
    choices = {one.name: one.values for one in search_space(defaults).space}
    encoders = {"none", defaults.sentence_encoder}
    assert set(choices["sentence_encoder"]) == encoders
    for words, sentences in itertools.product(choices["word_encoder"], encoders):
        changed = defaults.changed({"word_encoder": words, "sentence_encoder": sentences})
        assert changed.encoder_layers == defaults.encoder_layers


def test_no_trial_would_grow_other_trees_than_all_share() -> None:
    read = set()

    class Observed(HParams):
        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    hparams = Observed(trees=1)
    read.clear()  # what its validation reads
    trees.fit(movies(), hparams)
    assert read & HParams.model_fields.keys() == {"trees", "field_dropout", "seed"}
    assert not read & SEARCHED.keys()
