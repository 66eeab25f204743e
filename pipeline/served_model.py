"""The model that `ordained label` uses, and how long its training took.

This module imports neither TFX nor TensorFlow, so that a command can look before it starts.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.pusher import versions
from schema.errors import UserError
from schema.names import EXTRA_ASSETS, SAVED_MODEL_FILE, TRAINING_RECORD_FILE
from trainer.hparams import HParams


def find_model(served: Path, given: Path | None) -> Path:
    """Return the directory of the SavedModel to use.

    Args:
        served: Model directory of the runs, with one subdirectory per version.
        given: SavedModel or model directory that the user named; None uses `served`.

    Raises:
        UserError: There is no model.
    """
    base = given or served
    if (base / SAVED_MODEL_FILE).is_file():
        return base
    version = versions.current(base)
    if version is None:
        remedy = "name the output directory of its run with --run, or a model with --model"
        raise UserError(
            f"{base} holds no model. Push one first with `ordained run`, or {remedy}."
            if given is None
            else f"--model {base}: expected a SavedModel, or a directory of its versions."
        )
    return base / str(version)


def training_seconds(model: Path) -> float:
    """Return how long the training of a model took, in seconds.

    Fine-tuning of an earlier training that this one used counts as well.

    Raises:
        UserError: The model has no training record.
    """
    with training_record(model) as record:
        return float(record["seconds"]) + float(record.get("cached_finetuning_seconds", 0.0))


def trained_hparams(model: Path) -> HParams:
    """Return the hyperparameters of a model.

    Raises:
        UserError: The model has no training record, or that of another version of the project.
    """
    with training_record(model) as record:
        return HParams.from_json(json.dumps(record["hparams"]))


@contextmanager
def training_record(model: Path) -> Iterator[dict[str, Any]]:
    """Read a training record, and raise a UserError if it cannot be read or used in the block."""
    path = model / EXTRA_ASSETS / TRAINING_RECORD_FILE
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: no usable training record. Train the model again with `ordained run`."
        ) from error
