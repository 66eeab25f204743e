"""Hyperparameters of one training: plain data with its limits and defaults."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from schema.config import Config, PositiveInt

ENCODER_LAYERS: Final = {"minilm": 6, "mpnet": 12}
"""Number of layers of each pretrained sentence encoder."""

Rate = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class HParams(Config):
    """What defines one training.

    Attributes:
        word_encoder: layers that read the plot's words through their word vectors: `cnn`
            convolutions, `rnn` a recurrent layer, `cnn_rnn` the recurrent layer on top of the
            convolutions, or `none`.
        sentence_encoder: pretrained encoder that reads title and plot as word pieces. MPNet is
            larger, better and slower than MiniLM (docs/quality.md), and installed separately.
        encoder_layers: number of the sentence encoder's layers that are used, counted from the
            lowest. MiniLM has 6, MPNet 12.
        finetuned_layers: number of these layers, counted from the highest, that are fine-tuned on
            the genres of the training movies before the network is trained; 0 leaves the pretrained
            weights.
        finetuning_epochs: number of passes over the training split in the fine-tuning.
        finetuning_rate: highest learning rate of the fine-tuning.
        precision: number type of the sentence encoder's matrix products; `auto` is the fastest one
            on the machine that trains. A model is served in the type in which it was trained.
        filters: number of filters of each convolution width.
        rnn_units: number of units of the recurrent layer in each direction.
        folds: number of parts of the training split for features that are computed out of fold.
        people_prior: number of average movies added to each person's movies, against chance.
        trees: number of boosted trees of each genre.
        hidden_units: number of units of the deep network's hidden layer.
        input_dropout: dropout rate on the inputs of the hidden layer.
        dropout: dropout rate on its outputs.
        word_dropout: rate at which whole words of the plot are hidden from the word encoder.
        field_dropout: rate at which all credits, all numbers and the title of a movie are hidden,
            each independently of the others.
        optimizer: name of the Keras optimizer.
        learning_rate: highest learning rate; it rises during the warm-up and then falls along a
            cosine to a fiftieth of this.
        weight_decay: decoupled weight decay of `adamw`.
        batch_size: number of rows of a training step.
        epochs: largest number of passes over the training split.
        patience: number of passes without a better result on the eval split after which training
            stops.
        seed: seed of weights, dropout, folds and order.
    """

    word_encoder: Literal["none", "cnn", "rnn", "cnn_rnn"] = "cnn_rnn"
    sentence_encoder: Literal["none", "minilm", "mpnet"] = "minilm"
    encoder_layers: PositiveInt = 6
    finetuned_layers: Annotated[int, Field(ge=0)] = 4
    finetuning_epochs: PositiveInt = 3
    finetuning_rate: Positive = 2e-4
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    filters: PositiveInt = 48
    rnn_units: PositiveInt = 32
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    people_prior: Positive = 2.0
    trees: PositiveInt = 100
    hidden_units: PositiveInt = 2048
    input_dropout: Rate = 0.5
    dropout: Rate = 0.3
    word_dropout: Rate = 0.1
    field_dropout: Rate = 0.3
    optimizer: Literal["adam", "adamw", "nadam"] = "adamw"
    learning_rate: Positive = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    batch_size: PositiveInt = 512
    epochs: PositiveInt = 6
    patience: PositiveInt = 2
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 20

    @model_validator(mode="after")
    def _layers_fit_the_encoder(self) -> Self:
        deepest = ENCODER_LAYERS.get(self.sentence_encoder, max(ENCODER_LAYERS.values()))
        for name in ("encoder_layers", "finetuned_layers"):
            value = getattr(self, name)
            if value > deepest:
                raise ValueError(
                    f"{name} should be at most {deepest} with sentence_encoder "
                    f"{self.sentence_encoder}. Received: {value}"
                )
        return self

    @property
    def reads_words(self) -> bool:
        """Whether a word encoder reads the plot."""
        return self.word_encoder != "none"

    @property
    def reads_sentences(self) -> bool:
        """Whether a pretrained sentence encoder reads title and plot."""
        return self.sentence_encoder != "none"

    @property
    def lower_layer(self) -> int | None:
        """The encoder layer whose mean is used beside that of the last; None with one layer."""
        lower = max(1, self.encoder_layers // 3)
        return lower if lower < self.encoder_layers else None

    @property
    def first_finetuned(self) -> int | None:
        """The lowest encoder layer, counted from 0, that is fine-tuned; None if there is none."""
        first = max(0, self.encoder_layers - self.finetuned_layers)
        return first if self.finetuned_layers else None

    def changed(self, values: dict[str, Any]) -> "HParams":
        """A validated copy with other values, which `model_copy` would not validate."""
        return HParams.model_validate(self.model_dump(exclude_unset=True) | values)
