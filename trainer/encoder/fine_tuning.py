"""Fine-tuning of the sentence encoder's upper layers on the genres of the training movies.

The layers start from the pretrained weights and change little, as in the fine-tuning of BERT by
Devlin et al. 2019 (arXiv:1810.04805). The lower layers represent words more than genres and stay
frozen; Howard and Ruder 2018 (arXiv:1801.06146) unfreeze layers from the top as well. The output of
the lower layers is therefore computed only once, for all epochs and for the final sentence vectors.
The upper layers read only content words (`trainer.encoder.function_words`).
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
from trainer import precision
from trainer.data import PIECES, Rows
from trainer.encoder.sentence import PackedTokens, SentenceEncoder, Weights, mean_pool
from trainer.encoder.sentence_vectors import SentenceVectorStore, split_texts
from trainer.encoder.token_states import TokenStateFile
from trainer.hparams import HParams

BATCH_SIZE: Final = 64
BATCHES_PER_BUCKET: Final = 32
"""Number of batches that are sampled together and then sorted by length, which saves padding."""

TOKEN_DROPOUT: Final = 1 / 3
"""Share of a text's tokens that an epoch leaves out of the upper layers' input.

With it, the vectors of training movies remain closer to those of other movies, so that members that
are trained on these vectors generalize better (docs/experiments.md). Epochs take less time as well.
"""

HEAD_INPUT_SCALE: Final = 10.0
"""Factor on the input of the classification head, which makes it learn faster than the encoder."""

LOG_INTERVAL_STEPS: Final = 100
"""Number of training steps or batches between two progress messages in the log."""

DURATION_KEY: Final = "seconds"
"""Key of the fine-tuning's duration in the metadata of the file of weights."""

log = logging.getLogger(__name__)


class FineTuned(NamedTuple):
    """Result of a fine-tuning.

    Attributes:
        weights: Weights of the fine-tuned layers.
        vectors: float16 [rows, dimensions]. Sentence vectors in the form of
            `SentenceVectorStore.encode`.
    """

    weights: Weights
    vectors: np.ndarray


class FineTunedWeights(NamedTuple):
    """Weights of the fine-tuned layers, loaded from a file or new.

    Attributes:
        weights: Weights of the fine-tuned layers; empty without fine-tuning.
        seconds_before: Duration, in seconds, of the earlier fine-tuning whose weights were loaded;
            0 if nothing was loaded.
    """

    weights: Weights
    seconds_before: float


def load_or_fine_tune(rows: Rows, hparams: HParams, directory: Path | None) -> FineTunedWeights:
    """Load the weights that the same movies and settings gave before, or fine-tune and save them.

    Args:
        rows: Training split with its word pieces.
        hparams: Hyperparameters of the encoder and of its fine-tuning.
        directory: Directory that caches the newest weights, and the sentence vectors in its
            `SentenceVectorStore`; None disables the cache.
    """
    if not hparams.finetuned_layers:
        return FineTunedWeights({}, 0.0)
    if directory is None:
        return FineTunedWeights(fine_tune(rows, hparams).weights, 0.0)
    file = directory / f"finetuned-{_cache_key(rows, hparams)}.safetensors"
    if file.exists():
        with safe_open(file, "numpy") as tensors:
            return FineTunedWeights(load_file(file), float(tensors.metadata()[DURATION_KEY]))
    started = time.monotonic()
    weights, vectors = fine_tune(rows, hparams)
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        save_file(dict(weights), part, {DURATION_KEY: f"{time.monotonic() - started:.1f}"})
    for older in {*directory.glob("finetuned-*.safetensors")} - {file}:
        older.unlink()
    SentenceVectorStore(directory, hparams, weights).add(rows.inputs[PIECES], vectors)
    return FineTunedWeights(weights, 0.0)


def _cache_key(rows: Rows, hparams: HParams) -> str:
    """Return a hash of all that the weights depend on: code, settings and movies."""
    settings = [
        # The code contains the checksums of the pretrained weights.
        fingerprint("trainer.encoder.fine_tuning"),
        hparams.sentence_encoder,
        hparams.encoder_layers,
        hparams.finetuned_layers,
        hparams.finetuning_epochs,
        hparams.finetuning_learning_rate,
        precision.resolve(hparams.precision),
        hparams.seed,
    ]
    digest = hashlib.sha256(repr(settings).encode())
    pieces = rows.inputs[PIECES]
    for values in (pieces.flat_values, pieces.row_splits, rows.labels):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


