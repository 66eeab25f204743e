"""Join IMDb's dumps and a file of plots into CSV shards of movies."""

from typing import TYPE_CHECKING, Any

from ingest.config import IngestConfig

if TYPE_CHECKING:
    from ingest.builder import build, built_genres, rebuild_reasons
    from ingest.summary import IngestSummary

__all__ = ["IngestConfig", "IngestSummary", "build", "built_genres", "rebuild_reasons"]


def __getattr__(name: str) -> Any:
    """Import names that need DuckDB on first use, so that the command line starts quickly."""
    if name == "IngestSummary":
        from ingest.summary import IngestSummary

        return IngestSummary
    if name in __all__:
        from ingest import builder

        return getattr(builder, name)
    raise AttributeError(f"module 'ingest' has no attribute {name!r}")
