"""Input variants of the movies, and leakage between splits."""

import numpy as np

from benchmarks.quality import leakage
from benchmarks.quality.dataset import (
    ALL_FIELDS,
    INPUT_VARIANTS,
    SPARSE_MAX_CAST,
    Movies,
    genres,
    keep_plot_and_title,
    make_sparse,
    make_views,
    people,
)
from schema import features as raw
from tests.data.tiny_movies import Row, make_movies


def frame(rows: list[Row]) -> Movies:
    made = Movies(rows, columns=list(raw.CSV_COLUMNS))
    return made.astype(dict.fromkeys(raw.NUMBERS, np.float32))


def with_cast(rows: list[Row], names: int) -> list[Row]:
    cast = raw.LIST_SEPARATOR.join(f"Player {number}" for number in range(names))
    return [{**row, raw.CAST: cast} for row in rows]


def test_plot_and_title_removes_all_other_fields() -> None:
    full = frame(make_movies(5))
    hidden = keep_plot_and_title(full)
    for name in raw.MODEL_INPUTS:
        if name in raw.TEXTS:
            assert hidden[name].tolist() == full[name].tolist()
        elif name in raw.NUMBERS:
            assert np.isnan(hidden[name]).all()
            assert hidden[name].dtype == np.float32
        else:
            assert hidden[name].tolist() == [""] * 5
    assert np.array_equal(genres(hidden), genres(full))
    assert full[raw.DIRECTORS].all(), "the original movies are unchanged"


def test_a_sparse_catalogue_has_the_documented_shares() -> None:
    full = frame(with_cast(make_movies(3000), names=6))
    few = make_sparse(full)
    assert set(few[raw.WRITERS]) == {""}
    unrated = np.isnan(few[raw.RATING])
    assert np.array_equal(unrated, np.isnan(few[raw.VOTES]))
    assert abs(unrated.mean() - 1 / 3) < 0.03
    assert np.isfinite(few[raw.YEAR]).all()
    assert np.isfinite(few[raw.RUNTIME]).all()

    assert {len(names) for names in people(few, raw.CAST)} == {SPARSE_MAX_CAST}
    known = {name for names in people(full, raw.CAST) for name in names}
    unseen = np.array([not known & set(names) for names in people(few, raw.CAST)])
    assert abs(unseen.mean() - 1 / 2) < 0.03
    kept = [names == before[:SPARSE_MAX_CAST] for names, before in _pairs(few, full)]
    assert np.array_equal(unseen, ~np.array(kept))
    directors = np.array(
        [one != other for one, other in zip(few[raw.DIRECTORS], full[raw.DIRECTORS], strict=True)]
    )
    assert np.array_equal(directors, unseen)

    cut = np.array([one != other for one, other in zip(few[raw.PLOT], full[raw.PLOT], strict=True)])
    assert abs(cut.mean() - 1 / 3) < 0.03
    assert all(
        whole.startswith(short + " ") and len(short.split()) == 8
        for short, whole in zip(few[raw.PLOT][cut], full[raw.PLOT][cut], strict=True)
    )
    # The three gaps are independent of each other.
    assert abs((unrated & unseen & cut).mean() - 1 / 18) < 0.02


def _pairs(one: Movies, other: Movies) -> list[tuple[list[str], list[str]]]:
    return list(zip(people(one, raw.CAST), people(other, raw.CAST), strict=True))


def test_the_gaps_of_a_movie_do_not_depend_on_other_movies() -> None:
    rows = make_movies(40)
    alone, among = make_sparse(frame(rows[7:8])), make_sparse(frame(rows))
    assert all(
        np.array_equal(alone[name], among[name][7:8], equal_nan=name in raw.NUMBERS)
        for name in raw.CSV_COLUMNS
    )


def test_unseen_people_occur_in_one_movie_only() -> None:
    few = make_sparse(frame(make_movies(200)))
    names = [name for cast in people(few, raw.CAST) for name in cast if " of tt" in name]
    assert len(names) == len(set(names)) > 100


def test_views_have_each_variant_of_eval_and_test() -> None:
    splits = {
        name: frame(make_movies(count, seed=count))
        for name, count in {"train": 6, "eval": 4, "test": 3}.items()
    }
    views = make_views(splits)
    assert {view: len(movies) for view, movies in views.items()} == {
        ("train", ALL_FIELDS): 6,
        **{("eval", variant): 4 for variant in INPUT_VARIANTS},
        **{("test", variant): 3 for variant in INPUT_VARIANTS},
    }


def test_leakage_counts_values_in_two_splits() -> None:
    one, two, three = (make_movies(3, seed=seed) for seed in range(3))
    for number, rows in enumerate((one, two, three)):
        for place, row in enumerate(rows):
            row[raw.TITLE] = f"Title {chr(97 + 3 * number + place)}"
            # No two movies share a sequence of twelve words.
            row[raw.PLOT] = " ".join(f"w{number}{place}{word}" for word in range(14))
    splits = {"train": frame(one), "eval": frame(two), "test": frame(three)}
    assert leakage.count_leakage(splits) == leakage.Leakage(0, 0, 0, 0)

    two[0][raw.TITLE] = "The Title A"
    three[1][raw.PLOT] = one[1][raw.PLOT].upper() + "!"
    three[2][raw.SPLIT_KEY] = two[2][raw.SPLIT_KEY]
    splits = {"train": frame(one), "eval": frame(two), "test": frame(three)}
    assert leakage.count_leakage(splits) == leakage.Leakage(keys=1, stems=1, plots=1, shingles=3)
