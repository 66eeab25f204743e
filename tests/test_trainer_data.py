"""Rows in memory and what the model reads of them."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from schema.genres import NUM_GENRES
from trainer.data import Rows, TextPieces
from transform import minilm


def rows(count: int = 5) -> Rows:
    inputs = {
        "ids": tf.RaggedTensor.from_row_lengths(
            tf.range(1, count + 1), [0] + [1] * (count - 2) + [2]
        ),
        "evidence": np.arange(2 * count).reshape(count, 2).astype(np.float16),
    }
    return Rows(inputs, np.eye(count, NUM_GENRES, dtype=np.float32))


def test_batches_are_padded_and_in_order() -> None:
    first, second, third = rows().batches(2)
    assert first[0]["ids"].numpy().tolist() == [[0], [1]]
    assert third[0]["ids"].numpy().tolist() == [[4, 5]]
    assert second[0]["evidence"].dtype == tf.float32
    np.testing.assert_array_equal(third[1], rows().labels[4:])


def test_each_pass_has_an_order_of_its_own_and_a_seed_repeats_it() -> None:
    def order(batches: tf.data.Dataset) -> list[int]:
        return [int(one) for _, labels in batches for one in np.argmax(labels, axis=1)]

    batches = rows().batches(2, shuffle_seed=4)
    passes = [order(batches), order(batches), order(batches)]
    assert all(sorted(one) == list(range(5)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1
    again = rows().batches(2, shuffle_seed=4)
    assert [order(again), order(again), order(again)] == passes


def test_only_what_is_asked_for_is_read() -> None:
    more = rows().joined({"more": np.ones((5, 1), np.float32)})
    [(inputs, _)] = more.only(["more"]).batches(5)
    assert set(inputs) == {"more"}


def test_pieces_stand_between_begin_and_end_and_are_cut() -> None:
    ids = TextPieces()(tf.constant(["", "a heist", "heist " * 200]), 96).numpy()
    vocabulary = minilm.vocabulary()
    begin, end = (vocabulary.index(mark) for mark in (minilm.BEGIN, minilm.END))
    assert ids.shape == (3, 96)
    assert ids[0].tolist() == [begin, end] + [0] * (96 - 2)
    assert ids[1, 0] == begin
    assert (ids[2] != 0).all()
    assert ids[2, -1] == end


def test_pieces_can_be_saved_with_a_model(tmp_path: Path) -> None:
    pieces = TextPieces()
    texts = tf.constant(["A retired gunman rides into town."])
    call = tf.function(
        lambda texts: pieces(texts, 96), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(pieces, str(tmp_path), signatures={"pieces": call})
    [found] = tf.saved_model.load(str(tmp_path)).signatures["pieces"](texts).values()
    np.testing.assert_array_equal(found, pieces(texts, 96))
