"""Columns and lists of ids are read as they were written, including missing values."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from components import examples
from schema import features as raw
from tests.data.tiny_movies import make_movies, serialize, with_values, write_examples


def test_columns_contain_every_example_in_order(tmp_path: Path) -> None:
    rows = make_movies(3)
    rows[1] |= {raw.PLOT: "Žižek’s “plot”\nin two lines", raw.RATING: None, raw.YEAR: None}
    rows[2] |= {raw.WRITERS: None}
    artifact = write_examples(tmp_path, {"train": serialize(rows), "eval": []})

    read = examples.read_columns(artifact, "train", raw.CSV_COLUMNS)
    assert read[raw.PLOT].tolist() == [row[raw.PLOT] for row in rows]
    assert read[raw.WRITERS].tolist() == [rows[0][raw.WRITERS], rows[1][raw.WRITERS], ""]
    for name in (raw.RATING, raw.YEAR):
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(
            read[name], np.array([rows[0][name], np.nan, rows[2][name]], np.float32)
        )
    assert len(examples.split_files(artifact, "train")) == 1
    assert list(examples.serialized_examples(artifact, "train").as_numpy_iterator()) == serialize(
        rows
    )


def test_a_column_without_any_value(tmp_path: Path) -> None:
    rows = with_values(make_movies(2), average_rating=None, cast=None)
    artifact = write_examples(tmp_path, {"train": serialize(rows)})

    read = examples.read_columns(artifact, "train", [raw.RATING, raw.CAST])
    np.testing.assert_array_equal(read[raw.RATING], np.array([np.nan, np.nan], np.float32))
    assert read[raw.CAST].tolist() == ["", ""]


def test_an_empty_split(tmp_path: Path) -> None:
    artifact = write_examples(tmp_path, {"train": serialize(make_movies(1)), "test": []})

    read = examples.read_columns(artifact, "test", [raw.PLOT, raw.YEAR])
    assert read[raw.PLOT].tolist() == []
    assert (read[raw.YEAR].shape, read[raw.YEAR].dtype) == ((0,), np.float32)
    assert examples.read_id_lists(artifact, "test", "ids").to_list() == []


def test_lists_of_ids_may_be_empty(tmp_path: Path) -> None:
    lists: list[list[int]] = [[3, 1, 3], [], [7]]
    records = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"ids": tf.train.Feature(int64_list=tf.train.Int64List(value=one))}
            )
        ).SerializeToString()
        for one in lists
    ]
    artifact = write_examples(tmp_path, {"train": records})

    assert examples.read_id_lists(artifact, "train", "ids").to_list() == lists
