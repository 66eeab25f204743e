"""Comparison of the newest data with the curated schema, and updates of the schema.

The schema changes only if the user confirms each change. The updates are new features and wider
ranges. Everything else (comparators, environments, presence, the comment at the head of the file)
is edited only by hand.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipeline.past_runs import PastRuns
from schema import files
from schema.errors import UserError, from_os_error
from schema.features import SCHEMA_FILE
from schema.names import STATISTICS_FILE, Node
from schema.wording import count

Statistics = Sequence[statistics_pb2.DatasetFeatureStatisticsList]
"""Statistics of the data that StatisticsGen computed, one list per split."""

_type_name: Final = schema_pb2.FeatureType.Name


class Change(NamedTuple):
    """A difference between the data and the curated schema.

    Attributes:
        feature: Name of the feature.
        difference: Description of the difference, without a full stop.
        new_feature: Feature to write to the schema; None if only the user can resolve the
            difference.
    """

    feature: str
    difference: str
    new_feature: schema_pb2.Feature | None = None


def find_changes(
    curated: schema_pb2.Schema, inferred: schema_pb2.Schema, statistics: Statistics
) -> list[Change]:
    """Find the differences between the data and the curated schema.

    Args:
        curated: Schema that runs are checked against.
        inferred: Schema that SchemaGen inferred from the data.
        statistics: Statistics of the data, with the value ranges that SchemaGen does not infer.

    Returns:
        List of changes in the order of the curated schema; new features come last.
    """
    new_features = {feature.name: feature for feature in inferred.feature}
    changes: list[Change] = []
    for feature in curated.feature:
        found = new_features.pop(feature.name, None)
        if found is not None:
            changes += _changes_of_feature(feature, found, statistics)
        elif feature.presence.min_fraction > 0:
            changes.append(Change(feature.name, "required, but missing from the data"))
        else:
            changes.append(Change(feature.name, "optional, and missing from the data"))
    for name, feature in new_features.items():
        presence = "in every row" if feature.presence.min_fraction == 1.0 else "in some rows"
        added = schema_pb2.Feature()
        added.CopyFrom(feature)
        # A feature with a shape must have a value in every row. The domain of a string feature
        # refers to a list of values that the curated schema does not have.
        added.ClearField("shape")
        added.ClearField("domain")
        changes.append(Change(name, f"new feature: {_type_name(feature.type)}, {presence}", added))
    return changes


def apply_changes(curated: schema_pb2.Schema, changes: Sequence[Change]) -> schema_pb2.Schema:
    """Return a copy of the curated schema with all changes that have a new feature."""
    result = schema_pb2.Schema()
    result.CopyFrom(curated)
    known = {feature.name: feature for feature in result.feature}
    for change in changes:
        if change.new_feature is not None:
            (known.get(change.feature) or result.feature.add()).CopyFrom(change.new_feature)
    return result


def format_schema(schema: schema_pb2.Schema, header: str) -> str:
    """Return the text of a schema file: the comment at its head and the schema in text format."""
    return header + text_format.MessageToString(schema)


def read_schema(path: Path) -> tuple[str, schema_pb2.Schema]:
    """Read the comment at the head of a schema file, and the schema.

    Raises:
        UserError: The file cannot be read or is not a schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        header = takewhile(lambda line: not line.strip() or line.startswith("#"), lines)
        return "".join(header), text_format.Parse(text, schema_pb2.Schema())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except text_format.ParseError as error:
        raise UserError(f"{path}: expected a schema in protobuf text format: {error}") from error


def read_newest(output: Path) -> tuple[schema_pb2.Schema, Statistics]:
    """Read the inferred schema and the statistics of the newest run in an output directory.

    Raises:
        UserError: No run has completed SchemaGen.
    """
    runs = PastRuns(output)
    inferred = runs.newest(Node.SCHEMA_GEN, "schema").path
    statistics = runs.newest(Node.STATISTICS_GEN, "statistics").path
    return read_schema(inferred / SCHEMA_FILE.name)[1], [
        statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
        for path in sorted(statistics.glob(f"Split-*/{STATISTICS_FILE}"))
    ]


