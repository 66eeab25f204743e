"""What is trained in the fine-tuning: the upper layers under a linear layer, and the passes."""

import logging
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from schema.genres import NUM_GENRES
from trainer.encoder.sentence import SentenceEncoder, Tokens, mean
from trainer.hparams import HParams

BATCH: Final = 64
SORTED_BATCHES: Final = 32
"""So many batches are drawn together and share their texts by length, which spares padding."""

TOKEN_DROPOUT: Final = 1 / 3
"""Share of a text's tokens, as the lower layers give them, that a pass does not see.

What the encoder says of its own training films stays nearer to what it says of others then, and the
members that train on it are misled less (docs/experiments.md). A pass takes less time, too.
"""

LAYER_DROPOUT: Final = 0.1
HEAD_DROPOUT: Final = 0.3

HEAD_SCALE: Final = 10.0
"""Of what the new linear layer reads: it learns so much faster than the layers below it."""

STEPS_A_LINE: Final = 100
"""Of the log."""

log = logging.getLogger(__name__)


class GenreReader(keras.Model):
    """The upper layers of the encoder, and genres by a linear layer on the mean of their tokens."""

    def __init__(self, hparams: HParams, log_odds: np.ndarray) -> None:
        """Set up.

        Args:
            hparams: see `HParams`.
            log_odds: float [22], of each genre among the films; the initial biases.
        """
        super().__init__()
        self.layers_above = range(hparams.first_finetuned or 0, hparams.encoder_layers)
        self.encoder = SentenceEncoder.of(hparams, trainable_layers=self.layers_above)
        self.dropout = keras.layers.Dropout(HEAD_DROPOUT, seed=hparams.seed)
        self.head = keras.layers.Dense(
            NUM_GENRES,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(log_odds),
        )

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        """Logits, of lengths int32 [N] and what is below, float16 [tokens, dimensions]."""
        lengths, states = inputs
        tokens = Tokens(tf.cast(states, tf.float32), lengths)
        for number in self.layers_above:
            dropout = LAYER_DROPOUT if training else 0.0
            tokens = self.encoder.layer(tokens, number, dropout, alike=True)
        return self.head(HEAD_SCALE * self.dropout(mean(tokens), training=training))


class Progress(keras.callbacks.Callback):
    """Says how far the fine-tuning is."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.done = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count, and say."""
        del batch
        self.done += 1
        if self.done % STEPS_A_LINE == 0 or self.done == self.steps:
            log.info(
                "fine-tuning the sentence encoder: %d of %d steps, loss %.4f",
                self.done,
                self.steps,
                (logs or {}).get("loss", float("nan")),
            )


def draw(lengths: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """One pass: the rows of each batch, in an order by chance.

    Args:
        lengths: int [N], tokens of each row.
        random: moved on.

    Returns:
        Row numbers, `BATCH` in each but the last of the short ones; rows of a batch are of like
        length.
    """
    order = random.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), BATCH * SORTED_BATCHES):
        some = order[start : start + BATCH * SORTED_BATCHES]
        some = some[np.argsort(lengths[some], kind="stable")]
        batches += [some[begin : begin + BATCH] for begin in range(0, len(some), BATCH)]
    return [batches[i] for i in random.permutation(len(batches))]


def hide_tokens(states: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Leave each token of a text out with a chance of `TOKEN_DROPOUT`; none, if none were left.

    Args:
        states: float16 [tokens, dimensions] of one text.
        random: moved on.

    Returns:
        float16 [tokens that are left, dimensions], in their order.
    """
    kept = random.random(len(states)) >= TOKEN_DROPOUT
    return states[kept] if kept.any() else states
