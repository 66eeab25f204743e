"""Build the movies CSV from IMDb's dumps and a file of plots."""

from typing import TYPE_CHECKING, Any

from ingest.config import IngestConfig

if TYPE_CHECKING:
    from ingest.builder import build, changes
    from ingest.report import IngestReport

__all__ = ["IngestConfig", "IngestReport", "build", "changes"]


def __getattr__(name: str) -> Any:
    """Import what needs DuckDB on first use, so that the command line can read the settings."""
    if name == "IngestReport":
        from ingest.report import IngestReport

        return IngestReport
    if name in __all__:
        from ingest import builder

        return getattr(builder, name)
    raise AttributeError(f"module 'ingest' has no attribute {name!r}")
