"""The sentence encoder's upper layers, trained further on the genres of the training movies.

The layers start from what the encoder learnt from sentences and move a little, as Devlin et al.
2019 (arXiv:1810.04805) fine-tune BERT; the lower ones, which know words more than genres, stay as
they are (Howard and Ruder 2018, arXiv:1801.06146, thaw from the top), so that what they make of the
texts is computed once, for all passes and for the texts' vectors afterwards. The upper ones read
content words alone, see `trainer.encoder.function_words`.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from schema.files import atomic_write
from schema.fingerprint import fingerprint
from schema.genres import NUM_GENRES
from trainer import precision
from trainer.data import PIECES, Rows
from trainer.encoder.sentence import SentenceEncoder, Tokens, Weights, mean
from trainer.encoder.sentence_store import SentenceStore, texts_of
from trainer.encoder.token_states import TokenStates
from trainer.hparams import HParams

BATCH: Final = 64
SORTED_BATCHES: Final = 32
"""Number of batches that are drawn together and share their texts by length, which spares
padding."""

TOKEN_DROPOUT: Final = 1 / 3
"""Share of a text's tokens, as the lower layers give them, that a pass does not see.

What the encoder says of its own training movies stays nearer to what it says of others then, and
the members that train on it are misled less (docs/experiments.md). A pass takes less time, too.
"""

HEAD_SCALE: Final = 10.0
"""Factor on what the new linear layer reads: it learns so much faster than the layers below it."""

STEPS_A_LINE: Final = 100
"""Number of steps between two lines of the log."""

SECONDS: Final = "seconds"
"""Key in the metadata of kept weights: how long they took to make."""

log = logging.getLogger(__name__)


class Tuned(NamedTuple):
    """Weights of the layers that were trained, and the texts' vectors, as `SentenceStore` has them.

    The vectors are float16 [rows, dimensions].
    """

    weights: Weights
    vectors: np.ndarray


class Finetuned(NamedTuple):
    """Weights of the layers that were trained, and the seconds that an earlier training took.

    There are no weights if nothing is to be fine-tuned; 0 seconds if they were made now.
    """

    weights: Weights
    seconds_before: float


def finetuned(rows: Rows, hparams: HParams, directory: Path | None) -> Finetuned:
    """The weights of `tune`; those that the same movies and settings gave before are looked up.

    The newest weights are kept in the directory, and the texts' vectors in its `SentenceStore`; a
    directory of None keeps nothing. `rows` are the training split with its word pieces.
    """
    if not hparams.finetuned_layers:
        return Finetuned({}, 0.0)
    if directory is None:
        return Finetuned(tune(rows, hparams).weights, 0.0)
    file = directory / f"finetuned-{_digest(rows, hparams)}.safetensors"
    if file.exists():
        with safe_open(file, "numpy") as kept:
            return Finetuned(load_file(file), float(kept.metadata()[SECONDS]))
    started = time.monotonic()
    weights, vectors = tune(rows, hparams)
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        save_file(dict(weights), part, {SECONDS: f"{time.monotonic() - started:.1f}"})
    for other in {*directory.glob("finetuned-*.safetensors")} - {file}:
        other.unlink()
    SentenceStore(directory, hparams, weights).add(rows.inputs[PIECES], vectors)
    return Finetuned(weights, 0.0)


def _digest(rows: Rows, hparams: HParams) -> str:
    """A hash of what makes weights differ: code and first weights, settings and movies."""
    settings = [
        # The code holds the checksums of the pretrained weights.
        fingerprint("trainer.encoder.finetuning"),
        hparams.sentence_encoder,
        hparams.encoder_layers,
        hparams.finetuned_layers,
        hparams.finetuning_epochs,
        hparams.finetuning_rate,
        precision.resolved(hparams.precision),
        hparams.seed,
    ]
    made_by = hashlib.sha256(repr(settings).encode())
    pieces = rows.inputs[PIECES]
    for values in (pieces.flat_values, pieces.row_splits, rows.labels):
        made_by.update(np.ascontiguousarray(values).tobytes())
    return made_by.hexdigest()[:16]


class GenreReader(keras.Model):
    """The upper layers of the encoder, and genres by a linear layer on the mean of their tokens.

    `log_odds` of each genre among the movies, float [22], are the initial biases.
    """

    def __init__(self, hparams: HParams, log_odds: np.ndarray) -> None:
        super().__init__()
        self.layers_above = range(hparams.first_finetuned or 0, hparams.encoder_layers)
        self.encoder = SentenceEncoder.of(hparams, trainable_layers=self.layers_above)
        self.dropout = keras.layers.Dropout(0.3, seed=hparams.seed)
        bias = keras.initializers.Constant(log_odds)
        self.head = keras.layers.Dense(
            NUM_GENRES, kernel_initializer="zeros", bias_initializer=bias
        )

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        """Logits, of lengths int32 [N] and what is below, float16 [tokens, dimensions]."""
        lengths, states = inputs
        tokens = Tokens(tf.cast(states, tf.float32), lengths)
        dropout = 0.1 if training else 0.0
        for number in self.layers_above:
            tokens = self.encoder.layer(tokens, number, dropout, alike=True)
        return self.head(HEAD_SCALE * self.dropout(mean(tokens), training=training))


def tune(rows: Rows, hparams: HParams) -> Tuned:
    """Train the upper layers under a linear layer that is thrown away afterwards."""
    keras.utils.set_random_seed(hparams.seed)
    pieces, labels = rows.inputs[PIECES], np.asarray(rows.labels, np.float32)
    reader = GenreReader(hparams, rows.log_odds())
    steps_a_pass = -(-len(labels) // BATCH)
    steps = steps_a_pass * hparams.finetuning_epochs
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps,
        alpha=0.02,
        warmup_target=hparams.finetuning_rate,
        warmup_steps=max(steps // 15, 1),
    )
    reader.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    content = pieces.with_flat_values(reader.encoder.is_content(pieces.flat_values))
    counts = tf.reduce_sum(tf.cast(content, tf.int32), axis=1).numpy()

    def say(batch: int, logs: dict[str, float]) -> None:
        del batch
        done = int(reader.optimizer.iterations.numpy())
        if done % STEPS_A_LINE == 0 or done == steps:
            message = "fine-tuning the sentence encoder: %d of %d steps, loss %.4f"
            log.info(message, done, steps, logs["loss"])

    with TokenStates(counts, reader.encoder.pretrained.dimensions) as states:
        lower = _read_below(reader.encoder, pieces, states)

        def batches() -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
            random = np.random.default_rng(hparams.seed)
            for _ in range(hparams.finetuning_epochs):
                for some in draw(states.counts, random):
                    found = [hide_tokens(states.read(row), random) for row in some]
                    yield _packed(found), labels[some]

        truth = tf.TensorSpec([None, NUM_GENRES], tf.float32)
        signature = _packed_spec(states.dimensions), truth
        reader.fit(
            tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2),
            epochs=hparams.finetuning_epochs,
            steps_per_epoch=steps_a_pass,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=say)],
        )
        vectors = _read_above(reader.encoder, states)
    return Tuned(reader.encoder.trained_weights(), np.concatenate([lower, vectors], axis=1))


def draw(lengths: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """Rows of each batch of one pass, `BATCH` in all but one; those of a batch are of like length.

    `lengths` are int [N], numbers of tokens; `random` is moved on.
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

    float16 [tokens, dimensions] in, those of the tokens that are left out, in their order.
    """
    kept = random.random(len(states)) >= TOKEN_DROPOUT
    return states[kept] if kept.any() else states


def _packed(texts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of texts, int32 [N], and all their tokens, float16 [tokens, dimensions]."""
    return np.array([len(text) for text in texts], np.int32), np.concatenate(texts)


