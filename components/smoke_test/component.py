"""Asks the exported model real questions in a fresh process before it is pushed.

TFX's own InfraValidator does the like with a model server in Docker or Kubernetes, which a laptop
or a CI machine need not have, and it asks only whether the server answers. The smoke test needs
nothing but Python, and judges the answers as well (see `probe` and `decision`). It gives an
`InfraBlessing`, which the Pusher takes as it takes the InfraValidator's.
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

from components.smoke_test import probe
from schema import names


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
    """Bless the model or refuse it; a refusal is a result, not an error.

    Args:
        model: the exported model.
        examples: raw examples, as CsvExampleGen writes them.
        blessing: output for the Pusher's `infra_blessing`: custom properties `blessed` (1 or 0) and
            `reason`, the flag file of the InfraValidator, `report.json` and `probe.log`.
        model_blessing: the Evaluator's; a model that it did not bless is refused without a test.
        rows: number of rows of the test split, from the first, that the model is asked about.
        time_limit_seconds: for the whole process, its start included.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.
    """
    directory = Path(blessing.uri)
    directory.mkdir(parents=True, exist_ok=True)
    if model_blessing is not None and not model_utils.is_model_blessed(model_blessing):
        reasons = ["not asked, since the Evaluator did not bless the model"]
    else:
        reasons = run_probe(
            path_utils.serving_model_path(model.uri),
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
    """What speaks against a model, by `probe` in a process that is killed after the time limit.

    `directory` gets `report.json` and `probe.log`; the other directories are those that the probe takes.
    """
    report, log = directory / names.SMOKE_TEST_REPORT_FILE, directory / names.SMOKE_TEST_LOG_FILE
    command = [sys.executable, "-m", probe.__name__]
    command += ["--model", model, "--examples", examples, "--report", str(report)]
    command += ["--rows", str(rows), "--time-limit", str(time_limit_seconds)]
    # The project is importable wherever this process was started from.
    project = str(Path(__file__).resolve().parents[2])
    paths = filter(None, (project, os.environ.get("PYTHONPATH")))
    settings = {"PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "2"}
    try:
        with log.open("wb") as output:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | settings,
                timeout=time_limit_seconds,
                check=False,
            ).returncode
    except subprocess.TimeoutExpired:
        status = -signal.SIGALRM
    if status == 0:
        reasons: list[str] = json.loads(report.read_text(encoding="utf-8"))["reasons"]
        return reasons
    return [_failure(status, log, time_limit_seconds)]


def _failure(status: int, log: Path, time_limit_seconds: int) -> str:
    """Why there is no report, in one sentence."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    mark = probe.STAGE_MARK
    stage = ["starting", *(line.removeprefix(mark) for line in lines if line.startswith(mark))][-1]
    if status == -signal.SIGALRM:
        return f"{stage}: no answer within {time_limit_seconds} s (see {log})"
    if status < 0:
        return f"{stage}: the process was ended by {signal.Signals(-status).name} (see {log})"
    last = next((line for line in reversed(lines) if line.strip()), "without a word")
    return f"{stage}: the process failed with status {status}: {last} (see {log})"
