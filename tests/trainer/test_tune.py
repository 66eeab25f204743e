"""The values that a search tries, without training any of them."""

import itertools
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.ensemble.test_trees import movies
from trainer.ensemble import trees
from trainer.hparams import HParams
from trainer.tune import (
    SEARCHED_VALUES,
    _before_messages,
    build_oracle,
    describe_trial,
    search_space,
)

TRIALS = 8


def trial_values(
    defaults: HParams, directory: Path, previous_searches: int = 0
) -> list[dict[str, Any]]:
    """Return the values of a search in which each trial is slightly better than the last."""
    oracle = build_oracle(defaults, TRIALS, previous_searches)
    oracle._set_project_dir(directory, "trials")  # A tuner calls it.
    values = []
    for number in range(TRIALS):
        trial = oracle.create_trial("tuner0")
        values.append(dict(trial.hyperparameters.values))
        oracle.update_trial(trial.trial_id, {"val_map": 0.5 + 0.01 * number})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return values


def count_different(trials: list[dict[str, Any]]) -> int:
    """Return how many trials differ by more than the last digit of a number."""
    return len(
        {
            tuple(
                round(value, 9) if isinstance(value, float) else value
                for _, value in sorted(values.items())
            )
            for values in trials
        }
    )


def test_the_defaults_come_first_and_nothing_is_repeated(tmp_path: Path) -> None:
    defaults = HParams()
    trials = trial_values(defaults, tmp_path)
    assert defaults.updated(trials[0]) == defaults
    assert count_different(trials) == TRIALS


def test_a_search_from_the_result_of_another_tries_other_values(tmp_path: Path) -> None:
    random = trial_values(HParams(), tmp_path / "first")[: TRIALS // 2]
    best = HParams().updated(random[1])
    again = trial_values(best, tmp_path / "second")
    assert best.updated(again[0]) == best
    assert count_different([*random, *again]) == len(random) + TRIALS - 1


def test_the_same_search_tries_the_same_values(tmp_path: Path) -> None:
    assert trial_values(HParams(), tmp_path / "one") == trial_values(HParams(), tmp_path / "other")


def test_a_repeated_search_tries_other_values(tmp_path: Path) -> None:
    first = trial_values(HParams(), tmp_path / "first")[: TRIALS // 2]
    again = trial_values(HParams(), tmp_path / "again", previous_searches=1)[: TRIALS // 2]
    assert first[0] == again[0]
    assert count_different([*first, *again]) == TRIALS - 1


def test_the_first_trial_is_the_configuration() -> None:
    defaults = HParams(batch_size=16, learning_rate=0.004, input_dropout=0.25, dropout=0.45)
    assert defaults.updated(search_space(defaults).values) == defaults


def test_values_are_not_changed_by_rounding() -> None:
    for searched in search_space(HParams()).space:
        for value in searched.values:
            assert value == (round(value, 6) if isinstance(value, float) else value)
        assert len(set(searched.values)) >= 2


@pytest.mark.parametrize(
    "names",
    [("learning_rate",), ("batch_size",), ("optimizer",), ("word_encoder", "sentence_encoder")],
)
def test_searched_hyperparameters_differ_between_trials(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    trials = trial_values(HParams(), tmp_path)
    for name in names:
        assert len({values[name] for values in trials}) > 1, name


@pytest.mark.parametrize(
    "defaults",
    [
        HParams(),
        HParams(sentence_encoder="mpnet", encoder_layers=12, finetuned_layers=6),
        HParams(sentence_encoder="none", word_encoder="none"),
    ],
)
def test_every_combination_can_be_trained(defaults: HParams) -> None:
    choices = {searched.name: searched.values for searched in search_space(defaults).space}
    encoders = {"none", defaults.sentence_encoder}
    assert set(choices["sentence_encoder"]) == encoders
    for words, sentences in itertools.product(choices["word_encoder"], encoders):
        updated = defaults.updated({"word_encoder": words, "sentence_encoder": sentences})
        assert updated.encoder_layers == defaults.encoder_layers


def test_the_trees_depend_on_no_searched_hyperparameter() -> None:
    read = set()

    class Observed(HParams):
        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    hparams = Observed(trees=1)
    read.clear()  # The validation reads all fields.
    trees.fit(movies(), hparams)
    assert read & HParams.model_fields.keys() == {"trees", "field_dropout", "seed"}
    assert not read & SEARCHED_VALUES.keys()


def test_the_trial_and_the_remaining_time_are_said(caplog: pytest.LogCaptureFixture) -> None:
    assert describe_trial([], 8) == "trial 1 of 8"
    assert describe_trial([60.0, 90.0], 8) == "trial 3 of 8, about 7m30s left"
    logger = logging.getLogger("trainer.ensemble.training")
    with caplog.at_level(logging.INFO):
        with _before_messages("100% of trial 1"):
            logger.info("epoch %d of %d", 2, 10)
        logger.info("epoch %d of %d", 3, 10)
    assert caplog.messages == ["100% of trial 1: epoch 2 of 10", "epoch 3 of 10"]
