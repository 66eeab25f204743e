"""MiniLM as a Keras layer."""

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from trainer.encoder.attention import packed_attention, relative_position_bucket
from trainer.encoder.pretrained import MINILM, MPNET, PretrainedEncoder
from trainer.encoder.sentence import (
    ATTENTION_GROUP_SIZE,
    PackedTokens,
    SentenceEncoder,
    mean_pool,
    select_tokens,
)
from transform import minilm
from transform.wordpiece import WordPieceTokenizer, basic_tokenize

DIMENSIONS = MINILM.dimensions

TEXTS = (
    "A detective hunts a killer through the city.",
    "A policeman looks for a murderer in town.",
    "Two friends learn to bake bread.",
)

MPNET_TEXTS = (
    "A detective hunts a serial killer in Los Angeles.",
    "A cop chases a murderer through the city.",
    "Two teenagers fall in love at summer camp.",
)
MPNET_FIRST_VALUES = (0.09478081, 0.21888391, -0.11563614, 0.07464407, -0.19032802)
MPNET_LAST_VALUES = (0.19533952, -0.01019125, 0.13342104, 0.09111836, 0.0325436)


def pieces(texts: tuple[str, ...]) -> tf.Tensor:
    words = WordPieceTokenizer(minilm.vocabulary()).tokenize(basic_tokenize(tf.constant(texts)))
    one = tf.ones([len(texts), 1], tf.int64)
    return tf.cast(tf.concat([101 * one, words, 102 * one], axis=1).to_tensor(), tf.int32)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def test_similar_texts_have_similar_vectors(encoder: SentenceEncoder) -> None:
    vector = encoder(pieces(TEXTS)).numpy()
    assert vector.shape == (3, DIMENSIONS)
    unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > 0.5
    assert unit[0] @ unit[2] < 0.2


def test_a_text_does_not_depend_on_its_batch(encoder: SentenceEncoder) -> None:
    ids = pieces(TEXTS)
    together = encoder(ids).numpy()
    for row in range(len(TEXTS)):
        np.testing.assert_allclose(encoder(ids[row : row + 1]).numpy()[0], together[row], atol=1e-5)


def test_texts_of_different_lengths_keep_their_order(encoder: SentenceEncoder) -> None:
    ids = pieces(TEXTS).numpy()
    lengths = np.random.default_rng(0).integers(2, ids.shape[1] + 1, 2 * ATTENTION_GROUP_SIZE + 1)
    many = ids[np.arange(len(lengths)) % len(TEXTS)] * (
        np.arange(ids.shape[1]) < lengths[:, np.newaxis]
    )
    together = encoder(many).numpy()
    for row in (0, 7, len(lengths) - 1):
        alone = encoder(many[row : row + 1, : lengths[row]]).numpy()[0]
        np.testing.assert_allclose(alone, together[row], atol=1e-5)


def test_no_texts(encoder: SentenceEncoder) -> None:
    assert encoder(tf.zeros([0, 4], tf.int32)).shape == (0, DIMENSIONS)


def test_bfloat16_is_close_to_float32(encoder: SentenceEncoder) -> None:
    bfloat16 = SentenceEncoder(compute_dtype="bfloat16")
    assert bfloat16.count_params() == encoder.count_params()
    expected, actual = encoder(pieces(TEXTS)).numpy(), bfloat16(pieces(TEXTS)).numpy()
    assert actual.dtype == np.float32
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    assert ((expected * actual).sum(1) / norms > 0.9995).all()
    assert (actual != expected).any()


def test_the_lower_layers_alone_are_an_encoder() -> None:
    one_layer = SentenceEncoder(1)
    assert len(one_layer.weights) < len(SentenceEncoder(2).weights)
    assert np.isfinite(one_layer(pieces(TEXTS)).numpy()).all()
    assert not one_layer.trainable_weights


def test_an_extra_layer_is_prepended_to_the_last() -> None:
    ids = pieces(TEXTS)
    both = SentenceEncoder(2, extra_layer=1)(ids).numpy()
    expected = np.concatenate([SentenceEncoder(1)(ids), SentenceEncoder(2)(ids)], axis=1)
    np.testing.assert_allclose(both, expected, atol=1e-5)


def test_too_many_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="num_layers must be from 0 to 6"):
        SentenceEncoder(7)


def test_upper_layers_read_only_content_words() -> None:
    ids = pieces(("A boy, and the war.", "The boy; or a war!"))

    def distance(content_only_from: int | None) -> float:
        """Distance between the vectors of the two texts, relative to the norm of the first."""
        first, second = SentenceEncoder(2, content_only_from=content_only_from)(ids).numpy()
        return float(np.linalg.norm(first - second) / np.linalg.norm(first))

    assert distance(0) < 1e-5 < 0.05 < distance(1) < distance(2) == distance(None)


