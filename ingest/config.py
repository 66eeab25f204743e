"""Configuration of ingest."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from schema.config import Config, Fraction, PositiveInt


def option_and_setting(name: str) -> str:
    """Return how a message names a setting: as an option of `ordained ingest build`, and in YAML.

    `ordained run` also builds the movies, but takes the setting only from a settings file.
    """
    return f"`--{name.replace('_', '-')}`, or the setting `ingest.{name}`"


def _check_title_type(name: str) -> str:
    if not re.fullmatch("[A-Za-z]+", name):
        raise ValueError("should be one of IMDb's title types, such as movie or tvMovie")
    return name


def _check_not_empty(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("should name at least one of IMDb's title types, such as movie")
    return names


def _check_size(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?)?B", text, re.IGNORECASE):
        raise ValueError("should be a size such as 2GB")
    return text


_TitleTypes = Annotated[
    tuple[Annotated[str, AfterValidator(_check_title_type)], ...], AfterValidator(_check_not_empty)
]


class IngestConfig(Config):
    """Settings of ingest. By default only feature films are kept.

    Attributes:
        title_types: IMDb's `titleType` values to keep, at least one.
        include_adult: Whether to keep titles that IMDb marks as adult.
        plots: File or directory of plots; if not set, the directory of the dumps is searched.
        max_reject_share: Highest accepted fraction of malformed lines in a file, from 0 to 1. The
            build stops above it.
        unlabelled_without_plot: Whether movies without genres are written for `ordained label` even
            if they have no plot, but a title and people.
        rows_per_shard: Maximum number of movies per CSV shard.
        memory_limit: Memory that DuckDB may use before it writes temporary files, such as "2GB".
        threads: Number of DuckDB's threads; 0 uses one per core.
    """

    title_types: _TitleTypes = Field(default=("movie",), strict=False)
    include_adult: bool = False
    plots: Path | None = Field(default=None, strict=False)
    max_reject_share: Fraction = 0.01
    unlabelled_without_plot: bool = False
    rows_per_shard: PositiveInt = 25_000
    memory_limit: Annotated[str, AfterValidator(_check_size)] = "2GB"
    threads: int = Field(default=0, ge=0)

    def output_settings(self) -> dict[str, Any]:
        """Return the settings that the written files depend on, as values for JSON."""
        excluded = {"plots", "memory_limit", "threads", "max_reject_share"}
        return self.model_dump(exclude=excluded) | {"title_types": sorted(self.title_types)}
