"""The gate fails on each kind of anomaly and accepts good and sparse data."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tfx import v1 as tfx
from tfx.components.example_validator import executor as example_validator
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from components.anomaly_gate.component import AcceptedStatistics, AnomalyGate
from components.anomaly_gate.decision import AnomalyGateConfig, DataAnomaliesError
from components.anomaly_gate.tfdv_adapter import load_accepted_statistics
from components.resolvers import LastAcceptedStatisticsStrategy
from schema import features as raw
from schema.names import ANOMALY_REPORT_FILE, Node
from tests.data.tiny_movies import (
    Row,
    compute_statistics,
    make_movies,
    with_values,
    without_column,
    write_csv,
    write_statistics,
)

GOOD = make_movies(600, seed=1)
TEST = make_movies(150, seed=2)


def run_gate(
    directory: Path,
    train: Sequence[Row],
    test: Sequence[Row] = TEST,
    previous: Sequence[Row] | None = None,
) -> AcceptedStatistics:
    """Run the executors of ExampleValidator and of the gate on real artifacts."""
    splits: Mapping[str, Sequence[Row]] = {"train": train, "test": test}
    computed = write_statistics(directory / "statistics", splits)
    computed.id = 7
    schema = standard_artifacts.Schema()
    schema.uri = str(directory / "schema")
    Path(schema.uri).mkdir()
    (Path(schema.uri) / "schema.pbtxt").write_text(raw.SCHEMA_FILE.read_text())
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(directory / "anomalies")
    example_validator.Executor().Do(
        {"statistics": [computed], "schema": [schema]}, {"anomalies": [anomalies]}, {}
    )
    inputs = {"statistics": computed, "schema": schema, "anomalies": anomalies}
    if previous is not None:
        inputs["previous"] = accepted_statistics(directory / "before", previous)
    accepted = AcceptedStatistics()
    accepted.uri = str(directory / "accepted")
    AnomalyGate.test_call(**inputs, accepted=accepted, limits=AnomalyGateConfig().to_json())
    return accepted


def accepted_statistics(directory: Path, rows: Sequence[Row]) -> AcceptedStatistics:
    artifact = AcceptedStatistics()
    artifact.uri = str(directory)
    artifact.id = 5
    directory.mkdir()
    (directory / "FeatureStats.pb").write_bytes(compute_statistics(rows).SerializeToString())
    return artifact


def refusal_lines(directory: Path, *args: Sequence[Row], **kwargs: Sequence[Row]) -> list[str]:
    """Return the lines of the gate's error, and check that nothing was written."""
    with pytest.raises(DataAnomaliesError) as caught:
        run_gate(directory, *args, **kwargs)
    assert not (directory / "accepted").exists()
    return str(caught.value).splitlines()


def test_good_data_are_accepted_and_recorded(tmp_path: Path) -> None:
    accepted = run_gate(tmp_path, GOOD)

    assert (accepted.statistics_id, accepted.previous_id) == (7, 0)
    assert load_accepted_statistics(accepted.uri).datasets[0].num_examples == 600
    report = json.loads((Path(accepted.uri) / ANOMALY_REPORT_FILE).read_text())
    assert report["splits"]["train"]["rows"] == 600
    assert report["splits"]["test"]["filled"] == dict.fromkeys(sorted(raw.CSV_COLUMNS), 1.0)
    assert report["drift"] is None
    assert {name: one["limit"] for name, one in report["skew"]["test"]["distances"].items()} == {
        "average_rating": 0.2,
        "genres": 0.1,
        "num_votes": 0.2,
        "runtime_minutes": 0.2,
        "year": 0.2,
    }


def test_data_similar_to_the_last_accepted_are_accepted(tmp_path: Path) -> None:
    accepted = run_gate(tmp_path, GOOD, previous=make_movies(600, seed=3))

    assert (accepted.statistics_id, accepted.previous_id) == (7, 5)
    drift = json.loads((Path(accepted.uri) / ANOMALY_REPORT_FILE).read_text())["drift"]
    assert (drift["rows"], drift["reference_rows"]) == (600, 600)
    assert all(0 <= one["value"] < one["limit"] for one in drift["distances"].values())
    assert len(drift["distances"]) == 5


@pytest.mark.parametrize("column", [raw.RATING, raw.VOTES, raw.RUNTIME, *raw.PEOPLE])
def test_optional_columns_may_be_empty_or_missing(tmp_path: Path, column: str) -> None:
    empty = {
        "rows": with_values(GOOD, **{column: None}),
        "test": with_values(TEST, **{column: None}),
    }
    run_gate(tmp_path, empty["rows"], empty["test"])
    missing = tmp_path / "missing"
    missing.mkdir()
    run_gate(missing, without_column(GOOD, column), without_column(TEST, column))