def test_tokens_outside_the_keep_mask_take_part_in_attention() -> None:
    encoder = SentenceEncoder(2, 2)
    ids = pieces(("A boy, and the war.", "The boys who went to the war or not!"))
    keep_mask = encoder.is_content(tf.boolean_mask(ids, ids > 0))
    tokens = encoder.embed(ids)
    all_tokens, _ = encoder.run_layers(tokens, range(2))
    kept, [means] = encoder.run_layers(tokens, range(2), keep_mask)
    expected = select_tokens(all_tokens, keep_mask)
    assert tf.size(kept.states) < tf.size(all_tokens.states)
    np.testing.assert_allclose(kept.states, expected.states, atol=1e-5)
    np.testing.assert_allclose(means, mean_pool(expected), atol=1e-5)
    selected_first, _ = encoder.run_layers(select_tokens(tokens, keep_mask), range(2))
    assert np.abs(selected_first.states - expected.states).max() > 0.01

    without_layers, _ = encoder.run_layers(tokens, range(0), keep_mask)
    np.testing.assert_array_equal(without_layers.states, select_tokens(tokens, keep_mask).states)


def test_selected_tokens_are_packed() -> None:
    states = tf.range(6.0)[:, tf.newaxis] * tf.ones([1, DIMENSIONS])
    keep_mask = tf.constant([False, True, True, True, False, True])
    selected = select_tokens(PackedTokens(states, tf.constant([3, 1, 2])), keep_mask)
    assert selected.states[:, 0].numpy().tolist() == [1, 2, 3, 5]
    assert selected.lengths.numpy().tolist() == [2, 1, 1]


def test_attention_is_the_same_in_groups_and_in_one_group(encoder: SentenceEncoder) -> None:
    lengths = np.random.default_rng(0).integers(1, 9, 2 * ATTENTION_GROUP_SIZE + 3)
    states = np.random.default_rng(1).normal(size=(lengths.sum(), DIMENSIONS))
    tokens = PackedTokens(tf.constant(states, tf.float32), tf.constant(lengths, tf.int32))
    in_groups = encoder.run_layer(tokens, 2, same_length=False)
    in_one_group = encoder.run_layer(tokens, 2, same_length=True)
    np.testing.assert_allclose(in_groups.states, in_one_group.states, atol=1e-5)


@pytest.mark.parametrize("relative", [False, True])
def test_outputs_and_gradients_of_packed_attention(relative: bool) -> None:
    """The reference computes one text at a time, without padding and permutations."""
    lengths = [3, 1, 4]
    rng = np.random.default_rng(0)
    bias = tf.constant(rng.normal(size=(32, 12)), tf.float32) if relative else None
    qkv = tf.constant(rng.normal(size=(sum(lengths), 3 * DIMENSIONS)), tf.float32)
    weights = tf.constant(rng.normal(size=(sum(lengths), DIMENSIONS)), tf.float32)

    def attention_by_text(qkv: tf.Tensor) -> tf.Tensor:
        outputs = []
        for text in tf.split(qkv, lengths):
            query, key, value = (
                tf.transpose(tf.reshape(part, [-1, 12, 32]), [1, 0, 2])
                for part in tf.split(text, 3, axis=1)
            )
            scores = query @ tf.transpose(key, [0, 2, 1]) / 32**0.5
            if bias is not None:
                position = np.arange(len(text))
                relative = position - position[:, np.newaxis]
                bucket = abs(relative) + 16 * (relative > 0)
                scores += tf.transpose(tf.gather(bias, bucket), [2, 0, 1])
            by_head = tf.nn.softmax(scores) @ value
            outputs.append(tf.reshape(tf.transpose(by_head, [1, 0, 2]), [-1, DIMENSIONS]))
        return tf.concat(outputs, axis=0)

    def attention_packed(qkv: tf.Tensor) -> tf.Tensor:
        return packed_attention(qkv, tf.constant(lengths), 12, bias)

    outputs, gradients = [], []
    for attention in (attention_by_text, attention_packed):
        with tf.GradientTape() as tape:
            tape.watch(qkv)
            outputs.append(attention(qkv))
            loss = tf.reduce_sum(weights * outputs[-1])
        gradients.append(tape.gradient(loss, qkv))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-4)


def test_relative_position_buckets() -> None:
    positions = [0, -1, -7, -8, -16, -32, -127, -128, -500, 1, 7, 8, 500]
    expected = [0, 1, 7, 8, 10, 12, 15, 15, 15, 17, 23, 24, 31]
    assert relative_position_bucket(tf.constant(positions), 32).numpy().tolist() == expected


@pytest.fixture
def mpnet() -> PretrainedEncoder:
    try:
        MPNET.check_installed()
    except UserError as error:
        pytest.skip(str(error))
    return MPNET


@pytest.mark.slow
def test_mpnet_agrees_with_transformers(mpnet: PretrainedEncoder) -> None:
    """The expected values are from TFMPNetModel of transformers 4.49.0, with mean pooling."""
    vector = SentenceEncoder(pretrained=mpnet)(pieces(MPNET_TEXTS)).numpy()
    np.testing.assert_allclose(vector[0, :5], MPNET_FIRST_VALUES, atol=1e-5)
    np.testing.assert_allclose(vector[2, -5:], MPNET_LAST_VALUES, atol=1e-5)
