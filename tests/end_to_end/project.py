"""A small catalogue, runs of the pipeline on it, and the metadata of these runs."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx

from components.pusher import versions
from pipeline import run_local
from pipeline.config import MODEL_NAME

PROJECT: Final = Path(__file__).resolve().parents[2]
SAMPLE: Final = PROJECT / "data" / "sample"
SOURCES: Final = (
    "cli",
    "components",
    "ingest",
    "metadata",
    "pipeline",
    "report",
    "schema",
    "serving",
    "tables",
    "trainer",
    "transform",
)

EVERY_NTH_TITLE: Final = 4
"""The small catalogue has every fourth title of the sample."""

MOVIES: Final = 302
NULL: Final = r"\N"

SETTINGS: Final = """\
transform: {min_word_count: 2, max_plot_words: 40}
hparams:
  {word_encoder: cnn_rnn, sentence_encoder: minilm, encoder_layers: 1, finetuned_layers: 1,
   finetuning_epochs: 1, filters: 4, rnn_units: 4, trees: 2, hidden_units: 8,
   batch_size: 64, epochs: 2, learning_rate: 0.005}
tuner: {trials: 1, epochs: 1}
gate: {floor: 0.0, min_support: 5, max_drop: 1.0, simple_baseline_tolerance: 1.0}
"""
"""Settings of a network too small to learn much, and of a gate that blesses it."""

INGEST: Final = "ingest"
RESOLVERS: Final = frozenset(
    {"BestHyperparameters", "LastAcceptedStatistics", "LatestBlessedModel"}
)
"""Nodes that run in each run, since resolvers have no cache."""

COMPONENTS: Final = frozenset(
    {
        "CsvExampleGen",
        "SchemaImporter",
        "StatisticsGen",
        "ExampleValidator",
        "SchemaGen",
        "AnomalyGate",
        "SimpleBaseline",
        "Transform",
        "WordVectors",
        "Trainer",
        "Evaluator",
        "SmokeTest",
        "Pusher",
        "ModelReport",
    }
)
"""Nodes whose results are cached."""


@dataclass(frozen=True)
class Run:
    """One run of `run_local.py`.

    Attributes:
        status: Int. Exit status.
        output: Text that the run printed on standard output.
        errors: Text that the run printed on standard error.
    """

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """Non-empty lines of the output."""
        return [line for line in self.output.splitlines() if line.strip()]

    @property
    def nodes(self) -> dict[str, str]:
        """Displayed status of ingest and of each node, by name."""
        found = re.findall(
            r"^(\w+) +(done|cached|failed|interrupted) +[0-9]\S*s", self.output, re.MULTILINE
        )
        return dict(found)

    @property
    def executed(self) -> set[str]:
        """Cached nodes that ran because the cache did not have their result."""
        return {name for name, status in self.nodes.items() if status == "done"} - RESOLVERS


@dataclass(frozen=True)
class Project:
    """A copy of the project's sources with a small catalogue and an output directory.

    Attributes:
        directory: Directory of sources, data and output.
    """

    directory: Path

    @property
    def checkout(self) -> Path:
        """Directory of the sources."""
        return self.directory / "checkout"

    @property
    def data(self) -> Path:
        """Directory of the small catalogue."""
        return self.directory / "data"

    @property
    def output(self) -> Path:
        """Output directory of the runs."""
        return self.directory / "output"

    @property
    def settings(self) -> Path:
        """Configuration file in the data directory."""
        return self.data / "ordained.yaml"

    @property
    def served(self) -> dict[int, Path]:
        """Model versions in the serving directory."""
        return versions.served(self.output / "serving" / MODEL_NAME)

    def create(self) -> None:
        """Copy the sources and write the data."""
        for name in SOURCES:
            shutil.copytree(
                PROJECT / name,
                self.checkout / name,
                ignore=shutil.ignore_patterns("__pycache__"),
                copy_function=shutil.copy,
            )
        write_catalogue(self.data)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a run."""
        script = str(self.checkout / "pipeline" / "run_local.py")
        return [sys.executable, script, *self._arguments(arguments)]

    def run(self, *arguments: str) -> Run:
        """Run the pipeline in a process of its own."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def run_in_process(self, *arguments: str, screen: int | None = None) -> Run:
        """Run the pipeline in this process, in which TensorFlow is already loaded.

        Args:
            *arguments: Arguments of the command line.
            screen: Int. File descriptor that gets the standard output; None returns the output.
        """
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            screens = os.dup(1), os.dup(2)
            before = sys.stdout, sys.stderr
            os.dup2(output.fileno() if screen is None else screen, 1)
            os.dup2(errors.fileno(), 2)
            # pytest's streams do not use the descriptors 1 and 2.
            sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
            try:
                # Use Python's default warning filters, not those of the tests.
                with warnings.catch_warnings():
                    warnings.resetwarnings()
                    warnings.simplefilter("ignore")
                    status = run_local.main(self._arguments(arguments))
            finally:
                sys.stdout.close()
                sys.stderr.close()
                sys.stdout, sys.stderr = before
                for number, screen in enumerate(screens, 1):
                    os.dup2(screen, number)
                    os.close(screen)
            printed = []
            for file in (output, errors):
                file.seek(0)
                printed.append(file.read().decode())
            return Run(status, *printed)

    def _arguments(self, arguments: tuple[str, ...]) -> list[str]:
        given = {"--data": self.data, "--output": self.output}
        named = [part for name, path in given.items() for part in (name, str(path))]
        return [*named, *arguments]

    def artifacts(self, node: str, key: str) -> list[Path]:
        """Return the directories of a node's artifacts, oldest first."""
        directories = (self.output / "artifacts" / node / key).iterdir()
        return sorted(directories, key=lambda directory: int(directory.name))