def test_a_column_that_is_empty_in_one_split_is_not_out_of_range(tmp_path: Path) -> None:
    rare = [*GOOD[:10], *with_values(GOOD[10:], runtime_minutes=None, average_rating=None)]
    accepted = run_gate(
        tmp_path, rare, with_values(TEST, runtime_minutes=None, average_rating=None)
    )

    report = json.loads((Path(accepted.uri) / ANOMALY_REPORT_FILE).read_text())
    assert report["splits"]["train"]["filled"]["runtime_minutes"] == 0.016667
    assert report["splits"]["test"]["filled"]["runtime_minutes"] == 0.0
    assert sorted(report["skew"]["test"]["distances"]) == ["genres", "num_votes", "year"]


def test_a_column_with_few_values_is_not_compared(tmp_path: Path) -> None:
    rare = [*GOOD[:99], *with_values(GOOD[99:], runtime_minutes=None)]
    run_gate(
        tmp_path,
        rare,
        [*with_values(TEST[:15], runtime_minutes=5), *with_values(TEST[15:], runtime_minutes=None)],
    )


def test_missing_required_column(tmp_path: Path) -> None:
    assert refusal_lines(
        tmp_path, without_column(GOOD, raw.PLOT), without_column(TEST, raw.PLOT)
    ) == [
        "train, test: plot: Column dropped: Column is completely missing. "
        "Add the column, or remove the feature from schema/schema.pbtxt."
    ]


def test_empty_cell_of_a_required_column(tmp_path: Path) -> None:
    rows = [*with_values(GOOD[:1], plot=None), *GOOD[1:]]
    assert refusal_lines(tmp_path, rows) == [
        "train: plot: Missing values: Some examples have fewer values than expected. "
        "Fill in the empty cells, or remove these rows."
    ]


def test_too_many_empty_cells(tmp_path: Path) -> None:
    rows = [*with_values(GOOD[:400], year=None), *GOOD[400:]]
    lines = refusal_lines(tmp_path, rows, rows[300:600])
    assert lines[0] == (
        "train: year: Missing values: 33.3% of the rows have a value, expected at least 50.0%. "
        "Fill it in, or lower its presence in schema/schema.pbtxt."
    )


def test_wrong_type(tmp_path: Path) -> None:
    rows = with_values(GOOD, year="nineteen")
    assert refusal_lines(tmp_path, rows, with_values(TEST, year="nineteen")) == [
        "train, test: year: Unexpected data type: Expected data of type: INT but got STRING. "
        "Correct the values that are not of this type."
    ]


def test_values_out_of_range(tmp_path: Path) -> None:
    rows = [
        {**GOOD[0], raw.RATING: 11.5, raw.YEAR: 1066, raw.VOTES: 0},
        {**GOOD[1], raw.YEAR: 20011},
        *GOOD[2:],
    ]
    remedy = "Correct the values, or accept a wider range with `ordained schema`."
    assert refusal_lines(tmp_path, rows) == [
        f"train: average_rating: Out-of-range values: Unexpectedly high value: 11.5>10. {remedy}",
        f"train: num_votes: Out-of-range values: Unexpectedly small value: 0. {remedy}",
        f"train: year: Out-of-range values: Unexpectedly small value: 1066. {remedy}",
        f"train: year: Out-of-range values: Unexpectedly large value: 20011. {remedy}",
    ]


def test_new_column(tmp_path: Path) -> None:
    assert refusal_lines(tmp_path, with_values(GOOD, budget=5), with_values(TEST, budget=5)) == [
        "train, test: budget: New column: New column (column in data but not in schema). "
        "Remove the column, or accept it with `ordained schema`."
    ]


def test_no_rows(tmp_path: Path) -> None:
    assert refusal_lines(tmp_path, GOOD, []) == [
        "test: (all rows): there are no rows. Add more movies."
    ]


DRIFT_REMEDY = (
    "Find the cause in the data. If the change is intended, run once with --accept-drift."
)


def test_drifted_features(tmp_path: Path) -> None:
    before = [{**row, raw.VOTES: row[raw.VOTES] * 100} for row in make_movies(600, seed=3)]
    before = [row for row in before if row[raw.GENRES_FIELD] != "Western"]
    lines = refusal_lines(tmp_path, GOOD, previous=before)

    assert [line.split(": ")[:3] for line in lines] == [
        ["train", "genres", "differs from the last accepted data"],
        ["train", "num_votes", "differs from the last accepted data"],
    ]
    assert "largest difference in the share of one value 0.3" in lines[0]
    assert "limit 0.08, largest difference for 'Western'" in lines[0]
    assert "Jensen-Shannon divergence 0.9" in lines[1]
    assert all(line.endswith(DRIFT_REMEDY) for line in lines)


