"""What an earlier search found, beside what the configuration sets now.

A run without a search trains with the values that the latest search found. Values that the
configuration sets go before them.
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
"""TFX's name of the file with Keras Tuner's hyperparameters, JSON."""


def resolved(config: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
    """Join the configuration with what earlier searches in its output directory found.

    Args:
        config: as files and options set it.

    Returns:
        The configuration, whose `over_search` holds what goes before the latest search, whose
        `ignore_search` is true if that search cannot be used, and whose `search_anew` is false if
        the search that was asked for is already done, by a run that was interrupted after it; and
        what the user should know, a sentence each.
    """
    if not config.metadata.is_file():
        return config, ()
    history = metadata.read_history(config.metadata)
    found = [one for one in history.artifacts.values() if one.type == "HyperParameters"]
    if not found:
        return config, ()
    latest = max(found, key=lambda one: one.id)
    if config.tuner.enabled:
        if config.search_anew and not _ended_with(history, latest.id):
            config = config.model_copy(update={"search_anew": False})
        return config, ()
    if config.ignore_search:
        return config, ()
    try:
        values = json.loads(Path(latest.uri, RESULT_FILE).read_text(encoding="utf-8"))["values"]
        over = _conflicts(config.hparams, values)
    except (OSError, ValueError, KeyError) as error:
        note = f"what an earlier search found is not used: {_reason(error)} (--tune searches anew)"
        return config.model_copy(update={"ignore_search": True}), (note,)
    notes = [
        "the hyperparameters are those that an earlier search found (--tune searches anew, "
        "--ignore-search does without)"
    ]
    if over:
        pairs = (f"{name} is {value}, not {values[name]}" for name, value in over.items())
        notes.append("the configuration goes before the search: " + ", ".join(pairs))
    return config.model_copy(update={"over_search": over}), tuple(notes)


def _conflicts(hparams: HParams, found: dict[str, Any]) -> dict[str, Any]:
    """The settings of the configuration's files that differ from what a search found.

    Raises:
        ValidationError: what the search found and these settings cannot be trained together.
    """
    explicit = {name: getattr(hparams, name) for name in sorted(hparams.model_fields_set)}
    HParams.model_validate(found | explicit)
    return {name: one for name, one in explicit.items() if found.get(name, one) != one}


def _ended_with(history: History, result: int) -> bool:
    """Whether a run that used the result of a search came to its end."""
    ended = {
        one.run
        for one in history.executions
        if one.node == Node.MODEL_REPORT and one.state in (metadata.COMPLETE, metadata.CACHED)
    }
    return any(one.run in ended and result in one.outputs for one in history.executions)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        name = setting_name(first["loc"]) if first["loc"] else "hparams"
        if first["type"] == "extra_forbidden":
            return f"an earlier version made it, and {name} is no setting any more"
        return validation_message(first, name)
    return f"its file cannot be read ({error})"