def _packed_spec(dimensions: int) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    return tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, dimensions], tf.float16)


def _read_below(
    encoder: SentenceEncoder, pieces: tf.RaggedTensor, states: TokenStates
) -> np.ndarray:
    """Write what the layers that read all words make of the content words into `states`.

    Returns:
        float16 [rows, dimensions], the means of `encoder.also`, if it is among those layers; else
        [rows, 0].
    """

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def read(ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        content = encoder.is_content(tf.boolean_mask(ids, ids > 0))
        tokens, lower = encoder.through(encoder.embed(ids), range(encoder.content_from), content)
        return tf.cast(tokens.states, tf.float16), _joined(lower, tf.shape(ids)[0])

    texts = texts_of(pieces)
    lower: dict[int, np.ndarray] = {}
    for some in _by_length(np.diff(pieces.row_splits), "lower"):
        found, means = read(keras.utils.pad_sequences([texts[row] for row in some], padding="post"))
        lower |= dict(zip(some.tolist(), means.numpy(), strict=True))
        ends = np.cumsum(states.counts[some])[:-1]
        for row, text in zip(some, np.split(found.numpy(), ends), strict=True):
            states.write(row, text)
    return np.stack([lower[row] for row in range(len(texts))])


def _read_above(encoder: SentenceEncoder, states: TokenStates) -> np.ndarray:
    """Finish the vectors of the texts from what `_read_below` has written.

    Returns:
        float16 [rows, dimensions], or twice as many if `encoder.also` is among these layers.
    """

    @tf.function(input_signature=_packed_spec(states.dimensions))
    def read(lengths: tf.Tensor, below: tf.Tensor) -> tf.Tensor:
        above = range(encoder.content_from, encoder.num_layers)
        tokens, lower = encoder.through(Tokens(tf.cast(below, tf.float32), lengths), above)
        return _joined([*lower, mean(tokens)], tf.shape(lengths)[0])

    vectors: dict[int, np.ndarray] = {}
    for some in _by_length(states.counts, "upper"):
        found = read(*_packed([states.read(row) for row in some]))
        vectors |= dict(zip(some.tolist(), found.numpy(), strict=True))
    return np.stack([vectors[row] for row in range(len(states.counts))])


def _joined(means: list[tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.concat([tf.zeros([rows, 0]), *means], axis=1), tf.float16)


def _by_length(lengths: np.ndarray, layers: str) -> Iterator[np.ndarray]:
    """The rows in batches of like length; logs how far the `layers` have read."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]
        if start // BATCH % STEPS_A_LINE == STEPS_A_LINE - 1:
            log.info("the encoder's %s layers have read %d of %d texts", layers, start, len(order))
