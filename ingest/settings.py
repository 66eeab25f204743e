"""What a user may choose about the building of the movies CSV."""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schema.errors import UserError


@dataclass(frozen=True)
class IngestSettings:
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

    Raises:
        UserError: A value is out of its range.
    """

    title_types: tuple[str, ...] = ("movie",)
    include_adult: bool = False
    plots: Path | None = None
    max_reject_share: float = 0.01
    rows_per_shard: int = 25_000
    memory_limit: str = "2GB"
    threads: int = 0

    def __post_init__(self) -> None:
        """Refuses values that no build could honour."""
        if not self.title_types:
            raise UserError("title_types is empty: name at least one type, such as movie")
        for name in self.title_types:
            if not re.fullmatch("[A-Za-z]+", name):
                raise UserError(
                    f"title_types: {name!r} is no title type; expected e.g. movie, tvMovie"
                )
        if not 0 <= self.max_reject_share <= 1:
            raise UserError(f"max_reject_share is {self.max_reject_share}; expected 0 to 1")
        if self.rows_per_shard < 1:
            raise UserError(f"rows_per_shard is {self.rows_per_shard}; expected 1 or more")
        if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?)?B", self.memory_limit, re.IGNORECASE):
            raise UserError(f"memory_limit is {self.memory_limit!r}; expected a size such as 2GB")
        if self.threads < 0:
            raise UserError(f"threads is {self.threads}; expected 0 (all cores) or more")

    @property
    def thread_count(self) -> int:
        """The number of threads after 0 is resolved."""
        return self.threads or os.cpu_count() or 1

    def that_shape_rows(self) -> dict[str, Any]:
        """The settings on which the written files depend, ready for JSON."""
        values = asdict(self)
        for name in ("plots", "memory_limit", "threads", "max_reject_share"):
            del values[name]
        return values | {"title_types": sorted(self.title_types)}
