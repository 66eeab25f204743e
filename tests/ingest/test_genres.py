"""Tests of the mapping of genres and of the choice of a build's labels."""

import pytest

from ingest.genres import GenreMap, label_set
from schema.errors import UserError


def test_genres_are_renamed_merged_and_dropped() -> None:
    genre_map = {"Suspense": "Thriller", "Reality TV": "", "Noir": "Crime"}
    given = ["Noir", " Suspense", "Reality TV", "Thriller", "Comedy"]
    assert GenreMap(genre_map).apply(given) == ("Crime", "Thriller", "Comedy")


def test_a_map_is_applied_once() -> None:
    assert GenreMap({"A": "B", "B": "A"}).apply(["A", "B"]) == ("B", "A")


def test_case_and_spaces_make_no_difference_in_a_map() -> None:
    genre_map = GenreMap({"science  Fiction ": "Sci-Fi", "Noir": "Crime"})
    assert genre_map.unused == ["science  Fiction ", "Noir"]
    assert genre_map.apply([" Science Fiction", "SCIENCE FICTION", "Opera"]) == ("Sci-Fi", "Opera")
    assert genre_map.unused == ["Noir"]


def test_separators_and_repeated_spaces_in_names_become_one_space() -> None:
    assert GenreMap({}).apply(["Slice|of  Life", "  "]) == ("Slice of Life",)


def test_all_genres_that_occur_are_labels_in_alphabetical_order() -> None:
    counts = {"Poetry": 2, "Essay": 5, "Novel": 0}
    assert label_set(counts, None, movies=6, source="books.csv") == ("Essay", "Poetry")


def test_wanted_genres_keep_their_order_and_may_be_absent() -> None:
    wanted = ("Poetry", "Novel", "Essay")
    counts = {"Poetry": 2, "Essay": 5, "Drama": 1}
    assert label_set(counts, wanted, movies=6, source="books.csv") == wanted


@pytest.mark.parametrize(
    ("counts", "wanted", "message"),
    [
        ({}, None, r"books.csv: no genre was found \(9 movies\)\. .* at least 2"),
        ({"Essay": 9}, None, r"a single genre was found, Essay \(9 movies\)"),
        ({"Essay": 4, "Poetry": 8}, ("Essay", "Play"), "a single genre was found, Essay"),
        ({"Essay": 9, "Play": 9}, None, "all 9 movies have the same genres, Essay, Play"),
    ],
)
def test_a_set_that_cannot_be_learned_is_an_error(
    counts: dict[str, int], wanted: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        label_set(counts, wanted, movies=9, source="books.csv")


def test_two_hundred_genres_are_allowed() -> None:
    counts = {f"g{number}": 1 for number in range(200)}
    assert len(label_set(counts, None, movies=200, source="books.csv")) == 200
