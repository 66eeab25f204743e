"""From IMDb dumps and a file of plots to the movies CSV shards: see `ingest.build`."""

from ingest.builder import build, changes
from ingest.report import IngestReport
from ingest.settings import IngestSettings

__all__ = ["IngestReport", "IngestSettings", "build", "changes"]