def test_fewer_values_than_in_the_last_accepted_data(tmp_path: Path) -> None:
    rows = [*with_values(GOOD[:300], writers=None), *GOOD[300:]]
    assert refusal_lines(tmp_path, rows, rows[200:400], previous=make_movies(600, seed=3)) == [
        "train: writers: differs from the last accepted data: 50.0% of the rows have a value "
        f"instead of 100.0%. {DRIFT_REMEDY}"
    ]


def test_shorter_plots_than_in_the_last_accepted_data(tmp_path: Path) -> None:
    short, test = with_values(GOOD, plot="a ghost"), with_values(TEST, plot="a ghost")
    lines = refusal_lines(tmp_path, short, test, previous=with_values(GOOD, plot="a ghost " * 4))
    assert lines == [
        "train: plot: differs from the last accepted data: mean length of 7 bytes instead of 32. "
        + DRIFT_REMEDY
    ]


def test_fewer_movies_than_in_the_last_accepted_data(tmp_path: Path) -> None:
    lines = refusal_lines(tmp_path, GOOD[:200], previous=GOOD)
    assert len(lines) == 1
    assert lines[0].startswith(
        "train: (all rows): differs from the last accepted data: 200 rows instead of 600: "
        "Low num examples in current dataset versus the previous span"
    )


def test_skewed_split(tmp_path: Path) -> None:
    lines = refusal_lines(tmp_path, GOOD, with_values(TEST, year=1931, genres="Horror"))
    assert [line.split(": ")[:3] for line in lines] == [
        ["test", "genres", "differs from the train split"],
        ["test", "year", "differs from the train split"],
    ]
    assert lines[1].endswith(
        "limit 0.2. Correct the column split_key, which assigns movies to splits, or raise the "
        "limit in schema/schema.pbtxt."
    )


def test_small_splits_are_not_compared(tmp_path: Path) -> None:
    accepted = run_gate(tmp_path, GOOD, with_values(TEST[:99], year=1931))
    report = json.loads((Path(accepted.uri) / ANOMALY_REPORT_FILE).read_text())
    assert report["skew"] == {
        "test": {"rows": 99, "reference_rows": 600, "not_compared": "fewer than 100 rows"}
    }


def run_pipeline(directory: Path, *, accept_drift: bool = False) -> None:
    """Run the first nodes of the pipeline and the gate, connected as in the real pipeline."""
    splits = [
        example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=buckets)
        for name, buckets in (("train", 2), ("test", 1))
    ]
    examples = tfx.components.CsvExampleGen(
        input_base=str(directory / "movies"),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=splits, partition_feature_name=raw.SPLIT_KEY
            )
        ),
    )
    computed = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.ImportSchemaGen(schema_file=str(raw.SCHEMA_FILE))
    validator = tfx.components.ExampleValidator(
        statistics=computed.outputs["statistics"], schema=schema.outputs["schema"]
    )
    resolver = tfx.dsl.Resolver(
        strategy_class=LastAcceptedStatisticsStrategy,
        config={"accept_drift": accept_drift},
        statistics=computed.outputs["statistics"],
        previous=tfx.dsl.Channel(type=AcceptedStatistics),
    ).with_id(Node.LAST_ACCEPTED_STATISTICS)
    node = AnomalyGate(
        statistics=computed.outputs["statistics"],
        schema=schema.outputs["schema"],
        anomalies=validator.outputs["anomalies"],
        previous=resolver.outputs["previous"],
        limits=AnomalyGateConfig().to_json(),
    ).with_id(Node.ANOMALY_GATE)
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="gate",
            pipeline_root=str(directory / "artifacts"),
            components=[examples, computed, schema, validator, resolver, node],
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
def test_drifted_data_are_refused_until_they_are_accepted(tmp_path: Path) -> None:
    reports = tmp_path / "artifacts" / "AnomalyGate" / "accepted"
    shard = tmp_path / "movies" / "movies-00000-of-00001.csv"
    shard.parent.mkdir()
    write_csv(shard, GOOD)
    run_pipeline(tmp_path)
    assert len(list(reports.glob(f"*/{ANOMALY_REPORT_FILE}"))) == 1
    run_pipeline(tmp_path)
    assert len(list(reports.glob(f"*/{ANOMALY_REPORT_FILE}"))) == 1, (
        "unchanged data are a cache hit"
    )

    write_csv(shard, with_values(make_movies(700, seed=4), year=1999))
    for _ in range(2):
        with pytest.raises(
            DataAnomaliesError, match=r"^train: year: differs from the last accepted data"
        ):
            run_pipeline(tmp_path)
    run_pipeline(tmp_path, accept_drift=True)
    assert len(list(reports.glob(f"*/{ANOMALY_REPORT_FILE}"))) == 2
    run_pipeline(tmp_path)
    assert len(list(reports.glob(f"*/{ANOMALY_REPORT_FILE}"))) == 2, (
        "data that were accepted once stay accepted"
    )
