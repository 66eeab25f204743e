"""The configuration: what a file and flags make of the defaults, and what is refused."""

import logging
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options import pipeline_options
from apache_beam.testing import util as testing_util
from tfx.utils import dependency_utils

from pipeline import config
from schema.errors import UserError
from schema.genres import GENRES
from transform.features import TransformConfig


def load(folder: Path, text: str, **flags: object) -> config.RunConfig:
    file = folder / "settings.yaml"
    file.write_text(text)
    return config.load(folder, folder / "out", [file], **flags)


def test_defaults_without_a_file(tmp_path: Path) -> None:
    loaded = config.load(tmp_path, tmp_path / "out")
    assert loaded == config.RunConfig(data=tmp_path, output=tmp_path / "out")


def test_sections_change_what_they_name_and_nothing_else(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "transform:\n  max_cast: 3\nhparams:\n  learning_rate: 1\n"
        "ingest:\n  title_types: [movie, tvMovie]\n  plots: mine.csv\n",
    )
    assert loaded.transform == TransformConfig(max_cast=3)
    assert loaded.hparams.learning_rate == 1.0
    assert loaded.ingest.title_types == ("movie", "tvMovie")
    assert loaded.ingest.plots == tmp_path / "mine.csv"
    assert loaded.gate == config.RunConfig(tmp_path, tmp_path).gate


def test_a_file_beside_the_data_is_read(tmp_path: Path) -> None:
    (tmp_path / "ordained.yaml").write_text("tuner: {trials: 7}\n")
    assert config.load(tmp_path, tmp_path / "out").tuner.trials == 7


def test_of_several_files_the_last_counts_for_each_value(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "more" / "second.yaml"
    second.parent.mkdir()
    first.write_text("hparams: {trees: 30, towers: 2}\ningest: {plots: mine.csv}\n")
    second.write_text("hparams: {trees: 40}\ntuner: {trials: 3}\n")
    loaded = config.load(tmp_path, tmp_path / "out", [first, second])
    assert (loaded.hparams.trees, loaded.hparams.towers, loaded.tuner.trials) == (40, 2, 3)
    assert loaded.ingest.plots == tmp_path / "mine.csv"

    second.write_text("hparams: {trees: -1}\n")
    with pytest.raises(UserError, match=r"second\.yaml: hparams\.trees must be"):
        config.load(tmp_path, tmp_path / "out", [first, second])


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    text = "tuner: {enabled: true, trials: 4}\n"
    assert load(tmp_path, text, tune=None).tuner == config.TunerConfig(enabled=True, trials=4)
    assert load(tmp_path, text, tune=False).tuner == config.TunerConfig(enabled=False, trials=4)
    assert load(tmp_path, "", cache=False, from_node="Trainer").from_node == "Trainer"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gates: {}", "gates is no section of the configuration. Known: ingest"),
        ("gate: {flor: 0.5}", "gate.flor is not known. Known: floor"),
        ("gate: {floor: high}", "gate.floor must be of type float. Received: 'high'"),
        ("gate: {floor: 1.5}", "gate.floor must be a number from 0 to 1. Received: 1.5"),
        ("gate: {min_support: true}", "gate.min_support must be of type int. Received: True"),
        ("gate: {genre_floors: {Noir: 0.3}}", "gate.genre_floors.Noir is not a genre"),
        ("gate: 3", "gate must hold names and values. Received: 3"),
        ("hparams: {text_encoder: bert}", "hparams.text_encoder must be one of cnn, rnn, cnn_rnn"),
        ("transform: {max_cast: 0}", "transform.max_cast must be a whole number of at least 1"),
        ("word_vectors: {source: fasttext}", "word_vectors.source must be glove or word2vec"),
        ("serving: {keep_old: 0}", "serving.keep_old must be at least 1"),
        ("beam: {running_mode: fast}", "beam.running_mode must be one of in_memory"),
        ("tuner: {trials: 0}", "tuner.trials must be at least 1"),
        ("[1, 2]", "expected sections such as `gate:` at the top"),
        ("gate: [", "is not YAML"),
    ],
)
def test_refusals_name_the_file_and_the_value(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "settings.yaml"))
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read: No such file"):
        config.load(tmp_path, tmp_path, [tmp_path / "none.yaml"])


def test_the_settings_of_the_sample_are_valid() -> None:
    sample = Path(__file__).parents[2] / "data" / "sample"
    assert config.load(sample, sample / "out").tuner.enabled


def test_the_direct_runner_does_not_look_for_prism_on_the_network(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="apache_beam")
    options = pipeline_options.PipelineOptions(config.BeamConfig().arguments())
    with beam.Pipeline(options=options) as steps:
        doubled = steps | beam.Create([1, 2]) | beam.Map(lambda x: 2 * x)
        testing_util.assert_that(doubled, testing_util.equal_to([2, 4]))
    assert not [record for record in caplog.records if "prism" in record.getMessage().lower()]


@pytest.mark.parametrize("mode", ["in_memory", "multi_threading", "multi_processing"])
def test_tfx_packs_no_sources_for_workers_elsewhere(mode: str) -> None:
    flags = config.BeamConfig(running_mode=mode, workers=2).arguments()
    assert dependency_utils.make_beam_dependency_flags(flags) == flags
    with beam.Pipeline(options=pipeline_options.PipelineOptions(flags)) as steps:
        doubled = steps | beam.Create([1, 2]) | beam.Map(lambda x: 2 * x)
        testing_util.assert_that(doubled, testing_util.equal_to([2, 4]))


def test_the_settings_of_the_whole_of_imdb_have_a_floor_for_every_genre(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "data" / "imdb.yaml"
    loaded = config.load(tmp_path, tmp_path / "out", [file])
    assert set(loaded.gate.genre_floors) == set(GENRES)
    assert min(loaded.gate.genre_floors.values()) > config.GateConfig().floor