def environment() -> dict[str, str]:
    """Return the environment variables of a run, without PYTHONPATH."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def write_catalogue(directory: Path) -> None:
    """Write every fourth title of the sample in its layout, with gaps as in real dumps.

    Of each eleven titles, one has no year, one no running time, one no credits, one no rating, and
    one nothing but title and plot.
    """
    directory.mkdir(parents=True)
    titles = [line.partition("\t")[0] for line in _lines("title.basics")[1:]][::EVERY_NTH_TITLE]
    place = {title: number % 11 for number, title in enumerate(titles)}
    nulls = {1: (5,), 2: (7,), 5: (5, 7)}
    without = {"title.crew": (3, 5), "title.principals": (3, 5), "title.ratings": (4, 5)}
    for name in ("title.basics", "title.ratings", "title.crew", "title.principals", "title.plots"):
        header, *lines = _lines(name)
        kept = [header]
        for fields in (line.split("\t") for line in lines):
            gap = place.get(fields[0])
            if gap is None or gap in without.get(name, ()):
                continue
            for column in nulls.get(gap, ()) if name == "title.basics" else ():
                fields[column] = NULL
            kept.append("\t".join(fields))
        (directory / f"{name}.tsv").write_text("\n".join([*kept, ""]), encoding="utf-8")
    shutil.copy(SAMPLE / "name.basics.tsv", directory)
    (directory / "ordained.yaml").write_text(SETTINGS)


def _lines(name: str) -> list[str]:
    return (SAMPLE / f"{name}.tsv").read_text(encoding="utf-8").splitlines()


def edit(file: Path, change: Callable[[str], str]) -> None:
    """Change a text file; fail if the change has no effect."""
    before = file.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    file.write_text(after, encoding="utf-8")


@dataclass(frozen=True)
class MetadataContent:
    """Content of ML Metadata.

    Attributes:
        executions: Number of executions by node and state.
        artifacts: Number of artifacts by type.
        outputs: Directories of the output artifacts of complete executions.
    """

    executions: Counter[tuple[str, str]]
    artifacts: Counter[str]
    outputs: set[Path]


def read_metadata(output: Path) -> MetadataContent:
    """Read the metadata of an output directory."""
    store = MetadataStore(
        tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(output / "metadata.sqlite")
        )
    )
    states = {
        execution.id: mlmd.Execution.State.Name(execution.last_known_state)
        for execution in store.get_executions()
    }
    executions = Counter(
        (context.name.removeprefix(f"{MODEL_NAME}."), states[execution.id])
        for context in store.get_contexts_by_type("node")
        for execution in store.get_executions_by_context(context.id)
    )
    types = {kind.id: kind.name for kind in store.get_artifact_types()}
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts()}
    complete = [identity for identity, state in states.items() if state == "COMPLETE"]
    outputs = {
        Path(artifacts[event.artifact_id].uri)
        for event in store.get_events_by_execution_ids(complete)
        if event.type == mlmd.Event.OUTPUT
    }
    by_type = Counter(types[artifact.type_id] for artifact in artifacts.values())
    return MetadataContent(executions, by_type, outputs)


def partial_outputs(output: Path) -> list[Path]:
    """Return the files and directories in an output directory that no complete execution wrote.

    Empty directories that TFX creates are ignored.
    """
    artifacts = output / "artifacts"
    given = read_metadata(output).outputs if (output / "metadata.sqlite").exists() else set()
    found = [path for path in artifacts.glob("[!.]*/[!.]*/*") if path not in given]
    for kept in ("executor_execution", "stateful_working_dir"):
        found += [path for path in artifacts.glob(f"*/.system/{kept}/**/*") if path.is_file()]
    found += output.glob(".movies.partial")
    for prefix in (versions.STAGING_PREFIX, versions.TRASH_PREFIX):
        found += output.glob(f"serving/{MODEL_NAME}/{prefix}*")
    return sorted(found)
