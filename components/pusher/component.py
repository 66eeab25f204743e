"""Publishes a blessed model as a version that appears whole or not at all.

TFX's own Pusher copies file by file into the version folder that the server polls, and a crash
leaves half a version there. This one demands the same blessings and records the result in the same
properties of the same artifact, but leaves the model directory to `versions`.
"""

from pathlib import Path

from absl import logging
from tfx.components.util import model_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components.pusher import versions
from components.pusher.decision import Outcome, refusal
from schema import names
from schema.errors import UserError


@component
def AtomicPusher(  # noqa: N802 (TFX names the node after the function)
    model: InputArtifact[standard_artifacts.Model],
    pushed_model: OutputArtifact[standard_artifacts.PushedModel],
    base_directory: Parameter[str],
    model_blessing: InputArtifact[standard_artifacts.ModelBlessing] = None,
    infra_blessing: InputArtifact[standard_artifacts.InfraBlessing] = None,
    keep_old: Parameter[int] = 3,
    republish: Parameter[bool] = False,
    destination_token: Parameter[str] = "",
) -> None:
    """Push the model if it is blessed.

    Args:
        model: the `Model` of the Trainer.
        pushed_model: output: the custom properties of TFX's Pusher (`pushed`, and if it is 1
            `pushed_destination` and `pushed_version`), `outcome`, and for a model that was not
            pushed the `reason`. As with TFX's Pusher it holds a copy of a model that was pushed.
        base_directory: folder of the versions, on this machine's file system.
        model_blessing: the Evaluator's `ModelBlessing`.
        infra_blessing: the smoke test's `InfraBlessing`.
        keep_old: number of versions before the current one that are kept.
        republish: push a model that was rolled back before all the same.
        destination_token: `versions.destination_token(base_directory)`, asked before each run. It
            keeps a cached push from being taken for a fresh one after the directory was emptied,
            rolled back or changed by hand; without it such a push may not be repeated.

    Raises:
        UserError: as `versions.publish`.
    """
    base = _local(base_directory)
    outcome = "not blessed"
    reason = refusal(
        None if model_blessing is None else model_utils.is_model_blessed(model_blessing),
        None if infra_blessing is None else model_utils.is_infra_validated(infra_blessing),
        infra_blessing.get_string_custom_property(names.REASON_PROPERTY) if infra_blessing else "",
    )
    folder = path_utils.serving_model_path(model.uri)
    if reason:
        versions.record_token(base, destination_token)
    else:
        push = versions.publish(
            _local(folder), base, keep_old=keep_old, republish=republish, token=destination_token
        )
        outcome = push.outcome.value
        if push.outcome is Outcome.ROLLED_BACK:
            reason = (
                f"this very model was version {push.version}, which was rolled back; it goes out "
                "again only with --republish"
            )
    set_text = pushed_model.set_string_custom_property
    set_text(names.OUTCOME_PROPERTY, outcome)
    pushed_model.set_int_custom_property(names.PUSHED_PROPERTY, int(not reason))
    if reason:
        set_text(names.REASON_PROPERTY, reason)
        logging.warning("Pusher: not pushed: %s", reason)
        return
    io_utils.copy_dir(folder, pushed_model.uri)
    destination = str(base / str(push.version))
    set_text(names.PUSHED_DESTINATION_PROPERTY, destination)
    set_text(names.PUSHED_VERSION_PROPERTY, str(push.version))
    logging.info("Pusher: %s: %s", destination, outcome)


def _local(uri: str) -> Path:
    if "://" in uri:
        raise UserError(
            f"{uri} is not on this machine's file system, and only there does a rename make a "
            "version appear at once. Push to a local or mounted folder"
        )
    return Path(uri)
