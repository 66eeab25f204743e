"""`make schema` shows each difference and writes only what is accepted."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import v1 as tfx

from cli.app import main
from pipeline.schema_review import (
    Change,
    Statistics,
    accepted,
    differences,
    read_schema,
    review,
)
from schema import features as raw
from schema.errors import TryAgainError, UserError
from tests.data.tiny_movies import Row, movies, statistics, with_values, without, write_csv

HEADER, CURATED = read_schema(raw.SCHEMA_FILE)
GOOD = movies(200)


def data(*splits: Sequence[Row]) -> tuple[schema_pb2.Schema, Statistics]:
    """What a run with these splits, the first to train on, would say of its data."""
    computed = [statistics(rows) for rows in splits]
    return tfdv.infer_schema(computed[0], infer_feature_shape=False), computed


def found(*splits: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """Feature, difference and whether it can be accepted, for each change."""
    return [
        (change.feature, change.difference, change.accepted is not None)
        for change in differences(CURATED, *data(*splits))
    ]


def test_no_difference() -> None:
    assert found(GOOD, movies(20, seed=2)) == []


def test_optional_fields_may_be_empty() -> None:
    assert found(with_values(GOOD, writers=None, num_votes=None, average_rating=None)) == []


def test_each_difference_is_named() -> None:
    rows = [{**row, raw.TITLE: None} for row in GOOD[:100]] + GOOD[100:]
    rows = [{**row, raw.VOTES: "many", "budget": 7} for row in rows]
    rows[0] |= {raw.PLOT: None, raw.YEAR: 1850, raw.RATING: 10.5}
    other = movies(20, seed=2)
    other[0] |= {raw.YEAR: 1840}
    assert found(without(rows, raw.CAST), other) == [
        ("title", "54.5% of the rows have a value, the schema asks 90.0%", False),
        ("plot", "1 of 220 rows have no value", False),
        ("year", "min 1840, the schema says 1888", True),
        ("average_rating", "max 10.5, the schema says 10.0", True),
        ("num_votes", "BYTES values, the schema says INT", False),
        ("cast", "not in the data (optional)", False),
        ("budget", "new: INT, in every row", True),
    ]


def test_a_required_column_that_is_not_there() -> None:
    assert found(without(GOOD, raw.PLOT)) == [("plot", "not in the data, but required", False)]


def test_accepting_keeps_all_that_is_curated() -> None:
    rows = with_values(GOOD, budget=7)
    rows[0] |= {raw.YEAR: 1850}
    inferred, computed = data(rows)
    schema = accepted(CURATED, differences(CURATED, inferred, computed))

    assert [feature.name for feature in schema.feature] == [*raw.CSV_COLUMNS, "budget"]
    assert not schema.feature[-1].HasField("shape")
    assert dict(tfdv.validate_statistics(computed[0], schema).anomaly_info) == {}
    del schema.feature[-1]
    schema.feature[4].int_domain.min = 1888
    assert schema == CURATED


def test_only_what_is_confirmed_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schema.pbtxt"
    shutil.copy(raw.SCHEMA_FILE, file)
    rows = with_values(GOOD, budget=7)
    rows[0] |= {raw.YEAR: 1850}
    asked: list[str] = []

    def confirm(change: Change) -> bool:
        asked.append(change.feature)
        return change.feature == raw.YEAR

    review(file, *data(rows), write=True, confirm=confirm)

    assert asked == ["year", "budget"]
    text = file.read_text(encoding="utf-8")
    assert read_schema(file)[0] == HEADER
    assert text == raw.SCHEMA_FILE.read_text(encoding="utf-8").replace("min: 1888", "min: 1850")
    assert [path.name for path in tmp_path.iterdir()] == ["schema.pbtxt"]
    assert capsys.readouterr().out.splitlines()[-1] == f"Written to {file}: 1 of 2 changes."


def test_nothing_is_written_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "schema.pbtxt"
    shutil.copy(raw.SCHEMA_FILE, file)
    rows = with_values(GOOD, budget=7, title=None)

    review(file, *data(rows), write=False, confirm=lambda change: True)
    assert file.read_bytes() == raw.SCHEMA_FILE.read_bytes()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{file} and the data of the newest run:"
    assert lines[1] == "  tconst           as in the schema"
    assert "  budget           new: INT, in every row" in lines
    assert lines[-2:] == [
        f"What is marked [by hand] is yours to change, in the data or in {file}.",
        "Nothing is written. With --write, each other change can be accepted.",
    ]
    review(file, *data(rows), write=True, confirm=lambda change: False)
    assert file.read_bytes() == raw.SCHEMA_FILE.read_bytes()
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing is written."


def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}: no run has been made there. Run `make run` first.\n"
    )
    assert main(["schema", "--output", str(tmp_path), "--write"]) == 2
    assert capsys.readouterr().err == (
        "error: --write asks about each change, but there is no terminal. Add --yes to accept "
        "all.\n"
    )


def test_a_schema_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "schema.pbtxt"
    with pytest.raises(UserError, match=r"schema\.pbtxt: cannot be read: No such file"):
        read_schema(file)
    file.write_text("feature { nome: 1 }")
    with pytest.raises(UserError, match=r"is not a schema in protobuf text format: 1:11 "):
        read_schema(file)


def test_a_full_disk_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "schema.pbtxt"
    shutil.copy(raw.SCHEMA_FILE, file)
    (tmp_path / f".schema.pbtxt.{os.getpid()}.part").symlink_to("/dev/full")
    rows = [{**row, "budget": 5} for row in GOOD]
    with pytest.raises(TryAgainError, match=r"schema\.pbtxt: cannot be written: No space left"):
        review(file, *data(rows), write=True, confirm=lambda change: True)
    assert file.read_bytes() == raw.SCHEMA_FILE.read_bytes()
    assert list(tmp_path.iterdir()) == [file]


def infer(folder: Path, rows: Sequence[Row]) -> None:
    """Run the pipeline's nodes up to SchemaGen on these rows."""
    movies_folder = folder / "movies"
    movies_folder.mkdir(exist_ok=True)
    write_csv(movies_folder / "movies-00000-of-00001.csv", rows)
    examples = tfx.components.CsvExampleGen(input_base=str(movies_folder))
    computed = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.SchemaGen(
        statistics=computed.outputs["statistics"], infer_feature_shape=False
    )
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="review",
            pipeline_root=str(folder / "artifacts"),
            components=[examples, computed, schema],
            enable_cache=True,
            metadata_connection_config=(
                tfx.orchestration.metadata.sqlite_metadata_connection_config(
                    str(folder / "metadata.sqlite")
                )
            ),
            beam_pipeline_args=["--direct_running_mode=in_memory", "--direct_num_workers=1"],
        )
    )


@pytest.mark.slow
def test_the_newest_run_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "schema.pbtxt"
    shutil.copy(raw.SCHEMA_FILE, file)
    command = ["schema", "--output", str(tmp_path), "--schema", str(file)]

    infer(tmp_path, GOOD)
    assert main(command) == 0
    assert capsys.readouterr().out.count("as in the schema") == 12

    infer(tmp_path, with_values(GOOD, budget=7, year=1850))
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "year             min 1850, the schema says 1888\n" in out
    assert "budget           new: INT, in every row\n" in out
    assert main([*command, "--write", "--yes"]) == 0
    assert capsys.readouterr().out.endswith("2 of 2 changes.\n")
    assert main(command) == 0
    assert capsys.readouterr().out.count("as in the schema") == 13
