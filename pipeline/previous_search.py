"""Use of the hyperparameters that an earlier search found.

A run without a search trains with the best values of the latest search. Values that the
configuration sets take precedence over them.
"""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

import metadata
from metadata import History
from pipeline.config import RunConfig
from schema.config import setting_name, validation_message
from schema.names import Node
from trainer.hparams import HParams

RESULT_FILE: Final = "best_hyperparameters.txt"
"""Name of the JSON file in which TFX's Tuner writes Keras Tuner's hyperparameters."""


def apply_latest_search(config: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
    """Decide how a run uses the latest search in its output directory.

    Args:
        config: Configuration from files and options.

    Returns:
        A tuple `(config, notes)`. In the configuration, `search_overrides` has the values that take
        precedence over the search, `ignore_search` is True if its result cannot be used, and
        `force_search` is False if an interrupted run has already finished the requested search.
        The notes tell the user about it, one sentence each.
    """
    if not config.metadata.is_file():
        return config, ()
    history = metadata.read_history(config.metadata)
    artifacts = history.artifacts.values()
    searches = [artifact for artifact in artifacts if artifact.type == "HyperParameters"]
    if not searches:
        return config, ()
    latest = max(searches, key=lambda artifact: artifact.id)
    if config.tuner.enabled:
        if config.force_search and not _used_by_completed_run(history, latest.id):
            config = config.model_copy(update={"force_search": False})
        return config, ()
    if config.ignore_search:
        return config, ()
    try:
        values = json.loads(Path(latest.uri, RESULT_FILE).read_text(encoding="utf-8"))["values"]
        overrides = _find_overrides(config.hparams, values)
    except (OSError, ValueError, KeyError) as error:
        note = f"the result of the earlier search is not used: {_reason(error)}. "
        note += "Use --tune for a new search."
        return config.model_copy(update={"ignore_search": True}), (note,)
    notes = [
        "this run uses the hyperparameters of the latest search. Use --tune for a new search, or "
        "--ignore-search to train without them."
    ]
    if overrides:
        pairs = (f"{name} is {value}, not {values[name]}" for name, value in overrides.items())
        notes.append(f"the configuration overrides the latest search: {', '.join(pairs)}.")
    return config.model_copy(update={"search_overrides": overrides}), tuple(notes)


def _find_overrides(hparams: HParams, found: dict[str, Any]) -> dict[str, Any]:
    """Return the values that the configuration files set and that differ from a search's result.

    Raises:
        ValidationError: The combination of both is not valid.
    """
    explicit = {name: getattr(hparams, name) for name in sorted(hparams.model_fields_set)}
    HParams.model_validate(found | explicit)
    return {name: value for name, value in explicit.items() if found.get(name, value) != value}


def _used_by_completed_run(history: History, artifact_id: int) -> bool:
    """Return whether a run that used the result of a search has completed."""
    completed = {
        execution.run
        for execution in history.executions
        if execution.node == Node.MODEL_REPORT
        and execution.state in (metadata.COMPLETE, metadata.CACHED)
    }
    return any(
        execution.run in completed and artifact_id in execution.outputs
        for execution in history.executions
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        name = setting_name(first["loc"]) if first["loc"] else "hparams"
        if first["type"] == "extra_forbidden":
            return f"it comes from an earlier version, which had the setting {name}"
        return validation_message(first, name)
    return f"its file cannot be read ({error})"
