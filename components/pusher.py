"""Publishes a blessed model as a version that appears whole or not at all.

TFX's own Pusher copies file by file into the version folder that the server polls, and a crash
leaves half a version there. This one checks the blessings the same way and tells the result in the
same artifact, but leaves the model directory to `components.versions`.
"""

from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx import types
from tfx import v1 as tfx
from tfx.components.pusher import component as stock_component
from tfx.components.pusher import executor as stock_executor
from tfx.components.util import model_utils
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils, proto_utils

from components import versions
from components.canary import REASON_PROPERTY
from components.versions import Outcome
from schema.errors import UserError

OUTCOME_PROPERTY: Final = "outcome"
"""Custom property of the PushedModel: a value of `versions.Outcome`, or `NOT_BLESSED`."""

NOT_BLESSED: Final = "not blessed"


class Executor(stock_executor.Executor):
    """Pushes through `versions.publish`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Push the model if it is blessed.

        Args:
            input_dict: as for TFX's Pusher: `model`, `model_blessing`, `infra_blessing`.
            output_dict: `pushed_model`, which gets TFX's custom properties (`pushed`, and if it is
                1 `pushed_destination` and `pushed_version`), `outcome`, and for a model that was
                not pushed the `reason`. As with TFX's Pusher it holds a copy of a model pushed.
            exec_properties: TFX's `push_destination`; its `custom_config` holds the further
                arguments of `AtomicPusher`.

        Raises:
            UserError: as `versions.publish`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        base = _base_directory(exec_properties)
        config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])

        if not self.CheckBlessing(input_dict):
            versions.record_token(base, config["destination_token"])
            self._not_pushed(pushed_model, NOT_BLESSED, _refusal(input_dict))
            return

        model = self.GetModelPath(input_dict)
        push = versions.publish(
            _local(model),
            base,
            keep_old=config["keep_old"],
            republish=config["republish"],
            token=config["destination_token"],
        )
        if push.outcome is Outcome.ROLLED_BACK:
            self._not_pushed(
                pushed_model,
                push.outcome.value,
                f"this very model was version {push.version}, which was rolled back; it goes out "
                "again only with --republish",
            )
            return
        io_utils.copy_dir(model, pushed_model.uri)
        destination = base / str(push.version)
        self._MarkPushed(
            pushed_model, pushed_destination=str(destination), pushed_version=str(push.version)
        )
        pushed_model.set_string_custom_property(OUTCOME_PROPERTY, push.outcome.value)
        logging.info("Pusher: %s: %s", destination, push.outcome.value)

    def _not_pushed(self, pushed_model: types.Artifact, outcome: str, reason: str) -> None:
        self._MarkNotPushed(pushed_model)
        pushed_model.set_string_custom_property(OUTCOME_PROPERTY, outcome)
        pushed_model.set_string_custom_property(REASON_PROPERTY, reason)
        logging.warning("Pusher: not pushed: %s", reason)


class AtomicPusher(stock_component.Pusher):
    """TFX's Pusher with a push that is seen whole or not at all.

    Inputs, output and artifact properties are those of `tfx.v1.components.Pusher`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel[Any],
        model_blessing: types.BaseChannel[Any] | None = None,
        infra_blessing: types.BaseChannel[Any] | None = None,
        *,
        base_directory: str,
        keep_old: int = 3,
        republish: bool = False,
        destination_token: str = "",
    ) -> None:
        """Construct the component.

        Args:
            model: the `Model` of the Trainer.
            model_blessing: the Evaluator's `ModelBlessing`.
            infra_blessing: the Canary's `InfraBlessing`.
            base_directory: folder of the versions, on this machine's file system.
            keep_old: how many versions before the current one are kept.
            republish: push a model that was rolled back before all the same.
            destination_token: `versions.destination_token(base_directory)`, asked before each run.
                It keeps a cached push from being taken for a fresh one after the directory was
                emptied, rolled back or changed by hand; without it such a push may not be repeated.
        """
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=tfx.proto.PushDestination(
                filesystem=tfx.proto.PushDestination.Filesystem(base_directory=base_directory)
            ),
            custom_config={
                "keep_old": keep_old,
                "republish": republish,
                "destination_token": destination_token,
            },
        )


def _base_directory(exec_properties: dict[str, Any]) -> Path:
    destination = tfx.proto.PushDestination()
    proto_utils.json_to_proto(
        exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination
    )
    return _local(destination.filesystem.base_directory)


def _local(uri: str) -> Path:
    if "://" in uri:
        raise UserError(
            f"{uri} is not on this machine's file system, and only there does a rename make a "
            "version appear at once. Push to a local or mounted folder"
        )
    return Path(uri)


def _refusal(input_dict: dict[str, list[types.Artifact]]) -> str:
    """Who did not bless the model, and why."""
    judged = input_dict.get(standard_component_specs.MODEL_BLESSING_KEY)
    if judged and not model_utils.is_model_blessed(artifact_utils.get_single_instance(judged)):
        return "the Evaluator did not bless the model"
    canary = artifact_utils.get_single_instance(
        input_dict[standard_component_specs.INFRA_BLESSING_KEY]
    )
    reason = canary.get_string_custom_property(REASON_PROPERTY)
    return f"the Canary refused the model: {reason or 'no reason is given'}"