def review(
    schema_file: Path,
    inferred: schema_pb2.Schema,
    statistics: Statistics,
    *,
    write: bool,
    confirm: Callable[[Change], bool],
) -> None:
    """Print how the data differ from the curated schema, and write the confirmed changes.

    Args:
        schema_file: Path of the curated schema.
        inferred: Schema that SchemaGen inferred from the data.
        statistics: Statistics of the data, one list per split.
        write: Whether changes may be written.
        confirm: Function that returns whether to write a change.

    Raises:
        UserError: The schema cannot be read or written.
    """
    header, curated = read_schema(schema_file)
    changes = find_changes(curated, inferred, statistics)
    shown = schema_file
    if schema_file.is_relative_to(Path.cwd()):
        shown = schema_file.relative_to(Path.cwd())
    print(f"Comparison of {shown} with the data of the newest run:")
    names = [feature.name for feature in curated.feature]
    names += [change.feature for change in changes]
    width = max(map(len, names))
    for name in dict.fromkeys(names):
        of_feature = [change for change in changes if change.feature == name]
        for change in of_feature:
            mark = " [edit by hand]" if change.new_feature is None else ""
            print(f"  {name:{width}}  {change.difference}{mark}")
        if not of_feature:
            print(f"  {name:{width}}  no difference")

    writable = [change for change in changes if change.new_feature is not None]
    if writable != changes:
        print(f"Resolve the differences marked [edit by hand] in the data or in {shown}.")
    if not write:
        if writable:
            print("Nothing was written. Use --write to accept the other changes one by one.")
        return
    confirmed = [change for change in writable if confirm(change)]
    if not confirmed:
        print("Nothing was written.")
        return
    try:
        files.atomic_write_text(
            schema_file, format_schema(apply_changes(curated, confirmed), header)
        )
    except OSError as error:
        message = f"{schema_file}: cannot be written: {error.strerror}"
        raise from_os_error(error, message) from error
    print(f"Wrote {len(confirmed)} of {count(len(writable), 'change')} to {shown}.")


def _changes_of_feature(
    feature: schema_pb2.Feature, inferred: schema_pb2.Feature, statistics: Statistics
) -> Iterator[Change]:
    """Find the differences of a feature that is in both the curated schema and the data."""
    name = feature.name
    columns = [
        getattr(column, str(column.WhichOneof("stats")))
        for split in statistics
        for dataset in split.datasets[:1]
        for column in dataset.features
        if column.path.step[0] == name
    ]
    filled = sum(column.common_stats.tot_num_values for column in columns)
    # SchemaGen infers BYTES for a column that has no values.
    if filled and feature.type != inferred.type:
        expected = _type_name(feature.type)
        difference = f"type {_type_name(inferred.type)}, the schema expects {expected}"
        yield Change(name, difference)
        return
    rows = sum(dataset.num_examples for split in statistics for dataset in split.datasets[:1])
    minimum = feature.presence.min_fraction
    if feature.value_count.max == 1 and rows:
        if any(column.common_stats.max_num_values > 1 for column in columns):
            yield Change(name, "several values in some rows, the schema expects one")
        elif feature.value_count.min == 1 and filled < rows:
            yield Change(name, f"{rows - filled} of {rows} rows have no value")
        elif filled < minimum * rows:
            share = filled / rows
            difference = f"{share:.1%} of the rows have a value, the schema expects {minimum:.1%}"
            yield Change(name, difference)
    yield from _wider_range(
        feature,
        [
            column
            for column in columns
            if isinstance(column, statistics_pb2.NumericStatistics)
            and column.common_stats.tot_num_values
        ],
    )


def _wider_range(
    feature: schema_pb2.Feature, columns: Sequence[statistics_pb2.NumericStatistics]
) -> Iterator[Change]:
    kind = feature.WhichOneof("domain_info")
    if kind not in ("int_domain", "float_domain") or not columns:
        return
    wider = schema_pb2.Feature()
    wider.CopyFrom(feature)
    before, domain = getattr(feature, kind), getattr(wider, kind)
    number = int if kind == "int_domain" else float
    bounds = []
    for bound, pick in (("min", min), ("max", max)):
        value = number(pick(getattr(column, bound) for column in columns))
        expected = getattr(before, bound)
        if before.HasField(bound) and pick(value, expected) != expected:
            setattr(domain, bound, value)
            bounds.append(f"{bound} {value}, the schema expects {expected}")
    if bounds:
        yield Change(feature.name, ", ".join(bounds), wider)
