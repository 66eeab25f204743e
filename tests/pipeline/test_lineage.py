"""Lineage of a real run: what made the served model, and what a change would make run again."""

import json
import shutil
from pathlib import Path

import pytest

import metadata
from cli.app import main
from components.pusher import versions
from pipeline import config as configuration
from pipeline import lineage
from pipeline import pipeline as dag
from pipeline.config import RunConfig
from pipeline.past_runs import newest_report
from tests.end_to_end.project import Project, Run
from tests.pipeline.test_pipeline import as_if_edited

pytestmark = [
    pytest.mark.slow,
    # TFX's, but protobuf gives it to whoever called.
    pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning"),
]


@pytest.fixture
def config(project: Project) -> RunConfig:
    return configuration.load(project.data, project.output)


def again(config: RunConfig) -> dict[str, list[str]]:
    return lineage.run_again(config, metadata.read_history(config.metadata))


def test_nothing_changed(config: RunConfig) -> None:
    assert again(config) == {}


# Nodes that follow from a change of the training, and of the transformation.
TRAINED = ["Trainer", "Evaluator", "SmokeTest", "Pusher", "ModelReport"]
TRANSFORMED = ["Transform", "WordVectors", *TRAINED]


def test_what_changes_would_do(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = config.transform.model_copy(update={"max_plot_words": 39})
    found = again(config.model_copy(update={"transform": narrow}))
    assert list(found) == TRANSFORMED
    assert found["Transform"] == ["transform.max_plot_words: 40 to 39"]
    found = again(config.model_copy(update={"hparams": config.hparams.updated({"epochs": 3})}))
    assert found == {
        "Trainer": ["hparams.epochs: 2 to 3"],
        "Evaluator": ["after Trainer"],
        "SmokeTest": ["after Trainer, Evaluator"],
        "Pusher": ["after Trainer, Evaluator, SmokeTest"],
        "ModelReport": ["after Trainer, Evaluator, SmokeTest, Pusher"],
    }
    found = again(config.model_copy(update={"republish": True}))
    assert found["Pusher"] == ["republish: 0 to 1"]

    for module, nodes in (
        ("transform.text", TRANSFORMED),
        ("components.smoke_test.decision", ["SmokeTest", "Pusher", "ModelReport"]),
    ):
        monkeypatch.setattr(dag, "fingerprint", as_if_edited(module))
        found = again(config)
        assert list(found) == nodes
        assert found[nodes[0]][0].startswith("its code changed (")


def test_what_changed_data_would_do(project: Project, config: RunConfig) -> None:
    dump = project.data / "title.ratings.tsv"
    dump.write_text(dump.read_text().replace("\t8.", "\t7."))
    # What ingest would write is not known before it has run.
    assert again(config) == {"ingest": ["title.ratings.tsv changed"]}
    [shard] = config.movies.glob("*.csv")
    shard.write_text(shard.read_text() + "\n")
    found = again(config)
    assert found["ingest"] == ["title.ratings.tsv changed", f"{shard.name} was changed or deleted"]
    assert found["CsvExampleGen"] == ["the movies CSV changed"]
    assert found["Trainer"] == ["after Transform, WordVectors"]
    assert "SchemaImporter" not in found

    shutil.rmtree(versions.served(config.model_directory).popitem()[1])
    assert "the serving directory is not as the last push left it" in again(config)["Pusher"]


def test_the_command(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--output", str(project.output), "--data", str(project.data)]
    assert main(["lineage", *arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    [(version, folder)] = project.served.items()
    assert (found["version"], found["folder"]) == (version, str(folder))
    [model] = project.artifacts("Trainer", "model")
    assert found["lineage"]["model"] == str(model)
    assert found["lineage"]["data"]["directory"] == str(project.output / "movies")
    assert set(found["lineage"]["code"]) == {"Transform", "WordVectors", "Trainer"}
    assert found["lineage"]["settings"]["Transform.transform.max_plot_words"] == 40
    assert (found["hparams"]["epochs"], found["hparams"]["hidden_units"]) == (2, 8)
    assert (found["also_used"], found["again"]) == ([], [])

    assert main(["lineage", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"  version   {version} in {folder}" in lines
    assert "  none: every result would come from the cache" in lines


def test_the_report_is_found(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    [report] = project.artifacts("ModelReport", "report")
    assert main(["report", "--output", str(project.output), "--no-browser"]) == 0
    assert capsys.readouterr().out == f"{report / 'report.html'}\n"
    log = max((project.output / "logs").glob("run-*.log"))
    log.with_suffix(".html").write_text("stopped")
    assert newest_report(project.output) == log.with_suffix(".html")


def test_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("lineage", "report"):
        assert main([command, "--output", str(tmp_path)]) == 2
        assert capsys.readouterr().err == (
            f"error: {tmp_path / 'metadata.sqlite'} does not exist. Run the pipeline first "
            "(`make run`)\n"
        )


def test_the_first_run_says_where_its_report_is(
    project: Project, first_run: tuple[Project, Run]
) -> None:
    _, first = first_run
    [report] = project.artifacts("ModelReport", "report")
    assert f"report  {report / 'report.html'}" in first.lines
