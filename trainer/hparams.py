"""Hyperparameters: the defaults, what is allowed, and what the Tuner searches."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal

import keras_tuner

TEXT_ENCODERS: Final = ("cnn", "rnn", "cnn_rnn")
OPTIMIZERS: Final = ("adam", "adamw", "nadam")


@dataclass(frozen=True)
class HParams:
    """What defines one training.

    Attributes:
        text_encoder: what reads the plot's words: convolutions, a recurrent layer, or the recurrent
            layer on top of the convolutions.
        filters: filters of each convolution width.
        rnn_units: units of the recurrent layer, in each direction.
        people_dim: size of the vectors of directors, writers and cast.
        title_dim: size of the vectors of title words.
        hidden_units: units of the layer that joins all parts.
        dropout: rate on the joined parts and on the hidden layer.
        word_dropout: rate at which whole words of the plot are hidden from the sequence encoder.
        id_dropout: rate at which single n-grams, title words and people are hidden.
        field_dropout: rate at which all credits, all numbers and the title are hidden, each on its
        own.
        label_smoothing: how far the labels 0 and 1 are moved towards one half.
        optimizer: name of the Keras optimizer.
        learning_rate: highest learning rate; it falls along a cosine to a fiftieth of it.
        weight_decay: decoupled weight decay of `adamw`.
        batch_size: rows of a step.
        epochs: passes over the training split at most.
        patience: passes without a better result on the eval split before training stops.
        seed: of weights, dropout and order.
    """

    text_encoder: Literal["cnn", "rnn", "cnn_rnn"] = "cnn_rnn"
    filters: int = 96
    rnn_units: int = 64
    people_dim: int = 48
    title_dim: int = 32
    hidden_units: int = 256
    dropout: float = 0.4
    word_dropout: float = 0.1
    id_dropout: float = 0.4
    field_dropout: float = 0.25
    label_smoothing: float = 0.02
    optimizer: Literal["adam", "adamw", "nadam"] = "adamw"
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    batch_size: int = 128
    epochs: int = 8
    patience: int = 2
    seed: int = 20

    def __post_init__(self) -> None:
        """Refuse values that cannot train.

        Raises:
            ValueError: a value is outside what is allowed; the message names it.
        """
        choices = {"text_encoder": TEXT_ENCODERS, "optimizer": OPTIMIZERS}
        for name, value in asdict(self).items():
            if name in choices:
                _require(value in choices[name], name, f"one of {', '.join(choices[name])}", value)
            elif name.endswith("dropout"):
                _require(_number(value) and 0 <= value < 1, name, "at least 0 and below 1", value)
            elif name == "label_smoothing":
                _require(
                    _number(value) and 0 <= value < 0.5, name, "at least 0 and below 0.5", value
                )
            elif name == "weight_decay":
                _require(_number(value) and value >= 0, name, "at least 0", value)
            elif name == "learning_rate":
                _require(_number(value) and value > 0, name, "above 0", value)
            elif name == "seed":
                _require(isinstance(value, int), name, "a whole number", value)
            else:
                whole = isinstance(value, int) and not isinstance(value, bool)
                _require(whole and value >= 1, name, "a whole number of at least 1", value)

    def changed(self, values: dict[str, Any]) -> "HParams":
        """A copy with some values changed.

        Raises:
            ValueError: a name is not a hyperparameter, or its value is not allowed.
        """
        unknown = sorted(set(values) - {field.name for field in fields(self)})
        if unknown:
            known = ", ".join(field.name for field in fields(self))
            raise ValueError(f"hparams.{unknown[0]} is not a hyperparameter. Known: {known}")
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """All values by name."""
        return asdict(self)


def search_space(defaults: HParams) -> keras_tuner.HyperParameters:
    """What the Tuner may change; whatever it does not list stays as in `defaults`."""
    space = keras_tuner.HyperParameters()
    space.Choice("text_encoder", list(TEXT_ENCODERS), default=defaults.text_encoder)
    space.Choice("optimizer", list(OPTIMIZERS), default=defaults.optimizer)
    space.Choice(
        "batch_size", _with(defaults.batch_size, [64, 128, 256]), default=defaults.batch_size
    )
    space.Float(
        "learning_rate",
        3e-4,
        5e-3,
        sampling="log",
        default=_within(defaults.learning_rate, 3e-4, 5e-3),
    )
    space.Choice("filters", _with(defaults.filters, [48, 96, 144]), default=defaults.filters)
    space.Choice("rnn_units", _with(defaults.rnn_units, [32, 64, 96]), default=defaults.rnn_units)
    space.Choice(
        "people_dim", _with(defaults.people_dim, [24, 48, 96]), default=defaults.people_dim
    )
    space.Choice(
        "hidden_units", _with(defaults.hidden_units, [128, 256, 512]), default=defaults.hidden_units
    )
    space.Float("dropout", 0.2, 0.6, step=0.1, default=_within(defaults.dropout, 0.2, 0.6))
    space.Float("id_dropout", 0.2, 0.6, step=0.1, default=_within(defaults.id_dropout, 0.2, 0.6))
    return space


def _with(value: int, choices: list[int]) -> list[int]:
    return sorted({value, *choices})


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require(condition: bool, name: str, expected: str, received: object) -> None:
    if not condition:
        raise ValueError(f"hparams.{name} must be {expected}. Received: {received!r}")