class GenreClassifier(keras.Model):
    """The encoder's upper layers under a linear classification head on their mean-pooled output.

    Args:
        hparams: Hyperparameters of the encoder.
        log_odds: float [genres]. Initial biases of the head, the log odds of each genre.
    """

    def __init__(self, hparams: HParams, log_odds: np.ndarray) -> None:
        super().__init__()
        self.upper_layers = range(hparams.first_finetuned_layer or 0, hparams.encoder_layers)
        self.encoder = SentenceEncoder.from_hparams(hparams, trainable_layers=self.upper_layers)
        self.dropout = keras.layers.Dropout(0.3, seed=hparams.seed)
        bias = keras.initializers.Constant(log_odds)
        self.head = keras.layers.Dense(
            len(log_odds), kernel_initializer="zeros", bias_initializer=bias
        )

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        """Compute logits, float32 [N, genres].

        Args:
            inputs: Pair of lengths, int32 [N], and output of the lower layers, float16 [tokens,
                dimensions].
            training: Whether dropout is applied.
        """
        lengths, states = inputs
        tokens = PackedTokens(tf.cast(states, tf.float32), lengths)
        dropout = 0.1 if training else 0.0
        for index in self.upper_layers:
            tokens = self.encoder.run_layer(tokens, index, dropout, same_length=True)
        return self.head(HEAD_INPUT_SCALE * self.dropout(mean_pool(tokens), training=training))


def fine_tune(rows: Rows, hparams: HParams) -> FineTuned:
    """Train the upper layers under a classification head, which is discarded afterwards.

    Args:
        rows: Training split with its word pieces.
        hparams: Hyperparameters of the encoder and of its fine-tuning.
    """
    keras.utils.set_random_seed(hparams.seed)
    pieces, labels = rows.inputs[PIECES], np.asarray(rows.labels, np.float32)
    classifier = GenreClassifier(hparams, rows.genre_log_odds())
    steps_per_epoch = -(-len(labels) // BATCH_SIZE)
    steps = steps_per_epoch * hparams.finetuning_epochs
    learning_rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps,
        alpha=0.02,
        warmup_target=hparams.finetuning_learning_rate,
        warmup_steps=max(steps // 15, 1),
    )
    classifier.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    content = pieces.with_flat_values(classifier.encoder.is_content(pieces.flat_values))
    content_counts = tf.reduce_sum(tf.cast(content, tf.int32), axis=1).numpy()

    def log_progress(batch: int, logs: dict[str, float]) -> None:
        del batch
        done = int(classifier.optimizer.iterations.numpy())
        if done % LOG_INTERVAL_STEPS == 0 or done == steps:
            message = "fine-tuning the sentence encoder: %d of %d steps, loss %.4f"
            log.info(message, done, steps, logs["loss"])

    with TokenStateFile(content_counts, classifier.encoder.pretrained.dimensions) as states:
        lower_means = _run_lower_layers(classifier.encoder, pieces, states)

        def batches() -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
            rng = np.random.default_rng(hparams.seed)
            for _ in range(hparams.finetuning_epochs):
                for batch in length_bucketed_batches(states.token_counts, rng):
                    texts = [drop_tokens(states.read(row), rng) for row in batch]
                    yield _pack(texts), labels[batch]

        label_spec = tf.TensorSpec([None, labels.shape[1]], tf.float32)
        signature = _packed_spec(states.dimensions), label_spec
        classifier.fit(
            tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2),
            epochs=hparams.finetuning_epochs,
            steps_per_epoch=steps_per_epoch,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=log_progress)],
        )
        upper_means = _run_upper_layers(classifier.encoder, states)
    vectors = np.concatenate([lower_means, upper_means], axis=1)
    return FineTuned(classifier.encoder.trained_weights(), vectors)


