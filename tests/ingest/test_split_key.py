import pytest

from ingest.split_key import split_keys, stem


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("The Harbour", "harbour"),
        ("Die Brücke", "brucke"),
        ("L'Atalante", "atalante"),
        ("Harbour II", "harbour"),
        ("Harbour 3", "harbour"),
        ("Harbour: Part Two", "harbour"),
        ("Harbour, Vol. 2", "harbour"),
        ("Harbour Chapter 4", "harbour"),
        ("Two for the Road", "two for the road"),
        ("Table of the Nine", "table of the nine"),
        ("1984", "1984"),
        ("The", "the"),
        ("II", "ii"),
        ("Mix", "mix"),
        ("???", ""),
    ],
)
def test_stem(title, expected):
    assert stem(title) == expected


def test_films_of_one_stem_share_the_key():
    films = [("tt1", "The Harbour"), ("tt2", "Lighthouse"), ("tt3", "Harbour II")]
    assert split_keys(films, []) == ["harbour", "lighthouse", "harbour"]


def test_near_identical_plots_join_whole_groups_under_their_first_film():
    films = [
        ("tt1", "Salt"),
        ("tt2", "Harbour"),
        ("tt3", "Pier"),
        ("tt4", "Harbour 2"),
        ("tt5", "Salt"),
    ]
    assert split_keys(films, [(2, 3)]) == ["salt", "harbour", "harbour", "harbour", "salt"]
    assert split_keys(films, [(3, 2), (0, 3)]) == ["salt"] * 5


def test_a_title_without_letters_stands_alone():
    assert split_keys([("tt1", "?"), ("tt2", "!")], []) == ["tt1", "tt2"]


def test_a_long_chain_is_one_group():
    films = [(f"tt{n}", f"film {chr(97 + n % 26)}{n} x") for n in range(50_000)]
    keys = split_keys(films, [(n, n + 1) for n in range(49_999)])
    assert set(keys) == {keys[0]}
