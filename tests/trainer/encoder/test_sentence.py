"""MiniLM as a Keras layer."""

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from trainer.encoder.attention import distance, mixed
from trainer.encoder.pretrained import MINILM, MPNET, Pretrained
from trainer.encoder.sentence import TEXTS_TOGETHER, SentenceEncoder, Tokens, chosen, mean
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
MPNET_BEGIN = (0.09478081, 0.21888391, -0.11563614, 0.07464407, -0.19032802)
MPNET_END = (0.19533952, -0.01019125, 0.13342104, 0.09111836, 0.0325436)


def pieces(texts: tuple[str, ...]) -> tf.Tensor:
    inside = WordPieceTokenizer(minilm.vocabulary()).tokenize(basic_tokenize(tf.constant(texts)))
    one = tf.ones([len(texts), 1], tf.int64)
    return tf.cast(tf.concat([101 * one, inside, 102 * one], axis=1).to_tensor(), tf.int32)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def test_known_values_of_the_whole_encoder(encoder: SentenceEncoder) -> None:
    vector = encoder(pieces(TEXTS)).numpy()
    assert vector.shape == (3, DIMENSIONS)
    unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
    close, far = unit[0] @ unit[1], unit[0] @ unit[2]
    assert close > 0.5
    assert far < 0.2


def test_a_text_does_not_depend_on_its_batch(encoder: SentenceEncoder) -> None:
    ids = pieces(TEXTS)
    together = encoder(ids).numpy()
    for row in range(len(TEXTS)):
        np.testing.assert_allclose(encoder(ids[row : row + 1]).numpy()[0], together[row], atol=1e-5)


def test_texts_keep_their_order_whatever_their_lengths(encoder: SentenceEncoder) -> None:
    ids = pieces(TEXTS).numpy()
    lengths = np.random.default_rng(0).integers(2, ids.shape[1] + 1, 2 * TEXTS_TOGETHER + 1)
    many = ids[np.arange(len(lengths)) % len(TEXTS)] * (
        np.arange(ids.shape[1]) < lengths[:, np.newaxis]
    )
    together = encoder(many).numpy()
    for row in (0, 7, len(lengths) - 1):
        alone = encoder(many[row : row + 1, : lengths[row]]).numpy()[0]
        np.testing.assert_allclose(alone, together[row], atol=1e-5)


def test_no_text_at_all(encoder: SentenceEncoder) -> None:
    assert encoder(tf.zeros([0, 4], tf.int32)).shape == (0, DIMENSIONS)


def test_half_the_precision_is_enough(encoder: SentenceEncoder) -> None:
    rough = SentenceEncoder(compute_dtype="bfloat16")
    assert rough.count_params() == encoder.count_params()
    exact, found = (of(pieces(TEXTS)).numpy() for of in (encoder, rough))
    assert found.dtype == np.float32
    likeness = (
        (exact * found).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(found, axis=1)
    )
    assert (likeness > 0.9995).all()
    assert (found != exact).any()


def test_lower_layers_are_an_encoder_of_their_own() -> None:
    small = SentenceEncoder(1)
    assert len(small.weights) < len(SentenceEncoder(2).weights)
    assert np.isfinite(small(pieces(TEXTS)).numpy()).all()
    assert not small.trainable_weights


def test_a_lower_layer_beside_the_last() -> None:
    ids = pieces(TEXTS)
    both = SentenceEncoder(2, also=1)(ids).numpy()
    expected = np.concatenate([SentenceEncoder(1)(ids), SentenceEncoder(2)(ids)], axis=1)
    np.testing.assert_allclose(both, expected, atol=1e-5)


def test_layers_that_there_are_not_are_refused() -> None:
    with pytest.raises(ValueError, match="num_layers must be from 0 to 6"):
        SentenceEncoder(7)


def test_upper_layers_read_content_words_alone() -> None:
    two = ("A boy, and the war.", "The boy; or a war!")
    ids = tf.concat([pieces((text,)) for text in two], axis=0)

    def apart(content_from: int | None) -> float:
        """How far the vectors of the two texts are from each other."""
        one, other = SentenceEncoder(2, content_from=content_from)(ids).numpy()
        return float(np.linalg.norm(one - other) / np.linalg.norm(one))

    assert apart(0) < 1e-5 < 0.05 < apart(1) < apart(2) == apart(None)


