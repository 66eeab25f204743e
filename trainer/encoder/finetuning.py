"""The sentence encoder's upper layers, trained further on the genres of the training films.

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
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from schema.files import replacing
from schema.fingerprint import fingerprint
from schema.genres import NUM_GENRES
from trainer import precision
from trainer.data import PIECES, Rows
from trainer.encoder.genre_reader import (
    BATCH,
    STEPS_A_LINE,
    GenreReader,
    Progress,
    draw,
    hide_tokens,
)
from trainer.encoder.pretrained import ENCODERS
from trainer.encoder.sentence import SentenceEncoder, Tokens, Weights, mean
from trainer.encoder.sentence_store import SentenceStore
from trainer.encoder.token_states import TokenStates
from trainer.hparams import HParams

SECONDS: Final = "seconds"
"""Key in what is said of kept weights: how long they took to make."""

log = logging.getLogger(__name__)


class Tuned(NamedTuple):
    """What `tune` makes.

    Attributes:
        weights: of the layers that were trained, for `SentenceEncoder`.
        vectors: float16 [rows, dimensions], as `SentenceStore.encode` gives them.
    """

    weights: Weights
    vectors: np.ndarray


class Finetuned(NamedTuple):
    """What `finetuned` finds or makes.

    Attributes:
        weights: for `SentenceEncoder`; none if nothing is to be fine-tuned.
        seconds_before: that an earlier training took to make them; 0 if they were made now.
    """

    weights: Weights
    seconds_before: float


def finetuned(rows: Rows, hparams: HParams, directory: Path | None) -> Finetuned:
    """The weights of `tune`; those that the same films and settings gave before are looked up.

    The texts' vectors go into the `SentenceStore` of the directory.

    Args:
        rows: the training split with its word pieces.
        hparams: see `HParams`.
        directory: where weights are kept, the newest alone; None keeps nothing.

    Returns:
        See `Finetuned`.
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
    exact = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    with replacing(file) as part:
        save_file(exact, part, {SECONDS: f"{time.monotonic() - started:.1f}"})
    for other in directory.glob("finetuned-*.safetensors"):
        if other != file:
            other.unlink()
    SentenceStore(directory, hparams, weights).add(rows.inputs[PIECES], vectors)
    return Finetuned(weights, 0.0)


def _digest(rows: Rows, hparams: HParams) -> str:
    """What makes weights differ: code, first weights, settings and films."""
    made_by = hashlib.sha256()
    made_by.update(fingerprint("trainer.encoder.finetuning").encode())
    made_by.update(ENCODERS[hparams.sentence_encoder].digest())
    settings = [
        hparams.encoder_layers,
        hparams.finetuned_layers,
        hparams.finetuning_epochs,
        hparams.finetuning_rate,
        precision.resolved(hparams.precision),
        hparams.seed,
    ]
    made_by.update(repr(settings).encode())
    pieces = rows.inputs[PIECES]
    for values in (pieces.flat_values, pieces.row_splits, rows.labels):
        made_by.update(np.ascontiguousarray(values).tobytes())
    return made_by.hexdigest()[:16]


def tune(rows: Rows, hparams: HParams) -> Tuned:
    """Train the upper layers under a linear layer that is thrown away afterwards.

    Args:
        rows: the training split with its word pieces.
        hparams: see `HParams`.
    """
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
    with TokenStates(counts, reader.encoder.pretrained.dimensions) as states:
        lower = _read_below(reader.encoder, pieces, states)

        def batches() -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
            random = np.random.default_rng(hparams.seed)
            for _ in range(hparams.finetuning_epochs):
                for some in draw(states.counts, random):
                    found = [hide_tokens(states.read(row), random) for row in some]
                    lengths = np.array([len(text) for text in found], np.int32)
                    yield (lengths, np.concatenate(found)), labels[some]

        reader.fit(
            tf.data.Dataset.from_generator(
                batches,
                output_signature=(
                    (
                        tf.TensorSpec([None], tf.int32),
                        tf.TensorSpec([None, states.dimensions], tf.float16),
                    ),
                    tf.TensorSpec([None, NUM_GENRES], tf.float32),
                ),
            ).prefetch(2),
            epochs=hparams.finetuning_epochs,
            steps_per_epoch=steps_a_pass,
            verbose=0,
            callbacks=[Progress(steps)],
        )
        vectors = _read_above(reader.encoder, states)
    return Tuned(reader.encoder.trained_weights(), np.concatenate([lower, vectors], axis=1))


def _read_below(
    encoder: SentenceEncoder, pieces: tf.RaggedTensor, states: TokenStates
) -> np.ndarray:
    """Write what the layers that read all words make of the content words.

    Args:
        encoder: see `GenreReader`.
        pieces: int32 [rows, varying].
        states: written, the content words of each row.

    Returns:
        float16 [rows, dimensions], the means of `encoder.also`; [rows, 0] if it is not among those
        layers.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def read(ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        content = encoder.is_content(tf.boolean_mask(ids, ids > 0))
        tokens, lower = encoder.through(encoder.embed(ids), range(encoder.content_from), content)
        return tf.cast(tokens.states, tf.float16), _joined(lower, tf.shape(ids)[0])

    flat, starts = pieces.flat_values.numpy(), pieces.row_splits.numpy()
    texts = [flat[start:end] for start, end in pairwise(starts)]
    lower: dict[int, np.ndarray] = {}
    for some in _by_length(np.diff(starts), "lower"):
        found, means = read(keras.utils.pad_sequences([texts[row] for row in some], padding="post"))
        lower |= dict(zip(some.tolist(), means.numpy(), strict=True))
        ends = np.cumsum(states.counts[some])[:-1]
        for row, text in zip(some, np.split(found.numpy(), ends), strict=True):
            states.write(row, text)
    return np.stack([lower[row] for row in range(len(texts))])


def _read_above(encoder: SentenceEncoder, states: TokenStates) -> np.ndarray:
    """What `encoder` makes of the texts from what `_read_below` has written.

    Returns:
        float16 [rows, dimensions], or twice as many if `encoder.also` is among the layers that read
        content words alone.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, states.dimensions], tf.float16),
        ]
    )
    def read(lengths: tf.Tensor, below: tf.Tensor) -> tf.Tensor:
        numbers = range(encoder.content_from, encoder.num_layers)
        tokens = Tokens(tf.cast(below, tf.float32), lengths)
        tokens, lower = encoder.through(tokens, numbers)
        return _joined([*lower, mean(tokens)], tf.shape(lengths)[0])

    vectors: dict[int, np.ndarray] = {}
    for some in _by_length(states.counts, "upper"):
        texts = [states.read(row) for row in some]
        lengths = np.array([len(text) for text in texts], np.int32)
        vectors |= dict(
            zip(some.tolist(), read(lengths, np.concatenate(texts)).numpy(), strict=True)
        )
    return np.stack([vectors[row] for row in range(len(states.counts))])


def _joined(means: list[tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.concat([tf.zeros([rows, 0]), *means], axis=1), tf.float16)


def _by_length(lengths: np.ndarray, layers: str) -> Iterator[np.ndarray]:
    """The rows in batches of like length; says how far the `layers` have read."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]
        if start // BATCH % STEPS_A_LINE == STEPS_A_LINE - 1:
            log.info("the encoder's %s layers have read %d of %d texts", layers, start, len(order))