def length_bucketed_batches(lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffle rows into the batches of one epoch, each of rows of similar length.

    Args:
        lengths: int [N]. Number of tokens of each row.
        rng: Random number generator.

    Returns:
        Indices of the rows of each batch, `BATCH_SIZE` in all batches but one.
    """
    order = rng.permutation(len(lengths))
    batches = []
    bucket_size = BATCH_SIZE * BATCHES_PER_BUCKET
    for start in range(0, len(order), bucket_size):
        bucket = order[start : start + bucket_size]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += [bucket[i : i + BATCH_SIZE] for i in range(0, len(bucket), BATCH_SIZE)]
    return [batches[i] for i in rng.permutation(len(batches))]


def drop_tokens(states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drop each token of a text with probability `TOKEN_DROPOUT`; keep all if none would remain.

    Args:
        states: float16 [tokens, dimensions].
        rng: Random number generator.

    Returns:
        float16 [remaining tokens, dimensions], in their order.
    """
    keep_mask = rng.random(len(states)) >= TOKEN_DROPOUT
    return states[keep_mask] if keep_mask.any() else states


def _pack(texts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths of texts, int32 [N], and their tokens, float16 [tokens, dimensions]."""
    return np.array([len(text) for text in texts], np.int32), np.concatenate(texts)


def _packed_spec(dimensions: int) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    return tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, dimensions], tf.float16)


def _run_lower_layers(
    encoder: SentenceEncoder, pieces: tf.RaggedTensor, states: TokenStateFile
) -> np.ndarray:
    """Run the layers that read all words, and write their output for content words to `states`.

    Returns:
        float16 [rows, dimensions], the mean-pooled output of `encoder.extra_layer`; [rows, 0] if
        that is not one of these layers.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def run(ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        content = encoder.is_content(tf.boolean_mask(ids, ids > 0))
        layers = range(encoder.content_only_from)
        tokens, means = encoder.run_layers(encoder.embed(ids), layers, content)
        return tf.cast(tokens.states, tf.float16), _concatenate(means, tf.shape(ids)[0])

    texts = split_texts(pieces)
    mean_by_row: dict[int, np.ndarray] = {}
    for batch in _batches_by_length(np.diff(pieces.row_splits), "lower"):
        ids = keras.utils.pad_sequences([texts[row] for row in batch], padding="post")
        packed, means = run(ids)
        mean_by_row |= dict(zip(batch.tolist(), means.numpy(), strict=True))
        ends = np.cumsum(states.token_counts[batch])[:-1]
        for row, text in zip(batch, np.split(packed.numpy(), ends), strict=True):
            states.write(row, text)
    return np.stack([mean_by_row[row] for row in range(len(texts))])


def _run_upper_layers(encoder: SentenceEncoder, states: TokenStateFile) -> np.ndarray:
    """Run the layers that read content words only, on the output of `_run_lower_layers`.

    Returns:
        float16 [rows, dimensions], the mean-pooled output of the last layer, after that of
        `encoder.extra_layer` if that is one of these layers: then [rows, 2 * dimensions].
    """

    @tf.function(input_signature=_packed_spec(states.dimensions))
    def run(lengths: tf.Tensor, lower_output: tf.Tensor) -> tf.Tensor:
        tokens = PackedTokens(tf.cast(lower_output, tf.float32), lengths)
        layers = range(encoder.content_only_from, encoder.num_layers)
        tokens, means = encoder.run_layers(tokens, layers)
        return _concatenate([*means, mean_pool(tokens)], tf.shape(lengths)[0])

    vector_by_row: dict[int, np.ndarray] = {}
    for batch in _batches_by_length(states.token_counts, "upper"):
        vectors = run(*_pack([states.read(row) for row in batch]))
        vector_by_row |= dict(zip(batch.tolist(), vectors.numpy(), strict=True))
    return np.stack([vector_by_row[row] for row in range(len(states.token_counts))])


def _concatenate(means: list[tf.Tensor], num_rows: tf.Tensor) -> tf.Tensor:
    """Concatenate mean-pooled outputs to float16 [rows, sum of widths]; [rows, 0] without any."""
    return tf.cast(tf.concat([tf.zeros([num_rows, 0]), *means], axis=1), tf.float16)


def _batches_by_length(lengths: np.ndarray, layers: str) -> Iterator[np.ndarray]:
    """Yield the indices of rows in batches of similar length, and log the progress.

    Args:
        lengths: int [N]. Number of tokens of each row.
        layers: Name of the layers in the log, `lower` or `upper`.
    """
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), BATCH_SIZE):
        yield order[start : start + BATCH_SIZE]
        if start // BATCH_SIZE % LOG_INTERVAL_STEPS == LOG_INTERVAL_STEPS - 1:
            message = "sentence encoder, %s layers: read %d of %d texts"
            log.info(message, layers, min(start + BATCH_SIZE, len(order)), len(order))
