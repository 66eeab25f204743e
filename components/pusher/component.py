"""Push a blessed model as a new version, atomically.

TFX's own Pusher copies file by file into a version directory that a model server already polls, so
a crash leaves an incomplete version there. `AtomicPusher` requires the same blessings and sets the
same properties of the same artifact, but pushes with `versions`.
"""

from pathlib import Path

from absl import logging
from tfx.components.util import model_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.evaluator.verdict import read_verdict
from components.pusher import versions
from components.pusher.decision import PushStatus, refusal_reason
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
    push_again: Parameter[bool] = False,
    destination_token: Parameter[str] = "",
) -> None:
    """Push a model if it is blessed.

    Args:
        model: Model of the Trainer.
        pushed_model: Output with the custom properties of TFX's Pusher (`pushed` and, if it is 1,
            `pushed_destination` and `pushed_version`), `outcome`, and the `reason` if the model was
            not pushed. As with TFX's Pusher, it holds a copy of a pushed model.
        base_directory: Path of the model directory, on a local or mounted file system.
        model_blessing: Blessing of the Evaluator.
        infra_blessing: Blessing of the smoke test.
        keep_old: Number of versions to keep besides the current one.
        push_again: Whether to push a model that was rolled back before.
        destination_token: Return value of `versions.destination_token(base_directory)` before the
            run. It prevents a cache hit after somebody emptied, rolled back or edited the model
            directory. Without it, the cache may skip such a push.

    Raises:
        UserError: The model is not the one that was judged, `versions.push` failed, or
            `base_directory` is remote.
    """
    base = _local_path(base_directory)
    outcome = "not blessed"
    reason = refusal_reason(
        None if model_blessing is None else model_utils.is_model_blessed(model_blessing),
        None if infra_blessing is None else model_utils.is_infra_validated(infra_blessing),
        infra_blessing.get_string_custom_property(names.REASON_PROPERTY) if infra_blessing else "",
    )
    if reason:
        versions.record_token(base, destination_token)
    else:
        verdict = read_verdict(Path(model_blessing.uri)) if model_blessing else None
        push = versions.push(
            _local_path(path_utils.serving_model_path(model.uri)),
            base,
            model_digest=verdict.model_digest if verdict else None,
            archive=Path(pushed_model.uri),
            keep_old=keep_old,
            push_again=push_again,
            token=destination_token,
        )
        outcome = push.status.value
        if push.status is PushStatus.ROLLED_BACK:
            reason = (
                f"the same model was pushed as version {push.version} and rolled back. "
                "Run again with --push-again to push it anyway"
            )
    set_text = pushed_model.set_string_custom_property
    set_text(names.OUTCOME_PROPERTY, outcome)
    pushed_model.set_int_custom_property(names.PUSHED_PROPERTY, int(not reason))
    if reason:
        set_text(names.REASON_PROPERTY, reason)
        logging.warning("Pusher: not pushed: %s", reason)
        return
    destination = str(base / str(push.version))
    set_text(names.PUSHED_DESTINATION_PROPERTY, destination)
    set_text(names.PUSHED_VERSION_PROPERTY, str(push.version))
    logging.info("Pusher: %s: %s", destination, outcome)


def _local_path(uri: str) -> Path:
    if "://" in uri:
        raise UserError(
            f"{uri} is not on a local file system: models are pushed by renaming a directory, "
            "which only a local or mounted file system supports. Use a local or mounted directory"
        )
    return Path(uri)
