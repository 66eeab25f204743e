"""Test an exported model in a separate process before it is pushed.

TFX's own InfraValidator needs a model server in Docker or Kubernetes, which laptops and CI machines
may not have, and it only checks that the server responds. `SmokeTest` needs only Python and also
checks the responses (see `probe` and `decision`). It writes an `InfraBlessing`, which the Pusher
uses in the same way as that of InfraValidator.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from absl import logging
from tfx.components.util import model_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.evaluator.verdict import read_verdict
from components.smoke_test import probe
from schema import manifest, names


@component
def SmokeTest(  # noqa: N802 (TFX names the node after the function)
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    model_blessing: InputArtifact[standard_artifacts.ModelBlessing] = None,
    rows: Parameter[int] = 32,
    time_limit_seconds: Parameter[int] = 300,
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
) -> None:
    """Test a model and bless it or not. A refusal is a result, not an error.

    Args:
        model: Exported model.
        examples: Raw examples, as CsvExampleGen writes them.
        blessing: Output for the Pusher's `infra_blessing`: custom properties `blessed` (1 or 0) and
            `reason`, the flag file of InfraValidator, `report.json` and `probe.log`.
        model_blessing: Blessing of the Evaluator. A model that it did not bless is refused without
            a test.
        rows: Number of examples of the test split to use, from the first.
        time_limit_seconds: Time allowed for the test, in seconds, including the start of the
            process.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        UserError: The model is not the one that the Evaluator judged.
    """
    directory = Path(blessing.uri)
    directory.mkdir(parents=True, exist_ok=True)
    if model_blessing is not None and not model_utils.is_model_blessed(model_blessing):
        reasons = ["not tested, because the Evaluator did not bless the model"]
    else:
        path = Path(path_utils.serving_model_path(model.uri))
        verdict = read_verdict(Path(model_blessing.uri)) if model_blessing else None
        manifest.check(path, verdict.model_digest if verdict else None)
        reasons = run_probe(
            str(path),
            artifact_utils.get_split_uri([examples], names.Split.TEST),
            directory,
            rows=rows,
            time_limit_seconds=time_limit_seconds,
        )
    for reason in reasons:
        logging.error("SmokeTest: %s", reason)
    blessing.set_int_custom_property("blessed", int(not reasons))
    blessing.set_string_custom_property(names.REASON_PROPERTY, "\n".join(reasons))
    (directory / (names.NOT_PASSED_FILE if reasons else names.PASSED_FILE)).touch()


def run_probe(
    model: str, examples: str, directory: Path, *, rows: int, time_limit_seconds: int
) -> list[str]:
    """Run `probe` in a process that is killed after the time limit.

    Args:
        model: Path of the SavedModel.
        examples: Path of the directory with the examples.
        directory: Path of the directory in which to write `report.json` and `probe.log`.
        rows: Number of examples to use, from the first.
        time_limit_seconds: Time allowed for the process, in seconds.

    Returns:
        Reasons to refuse the model, one sentence each; empty if it passed.
    """
    report, log = directory / names.SMOKE_TEST_REPORT_FILE, directory / names.SMOKE_TEST_LOG_FILE
    command = [sys.executable, "-m", probe.__name__]
    command += ["--model", model, "--examples", examples, "--report", str(report)]
    command += ["--rows", str(rows), "--time-limit", str(time_limit_seconds)]
    # The process must be able to import the project from any working directory.
    project = str(Path(__file__).resolve().parents[2])
    paths = filter(None, (project, os.environ.get("PYTHONPATH")))
    variables = {"PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "2"}
    try:
        with log.open("wb") as output:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | variables,
                timeout=time_limit_seconds,
                check=False,
            ).returncode
    except subprocess.TimeoutExpired:
        status = -signal.SIGALRM
    if status == 0:
        reasons: list[str] = json.loads(report.read_text(encoding="utf-8"))["reasons"]
        return reasons
    return [_failure_reason(status, log, time_limit_seconds)]


def _failure_reason(status: int, log: Path, time_limit_seconds: int) -> str:
    """Return one sentence that says why the process wrote no report."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    prefix = probe.STAGE_PREFIX
    stages = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    stage = stages[-1] if stages else "starting"
    if status == -signal.SIGALRM:
        return f"{stage}: no result within {time_limit_seconds} s (see {log})"
    if status < 0:
        return f"{stage}: the process was killed by {signal.Signals(-status).name} (see {log})"
    last_line = next((line for line in reversed(lines) if line.strip()), "no output")
    return f"{stage}: the process failed with status {status}: {last_line} (see {log})"
