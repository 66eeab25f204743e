import pytest

from ingest.split_key import split_keys, title_stem


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
def test_title_stem(title, expected):
    assert title_stem(title) == expected


def test_movies_with_the_same_stem_share_the_key():
    movies = [("tt1", "The Harbour"), ("tt2", "Lighthouse"), ("tt3", "Harbour II")]
    assert split_keys(movies, []) == ["harbour", "lighthouse", "harbour"]


def test_near_duplicate_plots_merge_groups():
    movies = [
        ("tt1", "Salt"),
        ("tt2", "Harbour"),
        ("tt3", "Pier"),
        ("tt4", "Harbour 2"),
        ("tt5", "Salt"),
    ]
    assert split_keys(movies, [(2, 3)]) == ["salt", "harbour", "harbour", "harbour", "salt"]
    assert split_keys(movies, [(3, 2), (0, 3)]) == ["salt"] * 5


def test_a_title_without_letters_has_its_own_key():
    assert split_keys([("tt1", "?"), ("tt2", "!")], []) == ["tt1", "tt2"]


def test_a_long_chain_is_one_group():
    movies = [(f"tt{n}", f"movie {chr(97 + n % 26)}{n} x") for n in range(50_000)]
    keys = split_keys(movies, [(n, n + 1) for n in range(49_999)])
    assert set(keys) == {keys[0]}
