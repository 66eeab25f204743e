"""Shows how the newest data differ from the curated schema, and writes what is accepted.

    python -m pipeline.schema_review --output DIR [--write [--yes]]

A change of the schema is a deliberate act: nothing is written without `--write`, and each change is
asked for unless `--yes` is given. Written are new features and wider ranges; all that is curated by
hand (comparators, environments, presence, the comment at the head of the file) stays as it is.
"""

import argparse
import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipeline import options
from pipeline.past_runs import PastRuns
from schema import command, files
from schema.errors import UserError, from_os_error
from schema.features import SCHEMA_FILE
from schema.names import STATISTICS_FILE, Node

_TYPE: Final = schema_pb2.FeatureType.Name


@dataclass(frozen=True)
class Change:
    """One way in which the data differ from the curated schema.

    Attributes:
        feature: name of the feature.
        difference: what differs, without a full stop.
        accept: makes the change in a schema; None if it is to be made by hand.
    """

    feature: str
    difference: str
    accept: Callable[[schema_pb2.Schema], None] | None


def differences(
    curated: schema_pb2.Schema,
    inferred: schema_pb2.Schema,
    statistics: Sequence[statistics_pb2.DatasetFeatureStatisticsList],
) -> list[Change]:
    """How data differ from the curated schema.

    Args:
        curated: the schema that runs are checked against.
        inferred: what SchemaGen made of the data.
        statistics: of each split, for the ranges, which SchemaGen does not infer.

    Returns:
        The changes that would make the schema fit, by feature in the order of the curated schema,
        new features last.
    """
    of_data = {feature.name: feature for feature in inferred.feature}
    known = {feature.name for feature in curated.feature}
    changes: list[Change] = []
    for feature in curated.feature:
        if feature.name in of_data:
            changes += _differences_of(feature, of_data[feature.name], statistics)
        elif feature.presence.min_fraction > 0:
            changes.append(Change(feature.name, "not in the data, but required", None))
        else:
            changes.append(Change(feature.name, "not in the data (optional)", None))
    changes += [
        Change(name, f"new: {_described(feature)}", _addition(feature))
        for name, feature in of_data.items()
        if name not in known
    ]
    return changes


def accepted(curated: schema_pb2.Schema, changes: Sequence[Change]) -> schema_pb2.Schema:
    """A copy of the curated schema with the changes made that can be made."""
    result = copy.deepcopy(curated)
    for change in changes:
        if change.accept:
            change.accept(result)
    return result


def render(schema: schema_pb2.Schema, header: str) -> str:
    """A schema as the text of schema.pbtxt: the comment at its head and one canonical form."""
    return header + text_format.MessageToString(schema)


def split_header(text: str) -> tuple[str, str]:
    """Split the text of a schema file into the comment at its head, and the rest."""
    lines = text.splitlines(keepends=True)
    body = next(
        (i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines)
    )
    return "".join(lines[:body]), "".join(lines[body:])


def read_schema(path: Path) -> tuple[str, schema_pb2.Schema]:
    """The comment at the head of a schema file, and the schema.

    Raises:
        UserError: the file cannot be read or is no schema.
    """
    try:
        header, body = split_header(path.read_text(encoding="utf-8"))
        return header, text_format.Parse(body, schema_pb2.Schema())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except text_format.ParseError as error:
        raise UserError(f"{path}: is not a schema in protobuf text format: {error}") from error


@dataclass(frozen=True)
class NewestData:
    """What the newest run says of its data.

    Attributes:
        inferred: SchemaGen's schema.
        statistics: StatisticsGen's statistics of each split.
    """

    inferred: schema_pb2.Schema
    statistics: list[statistics_pb2.DatasetFeatureStatisticsList]


def newest_data(output: Path) -> NewestData:
    """Find what the newest run in an output directory wrote, cache hits included.

    Raises:
        UserError: no run there got as far as SchemaGen.
    """
    runs = PastRuns(output)
    inferred = runs.newest(Node.SCHEMA_GEN, "schema").path
    statistics = runs.newest(Node.STATISTICS_GEN, "statistics").path
    return NewestData(
        read_schema(inferred / SCHEMA_FILE.name)[1],
        [
            statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
            for path in sorted(statistics.glob(f"Split-*/{STATISTICS_FILE}"))
        ],
    )


