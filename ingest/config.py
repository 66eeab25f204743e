"""What a user may choose about the building of the movies CSV."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from schema.config import Config, Fraction, PositiveInt


def _title_type(name: str) -> str:
    if not re.fullmatch("[A-Za-z]+", name):
        raise ValueError("should be one of IMDb's title types, such as movie or tvMovie")
    return name


def _not_empty(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("should name at least one of IMDb's title types, such as movie")
    return names


def _size(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?)?B", text, re.IGNORECASE):
        raise ValueError("should be a size such as 2GB")
    return text


_TitleTypes = Annotated[
    tuple[Annotated[str, AfterValidator(_title_type)], ...], AfterValidator(_not_empty)
]


class IngestConfig(Config):
    """Choices of a build; the defaults keep feature films.

    Attributes:
        title_types: IMDb's `titleType` values to keep, at least one.
        include_adult: Keep titles that IMDb marks as adult.
        plots: File or folder of plots; None looks for one beside the dumps.
        max_reject_share: The build stops when a file has more than this share (0 to 1) of malformed
            lines.
        rows_per_shard: Movies in one CSV file, at most.
        memory_limit: What DuckDB may hold before it spills to disk, such as "2GB".
        threads: Threads of DuckDB; 0 takes as many as there are cores.
    """

    title_types: _TitleTypes = Field(default=("movie",), strict=False)
    include_adult: bool = False
    plots: Path | None = Field(default=None, strict=False)
    max_reject_share: Fraction = 0.01
    rows_per_shard: PositiveInt = 25_000
    memory_limit: Annotated[str, AfterValidator(_size)] = "2GB"
    threads: int = Field(default=0, ge=0)

    def that_shape_rows(self) -> dict[str, Any]:
        """The settings on which the written files depend, ready for JSON."""
        elsewhere = {"plots", "memory_limit", "threads", "max_reject_share"}
        return self.model_dump(exclude=elsewhere) | {"title_types": sorted(self.title_types)}
