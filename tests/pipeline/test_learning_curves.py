"""TensorBoard with the learning curves of an output directory."""

import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import tensorflow as tf

from pipeline import learning_curves

PROJECT = Path(__file__).parents[2]


def test_an_output_directory_without_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert learning_curves.main(["--output", str(tmp_path / "nope")]) == 2
    assert capsys.readouterr() == (
        "",
        f"error: {tmp_path / 'nope'}: no model has been trained here. Run `ordained run` first, "
        "or name another output directory.\n",
    )


def test_tensorboard_shows_the_curves(tmp_path: Path) -> None:
    curves = tmp_path / "artifacts" / "Trainer" / "model_run" / "7" / "train"
    with tf.summary.create_file_writer(str(curves)).as_default():
        tf.summary.scalar("epoch_loss", 0.5, step=1)
    options = ["--output", str(tmp_path), "--", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.learning_curves", *options],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        printed = []
        for line in process.stderr:
            printed.append(line)
            if found := re.search(r"TensorBoard \S+ at (http://\S+)", line):
                assert wait_for(f"{found[1]}data/runs") == '["trainer/7/train"]'
                process.terminate()
    assert printed[-1] == "TensorBoard caught SIGTERM; exiting...\n"
    assert "absl::InitializeLog" not in "".join(printed)


def wait_for(url: str) -> str:
    """Return what TensorBoard responds once it has read the curves."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with urllib.request.urlopen(url) as response:
            if (runs := response.read().decode()) != "[]":
                return str(runs)
        time.sleep(0.2)
    return ""
