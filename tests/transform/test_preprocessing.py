"""Golden values of the Transform step, on three made-up movies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from schema.genres import GENRES
from transform import features as xf
from transform.preprocessing import preprocessing_fn

CONFIG = {
    "transform": {
        "max_plot_words": 4,
        "max_cast": 2,
        "min_word_count": 2,
    }
}

SPEC = {
    name: tf.io.VarLenFeature(dtype)
    for name, dtype in {
        "plot": tf.string,
        "title": tf.string,
        "genres": tf.string,
        "directors": tf.string,
        "writers": tf.string,
        "cast": tf.string,
        "split_key": tf.string,
        "year": tf.int64,
        "runtime_minutes": tf.int64,
        "average_rating": tf.float32,
        "num_votes": tf.int64,
    }.items()
}

MOVIES: list[dict[str, list[Any]]] = [
    {
        "plot": ["The ship sinks. The ship burns!"],
        "title": ["The Ship"],
        "genres": ["Drama|War"],
        "year": [1998],
        "runtime_minutes": [100],
        "average_rating": [6.0],
        "num_votes": [99],
        "directors": ["Ann Lee"],
        "cast": ["Bo Dahl|Cy Eck|Di Fox"],
        "split_key": ["the ship"],
    },
    {
        "plot": ["The ship's captain don't care."],
        "title": ["The Captain"],
        "genres": ["Comedy"],
        "year": [2001],
        "runtime_minutes": [200],
        "average_rating": [8.0],
        "num_votes": [99],
        "directors": ["Ann Lee|Zed Orr"],
        "cast": ["Bo Dahl"],
        "split_key": ["the ship"],
    },
    {"plot": [""], "title": [], "genres": ["Talk-Show"], "num_votes": [0]},
]


def row(movie: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: movie.get(name, []) for name in SPEC}


def transform(
    movies: list[dict[str, list[Any]]], directory: Path, config: dict[str, Any] = CONFIG
) -> tuple[list[dict[str, Any]], Path]:
    """Fit the graph on movies; return the transformed movies and the directory of the graph."""
    graph = directory / "graph"
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=str(directory / "beam")):
        data = ([row(movie) for movie in movies], metadata)
        (rows, _), transform_fn = data | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        transform_fn | tft_beam.WriteTransformFn(str(graph))
    return rows, graph


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    return transform(MOVIES, tmp_path_factory.mktemp("transformed"))


def serve(movie: dict[str, list[Any]], graph: Path) -> dict[str, Any]:
    """Transform one movie with the saved graph, as the exported model does."""
    layer = tft.TFTransformOutput(str(graph)).transform_features_layer()
    features: dict[str, Any] = layer(sparse_inputs([movie]))
    return features


def sparse_inputs(movies: list[dict[str, list[Any]]]) -> dict[str, tf.SparseTensor]:
    """Return the inputs of the saved graph."""
    inputs = {}
    for name, spec in SPEC.items():
        known = [place for place, movie in enumerate(movies) if movie.get(name)]
        values = tf.constant([movies[place][name][0] for place in known], spec.dtype)
        indices = np.array([[place, 0] for place in known], np.int64).reshape(-1, 2)
        inputs[name] = tf.SparseTensor(indices, values, [len(movies), 1])
    return inputs


def vocabulary(graph: Path, name: str) -> list[str]:
    words: list[bytes] = tft.TFTransformOutput(str(graph)).vocabulary_by_name(name)
    return [word.decode() for word in words]


def ids(movie: dict[str, Any], name: str) -> list[int]:
    # A varying-length feature comes back from Beam as its values.
    return [int(value) for value in movie[name]]


def words(movie: dict[str, Any], graph: Path, name: str) -> list[str]:
    known = [*vocabulary(graph, name), "<out of vocabulary>"]
    return [known[index] for index in ids(movie, name)]


def hashes(*strings: str) -> list[int]:
    return [int(value) for value in tf.strings.to_hash_bucket_fast(strings, xf.NUM_HASHES)]


def test_the_vocabulary_contains_words_that_occur_often_enough(transformed: Any) -> None:
    _, graph = transformed
    assert vocabulary(graph, xf.PLOT_WORDS) == ["the", "ship"]


def test_plot_words_are_in_order_and_truncated(transformed: Any) -> None:
    (first, second, empty), graph = transformed
    assert words(first, graph, xf.PLOT_WORDS) == ["the", "ship", "<out of vocabulary>", "the"]
    assert words(second, graph, xf.PLOT_WORDS) == ["the", *["<out of vocabulary>"] * 3]
    assert ids(empty, xf.PLOT_WORDS) == []


def test_ngrams_and_title_words_are_distinct_hashes(transformed: Any) -> None:
    (first, second, empty), _ = transformed
    words = ["the", "ship", "sinks", "burns"]
    pairs = ["the ship", "ship sinks", "sinks the", "ship burns"]
    assert ids(first, xf.PLOT_NGRAMS) == hashes(*words, *pairs)
    assert ids(first, xf.TITLE_WORDS) == hashes("the", "ship")
    assert ids(second, xf.TITLE_WORDS) == hashes("the", "captain")
    assert ids(empty, xf.PLOT_NGRAMS) == ids(empty, xf.TITLE_WORDS) == []


def test_people_are_in_billing_order_and_the_cast_is_truncated(transformed: Any) -> None:
    (first, second, empty), _ = transformed
    assert ids(first, "cast_ids") == hashes("Bo Dahl", "Cy Eck")
    assert ids(second, "directors_ids") == hashes("Ann Lee", "Zed Orr")
    assert ids(first, "writers_ids") == []
    assert ids(empty, "cast_ids") == []


def test_movies_with_the_same_split_key_share_a_group(transformed: Any) -> None:
    (first, second, empty), _ = transformed
    groups = [int(movie[xf.SPLIT_GROUP]) for movie in (first, second, empty)]
    assert groups == hashes("the ship", "the ship", "")


def test_numbers_are_scaled_over_the_known_values(transformed: Any) -> None:
    (first, second, empty), _ = transformed
    # Each column has two known values, so their z-scores are -1 and 1; equal votes have none.
    np.testing.assert_allclose(first[xf.NUMBERS], [-1, -1, -1, 0], atol=1e-5)
    np.testing.assert_allclose(second[xf.NUMBERS], [1, 1, 1, 0], atol=1e-5)
    np.testing.assert_array_equal(empty[xf.NUMBERS], [0, 0, 0, 0])


def test_missing_numbers_are_indicated(transformed: Any) -> None:
    (first, _, empty), _ = transformed
    np.testing.assert_array_equal(first[xf.NUMBERS_MISSING], [0, 0, 0, 0])
    np.testing.assert_array_equal(empty[xf.NUMBERS_MISSING], [1, 1, 1, 1])


def test_labels_are_multi_hot_in_the_fixed_order(transformed: Any) -> None:
    (first, second, empty), _ = transformed
    assert [GENRES[i] for i in np.flatnonzero(first[xf.LABEL])] == ["Drama", "War"]
    assert [GENRES[i] for i in np.flatnonzero(second[xf.LABEL])] == ["Comedy"]
    assert not empty[xf.LABEL].any()
    assert first[xf.LABEL].shape == (22,)


def test_the_genres_of_a_run_are_its_own(tmp_path: Path) -> None:
    genres = ["Talk-Show", "été", "War"]
    movies = [*MOVIES, {"plot": [""], "genres": [" été |War|Comedy"]}]
    rows, graph = transform(movies, tmp_path, CONFIG | {"genres": genres})
    expected = [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 1]]
    np.testing.assert_array_equal([row[xf.LABEL] for row in rows], expected)
    np.testing.assert_array_equal(serve(movies[3], graph)[xf.LABEL], expected[3:])


def test_slices(transformed: Any) -> None:
    rows, _ = transformed
    assert [movie[xf.DECADE] for movie in rows] == [b"1990s", b"2000s", b"unknown"]
    assert [movie[xf.PLOT_LENGTH] for movie in rows] == [b"short"] * 3
    assert [movie[xf.METADATA] for movie in rows] == [
        b"complete",
        b"complete",
        b"plot and title only",
    ]
    assert [movie[xf.LANGUAGE] for movie in rows] == [b"English", b"English", b"none"]


def test_a_single_movie_is_transformed_as_in_training(transformed: Any) -> None:
    rows, graph = transformed
    for movie, expected in zip(MOVIES, rows, strict=True):
        transformed_movie = serve(movie, graph)
        for name, value in expected.items():
            actual = transformed_movie[name]
            actual = actual.values if isinstance(actual, tf.SparseTensor) else actual[0]
            np.testing.assert_array_equal(actual.numpy(), value, err_msg=name)


def test_texts_are_cleaned_as_clients_send_them(transformed: Any) -> None:
    _, graph = transformed
    changed = {
        "plot": ["<p>The ship\u00a0sinks.[4]</p>\r\nThe&nbsp;sh\u200bip burns! — Ann Lee"],
        "title": ["\u2009The&#32;Ship\n"],
        "directors": ["Ann\u00a0Lee "],
        "cast": ["Bo\tDahl|Cy &Eacute;ck|Di Fox"],
    }
    features = serve({**MOVIES[0], **changed}, graph)
    expected = serve({**MOVIES[0], "cast": ["Bo Dahl|Cy E\u0301ck|Di Fox"]}, graph)
    for name, value in expected.items():
        actual = features[name]
        if isinstance(value, tf.SparseTensor):
            actual, value = actual.values, value.values
        np.testing.assert_array_equal(actual.numpy(), value.numpy(), err_msg=name)
    placeholder = serve({**MOVIES[0], "plot": ["No plot available."]}, graph)
    assert placeholder[xf.PLOT_TEXT].numpy().tolist() == [b""]


def test_a_number_that_no_training_movie_has_is_neutral(tmp_path: Path) -> None:
    _, graph = transform([movie | {"average_rating": []} for movie in MOVIES], tmp_path)
    features = serve(MOVIES[0], graph)
    np.testing.assert_allclose(features[xf.NUMBERS], [[-1, -1, 0, 0]], atol=1e-5)
    np.testing.assert_array_equal(features[xf.NUMBERS_MISSING], [[0, 0, 0, 0]])


def test_the_numbers_of_a_movie_do_not_depend_on_the_other_movies(transformed: Any) -> None:
    """The trees compare them with thresholds, so even the last digit must be the same."""
    _, graph = transformed
    layer = tft.TFTransformOutput(str(graph)).transform_features_layer()
    movies = [{**MOVIES[0], "num_votes": [votes]} for votes in range(3, 3000, 31)]
    together = layer(sparse_inputs(movies))[xf.NUMBERS]
    alone = [layer(sparse_inputs([movie]))[xf.NUMBERS][0] for movie in movies]
    np.testing.assert_array_equal(together, alone)
