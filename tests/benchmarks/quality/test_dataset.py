"""What is hidden of movies, and what stays."""

import numpy as np

from benchmarks.quality import leakage
from benchmarks.quality.dataset import (
    ALL_FIELDS,
    INPUTS,
    SPARSE_CAST,
    Movies,
    genres,
    people,
    plot_and_title,
    sparse,
    views,
)
from schema import features as raw
from tests.data.tiny_movies import Row, movies


def frame(rows: list[Row]) -> Movies:
    made = Movies(rows, columns=list(raw.CSV_COLUMNS))
    return made.astype(dict.fromkeys(raw.NUMBERS, np.float32))


def with_cast(rows: list[Row], names: int) -> list[Row]:
    cast = raw.LIST_SEPARATOR.join(f"Player {number}" for number in range(names))
    return [{**row, raw.CAST: cast} for row in rows]


def test_plot_and_title_hides_all_else_but_labels() -> None:
    some = frame(movies(5))
    hidden = plot_and_title(some)
    for name in raw.MODEL_INPUTS:
        if name in raw.TEXTS:
            assert hidden[name].tolist() == some[name].tolist()
        elif name in raw.NUMBERS:
            assert np.isnan(hidden[name]).all()
            assert hidden[name].dtype == np.float32
        else:
            assert hidden[name].tolist() == [""] * 5
    assert np.array_equal(genres(hidden), genres(some))
    assert some[raw.DIRECTORS].all(), "the movies themselves stay as they are"


def test_a_sparse_catalogue_has_the_shares_that_it_promises() -> None:
    some = frame(with_cast(movies(3000), names=6))
    few = sparse(some)
    assert set(few[raw.WRITERS]) == {""}
    unrated = np.isnan(few[raw.RATING])
    assert np.array_equal(unrated, np.isnan(few[raw.VOTES]))
    assert abs(unrated.mean() - 1 / 3) < 0.03
    assert np.isfinite(few[raw.YEAR]).all()
    assert np.isfinite(few[raw.RUNTIME]).all()

    assert {len(names) for names in people(few, raw.CAST)} == {SPARSE_CAST}
    known = {name for names in people(some, raw.CAST) for name in names}
    strange = np.array([not known & set(names) for names in people(few, raw.CAST)])
    assert abs(strange.mean() - 1 / 2) < 0.03
    kept = [names == before[:SPARSE_CAST] for names, before in _pairs(few, some)]
    assert np.array_equal(strange, ~np.array(kept))
    directors = np.array(
        [one != other for one, other in zip(few[raw.DIRECTORS], some[raw.DIRECTORS], strict=True)]
    )
    assert np.array_equal(directors, strange)

    cut = np.array([one != other for one, other in zip(few[raw.PLOT], some[raw.PLOT], strict=True)])
    assert abs(cut.mean() - 1 / 3) < 0.03
    assert all(
        whole.startswith(short + " ") and len(short.split()) == 8
        for short, whole in zip(few[raw.PLOT][cut], some[raw.PLOT][cut], strict=True)
    )
    # The three are drawn apart from each other.
    assert abs((unrated & strange & cut).mean() - 1 / 18) < 0.02


def _pairs(one: Movies, other: Movies) -> list[tuple[list[str], list[str]]]:
    return list(zip(people(one, raw.CAST), people(other, raw.CAST), strict=True))


def test_what_is_sparse_about_a_movie_does_not_hang_on_the_others() -> None:
    rows = movies(40)
    alone, among = sparse(frame(rows[7:8])), sparse(frame(rows))
    assert all(
        np.array_equal(alone[name], among[name][7:8], equal_nan=name in raw.NUMBERS)
        for name in raw.CSV_COLUMNS
    )


def test_strangers_are_of_one_movie_alone() -> None:
    few = sparse(frame(movies(200)))
    names = [name for cast in people(few, raw.CAST) for name in cast if " of tt" in name]
    assert len(names) == len(set(names)) > 100


def test_views_train_on_all_fields_and_judge_on_each_input() -> None:
    splits = {
        name: frame(movies(count, seed=count))
        for name, count in {"train": 6, "eval": 4, "test": 3}.items()
    }
    made = views(splits)
    assert {view: len(some) for view, some in made.items()} == {
        ("train", ALL_FIELDS): 6,
        **{("eval", known): 4 for known in INPUTS},
        **{("test", known): 3 for known in INPUTS},
    }


def test_leakage_counts_what_stands_in_two_splits() -> None:
    one, two, three = (movies(3, seed=seed) for seed in range(3))
    for number, rows in enumerate((one, two, three)):
        for place, row in enumerate(rows):
            row[raw.TITLE] = f"Title {chr(97 + 3 * number + place)}"
            # Twelve words are a stretch; no two movies have one in common.
            row[raw.PLOT] = " ".join(f"w{number}{place}{word}" for word in range(14))
    splits = {"train": frame(one), "eval": frame(two), "test": frame(three)}
    assert leakage.leakage(splits) == leakage.Leakage(0, 0, 0, 0)

    two[0][raw.TITLE] = "The Title A"
    three[1][raw.PLOT] = one[1][raw.PLOT].upper() + "!"
    three[2][raw.SPLIT_KEY] = two[2][raw.SPLIT_KEY]
    splits = {"train": frame(one), "eval": frame(two), "test": frame(three)}
    assert leakage.leakage(splits) == leakage.Leakage(keys=1, stems=1, plots=1, windows=3)
