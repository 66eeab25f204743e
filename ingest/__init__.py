"""Joins IMDb's dumps and a file of plots into CSV shards of movies; see `ingest.build`."""

from ingest.builder import build, rebuild_reasons
from ingest.config import IngestConfig
from ingest.summary import IngestSummary

__all__ = ["IngestConfig", "IngestSummary", "build", "rebuild_reasons"]
