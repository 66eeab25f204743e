"""The whole pipeline on a few hundred movies: nodes that run again after each change."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter

import pytest
from pyarrow import parquet
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

from benchmarks import movies
from benchmarks.quality import dataset, trials
from components.evaluator.verdict import read_verdict
from pipeline import pipeline as pipeline_module
from tests.end_to_end.project import (
    COMPONENTS,
    INGEST,
    MOVIES,
    NULL,
    RESOLVERS,
    Project,
    Run,
    edit,
    environment,
    partial_outputs,
    read_metadata,
)
from tests.pipeline.test_pipeline import as_if_edited

pytestmark = pytest.mark.slow

PUSHED = {"Pusher", "ModelReport"}
EVALUATED = {"Evaluator", "SmokeTest"} | PUSHED
TRAINED = {"Trainer"} | EVALUATED

ARTIFACTS = Counter(
    {
        "AcceptedStatistics": 1,
        "BaselineMetrics": 1,
        "ExampleAnomalies": 1,
        "ExampleStatistics": 1,
        "Examples": 2,
        "InfraBlessing": 1,
        "Model": 2,
        "ModelBlessing": 1,
        "ModelEvaluation": 1,
        "ModelRun": 1,
        "PushedModel": 1,
        "ReportPage": 1,
        "Schema": 2,
        "TransformCache": 1,
        "TransformGraph": 1,
    }
)
"""Artifacts of the first run: raw and transformed examples, inferred and curated schema, word
vectors and genre model."""

REFUSED = Counter(
    {
        "InfraBlessing": 1,
        "ModelBlessing": 1,
        "ModelEvaluation": 1,
        "PushedModel": 1,
        "ReportPage": 1,
    }
)


def executions(complete: set[str] | frozenset[str], cached: set[str] | frozenset[str]) -> Counter:
    """Return one execution for each node."""
    return Counter([(node, "COMPLETE") for node in complete]) + Counter(
        [(node, "CACHED") for node in cached]
    )


def test_first_unchanged_and_refused_run(project: Project, first_run: tuple[Project, Run]) -> None:
    _, first = first_run
    assert (first.status, first.errors) == (0, "")
    assert set(first.nodes) == COMPONENTS | RESOLVERS | {INGEST}
    assert first.executed == COMPONENTS | {INGEST}
    assert f"{MOVIES} movies of {MOVIES} titles (0 dropped, 0 lines rejected)" in first.output
    [version] = project.served
    assert re.fullmatch(r"time    (\d+m)?\d+s", first.lines[-4])
    assert first.lines[-3:] == [
        f"model   {project.served[version]}",
        "next    `ordained report` or `ordained serve`",
        f"pushed: version {version}",
    ]
    content = read_metadata(project.output)
    assert content.executions == executions(COMPONENTS | RESOLVERS, set())
    assert content.artifacts == ARTIFACTS
    assert partial_outputs(project.output) == []

    [examples] = project.artifacts("CsvExampleGen", "examples")
    splits = movies.read_splits(project.output / "movies")
    assert splits == {
        tconst: split
        for split, rows in dataset.load_splits(examples).items()
        for tconst in rows["tconst"]
    }

    unchanged = project.run()
    assert (unchanged.status, unchanged.errors) == (0, "")
    assert unchanged.executed == set()
    assert set(unchanged.nodes) == set(first.nodes)
    assert unchanged.lines[-1] == f"unchanged: version {version}"
    assert list(project.served) == [version]
    content = read_metadata(project.output)
    assert content.executions == executions(COMPONENTS | RESOLVERS, COMPONENTS) + executions(
        RESOLVERS, set()
    )
    assert content.artifacts == ARTIFACTS

    edit(project.settings, lambda text: text.replace("floor: 0.0", "floor: 0.99"))
    refused = project.run()
    assert (refused.status, refused.errors) == (3, "")
    assert refused.executed == EVALUATED
    verdict = read_verdict(project.artifacts("Evaluator", "blessing")[-1])
    assert not verdict.blessed
    assert f"  {verdict.reasons[-1]}" == refused.lines[-1]
    assert " is below its floor 0.990 (" in refused.lines[-1]
    page = project.artifacts("ModelReport", "report")[-1] / "report.html"
    assert f"report  {page}" in refused.lines
    begin = page.read_text(encoding="utf-8").partition("<nav>")[0]
    assert "Not blessed by the gate and not pushed" in begin
    assert verdict.reasons[-1] in begin
    assert list(project.served) == [version]
    content = read_metadata(project.output)
    assert content.executions == (
        executions(COMPONENTS | RESOLVERS, COMPONENTS)
        + executions(RESOLVERS, COMPONENTS - EVALUATED)
        + executions(RESOLVERS | EVALUATED, set())
    )
    assert content.artifacts == ARTIFACTS + REFUSED
    assert partial_outputs(project.output) == []

    again = project.run_in_process()
    assert (again.status, again.executed, again.lines[-1]) == (3, set(), refused.lines[-1])

    edit(project.settings, lambda text: text.replace("floor: 0.99", "floor: 0.0"))
    unblocked = project.run_in_process()
    assert (unblocked.status, unblocked.executed) == (0, set())
    assert list(project.served) == [version]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("max_drop: 1.0", "max_drop: 0.9", EVALUATED),
        ("gate:", "serving: {keep_old: 2}\ngate:", PUSHED),
        ("gate:", "anomalies: {max_filled_change: 0.3}\ngate:", {"AnomalyGate", "ModelReport"}),
        ("trials: 1", "trials: 2", set()),
    ],
)
def test_a_changed_configuration(
    project: Project, before: str, after: str, expected: set[str]
) -> None:
    edit(project.settings, lambda text: text.replace(before, after))
    run = project.run_in_process()
    assert (run.status, run.executed) == (0, expected)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("components.smoke_test.probe", {"SmokeTest"} | PUSHED),
        ("components.simple_baseline.model", {"SimpleBaseline"} | EVALUATED),
    ],
)
def test_changed_code(
    project: Project, monkeypatch: pytest.MonkeyPatch, changed: str, expected: set[str]
) -> None:
    monkeypatch.setattr(pipeline_module, "fingerprint", as_if_edited(changed))
    run = project.run_in_process()
    assert (run.status, run.executed) == (0, expected)


def test_an_edited_source_file_is_used(project: Project) -> None:
    edit(
        project.checkout / "trainer" / "ensemble" / "word_encoder.py",
        lambda code: code.replace("= (1, 2, 3, 5)", "= (1, 2)"),
    )
    run = project.run()
    assert (run.status, run.executed) == (0, TRAINED)
    before, after = (
        json.loads((directory / "training.json").read_text())["parameters"]
        for directory in project.artifacts("Trainer", "model_run")
    )
    # The removed convolutions were 3 and 5 wide, with 4 filters over 50 dimensions.
    assert before - after > (3 + 5) * 50 * 4
    assert len(project.served) == 2


def test_an_added_title(project: Project) -> None:
    line = f"tt9999999\tmovie\tThe Ferry\t{NULL}\t0\t1991\t{NULL}\t88\tDrama"
    edit(project.data / "title.basics.tsv", lambda text: f"{text}{line}\n")
    edit(
        project.data / "title.plots.tsv",
        lambda text: f"{text}tt9999999\tA ferryman learns who paid for his boat.\n",
    )
    run = project.run_in_process()
    assert run.status == 0
    assert f"{MOVIES + 1} movies of {MOVIES + 1} titles" in run.output
    assert run.executed == COMPONENTS - {"SchemaImporter"} | {INGEST}


def test_changed_data_that_affect_no_movie(project: Project) -> None:
    edit(
        project.data / "name.basics.tsv",
        lambda text: f"{text}nm9999999\tNobody\t{NULL}\t{NULL}\t{NULL}\t{NULL}\n",
    )
    run = project.run_in_process()
    assert (run.status, run.executed) == (0, {INGEST})


def test_from_a_node(project: Project) -> None:
    [version] = project.served
    run = project.run_in_process("--from", "Evaluator")
    assert (run.status, run.executed) == (0, EVALUATED)
    assert run.lines[-1] == f"unchanged: version {version}"
    assert list(project.served) == [version]


def test_a_run_that_labels_movies(project: Project) -> None:
    edit(project.settings, lambda text: f"{text}label: {{enabled: true}}\n")
    run = project.run_in_process()
    assert (run.status, run.executed) == (0, {"Labeller"})
    [labels] = project.artifacts("Labeller", "labels")
    assert f"labels  {labels}" in run.lines
    assert parquet.read_table(labels / "genres.parquet").num_rows == 0
    doubts = parquet.read_table(labels / "doubts.parquet")
    assert f"0 movies labelled (0 unsure), {doubts.num_rows} doubted" in run.output
    again = project.run_in_process()
    assert (again.status, again.executed) == (0, set())


def test_labels_by_the_command(project: Project) -> None:
    """Label titles without genres, then doubt the genres of all movies by one model for each fold.

    The movies of the run stay, although the data have changed.
    """
    basics = (project.data / "title.basics.tsv").read_text().splitlines()
    without = {number: basics[number].rpartition("\t")[0] for number in (5, 50, 77)}
    changed = [
        f"{without[number]}\t{NULL}" if number in without else line
        for number, line in enumerate(basics)
    ]
    (project.data / "title.basics.tsv").write_text("\n".join([*changed, ""]))
    output = project.output
    before = [(path, path.stat().st_mtime_ns) for path in sorted((output / "movies").iterdir())]
    tables = [project.directory / "genres.csv", project.directory / "doubts.csv"]
    arguments = ["--data", project.data, "--run", output, "--output", tables[0]]
    command = [sys.executable, "-m", "cli", "label", *map(str, arguments), "--doubts"]

    def label(*options: str) -> list[dict[str, str]]:
        done = subprocess.run(
            [*command, str(tables[1]), *options],
            cwd=project.checkout,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        with tables[1].open(newline="") as file:
            return list(csv.DictReader(file))

    doubts = label()
    with tables[0].open(newline="") as file:
        labels = list(csv.DictReader(file))
    assert [row["tconst"] for row in labels] == [
        line.partition("\t")[0] for line in without.values()
    ]
    [version] = project.served
    assert {row["model_version"] for row in (*labels, *doubts)} == {str(version)}
    assert {row["split"] for row in doubts} <= {"eval", "test"}

    doubts = label("--folds", "2", "--yes")
    assert {row["split"] for row in doubts} == {"fold 1 of 2", "fold 2 of 2"}
    assert len({row["tconst"] for row in doubts}) == len(doubts) > MOVIES // 3
    assert not (output / "label" / "folds").exists()
    assert before == [
        (path, path.stat().st_mtime_ns) for path in sorted((output / "movies").iterdir())
    ]


def test_an_emptied_model_directory(project: Project) -> None:
    [(version, directory)] = project.served.items()
    directory.rename(project.directory / "taken away")
    run = project.run_in_process()
    assert (run.status, run.executed) == (0, PUSHED)
    [new] = project.served
    assert new > version
    assert run.lines[-1] == f"pushed: version {new}"


def test_a_search_and_later_runs_that_use_its_result(project: Project) -> None:
    searched = project.run_in_process("--tune")
    assert (searched.status, searched.executed) == (0, {"Tuner"} | TRAINED)
    assert "BestHyperparameters" not in searched.nodes
    [search] = (project.output / "logs" / "tensorboard" / "tuner").iterdir()
    [training] = project.artifacts("Trainer", "model_run")[-1:]
    for directory, prefix in ((search, "trial_0/"), (training, "")):
        shown = EventMultiplexer().AddRunsFromDirectory(str(directory)).Reload()
        assert {run: sorted(found["tensors"]) for run, found in shown.Runs().items()} == {
            prefix.rstrip("/") or ".": ["_hparams_/session_start_info"],
            f"{prefix}train": ["epoch_learning_rate", "epoch_loss"],
            f"{prefix}validation": ["epoch_loss", "epoch_macro_f1", "epoch_map"],
        }

    [trial] = trials.read_trials(project.output)
    assert int(trial["trial_id"]) == 0
    assert 0 < trial["score"] < 1
    assert {"word_encoder", "optimizer", "learning_rate", "batch_size"} < set(trial)

    later = project.run_in_process()
    assert (later.status, later.executed) == (0, set())
    assert (
        "note: this run uses the hyperparameters of the latest search. Use --tune for a new "
        "search, or --ignore-search to train without them."
    ) in later.lines
    [pushed] = [line for line in searched.lines if line.startswith("pushed: ")]
    assert later.lines[-1] == pushed.replace("pushed", "unchanged")

    anew = project.run_in_process("--tune")
    assert (anew.status, anew.nodes["Tuner"]) == (0, "done")
    edit(project.settings, lambda text: text.replace("0.005", "5e-3, dropout: 0.2"))
    explicit = project.run_in_process()
    assert explicit.status == 0
    assert any(
        line.startswith("note: the configuration overrides the latest search: dropout is 0.2, not ")
        for line in explicit.lines
    )
    [training] = project.artifacts("Trainer", "model_run")[-1:]
    trained = json.loads((training / "training.json").read_text())["hparams"]
    assert (trained["dropout"], trained["learning_rate"]) == (0.2, 0.005)