def review(
    schema_file: Path, data: NewestData, *, write: bool, confirm: Callable[[Change], bool]
) -> None:
    """Print how the data differ from the schema; write the changes that are confirmed.

    Args:
        schema_file: the curated schema.
        data: what the newest run says of its data.
        write: whether anything may be written.
        confirm: asked for each change that can be made.

    Raises:
        UserError: the schema cannot be read or written.
        TryAgainError: the disk is full.
    """
    header, curated = read_schema(schema_file)
    changes = differences(curated, data.inferred, data.statistics)
    shown = schema_file
    if schema_file.is_relative_to(Path.cwd()):
        shown = schema_file.relative_to(Path.cwd())
    print(f"{shown} and the data of the newest run:")
    names = [feature.name for feature in curated.feature]
    names += [change.feature for change in changes if change.feature not in names]
    width = max(map(len, names))
    for name in dict.fromkeys(names):
        of_feature = [change for change in changes if change.feature == name]
        for change in of_feature:
            hand = "" if change.accept else " [by hand]"
            print(f"  {name:{width}}  {change.difference}{hand}")
        if not of_feature:
            print(f"  {name:{width}}  as in the schema")

    possible = [change for change in changes if change.accept]
    if any(change.accept is None for change in changes):
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
        files.write_text(schema_file, render(accepted(curated, wanted), header))
    except OSError as error:
        message = f"{schema_file}: cannot be written: {error.strerror}"
        raise from_os_error(error, message) from error
    print(f"Written to {shown}: {len(wanted)} of {len(possible)} changes.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = options.parser(
        "pipeline.schema_review",
        "Show how the data of the newest run differ from the curated schema.",
    )
    parser.add_argument(
        "--schema",
        type=Path,
        default=SCHEMA_FILE,
        metavar="FILE",
        help="the curated schema (default: %(default)s)",
    )
    parser.add_argument("--write", action="store_true", help="write the changes that you accept")
    parser.add_argument("--yes", action="store_true", help="with --write: accept all, do not ask")
    return command.run(lambda: _review(parser.parse_args(arguments)))


def _review(given: argparse.Namespace) -> None:
    if given.write and not given.yes and not sys.stdin.isatty():
        raise UserError("--write asks about each change, and there is no terminal: add --yes.")
    review(
        given.schema,
        newest_data(given.output),
        write=given.write,
        confirm=lambda change: given.yes or _asked(change),
    )


def _asked(change: Change) -> bool:
    answer = input(f"Accept {change.feature}: {change.difference}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _differences_of(
    feature: schema_pb2.Feature,
    of_data: schema_pb2.Feature,
    statistics: Sequence[statistics_pb2.DatasetFeatureStatisticsList],
) -> Iterator[Change]:
    """Differences of one feature that both the curated schema and the data have."""
    common = list(_statistics_of(feature.name, statistics))
    filled = sum(one.tot_num_values for _, one in common)
    # A column without any value has no type, and SchemaGen calls it BYTES.
    if filled and feature.type != of_data.type:
        difference = f"{_TYPE(of_data.type)} values, the schema says {_TYPE(feature.type)}"
        yield Change(feature.name, difference, None)
        return
    rows = sum(dataset.num_examples for one in statistics for dataset in one.datasets[:1])
    if feature.value_count.max == 1 and rows:
        if any(one.max_num_values > 1 for _, one in common):
            yield Change(feature.name, "several values in some rows, the schema allows one", None)
        elif feature.value_count.min == 1 and filled < rows:
            yield Change(feature.name, f"{rows - filled} of {rows} rows have no value", None)
        elif filled < feature.presence.min_fraction * rows:
            least = feature.presence.min_fraction
            difference = (
                f"{filled / rows:.1%} of the rows have a value, the schema asks {least:.1%}"
            )
            yield Change(feature.name, difference, None)
    yield from _wider_range(feature, [numbers for numbers, one in common if one.tot_num_values])


def _wider_range(
    feature: schema_pb2.Feature, numbers: Sequence[statistics_pb2.NumericStatistics | None]
) -> Iterator[Change]:
    kind = feature.WhichOneof("domain_info")
    if kind not in ("int_domain", "float_domain"):
        return
    domain = getattr(feature, kind)
    number = int if kind == "int_domain" else float
    values = [one for one in numbers if one is not None]
    wider = {}
    if values and domain.HasField("min") and min(one.min for one in values) < domain.min:
        wider["min"] = number(min(one.min for one in values))
    if values and domain.HasField("max") and max(one.max for one in values) > domain.max:
        wider["max"] = number(max(one.max for one in values))
    if not wider:
        return

    def accept(schema: schema_pb2.Schema) -> None:
        mine = next(one for one in schema.feature if one.name == feature.name)
        for bound, value in wider.items():
            setattr(getattr(mine, kind), bound, value)

    bounds = ", ".join(
        f"{bound} {value}, the schema says {getattr(domain, bound)}"
        for bound, value in wider.items()
    )
    yield Change(feature.name, bounds, accept)


def _statistics_of(
    name: str, statistics: Sequence[statistics_pb2.DatasetFeatureStatisticsList]
) -> Iterator[tuple[statistics_pb2.NumericStatistics | None, statistics_pb2.CommonStatistics]]:
    """Numeric statistics of a feature, None if it is no number, and common ones, split by split."""
    for dataset in (one.datasets[0] for one in statistics if one.datasets):
        for feature in dataset.features:
            if feature.path.step[0] == name:
                kind = feature.WhichOneof("stats")
                numbers = feature.num_stats if kind == "num_stats" else None
                yield numbers, getattr(feature, kind).common_stats


def _described(feature: schema_pb2.Feature) -> str:
    presence = "in every row" if feature.presence.min_fraction == 1.0 else "in some rows"
    return f"{_TYPE(feature.type)}, {presence}"


def _addition(feature: schema_pb2.Feature) -> Callable[[schema_pb2.Schema], None]:
    def accept(schema: schema_pb2.Schema) -> None:
        added = schema.feature.add()
        added.CopyFrom(feature)
        # Without a shape Transform reads a missing value as one; a domain would need its list of
        # values.
        added.ClearField("shape")
        added.ClearField("domain")

    return accept


if __name__ == "__main__":
    raise SystemExit(main())
