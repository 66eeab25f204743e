"""Validation of hyperparameters."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from trainer.encoder.pretrained import ENCODERS
from trainer.hparams import ENCODER_LAYERS, HParams
from trainer.run import resolve_hparams
from trainer.tune import search_space


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        ({"word_encoder": "bert"}, "word_encoder", "'none', 'cnn', 'rnn' or 'cnn_rnn'"),
        ({"word_encoder": ["cnn"]}, "word_encoder", "'none', 'cnn', 'rnn' or 'cnn_rnn'"),
        ({"sentence_encoder": None}, "sentence_encoder", "'none', 'minilm' or 'mpnet'"),
        ({"dropout": 1.0}, "dropout", "less than 1"),
        ({"filters": 0}, "filters", "greater than or equal to 1"),
        ({"epochs": True}, "epochs", "valid integer"),
        ({"epochs": 2.0}, "epochs", "valid integer"),
        ({"learning_rate": -1}, "learning_rate", "greater than 0"),
        ({"learning_rate": math.inf}, "learning_rate", "finite number"),
        ({"learning_rate": True}, "learning_rate", "valid number"),
        ({"seed": -1}, "seed", "greater than or equal to 0"),
        ({"finetuned_layers": -1}, "finetuned_layers", "greater than or equal to 0"),
        ({"finetuning_learning_rate": 0}, "finetuning_learning_rate", "greater than 0"),
        ({"folds": 1}, "folds", "greater than or equal to 2"),
        ({"weight_decay": "much"}, "weight_decay", "valid number"),
        ({"text_encoder": "cnn"}, "text_encoder", "Extra inputs are not permitted"),
    ],
)
def test_invalid_values_are_named(values: dict[str, Any], name: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        HParams().updated(values)
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"encoder_layers": 7}, "encoder_layers should be at most 6 with sentence_encoder minilm"),
        ({"finetuned_layers": 7}, "finetuned_layers should be at most 6"),
        (
            {"encoder_layers": 13, "sentence_encoder": "mpnet"},
            "encoder_layers should be at most 12 with sentence_encoder mpnet",
        ),
    ],
)
def test_more_layers_than_the_encoder_has(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HParams(**values)


def test_all_layers_of_the_encoder() -> None:
    assert HParams(sentence_encoder="mpnet", encoder_layers=12).encoder_layers == 12
    assert HParams(sentence_encoder="none", encoder_layers=12).encoder_layers == 12
    assert {name: encoder.num_layers for name, encoder in ENCODERS.items()} == ENCODER_LAYERS


def test_an_update_keeps_the_given_values() -> None:
    updated = HParams(epochs=3).updated({"trees": 5})
    assert updated.model_fields_set == {"epochs", "trees"}
    assert (updated.epochs, updated.trees, updated.seed) == (3, 5, HParams().seed)


@pytest.mark.parametrize(
    ("layers", "finetuned", "extra", "first"),
    [(6, 4, 2, 2), (1, 1, None, 0), (2, 0, 1, None), (2, 4, 1, 0)],
)
def test_layer_properties(
    layers: int, finetuned: int, extra: int | None, first: int | None
) -> None:
    hparams = HParams(encoder_layers=layers, finetuned_layers=finetuned)
    assert (hparams.extra_layer, hparams.first_finetuned_layer) == (extra, first)


def test_the_result_of_a_search_overrides_the_configuration() -> None:
    space = search_space(HParams(hidden_units=48))
    space.values["hidden_units"] = 144
    hparams = resolve_hparams({"hparams": {"hidden_units": 48, "epochs": 3}}, space.get_config())
    assert (hparams.hidden_units, hparams.epochs) == (144, 3)


def test_some_settings_override_the_result_of_a_search() -> None:
    space = search_space(HParams())
    space.values |= {"hidden_units": 256, "dropout": 0.4}
    config = {"hparams": {"hidden_units": 48, "epochs": 3}, "over_search": {"hidden_units": 48}}
    hparams = resolve_hparams(config, space.get_config())
    assert (hparams.hidden_units, hparams.dropout, hparams.epochs) == (48, 0.4, 3)
