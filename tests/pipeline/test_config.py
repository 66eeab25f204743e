"""Loading of the configuration from defaults, files and options, and its errors."""

import logging
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options import pipeline_options
from apache_beam.testing import util as testing_util
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.utils import dependency_utils

from pipeline import config
from pipeline.table_schema import relax
from schema.errors import UserError
from schema.genres import GENRES
from transform.features import TransformConfig


def load(directory: Path, text: str, **options: object) -> config.RunConfig:
    file = directory / "settings.yaml"
    file.write_text(text)
    return config.load(directory, directory / "out", [file], **options)


def test_defaults_without_a_file(tmp_path: Path) -> None:
    loaded = config.load(tmp_path, tmp_path / "out")
    assert loaded == config.RunConfig(data=tmp_path, output=tmp_path / "out")
    assert loaded.hparams.model_fields_set == set()


def test_a_file_changes_only_the_values_that_it_sets(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "transform:\n  max_cast: 3\nhparams:\n  learning_rate: 1\n"
        "ingest:\n  title_types: [movie, tvMovie]\n  plots: mine.csv\n  corrections: fixes.csv\n",
    )
    assert loaded.transform == TransformConfig(max_cast=3)
    assert loaded.hparams.learning_rate == 1.0
    assert loaded.ingest.title_types == ("movie", "tvMovie")
    assert loaded.ingest.plots == tmp_path / "mine.csv"
    assert loaded.ingest.corrections == tmp_path / "fixes.csv"
    assert loaded.gate == config.GateConfig()


def test_the_file_in_the_data_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "ordained.yaml").write_text("tuner: {trials: 7}\n")
    assert config.load(tmp_path, tmp_path / "out").tuner.trials == 7


