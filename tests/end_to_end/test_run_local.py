"""The command `run_local.py`: exit statuses, messages, and the state after an interruption."""

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from components.pusher import versions
from pipeline.config import RunConfig
from schema import files
from schema.errors import ExitStatus
from tests.data import tiny_dumps
from tests.end_to_end.project import (
    COMPONENTS,
    INGEST,
    MOVIES,
    PROJECT,
    Project,
    Run,
    edit,
    environment,
    partial_outputs,
    read_metadata,
)
from trainer.encoder.pretrained import ENCODERS, MPNET

INTERRUPTED = "interrupted; the same command continues after the last finished node"


def broken_pipe() -> int:
    """Return the file descriptor of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full_device() -> int:
    """Return the file descriptor of a device without space."""
    return os.open("/dev/full", os.O_WRONLY)


class TestUserErrors:
    """Errors that are found before any node runs."""

    @staticmethod
    def run(*arguments: str, python: tuple[str, ...] = (sys.executable,)) -> Run:
        done = subprocess.run(
            [*python, str(PROJECT / "pipeline" / "run_local.py"), *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def test_help_fits_a_terminal_and_names_the_exit_statuses(self) -> None:
        run = self.run("--help")
        assert run.status == 0
        assert max(map(len, run.lines)) <= 80
        for status in ExitStatus:
            assert f"\n  • {status:d}: " in run.output

    def test_missing_data(self, tmp_path: Path) -> None:
        run = self.run("--data", str(tmp_path / "none"), "--output", str(tmp_path / "out"))
        assert (run.status, run.output) == (2, "")
        assert run.errors == (
            f"error: {tmp_path}/none: no such directory. --data needs a directory with IMDb's "
            "dumps.\n"
        )
        assert not (tmp_path / "out").exists()

    def test_the_output_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        run = self.run("--output", str(tmp_path / "out"))
        assert (run.status, run.output) == (2, "")
        assert run.errors == f"error: {tmp_path}/out: File exists\n"

    def test_a_python_without_the_environment(self, tmp_path: Path) -> None:
        # Without `site` the environment's packages are not to be found.
        run = self.run("--output", str(tmp_path / "out"), python=(sys.executable, "-S"))
        assert (run.status, run.output) == (2, "")
        assert run.errors == (
            "error: this Python has no TFX. In a checkout, run `make setup`, then "
            "`.venv/bin/python pipeline/run_local.py` or `make run`. Elsewhere, run "
            "`pip install 'ordained[train]'`.\n"
        )
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("settings", "arguments", "message"),
        [
            (
                "gate: {flor: 0.5}",
                (),
                "{settings}: gate.flor is not a setting. Known settings: floor, ",
            ),
            ("hparams: {epochs: 0}", (), "{settings}: hparams.epochs should be at least 1. "),
            ("gate: {}\ngate: {}", (), "{settings}: line 2: the key gate is a duplicate. "),
            ("gate: [", (), "{settings}: is not valid YAML: line 1, column 8: expected the node "),
            ("", ("--config", "none.yaml"), "none.yaml: cannot be read: No such file or directory"),
            ("", ("--from", "Trainor"), "--from Trainor: there is no such node. Choose one of: "),
            ("", (), "{data}: expected title.basics.tsv.gz or title.basics.tsv, found neither. "),
        ],
    )
    def test_invalid_configuration_node_and_data(
        self, tmp_path: Path, settings: str, arguments: tuple[str, ...], message: str
    ) -> None:
        project = Project(tmp_path)
        project.data.mkdir()
        project.settings.write_text(settings)
        run = project.run_in_process(*arguments)
        assert run.status == 2
        expected = message.format(settings=project.settings, data=project.data)
        assert run.errors.startswith(f"error: {expected}")
        assert run.errors.count("\n") == 1
        assert "Traceback" not in run.output
        assert partial_outputs(project.output) == []

    def test_plots_of_other_movies(self, tmp_path: Path) -> None:
        project = Project(tmp_path)
        tiny_dumps.write_dumps(project.data)
        plots = "title\tyear\tplot\nElsewhere\t1990\tA night.\n"
        (project.data / "title.plots.tsv").write_text(plots)
        project.settings.write_text("")
        run = project.run_in_process()
        assert run.status == ExitStatus.NOTHING_JOINED
        assert run.errors.startswith("error: title.plots.tsv: 0 of 1 records joined one of the 6 ")
        assert run.errors.count("\n") == 1
        assert not (project.output / "movies").exists()

    def test_an_encoder_that_is_not_installed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nowhere = replace(MPNET, packages=("no-such-package",))
        monkeypatch.setitem(ENCODERS, "mpnet", nowhere)
        project = Project(tmp_path)
        project.data.mkdir()
        project.settings.write_text("hparams: {sentence_encoder: mpnet}")
        run = project.run_in_process()
        assert (run.status, run.errors) == (
            2,
            "error: the sentence encoder MPNet is not installed: the package no-such-package is "
            "missing. Run `make setup-mpnet`\n",
        )
        assert partial_outputs(project.output) == []

    def test_markup_in_a_path_is_not_interpreted(self, tmp_path: Path) -> None:
        project = Project(tmp_path / "[red]movies[/]")
        project.data.mkdir(parents=True)
        run = project.run_in_process("--output", str(tmp_path / "out"))
        assert (run.status, run.lines[0]) == (2, f"data    {project.data}")
        assert run.errors.startswith(f"error: {project.data}: expected title.basics.tsv.gz ")

    @pytest.mark.parametrize("character", ["*", "?", "[", "]", "\\"])
    def test_an_output_directory_with_wildcards(self, tmp_path: Path, character: str) -> None:
        output = tmp_path / f"run {character}a"
        run = self.run("--output", str(output))
        assert (run.status, run.output) == (2, "")
        assert run.errors == (
            f"error: {output}: the path contains {character}, which TFX would read as a "
            "pattern. Choose another --output.\n"
        )
        assert not output.exists()

    def test_another_run_holds_the_lock(self, tmp_path: Path) -> None:
        with files.lock(tmp_path / ".lock", "held"):
            run = self.run("--output", str(tmp_path))
        assert (run.status, run.output) == (ExitStatus.TRY_AGAIN, "")
        assert run.errors == (
            f"error: {tmp_path}: another run is working here. Wait for it, or choose another "
            "--output.\n"
        )

    @pytest.mark.parametrize("broken", [broken_pipe, full_device])
    def test_a_broken_standard_output_is_no_error_of_the_output_directory(
        self, tmp_path: Path, broken: Callable[[], int]
    ) -> None:
        project = Project(tmp_path)
        project.data.mkdir()
        screen = broken()
        run = project.run_in_process(screen=screen)
        os.close(screen)
        assert (run.status, run.errors.count("\n")) == (2, 1)
        assert run.errors.startswith(f"error: {project.data}: expected title.basics.tsv.gz ")
        [log] = (project.output / "logs").glob("run-*.log")
        assert f"data    {project.data}" in log.read_text().splitlines()

    def test_a_full_disk(self, tmp_path: Path) -> None:
        project = Project(tmp_path)
        project.create()
        schema = RunConfig(data=project.data, output=project.output).schema_file
        schema.parent.mkdir(parents=True)
        schema.with_name(f".{schema.name}.{os.getpid()}.part").symlink_to("/dev/full")
        run = project.run_in_process()
        assert (run.status, run.nodes) == (ExitStatus.TRY_AGAIN, {INGEST: "done"})
        assert run.errors == (
            f"error: no space is left in {schema.parent}. Free some space and run the "
            "same command again.\n"
        )


class TestInterruptions:
    def test_while_libraries_are_imported(self, tmp_path: Path) -> None:
        project = Project(tmp_path)
        project.create()
        with running_until(project, "logs/*") as process:
            time.sleep(1)
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=120)
        assert (process.returncode, output) == (130, f"\n{INTERRUPTED}\n")


@pytest.mark.slow
class TestFaults:
    """Faults of the data, the files and the code after a successful run."""

    def test_impossible_ratings(self, project: Project) -> None:
        edit(project.data / "title.ratings.tsv", lambda text: text.replace("\t8.", "\t58."))
        run = project.run_in_process()
        assert run.status == 2
        assert run.errors.startswith("error: title.ratings.tsv: ")
        assert (
            "lines are malformed, more than the allowed share of 0.01. Most frequent reason: "
            "averageRating: expected a number from 0 to 10. "
        ) in run.errors
        assert run.errors.count("\n") == 1
        assert run.nodes == {INGEST: "failed"}
        assert len(project.served) == 1

    def test_anomalies_stop_the_run(self, project: Project) -> None:
        edit(project.data / "title.ratings.tsv", lambda text: text.replace("\t8.", "\t0."))
        run = project.run_in_process()
        assert (run.status, run.errors) == (4, "")
        assert run.executed == {
            INGEST,
            "CsvExampleGen",
            "StatisticsGen",
            "SchemaGen",
            "ExampleValidator",
        }
        assert run.nodes["AnomalyGate"] == "failed"
        assert "Transform" not in run.nodes
        title = run.lines.index("stopped: the data have anomalies")
        findings = run.lines[title + 1 :]
        assert findings
        assert all(": average_rating: " in line for line in findings)
        command = f"`ordained schema --output {project.output}`"
        assert f"Correct the values, or accept a wider range with {command}." in findings[0]
        assert "Traceback" not in run.output
        assert partial_outputs(project.output) == []
        begin = read_report(project, run).partition("<h2>Ingested data")[0]
        assert "Stopped: the data have anomalies" in begin
        assert begin.count("average_rating") == 2 * len(findings)

        again = project.run_in_process()
        assert (again.status, again.executed) == (4, set())
        assert again.lines[-len(findings) :] == findings
        assert len(project.served) == 1

    def test_damaged_examples_are_named_with_the_node_to_run_again(self, project: Project) -> None:
        [examples] = project.artifacts("Transform", "transformed_examples")
        [shard] = (examples / "Split-train").iterdir()
        content = shard.read_bytes()
        shard.write_bytes(gzip.compress(b"no record at all"))
        run = project.run_in_process("--from", "Trainer")
        assert (run.status, run.nodes["Transform"]) == (2, "failed")
        assert run.errors == f"error: {shard} is damaged. Run Transform again (--from Transform)\n"
        shard.write_bytes(content)

    def test_a_crash_names_the_log(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        def crash(*_: object) -> None:
            raise ZeroDivisionError("a crash on purpose")

        # TFX loads the module `trainer.run` again, so what it calls crashes.
        monkeypatch.setattr("trainer.ensemble.training.fit", crash)
        run = project.run_in_process("--from", "Trainer")
        assert (run.status, run.errors) == (1, "")
        assert run.nodes["Trainer"] == "failed"
        assert "Evaluator" not in run.nodes
        [log] = sorted((project.output / "logs").glob("run-*.log"))[-1:]
        assert run.lines[-3] == "failed:"
        page = read_report(project, run)
        begin = page.partition("<h2>Ingested data")[0]
        assert "Failed: Trainer ended with an error" in begin
        assert "ZeroDivisionError" in begin
        assert f"See logs/{log.name} for the stack trace." in begin
        assert page.index(">WordVectors</td>") < page.index(">Trainer</td>")
        assert f"<p>{MOVIES} movies from {MOVIES} titles.</p>" in page
        assert "ZeroDivisionError" in run.lines[-2]
        assert run.lines[-1] == f"  See {log} for the stack trace."
        assert "Traceback (most recent call last)" in log.read_text()
        assert "Traceback" not in run.output
        assert read_metadata(project.output).executions["Trainer", "FAILED"] == 1
        assert partial_outputs(project.output) == []

    @pytest.mark.parametrize("broken", [broken_pipe, full_device])
    def test_a_broken_standard_output_stops_no_run(
        self, project: Project, broken: Callable[[], int]
    ) -> None:
        screen = broken()
        run = project.run_in_process("--from", "Pusher", screen=screen)
        os.close(screen)
        assert (run.status, run.output, run.errors) == (0, "", "")
        log = max((project.output / "logs").glob("run-*.log")).read_text("utf-8")
        [version] = project.served
        said = [f"output  {project.output}", f"unchanged: version {version}"]
        assert [line for line in log.splitlines() if line in said] == said
        assert re.search(r"^ModelReport +done ", log, re.M)

    def test_a_failed_push_is_reported(self, project: Project) -> None:
        [lock] = (project.output / "serving").glob(f"*/{versions.LOCK_FILE}")
        lock.unlink()
        lock.symlink_to("no-such-folder/lock")
        run = project.run_in_process("--from", "Pusher")
        assert (run.status, run.executed, run.nodes["Pusher"]) == (2, set(), "failed")
        assert run.errors.startswith(f"error: cannot push to {lock.parent}: No such file")
        begin, _, rest = read_report(project, run).partition("<nav")
        assert "Failed: Pusher ended with an error" in begin
        assert run.errors.removeprefix("error: ").strip().replace(f"{project.output}/", "") in begin
        assert all(f'<section id="{name}">' in rest for name in ("gate", "examples", "lineage"))

    def test_a_failed_report_is_reported(self, project: Project) -> None:
        [training] = project.artifacts("Trainer", "model")
        next(training.rglob("training.json")).write_text("")
        run = project.run_in_process("--from", "ModelReport")
        assert (run.status, run.nodes["ModelReport"]) == (2, "failed")
        assert "training.json" in run.errors
        page = read_report(project, run)
        assert "Failed: ModelReport ended with an error" in page.partition("<h2>")[2]
        assert page.index(">Pusher</td>") < page.index(">ModelReport</td>")


def read_report(project: Project, run: Run) -> str:
    """Return the report of a failed run, whose path the run has printed."""
    page = max((project.output / "logs").glob("run-*.html"))
    assert f"report  {page}" in run.lines
    return page.read_text(encoding="utf-8")


@contextmanager
def running_until(project: Project, pattern: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command and wait until the output directory has a new path of this pattern.

    The process is killed when the block ends.
    """
    before = set(project.output.glob(pattern))
    process = subprocess.Popen(
        project.command(),
        cwd=project.directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 300
        while set(project.output.glob(pattern)) <= before:
            assert process.poll() is None, f"the run ended before {pattern} was there"
            assert time.monotonic() < deadline, f"{pattern} did not appear"
            time.sleep(0.005)
        yield process
    finally:
        process.kill()
        process.communicate()


LONG_TRAINING = "epochs: 10000, patience: 10000,"
"""Settings of a training that does not end during the test."""


@pytest.mark.slow
def test_the_same_command_resumes_after_each_interruption(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.create()

    def kill_at(pattern: str) -> None:
        with running_until(project, pattern) as process:
            process.kill()
            assert process.wait() == -signal.SIGKILL
        assert partial_outputs(project.output) != []

    kill_at(".movies.partial/staging")
    kill_at("artifacts/Transform/transform_graph/*")
    kill_at("artifacts/Trainer/model_run/*/train")

    # The training is long enough for a second run to be refused.
    edit(project.settings, lambda text: text.replace("epochs: 2,", LONG_TRAINING))
    with running_until(project, "artifacts/Trainer/model_run/*/train") as process:
        second = project.run()
        assert (second.status, second.output) == (ExitStatus.TRY_AGAIN, "")
        assert second.errors == (
            f"error: {project.output}: another run is working here. Wait for it, or choose "
            "another --output.\n"
        )
        # Like Ctrl-C, the signal goes to all processes of the terminal.
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    interrupted = Run(process.returncode, output, "")
    assert (interrupted.status, interrupted.lines[-1]) == (130, INTERRUPTED)
    assert interrupted.nodes["Trainer"] == "interrupted"
    assert partial_outputs(project.output) == []
    edit(project.settings, lambda text: text.replace(LONG_TRAINING, "epochs: 2,"))

    kill_at("artifacts/Evaluator/evaluation/*")
    assert project.served == {}
    kill_at("artifacts/Pusher/pushed_model/*")

    last = project.run()
    assert (last.status, last.errors) == (0, "")
    assert last.executed == {"Pusher", "ModelReport"}
    assert partial_outputs(project.output) == []
    assert len(project.served) == 1
    executions = read_metadata(project.output).executions
    assert {node: executions[node, "COMPLETE"] for node in COMPONENTS} == dict.fromkeys(
        COMPONENTS, 1
    )
    assert {key: count for key, count in executions.items() if key[1] == "CANCELED"} == {
        ("Transform", "CANCELED"): 1,
        ("Trainer", "CANCELED"): 2,
        ("Evaluator", "CANCELED"): 1,
        ("Pusher", "CANCELED"): 1,
    }
    assert {state for _, state in executions} == {"COMPLETE", "CACHED", "CANCELED"}
