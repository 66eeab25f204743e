"""From IMDb dumps and a file of plots to the movies CSV shards: see `ingest.build`."""

from ingest.builder import build, changes
from ingest.config import IngestConfig
from ingest.report import IngestSummary

__all__ = ["IngestConfig", "IngestSummary", "build", "changes"]