def test_the_last_file_takes_precedence(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "more" / "second.yaml"
    second.parent.mkdir()
    first.write_text("hparams: {trees: 30, folds: 2}\ningest: {plots: mine.csv}\n")
    second.write_text("hparams: {trees: 40}\ntuner: {trials: 3}\ningest:\n")
    loaded = config.load(tmp_path, tmp_path / "out", [first, second])
    assert (loaded.hparams.trees, loaded.hparams.folds, loaded.tuner.trials) == (40, 2, 3)
    assert loaded.ingest.plots == tmp_path / "mine.csv"
    assert loaded.hparams.model_fields_set == {"trees", "folds"}

    second.write_text("hparams: {trees: -1}\n")
    with pytest.raises(UserError) as caught:
        config.load(tmp_path, tmp_path / "out", [first, second])
    assert str(caught.value) == f"{second}: hparams.trees should be at least 1. Received: -1"


def test_a_table_in_a_file_and_in_the_options(tmp_path: Path) -> None:
    text = "ingest: {table: mine.csv, columns: {plot: Story, genres: Shelf}}\n"
    loaded = load(tmp_path, text)
    assert loaded.ingest.table == tmp_path / "mine.csv"
    assert loaded.ingest.columns == {"plot": "Story", "genres": "Shelf"}

    other = tmp_path / "other" / "movies.csv"
    loaded = load(tmp_path, text, table=other, columns={"plot": "Text"})
    assert loaded.ingest.table == other
    assert loaded.ingest.columns == {"plot": "Text", "genres": "Shelf"}

    with pytest.raises(UserError) as caught:
        load(tmp_path, text, columns={"story": "Text"})
    assert str(caught.value).startswith("--column: ingest.columns.story should be one of tconst, ")


def test_only_the_gate_of_a_table_has_no_floor_by_default(tmp_path: Path) -> None:
    assert load(tmp_path, "").gate.floor == 0.3
    assert load(tmp_path, "gate: {min_support: 5}", table=tmp_path / "mine.csv").gate.floor is None
    assert load(tmp_path, "gate: {floor: .4}", table=tmp_path / "mine.csv").gate.floor == 0.4


def test_an_error_in_columns_names_where_the_column_was_given(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, "ingest: {columns: {plot: 7}}\n", columns={"genres": "Shelf"})
    file = tmp_path / "settings.yaml"
    assert str(caught.value) == f"{file}: ingest.columns.plot should be text. Received: 7"
    with pytest.raises(UserError, match="--column: ingest should hold names and values"):
        load(tmp_path, "ingest: [plots]\n", columns={"genres": "Shelf"})


def test_a_table_may_lack_titles_and_years(tmp_path: Path) -> None:
    dumps, table = load(tmp_path, ""), load(tmp_path, "ingest: {table: mine.csv}\n")
    assert dumps.schema_text == dumps.curated_schema.read_text(encoding="utf-8")
    assert dumps.schema_file != table.schema_file
    required = {}
    for name, loaded in (("dumps", dumps), ("table", table)):
        schema = text_format.Parse(loaded.schema_text, schema_pb2.Schema())
        required[name] = {
            feature.name for feature in schema.feature if feature.presence.min_fraction > 0
        }
        lowest = {feature.name: feature.float_domain.min for feature in schema.feature}
        assert lowest["average_rating"] == (1.0 if name == "dumps" else 0.0)
    assert required["dumps"] - required["table"] == {"title", "year"}
    assert required["table"] == {"tconst", "plot", "genres", "split_key"}


@pytest.mark.parametrize(("curated", "of_a_table"), [(0.1, 0.2), (0.3, 0.3)])
def test_a_table_never_has_a_lower_limit_of_skew_than_dumps(
    curated: float, of_a_table: float
) -> None:
    schema = schema_pb2.Schema()
    genres = schema.feature.add(name="genres")
    genres.skew_comparator.infinity_norm.threshold = curated
    relaxed = text_format.Parse(relax(text_format.MessageToString(schema)), schema_pb2.Schema())
    assert relaxed.feature[0].skew_comparator.infinity_norm.threshold == of_a_table


def test_files_are_validated_together(tmp_path: Path) -> None:
    layers, encoder = tmp_path / "layers.yaml", tmp_path / "encoder.yaml"
    layers.write_text("hparams: {encoder_layers: 12}\n")
    encoder.write_text("hparams: {sentence_encoder: mpnet}\n")
    loaded = config.load(tmp_path, tmp_path / "out", [layers, encoder])
    assert (loaded.hparams.encoder_layers, loaded.hparams.sentence_encoder) == (12, "mpnet")

    encoder.write_text("hparams: {sentence_encoder: minilm}\n")
    with pytest.raises(UserError) as caught:
        config.load(tmp_path, tmp_path / "out", [layers, encoder])
    assert str(caught.value) == (
        f"{layers}, {encoder}: hparams.encoder_layers should be at most 6 with sentence_encoder "
        "minilm. Received: 12"
    )


def test_options_override_the_file(tmp_path: Path) -> None:
    text = "tuner: {enabled: true, trials: 4}\n"
    searching = load(tmp_path, text, tune=None)
    assert (searching.tuner.enabled, searching.tuner.trials, searching.force_search) == (
        True,
        4,
        False,
    )
    without = load(tmp_path, text, tune=False)
    assert (without.tuner.enabled, without.tuner.trials, without.force_search) == (False, 4, False)
    anew = load(tmp_path, "tuner: {trials: 4}", tune=True)
    assert (anew.tuner.enabled, anew.tuner.trials, anew.force_search) == (True, 4, True)
    assert load(tmp_path, "", cache=False, from_node="Trainer").from_node == "Trainer"


def test_a_home_directory_in_a_path_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    loaded = load(tmp_path, "ingest: {plots: ~/plots.csv, corrections: ~/fixes.csv}")
    assert loaded.ingest.plots == Path("/home/ada/plots.csv")
    assert loaded.ingest.corrections == Path("/home/ada/fixes.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "gates: {}",
            "gates is not a section of the configuration. Known sections: ingest, transform, ",
        ),
        (
            "data: imdb",
            "data is not a section of the configuration. Known sections: ingest, transform, ",
        ),
        ("1: {}", "1 is not a section of the configuration. Known sections: ingest, transform, "),
        (
            "gate: {flor: 0.5}",
            "gate.flor is not a setting. Known settings: floor, genre_floors, min_support",
        ),
        ("hparams: {1: 2}", "hparams.1 is not a setting. Known settings: word_encoder, "),
        ("gate: {floor: high}", 'gate.floor should be a number. Received: "high"'),
        ("gate: {floor: 1.5}", "gate.floor should be at most 1. Received: 1.5"),
        ("gate: {max_drop: }", "gate.max_drop should be a number. Received: nothing"),
        ("gate: {min_support: true}", "gate.min_support should be a whole number. Received: true"),
        ("gate: {genre_floors: {1: .2}}", "gate.genre_floors.1 should be text. Received: 1"),
        (
            "gate: {genre_floors: {War: .nan}}",
            "gate.genre_floors.War should be a finite number. Received: NaN",
        ),
        ("gate: 3", "gate should hold names and values. Received: 3"),
        ("ingest: [plots]", 'ingest should hold names and values. Received: ["plots"]'),
        (
            "ingest: {title_types: movie}",
            'ingest.title_types should be a list, such as [one, other]. Received: "movie"',
        ),
        (
            "ingest: {title_types: [1]}",
            "item 1 of ingest.title_types should be text. Received: 1",
        ),
        (
            "ingest: {memory_limit: lots}",
            'ingest.memory_limit should be a size such as 2GB. Received: "lots"',
        ),
        (
            "hparams: {word_encoder: }",
            "hparams.word_encoder should be 'none', 'cnn', 'rnn' or 'cnn_rnn'. Received: nothing",
        ),
        (
            "hparams: {word_encoder: 5}",
            "hparams.word_encoder should be 'none', 'cnn', 'rnn' or 'cnn_rnn'. Received: 5",
        ),
        (
            "hparams: {word_encoder: [cnn]}",
            "hparams.word_encoder should be 'none', 'cnn', 'rnn' or 'cnn_rnn'. Received: [\"cnn\"]",
        ),
        (
            "hparams: {learning_rate: .inf}",
            "hparams.learning_rate should be a finite number. Received: Infinity",
        ),
        ("hparams: {seed: -1}", "hparams.seed should be at least 0. Received: -1"),
        (
            "hparams: {seed: 4294967296}",
            "hparams.seed should be below 4294967296. Received: 4294967296",
        ),
        (
            "anomalies: {max_filled_change: .nan}",
            "anomalies.max_filled_change should be a finite number. Received: NaN",
        ),
        (
            "anomalies: {max_filled_change: 0}",
            "anomalies.max_filled_change should be above 0. Received: 0",
        ),
        ("transform: {max_cast: 0}", "transform.max_cast should be at least 1. Received: 0"),
        (
            "word_vectors: {source: fasttext}",
            "word_vectors.source should be 'glove' or 'word2vec'. Received: \"fasttext\"",
        ),
        ("serving: {keep_old: 0}", "serving.keep_old should be at least 1. Received: 0"),
        (
            "beam: {running_mode: fast}",
            "beam.running_mode should be 'in_memory', 'multi_threading' or 'multi_processing'. "
            'Received: "fast"',
        ),
        ("tuner: {trials: 0}", "tuner.trials should be at least 1. Received: 0"),
        ("tuner: {enabled: 1}", "tuner.enabled should be true or false. Received: 1"),
    ],
)
def test_errors_name_the_file_and_the_value(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'settings.yaml'}: {message}")
    assert "\n" not in str(caught.value)


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, "gate: {floor: 2}\nhparams: {trees: 0, layers: 3}\n")
    file = tmp_path / "settings.yaml"
    first, second, third = str(caught.value).splitlines()
    assert first == f"{file}: hparams.trees should be at least 1. Received: 0"
    assert second.startswith(
        f"{file}: hparams.layers is not a setting. Known settings: word_encoder, "
    )
    assert third == f"{file}: gate.floor should be at most 1. Received: 2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "hparams: {text_encoder: cnn_rnn_minilm}",
            "hparams.text_encoder was replaced by word_encoder and sentence_encoder. Write "
            "`word_encoder: cnn_rnn` and `sentence_encoder: minilm`.",
        ),
        (
            "hparams: {text_encoder: mpnet}",
            "hparams.text_encoder was replaced by word_encoder and sentence_encoder. Write "
            "`word_encoder: none` and `sentence_encoder: mpnet`.",
        ),
        (
            "hparams: {text_encoder: [cnn]}",
            "hparams.text_encoder was replaced by word_encoder and sentence_encoder",
        ),
        ("hparams: {people_folds: 3}", "hparams.people_folds was renamed to hparams.folds"),
        (
            "hparams: {finetuning_rate: 0.1}",
            "hparams.finetuning_rate was renamed to hparams.finetuning_learning_rate",
        ),
        (
            "hparams: {towers: 4}",
            "hparams.towers was removed, since it did not improve the model "
            "(docs/experiments.md). Delete it.",
        ),
    ],
)
def test_settings_of_earlier_versions_are_refused_with_an_upgrade_hint(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert str(caught.value) == f"{tmp_path / 'settings.yaml'}: {message}"


def test_the_settings_of_the_sample_are_valid() -> None:
    sample = Path(__file__).parents[2] / "data" / "sample"
    assert config.load(sample, sample / "out").tuner.enabled


def test_the_direct_runner_does_not_search_the_network_for_prism(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="apache_beam")
    options = pipeline_options.PipelineOptions(config.BeamConfig().arguments())
    with beam.Pipeline(options=options) as steps:
        doubled = steps | beam.Create([1, 2]) | beam.Map(lambda x: 2 * x)
        testing_util.assert_that(doubled, testing_util.equal_to([2, 4]))
    assert not [record for record in caplog.records if "prism" in record.getMessage().lower()]


@pytest.mark.parametrize("mode", ["in_memory", "multi_threading", "multi_processing"])
def test_tfx_packs_no_sources_for_remote_workers(mode: str) -> None:
    flags = config.BeamConfig(running_mode=mode, workers=2).arguments()
    assert dependency_utils.make_beam_dependency_flags(flags) == flags
    with beam.Pipeline(options=pipeline_options.PipelineOptions(flags)) as steps:
        doubled = steps | beam.Create([1, 2]) | beam.Map(lambda x: 2 * x)
        testing_util.assert_that(doubled, testing_util.equal_to([2, 4]))


def test_a_floor_is_for_a_genre_of_the_movies(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("gate: {genre_floors: {Noir: 0.3, Heist: 0.4}}")
    loaded = config.load(tmp_path, tmp_path / "out", [file])
    assert loaded.genres == GENRES
    assert config.with_genres(loaded, ["Heist", "Noir", "Space"]).genres == (
        "Heist",
        "Noir",
        "Space",
    )
    with pytest.raises(UserError) as error:
        config.with_genres(loaded, ["Noir", "Space"])
    assert str(error.value) == (
        "gate.genre_floors.Heist is not a genre of these movies. Known: Noir, Space. Remove the "
        "floor, or correct its name."
    )


def test_the_settings_of_the_whole_of_imdb_have_a_floor_for_every_genre(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "data" / "imdb.yaml"
    loaded = config.load(tmp_path, tmp_path / "out", [file])
    assert set(loaded.gate.genre_floors) == set(GENRES)
    assert loaded.gate.floor == 0.3
    assert min(loaded.gate.genre_floors.values()) > loaded.gate.floor
