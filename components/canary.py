"""Asks the exported model real questions in a fresh process before it goes out.

TFX's own InfraValidator does the like with a model server in Docker or Kubernetes, which a laptop
or a CI machine need not have, and it asks only whether the server answers. The Canary needs nothing
but Python, and judges the answers as well (see `components.canary_probe`). It gives an
`InfraBlessing`, which the Pusher takes as it takes the InfraValidator's.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import path_utils

from components.canary_probe import STAGE_MARK

MODEL_KEY: Final = standard_component_specs.MODEL_KEY
EXAMPLES_KEY: Final = standard_component_specs.EXAMPLES_KEY
MODEL_BLESSING_KEY: Final = standard_component_specs.MODEL_BLESSING_KEY
BLESSING_KEY: Final = standard_component_specs.BLESSING_KEY

BLESSED_PROPERTY: Final = "blessed"
REASON_PROPERTY: Final = "reason"
"""Custom property of the blessing: why it was refused, one reason a line; empty if it was not."""

REPORT_FILE: Final = "report.json"
LOG_FILE: Final = "probe.log"

_FLAG_FILES: Final = {True: "INFRA_BLESSED", False: "INFRA_NOT_BLESSED"}


class CanarySpec(ComponentSpec):
    """What the Canary reads and writes."""

    PARAMETERS = {
        "split": ExecutionParameter(type=str),
        "rows": ExecutionParameter(type=int),
        "time_limit_seconds": ExecutionParameter(type=int),
        "code_hash": ExecutionParameter(type=str),
    }
    INPUTS = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
    }
    OUTPUTS = {BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing)}


class Executor(base_executor.BaseExecutor):
    """Runs the probe and turns its report into a blessing."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Bless the model or refuse it; a refusal is a result, not an error.

        Args:
            input_dict: `model`, `examples` with raw features, and, if the Evaluator judged the
                model, its `model_blessing`: a model that it did not bless is not asked about.
            output_dict: `blessing`, which gets the custom properties `blessed` (1 or 0) and
                `reason`, the flag file of the InfraValidator, `report.json` and `probe.log`.
            exec_properties: the parameters of `CanarySpec`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        folder = Path(blessing.uri)
        folder.mkdir(parents=True, exist_ok=True)

        judged = input_dict.get(MODEL_BLESSING_KEY)
        if judged and not model_utils.is_model_blessed(artifact_utils.get_single_instance(judged)):
            reasons = ["not asked, since the Evaluator did not bless the model"]
        else:
            model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
            reasons = run_probe(
                path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)),
                artifact_utils.get_split_uri(input_dict[EXAMPLES_KEY], exec_properties["split"]),
                folder,
                rows=exec_properties["rows"],
                time_limit_seconds=exec_properties["time_limit_seconds"],
            )
        for reason in reasons:
            logging.error("Canary: %s", reason)
        blessing.set_int_custom_property(BLESSED_PROPERTY, int(not reasons))
        blessing.set_string_custom_property(REASON_PROPERTY, "\n".join(reasons))
        (folder / _FLAG_FILES[not reasons]).touch()


class Canary(base_component.BaseComponent):
    """A component that asks the exported model real questions in a fresh process.

    Its output `blessing` is an `InfraBlessing` for the Pusher's `infra_blessing`.
    """

    SPEC_CLASS = CanarySpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel[Any],
        examples: types.BaseChannel[Any],
        model_blessing: types.BaseChannel[Any] | None = None,
        *,
        split: str = "test",
        rows: int = 32,
        time_limit_seconds: int = 300,
        code_hash: str = "",
    ) -> None:
        """Construct the component.

        Args:
            model: the `Model` of the Trainer.
            examples: raw `Examples`, as CsvExampleGen writes them.
            model_blessing: the Evaluator's `ModelBlessing`; a model without it is refused unasked.
            split: the split whose first rows are asked about.
            rows: how many.
            time_limit_seconds: for the process as a whole, its start included.
            code_hash: names the state of the code, so that a change to it asks anew.
        """
        super().__init__(
            CanarySpec(
                model=model,
                examples=examples,
                model_blessing=model_blessing,
                split=split,
                rows=rows,
                time_limit_seconds=time_limit_seconds,
                code_hash=code_hash,
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )


def run_probe(
    model: str, examples: str, folder: Path, *, rows: int, time_limit_seconds: int
) -> list[str]:
    """Run the probe in a process of its own.

    Args:
        model: folder of the SavedModel.
        examples: folder of TFRecord files with raw examples.
        folder: gets `report.json` and `probe.log`.
        rows: how many examples are asked about.
        time_limit_seconds: after that the process is killed.

    Returns:
        What speaks against the model; nothing if it passed.
    """
    report, log = folder / REPORT_FILE, folder / LOG_FILE
    command = [sys.executable, "-m", "components.canary_probe"]
    command += ["--model", model, "--examples", examples, "--report", str(report)]
    command += ["--rows", str(rows), "--time-limit", str(time_limit_seconds)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        try:
            status = process.wait(timeout=time_limit_seconds)
        except subprocess.TimeoutExpired:
            status = -signal.SIGALRM
        finally:
            process.kill()
            process.wait()
    if status == 0:
        reasons: list[str] = json.loads(report.read_text(encoding="utf-8"))["reasons"]
        return reasons
    return [_failure(status, log, time_limit_seconds)]


def _environment() -> dict[str, str]:
    """This process's environment, with the project importable wherever it was started from."""
    project = str(Path(__file__).resolve().parents[1])
    paths = [project, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def _failure(status: int, log: Path, time_limit_seconds: int) -> str:
    """Why there is no report, in one sentence."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    stages = [line.removeprefix(STAGE_MARK) for line in lines if line.startswith(STAGE_MARK)]
    stage = stages[-1] if stages else "starting"
    if status == -signal.SIGALRM:
        return f"{stage}: no answer within {time_limit_seconds} s (see {log})"
    if status < 0:
        return f"{stage}: the process was ended by {signal.Signals(-status).name} (see {log})"
    last = next((line for line in reversed(lines) if line.strip()), "without a word")
    return f"{stage}: the process failed with status {status}: {last} (see {log})"
