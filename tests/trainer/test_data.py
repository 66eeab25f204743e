"""Rows in memory and what the model reads of them."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from schema.genres import NUM_GENRES
from trainer.data import MAX_PIECES, MAX_TITLE_PIECES, Rows, TextPieces, without_titles
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


VOCABULARY = minilm.vocabulary()
BEGIN, END = (VOCABULARY.index(mark) for mark in (minilm.CLS, minilm.SEP))
A, STORY = (VOCABULARY.index(word) for word in ("a", "story"))


def test_pieces_of_title_and_plot_stand_between_marks() -> None:
    ids = TextPieces()(tf.constant(["Story", "", "a", ""]), tf.constant(["A story", "a", "", ""]))
    assert ids.numpy().tolist() == [
        [BEGIN, STORY, END, A, STORY, END],
        [BEGIN, END, A, END, 0, 0],
        [BEGIN, A, END, END, 0, 0],
        [BEGIN, END, END, 0, 0, 0],
    ]


def test_long_titles_and_plots_are_cut() -> None:
    ids = TextPieces()(tf.constant(["story " * 50]), tf.constant(["a " * MAX_PIECES])).numpy()
    plot = MAX_PIECES - MAX_TITLE_PIECES - 3
    assert ids[0].tolist() == [BEGIN, *[STORY] * MAX_TITLE_PIECES, END, *[A] * plot, END]


def test_titles_can_be_hidden_as_if_they_were_not_known() -> None:
    titles = tf.constant(["story", "a story", "", "story"])
    plots = tf.constant(["a", "", "a story", "story"])
    rows = np.array([True, True, True, False])
    pieces = tf.RaggedTensor.from_tensor(TextPieces()(titles, plots), padding=0)
    unknown = TextPieces()(tf.where(rows, "", titles), plots)
    expected = tf.RaggedTensor.from_tensor(unknown, padding=0)
    assert without_titles(pieces, rows).to_list() == expected.to_list()


def test_pieces_can_be_saved_with_a_model(tmp_path: Path) -> None:
    pieces = TextPieces()
    texts = tf.constant(["Unforgiven"]), tf.constant(["A retired gunman rides into town."])
    call = tf.function(pieces.__call__, input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    tf.saved_model.save(pieces, str(tmp_path), signatures={"pieces": call})
    loaded = tf.saved_model.load(str(tmp_path)).signatures["pieces"]
    [found] = loaded(titles=texts[0], plots=texts[1]).values()
    np.testing.assert_array_equal(found, pieces(*texts))
