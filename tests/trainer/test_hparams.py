"""Hyperparameters: defaults, refusals and the search space."""

import pytest

from trainer.hparams import HParams, search_space
from trainer.run import resolve_hparams


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"text_encoder": "bert"},
            "text_encoder must be one of cnn, rnn, cnn_rnn, minilm, cnn_rnn_minilm, mpnet, ",
        ),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1. Received: 1.0"),
        ({"filters": 0}, "filters must be a whole number of at least 1. Received: 0"),
        ({"epochs": True}, "epochs must be a whole number of at least 1. Received: True"),
        ({"learning_rate": -1}, "learning_rate must be above 0. Received: -1"),
        ({"loss": "hinge"}, "loss must be one of cross_entropy, focal, asymmetric. Received: "),
        ({"encoder_layers": 7}, "encoder_layers must be a whole number from 1 to 6. Received: 7"),
        (
            {"encoder_layers": 13, "text_encoder": "mpnet"},
            "encoder_layers must be a whole number from 1 to 12. Received: 13",
        ),
        ({"finetuned_layers": -1}, "finetuned_layers must be a whole number from 0 to 6. Received"),
        ({"finetuning_rate": 0}, "finetuning_rate must be above 0. Received: 0"),
        ({"people_folds": 1}, "people_folds must be a whole number from 2 to 20. Received: 1"),
        ({"weight_decay": "much"}, "weight_decay must be at least 0. Received: 'much'"),
        ({"layers": 3}, "hparams.layers is not a hyperparameter. Known: text_encoder"),
    ],
)
def test_refusals_name_the_value(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="hparams") as caught:
        HParams().changed(values)
    assert message in str(caught.value)


def test_what_the_tuner_found_goes_before_the_configuration() -> None:
    space = search_space(HParams(hidden_units=48))
    space.values["hidden_units"] = 144
    hparams = resolve_hparams({"hparams": {"hidden_units": 48, "epochs": 3}}, space.get_config())
    assert (hparams.hidden_units, hparams.epochs) == (144, 3)


def test_the_first_trial_is_the_configuration() -> None:
    defaults = HParams(batch_size=16, learning_rate=0.004, id_dropout=0.2, dropout=0.45)
    assert defaults.changed(search_space(defaults).values) == defaults


def test_the_tuner_chooses_between_numbers_as_they_are_written() -> None:
    for searched in search_space(HParams()).space:
        for value in searched.values:
            assert value == (round(value, 6) if isinstance(value, float) else value)
        assert len(set(searched.values)) > 2


def test_the_search_space_changes_hyperparameters_only() -> None:
    HParams().changed(search_space(HParams()).values)


@pytest.mark.parametrize(
    ("encoder", "name"),
    [("cnn_rnn_minilm", "minilm"), ("cnn", "minilm"), ("mpnet", "mpnet")],
)
def test_a_search_reads_sentences_in_one_way(encoder: str, name: str) -> None:
    space = search_space(HParams(text_encoder=encoder))
    [choice] = [one for one in space.space if one.name == "text_encoder"]
    assert choice.values == ["cnn", "rnn", "cnn_rnn", name, f"cnn_rnn_{name}"]
    assert choice.default == encoder
