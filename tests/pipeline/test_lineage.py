"""Lineage of a real run: origin of the served model, and nodes that a change makes run again."""

import json
import shutil
from pathlib import Path

import pytest

import metadata
from cli.app import main
from components.pusher import versions
from pipeline import config as configuration
from pipeline import lineage
from pipeline import pipeline as pipeline_module
from pipeline.config import RunConfig
from pipeline.past_runs import newest_report
from tests.end_to_end.project import Project, Run
from tests.pipeline.test_pipeline import as_if_edited

pytestmark = [
    pytest.mark.slow,
    # TFX causes the warning, but protobuf attributes it to the caller.
    pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning"),
]


@pytest.fixture
def config(project: Project) -> RunConfig:
    return configuration.load(project.data, project.output)


def cache_misses(config: RunConfig) -> dict[str, list[str]]:
    return lineage.find_cache_misses(config, metadata.read_history(config.metadata))


def test_an_unchanged_run(config: RunConfig) -> None:
    assert cache_misses(config) == {}


# Nodes that run again after a change of the training, and of the transformation.
TRAINED = ["Trainer", "Evaluator", "SmokeTest", "Pusher", "ModelReport"]
TRANSFORMED = ["Transform", "WordVectors", *TRAINED]


def test_changed_settings_and_code(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = config.transform.model_copy(update={"max_plot_words": 39})
    found = cache_misses(config.model_copy(update={"transform": narrow}))
    assert list(found) == TRANSFORMED
    assert found["Transform"] == ["transform.max_plot_words changed from 40 to 39"]
    found = cache_misses(
        config.model_copy(update={"hparams": config.hparams.updated({"epochs": 3})})
    )
    assert found == {
        "Trainer": ["hparams.epochs changed from 2 to 3"],
        "Evaluator": ["it depends on Trainer"],
        "SmokeTest": ["it depends on Trainer, Evaluator"],
        "Pusher": ["it depends on Trainer, Evaluator, SmokeTest"],
        "ModelReport": ["it depends on Trainer, Evaluator, SmokeTest, Pusher"],
    }
    found = cache_misses(config.model_copy(update={"push_again": True}))
    assert found["Pusher"] == ["push_again changed from 0 to 1"]

    for module, nodes in (
        ("transform.text", TRANSFORMED),
        ("components.smoke_test.decision", ["SmokeTest", "Pusher", "ModelReport"]),
    ):
        monkeypatch.setattr(pipeline_module, "fingerprint", as_if_edited(module))
        found = cache_misses(config)
        assert list(found) == nodes
        assert found[nodes[0]][0].startswith("its code changed from ")


def test_changed_data(project: Project, config: RunConfig) -> None:
    dump = project.data / "title.ratings.tsv"
    dump.write_text(dump.read_text().replace("\t8.", "\t7."))
    # The output of ingest is unknown before it runs.
    assert cache_misses(config) == {"ingest": ["title.ratings.tsv changed"]}
    [shard] = config.movies.glob("*.csv")
    shard.write_text(shard.read_text() + "\n")
    found = cache_misses(config)
    assert found["ingest"] == ["title.ratings.tsv changed", f"{shard.name} was changed or deleted"]
    assert found["CsvExampleGen"] == ["the movies CSV changed"]
    assert found["Trainer"] == ["it depends on Transform, WordVectors"]
    assert "SchemaImporter" not in found

    shutil.rmtree(versions.served(config.model_directory).popitem()[1])
    assert "the serving directory changed after the last push" in cache_misses(config)["Pusher"]


def test_the_command(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--output", str(project.output), "--data", str(project.data)]
    assert main(["lineage", *arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    [(version, directory)] = project.served.items()
    assert (found["version"], found["directory"]) == (version, str(directory))
    [model] = project.artifacts("Trainer", "model")
    assert found["lineage"]["model"] == str(model)
    assert found["lineage"]["data"]["directory"] == str(project.output / "movies")
    assert set(found["lineage"]["code"]) == {"Transform", "WordVectors", "Trainer"}
    assert found["lineage"]["settings"]["Transform.transform.max_plot_words"] == 40
    assert (found["hparams"]["epochs"], found["hparams"]["hidden_units"]) == (2, 8)
    assert (found["trained_on_same_data"], found["cache_misses"]) == ([], [])
    assert found["compared_with"] == str(project.data)

    assert main(["lineage", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"  version   {version} in {directory}" in lines
    assert "  none: every result would come from the cache" in lines
    assert f"  data      {project.data}" in lines


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
            "with `ordained run`, or name its output directory with --output.\n"
        )
    log = tmp_path / "logs" / "run-1.log"
    log.parent.mkdir()
    log.touch()
    assert main(["report", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}: no run has made a report yet. The last run ended before its first "
        f"node: {log} says why.\n"
    )


def test_the_first_run_says_where_its_report_is(
    project: Project, first_run: tuple[Project, Run]
) -> None:
    _, first = first_run
    [report] = project.artifacts("ModelReport", "report")
    assert f"report  {report / 'report.html'}" in first.lines
