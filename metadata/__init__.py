"""Reads ML Metadata: which executions made which artifacts, from what and with which parameters.

Nothing here writes, and nothing here opens the files of an artifact.
"""

from metadata.history import CACHED, COMPLETE, Artifact, Execution, History, flat, read
from metadata.lineage import (
    CODE_PARAMETERS,
    Change,
    Recipe,
    Timing,
    changes,
    differences,
    pushed,
    recipe,
    timings,
    trained_on_same_data,
)

__all__ = [
    "CACHED",
    "CODE_PARAMETERS",
    "COMPLETE",
    "Artifact",
    "Change",
    "Execution",
    "History",
    "Recipe",
    "Timing",
    "changes",
    "differences",
    "flat",
    "pushed",
    "read",
    "recipe",
    "timings",
    "trained_on_same_data",
]
