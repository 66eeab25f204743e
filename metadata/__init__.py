"""Read ML Metadata: executions, artifacts, and the lineage of a model.

This package never writes to the database and never opens the files of an artifact.
"""

from metadata.history import (
    CACHED,
    COMMAND_PROPERTY,
    COMMIT_PROPERTY,
    COMPLETE,
    Artifact,
    Execution,
    History,
    flatten_parameters,
    read_history,
)
from metadata.lineage import (
    CODE_FINGERPRINT_PARAMETERS,
    Difference,
    ModelLineage,
    NodeTiming,
    examples_of_model,
    lineage_differences,
    mapping_differences,
    model_lineage,
    node_timings,
    pushed_model_id,
    trained_on_same_data,
)

__all__ = [
    "CACHED",
    "CODE_FINGERPRINT_PARAMETERS",
    "COMMAND_PROPERTY",
    "COMMIT_PROPERTY",
    "COMPLETE",
    "Artifact",
    "Difference",
    "Execution",
    "History",
    "ModelLineage",
    "NodeTiming",
    "examples_of_model",
    "flatten_parameters",
    "lineage_differences",
    "mapping_differences",
    "model_lineage",
    "node_timings",
    "pushed_model_id",
    "read_history",
    "trained_on_same_data",
]
