"""Rows in memory, and the word pieces of titles and plots."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.data import (
    MAX_PIECES,
    MAX_TITLE_PIECES,
    Rows,
    TitlePlotTokenizer,
    mask_plots,
    mask_titles,
)
from transform import minilm

NUM_GENRES = 5


def rows(count: int = 5) -> Rows:
    inputs = {
        "ids": tf.RaggedTensor.from_row_lengths(
            tf.range(1, count + 1), [0] + [1] * (count - 2) + [2]
        ),
        "features": np.arange(2 * count).reshape(count, 2).astype(np.float16),
    }
    return Rows(inputs, np.eye(count, NUM_GENRES, dtype=np.float32))


def test_batches_are_padded_and_in_order() -> None:
    first, second, third = rows().batches(2)
    assert first[0]["ids"].numpy().tolist() == [[0], [1]]
    assert third[0]["ids"].numpy().tolist() == [[4, 5]]
    assert second[0]["features"].dtype == tf.float32
    np.testing.assert_array_equal(third[1], rows().labels[4:])


def test_each_epoch_is_shuffled_anew_and_a_seed_repeats_the_orders() -> None:
    def order(batches: tf.data.Dataset) -> list[int]:
        return [int(row) for _, labels in batches for row in np.argmax(labels, axis=1)]

    batches = rows().batches(2, shuffle_seed=4)
    epochs = [order(batches) for _ in range(3)]
    assert all(sorted(epoch) == list(range(5)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    repeated = rows().batches(2, shuffle_seed=4)
    assert [order(repeated) for _ in range(3)] == epochs


def test_only_selected_inputs_are_read() -> None:
    added = rows().with_inputs({"added": np.ones((5, 1), np.float32)})
    [(inputs, _)] = added.select(["added"]).batches(5)
    assert set(inputs) == {"added"}


VOCABULARY = minilm.vocabulary()
BEGIN, END, A, STORY = map(VOCABULARY.index, (minilm.CLS, minilm.SEP, "a", "story"))


def test_title_and_plot_are_separated() -> None:
    titles, plots = ["Story", "", "a", ""], ["A story", "a", "", ""]
    ids = TitlePlotTokenizer()(tf.constant(titles), tf.constant(plots))
    assert ids.numpy().tolist() == [
        [BEGIN, STORY, END, A, STORY, END],
        [BEGIN, END, A, END, 0, 0],
        [BEGIN, A, END, END, 0, 0],
        [BEGIN, END, END, 0, 0, 0],
    ]


def test_long_titles_and_plots_are_truncated() -> None:
    titles, plots = tf.constant(["story " * 50]), tf.constant(["a " * MAX_PIECES])
    ids = TitlePlotTokenizer()(titles, plots).numpy()
    plot = MAX_PIECES - MAX_TITLE_PIECES - 3
    assert ids[0].tolist() == [BEGIN, *[STORY] * MAX_TITLE_PIECES, END, *[A] * plot, END]


def test_a_masked_title_equals_an_unknown_title() -> None:
    titles = tf.constant(["story", "a story", "", "story"])
    plots = tf.constant(["a", "", "a story", "story"])
    masked = np.array([True, True, True, False])
    tokenizer = TitlePlotTokenizer()
    pieces = tf.RaggedTensor.from_tensor(tokenizer(titles, plots), padding=0)
    unknown = tokenizer(tf.where(masked, "", titles), plots)
    expected = tf.RaggedTensor.from_tensor(unknown, padding=0)
    assert mask_titles(pieces, masked).to_list() == expected.to_list()


def test_a_masked_plot_reads_like_an_unknown_plot() -> None:
    tokenizer = TitlePlotTokenizer()
    titles = tf.constant(["Unforgiven", "", "Ran", "The Long Ford"])
    plots = tf.constant(["A retired gunman rides into town.", "A king divides his realm.", "", "x"])

    def pieces(plots: tf.Tensor) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_tensor(tokenizer(titles, plots), padding=0)

    unknown = pieces(tf.constant([""] * 4))
    assert mask_plots(pieces(plots)).to_list() == unknown.to_list()


def test_the_tokenizer_can_be_saved_with_a_model(tmp_path: Path) -> None:
    tokenizer = TitlePlotTokenizer()
    texts = tf.constant(["Unforgiven"]), tf.constant(["A retired gunman rides into town."])
    call = tf.function(tokenizer.__call__, input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    tf.saved_model.save(tokenizer, str(tmp_path), signatures={"pieces": call})
    loaded = tf.saved_model.load(str(tmp_path)).signatures["pieces"]
    [pieces] = loaded(titles=texts[0], plots=texts[1]).values()
    np.testing.assert_array_equal(pieces, tokenizer(*texts))
