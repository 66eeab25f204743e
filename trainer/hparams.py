"""Hyperparameters: the defaults, what is allowed, and what the Tuner searches."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal

import keras_tuner

from trainer import precision
from trainer.encoder.pretrained import ENCODERS, MINILM, Pretrained

_BOTH: Final = "cnn_rnn"
_WORD_ENCODERS: Final = ("cnn", "rnn", _BOTH)
TEXT_ENCODERS: Final = (*_WORD_ENCODERS, "minilm", "cnn_rnn_minilm", "mpnet", "cnn_rnn_mpnet")
OPTIMIZERS: Final = ("adam", "adamw", "nadam")
LOSSES: Final = ("cross_entropy", "focal", "asymmetric")
PRECISIONS: Final = ("auto", "float32", "bfloat16")

_SEARCHED: Final[dict[str, tuple[float, ...]]] = {
    "learning_rate": (5e-4, 1e-3, 2e-3),
    "weight_decay": (0.01, 0.05, 0.1),
    "batch_size": (128, 256, 512),
    "hidden_units": (256, 512, 1024, 2048),
    "input_dropout": (0.2, 0.3, 0.4, 0.5, 0.6),
    "dropout": (0.3, 0.4, 0.5, 0.6, 0.7),
    "id_dropout": (0.3, 0.4, 0.5, 0.6, 0.7),
    "field_dropout": (0.1, 0.2, 0.3, 0.4, 0.5),
}
"""Numbers that the Tuner chooses between."""


@dataclass(frozen=True)
class HParams:
    """What defines one training.

    Attributes:
        text_encoder: what reads the plot beside its n-grams: convolutions over its words, a
            recurrent layer, the recurrent layer on top of the convolutions, the lower layers of
            a pretrained sentence encoder over its word pieces, or all of them. MPNet is larger,
            better and slower than MiniLM (docs/quality.md), and installed apart.
        encoder_layers: how many of the sentence encoder's layers; MiniLM has 6, MPNet 12.
        finetuned_layers: how many of these, from the highest, are trained further on the plots'
            genres before all else, on content words alone; 0 leaves the encoder as it is. See
            `trainer.encoder.finetuning`.
        finetuning_epochs: passes of that over the training split.
        finetuning_rate: its highest learning rate.
        precision: what the sentence encoder multiplies matrices in; `auto` is what the machine
            that trains is fastest at, see `trainer.precision`. A model is served in what it was
            trained in.
        filters: filters of each convolution width.
        rnn_units: units of the recurrent layer, in each direction.
        ngram_factors: factors of the plot's n-grams.
        title_factors: factors of the title's words.
        people_factors: factors of who worked with whom.
        people_folds: folds of the training split by which people are described out of fold.
        people_prior: average films that are added to each person's, against chance.
        trees: boosted trees of each genre, see `trainer.ensemble.trees`.
        towers: deep members, which differ by chance alone.
        hidden_units: units of each tower.
        input_dropout: rate on what the towers read.
        dropout: rate on the towers' hidden layer.
        word_dropout: rate at which whole words of the plot are hidden from convolutions and
            recurrence.
        id_dropout: rate at which single n-grams, title words and people are hidden from the wide
            member.
        field_dropout: rate at which all credits, all numbers and the title are hidden, each on its
            own.
        loss: see `trainer.ensemble.model.MemberLoss`.
        focusing: exponent of the losses `focal` and `asymmetric`.
        optimizer: name of the Keras optimizer.
        learning_rate: highest learning rate; it falls along a cosine to a fiftieth of it.
        weight_decay: decoupled weight decay of `adamw`.
        batch_size: rows of a step.
        epochs: passes over the training split at most.
        patience: passes without a better result on the eval split before training stops.
        seed: of weights, dropout and order.
    """

    text_encoder: Literal[
        "cnn", "rnn", "cnn_rnn", "minilm", "cnn_rnn_minilm", "mpnet", "cnn_rnn_mpnet"
    ] = "cnn_rnn_minilm"
    encoder_layers: int = 6
    finetuned_layers: int = 4
    finetuning_epochs: int = 3
    finetuning_rate: float = 2e-4
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    filters: int = 48
    rnn_units: int = 32
    ngram_factors: int = 256
    title_factors: int = 64
    people_factors: int = 128
    people_folds: int = 5
    people_prior: float = 2.0
    trees: int = 100
    towers: int = 4
    hidden_units: int = 2048
    input_dropout: float = 0.5
    dropout: float = 0.3
    word_dropout: float = 0.1
    id_dropout: float = 0.3
    field_dropout: float = 0.3
    loss: Literal["cross_entropy", "focal", "asymmetric"] = "cross_entropy"
    focusing: float = 1.5
    optimizer: Literal["adam", "adamw", "nadam"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    batch_size: int = 512
    epochs: int = 6
    patience: int = 2
    seed: int = 20

    def __post_init__(self) -> None:
        """Refuse values that cannot train.

        Raises:
            ValueError: a value is outside what is allowed; the message names it.
        """
        deepest = self.pretrained.layers
        whole = {
            "people_folds": (2, 20),
            "encoder_layers": (1, deepest),
            "finetuned_layers": (0, deepest),
        }
        choices = {
            "text_encoder": TEXT_ENCODERS,
            "optimizer": OPTIMIZERS,
            "loss": LOSSES,
            "precision": PRECISIONS,
        }
        for name, value in asdict(self).items():
            if name in choices:
                _require(value in choices[name], name, f"one of {', '.join(choices[name])}", value)
            elif name.endswith("dropout"):
                _require(_number(value) and 0 <= value < 1, name, "at least 0 and below 1", value)
            elif name in ("weight_decay", "focusing"):
                _require(_number(value) and value >= 0, name, "at least 0", value)
            elif name in ("learning_rate", "finetuning_rate", "people_prior"):
                _require(_number(value) and value > 0, name, "above 0", value)
            elif name in whole:
                low, high = whole[name]
                fits = isinstance(value, int) and low <= value <= high
                _require(fits, name, f"a whole number from {low} to {high}", value)
            elif name == "seed":
                _require(isinstance(value, int), name, "a whole number", value)
            else:
                integer = isinstance(value, int) and not isinstance(value, bool)
                _require(integer and value >= 1, name, "a whole number of at least 1", value)

    @property
    def compute_dtype(self) -> str:
        """`precision`, with this machine's for `auto`."""
        return precision.native() if self.precision == "auto" else self.precision

    @property
    def reads_words(self) -> bool:
        """Whether the plot's words go through convolutions or recurrence."""
        return self.text_encoder not in ENCODERS

    @property
    def lower_layer(self) -> int | None:
        """The encoder's layer whose mean stands beside that of the last; None if it has too few."""
        lower = max(1, self.encoder_layers // 3)
        return lower if lower < self.encoder_layers else None

    @property
    def first_finetuned(self) -> int | None:
        """The encoder's lowest layer, from 0, that is trained further; None if none is."""
        if not self.finetuned_layers:
            return None
        return max(0, self.encoder_layers - self.finetuned_layers)

    @property
    def reads_sentences(self) -> bool:
        """Whether the plot's word pieces go through a pretrained encoder."""
        return self._sentence_encoder in ENCODERS

    @property
    def pretrained(self) -> Pretrained:
        """The encoder that reads the plot's word pieces, or would if one did."""
        return ENCODERS.get(self._sentence_encoder, MINILM)

    @property
    def _sentence_encoder(self) -> str:
        return self.text_encoder.removeprefix(f"{_BOTH}_")

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


def searched_encoders(defaults: HParams) -> tuple[str, ...]:
    """The text encoders that the Tuner chooses between; what any of them reads, the last reads.

    All read sentences with one pretrained encoder, the defaults' or else MiniLM, so that a search
    makes sentence vectors once.
    """
    name = defaults.pretrained.name.lower()
    return (*_WORD_ENCODERS, name, f"{_BOTH}_{name}")


def search_space(defaults: HParams) -> keras_tuner.HyperParameters:
    """What the Tuner may change, the defaults' own values among the choices.

    Whatever it does not list stays as in `defaults`. All are choices between numbers as they are
    written: steps from a lowest number give 0.30000000000000004 beside 0.3, another setting to
    Keras Tuner, which would try the defaults twice.
    """
    space = keras_tuner.HyperParameters()
    space.Choice("text_encoder", list(searched_encoders(defaults)), default=defaults.text_encoder)
    space.Choice("loss", list(LOSSES), default=defaults.loss)
    for name, choices in _SEARCHED.items():
        default = getattr(defaults, name)
        space.Choice(name, sorted({default, *choices}), default=default)
    return space


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require(condition: bool, name: str, expected: str, received: object) -> None:
    if not condition:
        raise ValueError(f"hparams.{name} must be {expected}. Received: {received!r}")
