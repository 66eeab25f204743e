"""Configuration of ingest."""

import re
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from schema.config import Config, Fraction, PositiveInt
from schema.features import GENRES_FIELD, LIST_SEPARATOR, MODEL_INPUTS, TCONST
from schema.genres import GenreSet, check_genre

COLUMN_FIELDS: Final = (TCONST, "id", *MODEL_INPUTS, GENRES_FIELD, "original_title", "kind")
"""Fields to which the setting `columns` can assign a column of a table."""


def option_and_setting(*names: str) -> str:
    """Return how a message names settings: in YAML, and as options of `ordained ingest build`.

    `ordained run` also builds the movies, but takes these settings only from a settings file.

    >>> option_and_setting("plots")
    '`ingest.plots` in ordained.yaml beside the data (or `--plots` of `ordained ingest build`)'
    """
    in_yaml = " and ".join(f"`ingest.{name}`" for name in names)
    options = " and ".join(f"`--{name.replace('_', '-')}`" for name in names)
    return f"{in_yaml} in ordained.yaml beside the data (or {options} of `ordained ingest build`)"


def one_line(name: str) -> str:
    """Return the name of a genre without repeated spaces and without the separator of genres."""
    return " ".join(name.replace(LIST_SEPARATOR, " ").split())


def fold_genre(name: str) -> str:
    """Return the name of a genre in the form in which `genre_map` compares names."""
    return one_line(name).casefold()


def _check_title_type(name: str) -> str:
    if not re.fullmatch("[A-Za-z]+", name):
        raise ValueError("should be one of IMDb's title types, such as movie or tvMovie")
    return name


def _check_not_empty(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("should name at least one of IMDb's title types, such as movie")
    return names


def _check_field(name: str) -> str:
    if name not in COLUMN_FIELDS:
        raise ValueError(f"should be one of {', '.join(COLUMN_FIELDS)}")
    return name


def _check_size(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?)?B", text, re.IGNORECASE):
        raise ValueError("should be a size such as 2GB")
    return text


def _check_mapped(name: str) -> str:
    return name and check_genre(name)


def _check_genre_map(names: dict[str, str]) -> dict[str, str]:
    first: dict[str, str] = {}
    for name in names:
        if (other := first.setdefault(fold_genre(name), name)) != name:
            raise ValueError(f"{name} should be left out: it is the same genre as {other}")
    return names


_TitleTypes = Annotated[
    tuple[Annotated[str, AfterValidator(_check_title_type)], ...], AfterValidator(_check_not_empty)
]
_GenreMap = Annotated[
    dict[str, Annotated[str, AfterValidator(_check_mapped)]], AfterValidator(_check_genre_map)
]


class IngestConfig(Config):
    """Settings of ingest. By default only feature films are kept.

    Attributes:
        title_types: IMDb's `titleType` values to keep, at least one. In a single table, they are
            compared with the column of types, if there is one.
        include_adult: Whether to keep titles that IMDb marks as adult.
        genres: Genres that the model predicts, 2 to 200, in the order of its probabilities; others
            are left out. By default IMDb's 22 genres of feature films for dumps, and for a single
            table those that at least `min_genre_movies` movies have, or the 200 most frequent.
        genre_map: Names to use in place of given ones, such as `{Science Fiction: Sci-Fi}`. Case of
            a given name makes no difference, and neither do more or fewer spaces between its words.
            Several genres with one name are merged; an empty name drops a genre.
        min_genre_movies: Smallest number of movies that a genre of a single table needs, unless
            `genres` names it. With fewer than 10, the eval and test splits, each a tenth of the
            movies, have on average less than one movie of the genre.
        table: Single table with plots and genres, or directory of the CMU Movie Summary Corpus. If
            it is set, no dumps are read.
        columns: Columns of the table, or of the plots beside dumps, by field, such as `{plot: My
            Column}`, if their names are not recognized. An empty name leaves a field out.
        plots: File or directory of plots; if not set, the directory of the dumps is searched.
        corrections: File of corrected genres; if not set, `corrections.csv` in the directory of the
            dumps is used if it exists.
        max_reject_share: Highest accepted fraction of malformed lines in a file, from 0 to 1. The
            build stops above it. Up to 10 malformed lines are accepted in any case if they are not
            more than half of the file, unless the fraction is 0.
        unlabelled_without_plot: Whether movies without genres are written for `ordained label` even
            if they have no plot, but a title and people.
        rows_per_shard: Maximum number of movies per CSV shard.
        memory_limit: Memory that DuckDB may use before it writes temporary files, such as "2GB".
        threads: Number of DuckDB's threads; 0 uses one per core.
    """

    title_types: _TitleTypes = Field(default=("movie",), strict=False)
    include_adult: bool = False
    genres: GenreSet | None = Field(default=None, strict=False)
    genre_map: _GenreMap = {}
    min_genre_movies: PositiveInt = 10
    table: Path | None = Field(default=None, strict=False)
    columns: dict[Annotated[str, AfterValidator(_check_field)], str] = {}
    plots: Path | None = Field(default=None, strict=False)
    corrections: Path | None = Field(default=None, strict=False)
    max_reject_share: Fraction = 0.01
    unlabelled_without_plot: bool = False
    rows_per_shard: PositiveInt = 25_000
    memory_limit: Annotated[str, AfterValidator(_check_size)] = "2GB"
    threads: int = Field(default=0, ge=0)

    def output_settings(self) -> dict[str, Any]:
        """Return the settings that the written files depend on, as values for JSON."""
        excluded = {"plots", "corrections", "table", "memory_limit", "threads", "max_reject_share"}
        return self.model_dump(exclude=excluded) | {"title_types": sorted(self.title_types)}
