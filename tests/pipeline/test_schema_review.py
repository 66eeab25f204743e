"""`ordained schema` shows each difference and writes only the changes that are accepted."""

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
    apply_changes,
    find_changes,
    read_schema,
    review,
)
from schema import features as raw
from schema.errors import TryAgainError, UserError
from tests.data.tiny_movies import (
    Row,
    compute_statistics,
    make_movies,
    with_values,
    without_column,
    write_csv,
)

HEADER, CURATED = read_schema(raw.SCHEMA_FILE)
GOOD = make_movies(200)


def schema_and_statistics(*splits: Sequence[Row]) -> tuple[schema_pb2.Schema, Statistics]:
    """Return the inferred schema and the statistics of these splits; the first is for training."""
    computed = [compute_statistics(rows) for rows in splits]
    return tfdv.infer_schema(computed[0], infer_feature_shape=False), computed


def found(*splits: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """Return feature, difference and whether it can be accepted, for each change."""
    return [
        (change.feature, change.difference, change.new_feature is not None)
        for change in find_changes(CURATED, *schema_and_statistics(*splits))
    ]


def test_no_difference() -> None:
    assert found(GOOD, make_movies(20, seed=2)) == []


def test_optional_fields_may_be_empty() -> None:
    assert found(with_values(GOOD, writers=None, num_votes=None, average_rating=None)) == []


def test_each_difference_is_named() -> None:
    rows = [{**row, raw.TITLE: None} for row in GOOD[:100]] + GOOD[100:]
    rows = [{**row, raw.VOTES: "many", "budget": 7} for row in rows]
    rows[0] |= {raw.PLOT: None, raw.YEAR: 1850, raw.RATING: 10.5}
    other = make_movies(20, seed=2)
    other[0] |= {raw.YEAR: 1840}
    assert found(without_column(rows, raw.CAST), other) == [
        ("title", "54.5% of the rows have a value, the schema expects 90.0%", False),
        ("plot", "1 of 220 rows have no value", False),
        ("year", "min 1840, the schema expects 1888", True),
        ("average_rating", "max 10.5, the schema expects 10.0", True),
        ("num_votes", "type BYTES, the schema expects INT", False),
        ("cast", "optional, and missing from the data", False),
        ("budget", "new feature: INT, in every row", True),
    ]


def test_a_missing_required_column() -> None:
    assert found(without_column(GOOD, raw.PLOT)) == [
        ("plot", "required, but missing from the data", False)
    ]


def test_applied_changes_keep_the_curated_parts() -> None:
    rows = with_values(GOOD, budget=7)
    rows[0] |= {raw.YEAR: 1850}
    inferred, computed = schema_and_statistics(rows)
    schema = apply_changes(CURATED, find_changes(CURATED, inferred, computed))

    assert [feature.name for feature in schema.feature] == [*raw.CSV_COLUMNS, "budget"]
    assert not schema.feature[-1].HasField("shape")
    assert dict(tfdv.validate_statistics(computed[0], schema).anomaly_info) == {}
    del schema.feature[-1]
    schema.feature[4].int_domain.min = 1888
    assert schema == CURATED


def test_only_confirmed_changes_are_written(
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

    review(file, *schema_and_statistics(rows), write=True, confirm=confirm)

    assert asked == ["year", "budget"]
    text = file.read_text(encoding="utf-8")
    assert read_schema(file)[0] == HEADER
    assert text == raw.SCHEMA_FILE.read_text(encoding="utf-8").replace("min: 1888", "min: 1850")
    assert [path.name for path in tmp_path.iterdir()] == ["schema.pbtxt"]
    assert capsys.readouterr().out.splitlines()[-1] == f"Wrote 1 of 2 changes to {file}."


def test_nothing_is_written_without_confirmation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schema.pbtxt"
    shutil.copy(raw.SCHEMA_FILE, file)
    rows = with_values(GOOD, budget=7, title=None)

    review(file, *schema_and_statistics(rows), write=False, confirm=lambda change: True)
    assert file.read_bytes() == raw.SCHEMA_FILE.read_bytes()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Comparison of {file} with the data of the newest run:"
    assert lines[1] == "  tconst           no difference"
    assert "  budget           new feature: INT, in every row" in lines
    assert lines[-2:] == [
        f"Resolve the differences marked [edit by hand] in the data or in {file}.",
        "Nothing was written. Use --write to accept the other changes one by one.",
    ]
    review(file, *schema_and_statistics(rows), write=True, confirm=lambda change: False)
    assert file.read_bytes() == raw.SCHEMA_FILE.read_bytes()
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing was written."


def test_errors_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}: this output directory has no run. Run `ordained run` first, or name "
        "another output directory: --output DIR, or ORDAINED_OUTPUT=DIR.\n"
    )
    assert main(["schema", "--output", str(tmp_path), "--write"]) == 2
    assert capsys.readouterr().err == (
        "error: --write asks about each change, but there is no terminal. Add --yes to accept "
        "all.\n"
    )


def test_an_invalid_schema_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.pbtxt"
    with pytest.raises(UserError, match=r"schema\.pbtxt: cannot be read: No such file"):
        read_schema(file)
    file.write_text("feature { nome: 1 }")
    with pytest.raises(UserError, match=r"expected a schema in protobuf text format: 1:11 "):
        read_schema(file)


def test_a_full_disk_leaves_the_schema_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "schema.pbtxt"
    shutil.copy(raw.SCHEMA_FILE, file)
    (tmp_path / f".schema.pbtxt.{os.getpid()}.part").symlink_to("/dev/full")
    rows = [{**row, "budget": 5} for row in GOOD]
    with pytest.raises(TryAgainError, match=r"schema\.pbtxt: cannot be written: No space left"):
        review(file, *schema_and_statistics(rows), write=True, confirm=lambda change: True)
    assert file.read_bytes() == raw.SCHEMA_FILE.read_bytes()
    assert list(tmp_path.iterdir()) == [file]


def infer(directory: Path, rows: Sequence[Row]) -> None:
    """Run the nodes of the pipeline up to SchemaGen on these rows."""
    movies_directory = directory / "movies"
    movies_directory.mkdir(exist_ok=True)
    write_csv(movies_directory / "movies-00000-of-00001.csv", rows)
    examples = tfx.components.CsvExampleGen(input_base=str(movies_directory))
    computed = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.SchemaGen(
        statistics=computed.outputs["statistics"], infer_feature_shape=False
    )
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="review",
            pipeline_root=str(directory / "artifacts"),
            components=[examples, computed, schema],
            enable_cache=True,
            metadata_connection_config=(
                tfx.orchestration.metadata.sqlite_metadata_connection_config(
                    str(directory / "metadata.sqlite")
                )
            ),
            beam_pipeline_args=["--direct_running_mode=in_memory", "--direct_num_workers=1"],
        )
    )


@pytest.mark.slow
def test_the_newest_run_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "schema.pbtxt"
    shutil.copy(raw.SCHEMA_FILE, file)
    command = ["schema", "--output", str(tmp_path), "--schema", str(file)]

    infer(tmp_path, GOOD)
    assert main(command) == 0
    assert capsys.readouterr().out.count("no difference") == 13

    infer(tmp_path, with_values(GOOD, budget=7, year=1850))
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "year             min 1850, the schema expects 1888\n" in out
    assert "budget           new feature: INT, in every row\n" in out
    assert main([*command, "--write", "--yes"]) == 0
    assert "Wrote 2 of 2 changes" in capsys.readouterr().out
    assert main(command) == 0
    assert capsys.readouterr().out.count("no difference") == 14
