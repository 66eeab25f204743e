"""Hyperparameters of a training, with their limits and defaults."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from schema.config import Config, PositiveInt

ENCODER_LAYERS: Final = {"minilm": 6, "mpnet": 12}
"""Number of layers of each pretrained sentence encoder."""

DropoutRate = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0)]


class HParams(Config):
    """The hyperparameters of a training.

    Attributes:
        word_encoder: Layers that read the plot's words through their word vectors: `cnn` for
            convolutions, `rnn` for a recurrent layer, `cnn_rnn` for the recurrent layer on top of
            the convolutions, `none` for no word encoder.
        sentence_encoder: Pretrained encoder that reads title and plot as word pieces. MPNet is
            larger, better and slower than MiniLM (docs/quality.md) and is installed separately.
        encoder_layers: Number of the sentence encoder's layers that are used, counted from the
            lowest. MiniLM has 6, MPNet has 12.
        finetuned_layers: Number of these layers, counted from the highest, that are fine-tuned on
            the genres of the training movies before the network is trained; 0 keeps the pretrained
            weights.
        finetuning_epochs: Number of epochs of the fine-tuning.
        finetuning_learning_rate: Highest learning rate of the fine-tuning.
        precision: Number type of the sentence encoder's matrix products; `auto` is the fastest
            type on the machine that trains. A model is served in the type in which it was trained.
        filters: Number of filters of each convolution width of the word encoder.
        rnn_units: Number of units of the recurrent layer in each direction.
        folds: Number of folds of the training split for features that are computed out of fold.
        people_smoothing: Smoothing of the people target encoding: the number of average movies
            that are added to the movies of each person.
        trees: Number of boosted trees of each genre.
        hidden_units: Number of units of the deep network's hidden layer.
        input_dropout: Dropout rate on the inputs of the hidden layer.
        dropout: Dropout rate on the outputs of the hidden layer.
        word_dropout: Rate at which words of the plot are masked for the word encoder.
        field_dropout: Rate at which all credits, all numbers and the title of a movie are masked,
            each independently of the others.
        optimizer: Name of the Keras optimizer.
        learning_rate: Highest learning rate. The rate rises to it during the warm-up, and then
            decays along a cosine to a fiftieth of it.
        weight_decay: Decoupled weight decay of `adamw`.
        batch_size: Number of rows of a training step.
        epochs: Largest number of epochs.
        patience: Number of epochs without a better score on the eval split after which training
            stops.
        seed: Seed of all randomness in the training.
    """

    word_encoder: Literal["none", "cnn", "rnn", "cnn_rnn"] = "cnn_rnn"
    sentence_encoder: Literal["none", "minilm", "mpnet"] = "minilm"
    encoder_layers: PositiveInt = 6
    finetuned_layers: Annotated[int, Field(ge=0)] = 4
    finetuning_epochs: PositiveInt = 3
    finetuning_learning_rate: PositiveFloat = 2e-4
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    filters: PositiveInt = 48
    rnn_units: PositiveInt = 32
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    people_smoothing: PositiveFloat = 2.0
    trees: PositiveInt = 100
    hidden_units: PositiveInt = 2048
    input_dropout: DropoutRate = 0.5
    dropout: DropoutRate = 0.3
    word_dropout: DropoutRate = 0.1
    field_dropout: DropoutRate = 0.3
    optimizer: Literal["adam", "adamw", "nadam"] = "adamw"
    learning_rate: PositiveFloat = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    batch_size: PositiveInt = 512
    epochs: PositiveInt = 6
    patience: PositiveInt = 2
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 20

    @model_validator(mode="after")
    def _check_layer_counts(self) -> Self:
        available = ENCODER_LAYERS.get(self.sentence_encoder, max(ENCODER_LAYERS.values()))
        for name in ("encoder_layers", "finetuned_layers"):
            value = getattr(self, name)
            if value > available:
                raise ValueError(
                    f"{name} should be at most {available} with sentence_encoder "
                    f"{self.sentence_encoder}. Received: {value}"
                )
        return self

    @property
    def has_word_encoder(self) -> bool:
        """Whether a word encoder reads the plot."""
        return self.word_encoder != "none"

    @property
    def has_sentence_encoder(self) -> bool:
        """Whether a pretrained sentence encoder reads title and plot."""
        return self.sentence_encoder != "none"

    @property
    def extra_layer(self) -> int | None:
        """Number of a lower encoder layer whose mean-pooled output is also used.

        Counted from 1; None if only one layer is used.
        """
        layer = max(1, self.encoder_layers // 3)
        return layer if layer < self.encoder_layers else None

    @property
    def first_finetuned_layer(self) -> int | None:
        """Index of the lowest encoder layer that is fine-tuned; None without fine-tuning."""
        first = max(0, self.encoder_layers - self.finetuned_layers)
        return first if self.finetuned_layers else None

    def updated(self, values: dict[str, Any]) -> "HParams":
        """Return a validated copy with changed values; `model_copy` would not validate them."""
        return HParams.model_validate(self.model_dump(exclude_unset=True) | values)
