"""Shows how the newest data differ from the curated schema, and writes what is accepted.

A change of the schema is a deliberate act: nothing is written without `--write`, and each change is
asked for unless `--yes` is given. Written are new features and wider ranges; all that is curated by
hand (comparators, environments, presence, the comment at the head of the file) stays as it is.
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

Statistics = Sequence[statistics_pb2.DatasetFeatureStatisticsList]
"""StatisticsGen's statistics of each split."""

_TYPE: Final = schema_pb2.FeatureType.Name


class Change(NamedTuple):
    """One way in which the data differ from the curated schema.

    Attributes:
        feature: name of the feature.
        difference: what differs, without a full stop.
        accepted: the feature that the schema gets; None if the change is to be made by hand.
    """

    feature: str
    difference: str
    accepted: schema_pb2.Feature | None = None


def differences(
    curated: schema_pb2.Schema, inferred: schema_pb2.Schema, statistics: Statistics
) -> list[Change]:
    """How data differ from the curated schema.

    Args:
        curated: Schema that runs are checked against.
        inferred: Schema that SchemaGen inferred from the data.
        statistics: Statistics of the data, which give the ranges that SchemaGen does not infer.

    Returns:
        The changes, in the order of the curated schema, new features last.
    """
    of_data = {feature.name: feature for feature in inferred.feature}
    changes: list[Change] = []
    for feature in curated.feature:
        found = of_data.pop(feature.name, None)
        if found is not None:
            changes += _differences_of(feature, found, statistics)
        elif feature.presence.min_fraction > 0:
            changes.append(Change(feature.name, "not in the data, but required"))
        else:
            changes.append(Change(feature.name, "not in the data (optional)"))
    for name, feature in of_data.items():
        presence = "in every row" if feature.presence.min_fraction == 1.0 else "in some rows"
        added = schema_pb2.Feature()
        added.CopyFrom(feature)
        # Without a shape Transform reads a missing value as one; a domain would need its list of
        # values.
        added.ClearField("shape")
        added.ClearField("domain")
        changes.append(Change(name, f"new: {_TYPE(feature.type)}, {presence}", added))
    return changes


def accepted(curated: schema_pb2.Schema, changes: Sequence[Change]) -> schema_pb2.Schema:
    """A copy of the curated schema with the changes made that can be made."""
    result = schema_pb2.Schema()
    result.CopyFrom(curated)
    known = {feature.name: feature for feature in result.feature}
    for change in changes:
        if change.accepted is not None:
            (known.get(change.feature) or result.feature.add()).CopyFrom(change.accepted)
    return result


def render(schema: schema_pb2.Schema, header: str) -> str:
    """A schema as the text of schema.pbtxt: the comment at its head and one canonical form."""
    return header + text_format.MessageToString(schema)


def read_schema(path: Path) -> tuple[str, schema_pb2.Schema]:
    """The comment at the head of a schema file, and the schema.

    Raises:
        UserError: the file cannot be read or is no schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        header = takewhile(lambda line: not line.strip() or line.startswith("#"), lines)
        return "".join(header), text_format.Parse(text, schema_pb2.Schema())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except text_format.ParseError as error:
        raise UserError(f"{path}: is not a schema in protobuf text format: {error}") from error


def newest_data(output: Path) -> tuple[schema_pb2.Schema, Statistics]:
    """What the newest run in an output directory inferred from its data, and their statistics.

    Raises:
        UserError: no run there got as far as SchemaGen.
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
    """Print how the data differ from the schema; write the changes that are confirmed.

    Args:
        schema_file: Path of the curated schema.
        inferred: Schema that was inferred from the data.
        statistics: Statistics of the data, one list for each split.
        write: Whether the file may be written.
        confirm: Function that decides on each change that can be made.

    Raises:
        UserError: the schema cannot be read or written.
    """
    header, curated = read_schema(schema_file)
    changes = differences(curated, inferred, statistics)
    shown = schema_file
    if schema_file.is_relative_to(Path.cwd()):
        shown = schema_file.relative_to(Path.cwd())
    print(f"{shown} and the data of the newest run:")
    features = [feature.name for feature in curated.feature] + [one.feature for one in changes]
    width = max(map(len, features))
    for name in dict.fromkeys(features):
        of_feature = [change for change in changes if change.feature == name]
        for change in of_feature:
            hand = " [by hand]" if change.accepted is None else ""
            print(f"  {name:{width}}  {change.difference}{hand}")
        if not of_feature:
            print(f"  {name:{width}}  as in the schema")

    possible = [change for change in changes if change.accepted is not None]
    if possible != changes:
        print(f"What is marked [by hand] is yours to change, in the data or in {shown}.")
    if not write:
        if possible:
            print("Nothing is written. With --write, each other change can be accepted.")
        return
    wanted = [change for change in possible if confirm(change)]
    if not wanted:
        print("Nothing is written.")
        return
    try:
        files.atomic_write_text(schema_file, render(accepted(curated, wanted), header))
    except OSError as error:
        message = f"{schema_file}: cannot be written: {error.strerror}"
        raise from_os_error(error, message) from error
    print(f"Written to {shown}: {len(wanted)} of {len(possible)} changes.")


def _differences_of(
    feature: schema_pb2.Feature, of_data: schema_pb2.Feature, statistics: Statistics
) -> Iterator[Change]:
    """Differences of one feature that both the curated schema and the data have."""
    name = feature.name
    columns = [
        getattr(column, str(column.WhichOneof("stats")))
        for one in statistics
        for dataset in one.datasets[:1]
        for column in dataset.features
        if column.path.step[0] == name
    ]
    filled = sum(column.common_stats.tot_num_values for column in columns)
    # A column without any value has no type, and SchemaGen calls it BYTES.
    if filled and feature.type != of_data.type:
        difference = f"{_TYPE(of_data.type)} values, the schema says {_TYPE(feature.type)}"
        yield Change(name, difference)
        return
    rows = sum(dataset.num_examples for one in statistics for dataset in one.datasets[:1])
    least = feature.presence.min_fraction
    if feature.value_count.max == 1 and rows:
        if any(column.common_stats.max_num_values > 1 for column in columns):
            yield Change(name, "several values in some rows, the schema allows one")
        elif feature.value_count.min == 1 and filled < rows:
            yield Change(name, f"{rows - filled} of {rows} rows have no value")
        elif filled < least * rows:
            share = filled / rows
            yield Change(name, f"{share:.1%} of the rows have a value, the schema asks {least:.1%}")
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
    feature: schema_pb2.Feature, numbers: Sequence[statistics_pb2.NumericStatistics]
) -> Iterator[Change]:
    kind = feature.WhichOneof("domain_info")
    if kind not in ("int_domain", "float_domain") or not numbers:
        return
    wider = schema_pb2.Feature()
    wider.CopyFrom(feature)
    before, domain = getattr(feature, kind), getattr(wider, kind)
    number = int if kind == "int_domain" else float
    bounds = []
    for bound, pick in (("min", min), ("max", max)):
        value = number(pick(getattr(one, bound) for one in numbers))
        known = getattr(before, bound)
        if before.HasField(bound) and pick(value, known) != known:
            setattr(domain, bound, value)
            bounds.append(f"{bound} {value}, the schema says {known}")
    if bounds:
        yield Change(feature.name, ", ".join(bounds), wider)