def test_tokens_that_are_not_kept_are_read_all_the_same() -> None:
    encoder = SentenceEncoder(2, 2)
    ids = pieces(("A boy, and the war.", "The boys who went to the war or not!"))
    kept = encoder.is_content(tf.boolean_mask(ids, ids > 0))
    tokens = encoder.embed(ids)
    whole, _ = encoder.through(tokens, range(2))
    found, [lower] = encoder.through(tokens, range(2), kept)
    expected = chosen(whole, kept)
    assert tf.size(found.states) < tf.size(whole.states)
    np.testing.assert_allclose(found.states, expected.states, atol=1e-5)
    np.testing.assert_allclose(lower, mean(expected), atol=1e-5)
    blind, _ = encoder.through(chosen(tokens, kept), range(2))
    assert np.abs(blind.states - expected.states).max() > 0.01

    alone, _ = encoder.through(tokens, range(0), kept)
    np.testing.assert_array_equal(alone.states, chosen(tokens, kept).states)


def test_tokens_that_are_left_move_together() -> None:
    states = tf.range(6.0)[:, tf.newaxis] * tf.ones([1, DIMENSIONS])
    kept = tf.constant([False, True, True, True, False, True])
    found = chosen(Tokens(states, tf.constant([3, 1, 2])), kept)
    assert found.states[:, 0].numpy().tolist() == [1, 2, 3, 5]
    assert found.lengths.numpy().tolist() == [2, 1, 1]


def test_attention_by_groups_is_that_of_all_together(encoder: SentenceEncoder) -> None:
    lengths = np.random.default_rng(0).integers(1, 9, 2 * TEXTS_TOGETHER + 3)
    states = np.random.default_rng(1).normal(size=(lengths.sum(), DIMENSIONS))
    tokens = Tokens(tf.constant(states, tf.float32), tf.constant(lengths, tf.int32))
    apart, together = (encoder.layer(tokens, 2, alike=alike).states for alike in (False, True))
    np.testing.assert_allclose(apart, together, atol=1e-5)


@pytest.mark.parametrize("relative", [False, True])
def test_attention_learns_what_its_formula_does(relative: bool) -> None:
    """Against the same attention on one text after another, where nothing is padded or moved."""
    lengths = [3, 1, 4]
    random = np.random.default_rng(0)
    bias = tf.constant(random.normal(size=(32, 12)), tf.float32) if relative else None
    asked = tf.constant(random.normal(size=(sum(lengths), 3 * DIMENSIONS)), tf.float32)
    weights = tf.constant(random.normal(size=(sum(lengths), DIMENSIONS)), tf.float32)

    def by_text(asked: tf.Tensor) -> tf.Tensor:
        found = []
        for text in tf.split(asked, lengths):
            query, key, value = (
                tf.transpose(tf.reshape(part, [-1, 12, 32]), [1, 0, 2])
                for part in tf.split(text, 3, axis=1)
            )
            scores = query @ tf.transpose(key, [0, 2, 1]) / 32**0.5
            if bias is not None:
                place = np.arange(len(text))
                away = place - place[:, np.newaxis]
                scores += tf.transpose(tf.gather(bias, abs(away) + 16 * (away > 0)), [2, 0, 1])
            attention = tf.nn.softmax(scores)
            found.append(tf.reshape(tf.transpose(attention @ value, [1, 0, 2]), [-1, DIMENSIONS]))
        return tf.concat(found, axis=0)

    outputs, gradients = [], []
    for attend in (by_text, lambda asked: mixed(asked, tf.constant(lengths), 12, bias)):
        with tf.GradientTape() as tape:
            tape.watch(asked)
            outputs.append(attend(asked))
            loss = tf.reduce_sum(weights * outputs[-1])
        gradients.append(tape.gradient(loss, asked))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-4)


def test_far_tokens_share_their_distance() -> None:
    places = [0, -1, -7, -8, -16, -32, -127, -128, -500, 1, 7, 8, 500]
    expected = [0, 1, 7, 8, 10, 12, 15, 15, 15, 17, 23, 24, 31]
    assert distance(tf.constant(places), 32).numpy().tolist() == expected


@pytest.fixture
def mpnet() -> Pretrained:
    try:
        MPNET.require()
    except UserError as error:
        pytest.skip(str(error))
    return MPNET


@pytest.mark.slow
def test_mpnet_is_what_transformers_makes_of_it(mpnet: Pretrained) -> None:
    """The numbers are those of TFMPNetModel of transformers 4.49.0, averaged over the tokens."""
    vector = SentenceEncoder(pretrained=mpnet)(pieces(MPNET_TEXTS)).numpy()
    np.testing.assert_allclose(vector[0, :5], MPNET_BEGIN, atol=1e-5)
    np.testing.assert_allclose(vector[2, -5:], MPNET_END, atol=1e-5)
