"""Choose the columns of a table: by their names, and as the settings say."""

from collections.abc import Mapping, Sequence
from typing import Final

from ingest.config import COLUMN_FIELDS
from schema.errors import UserError
from tables.columns import Columns, Field, match_columns
from tables.record import printable

_MAX_LISTED: Final = 30
"""Number of columns that a message lists."""

USED_FIELDS: Final = tuple(Field(name) for name in COLUMN_FIELDS)
"""Fields that a build reads from a table."""


def assign_columns(
    file: str, names: Sequence[str], chosen: Mapping[str, str], used: Sequence[Field]
) -> Columns:
    """Return the columns by field; those that are not read are among the unknown ones.

    Args:
        file: Name of the file, for messages.
        names: Names of the columns as written.
        chosen: Names of columns by field, which override what the names of the columns say. "" is
            for a field that is not read.
        used: Fields that are read.

    Raises:
        UserError: A chosen column does not exist, or is for a field that is not read.
    """
    matched = match_columns(names)
    fields = {field: matched.fields[field] for field in used if field in matched.fields}
    for field, name in chosen.items():
        column = _find(name, names)
        if name and column is None:
            raise UserError(
                f"{file}: found no column {name}, which `ingest.columns` or `--column` names for "
                f"{field}. Columns: {list_columns(names)}."
            )
        if name and Field(field) not in used:
            raise UserError(
                f"{file}: `ingest.columns` or `--column` names the column {name} for {field}, "
                f"which is not read from this file. Remove it. Fields: {', '.join(used)}."
            )
        fields.pop(Field(field), None)
        if column is not None:
            fields = {
                other: rest
                for other, given in fields.items()
                if (rest := tuple(given_name for given_name in given if given_name != column))
            }
            fields[Field(field)] = (column,)
    return _with_unread(names, Columns(fields, matched.unknown))


def _with_unread(names: Sequence[str], columns: Columns) -> Columns:
    """Return the same columns, where `unknown` has all that belong to no field."""
    read = {name for found in columns.fields.values() for name in found}
    return Columns(
        columns.fields,
        {name: columns.unknown.get(name, "") for name in names if name not in read},
    )


def choose_columns(
    file: str,
    names: Sequence[str],
    chosen: Mapping[str, str],
    *,
    required: Sequence[Field] = (Field.PLOT, Field.GENRES),
) -> Columns:
    """Return the columns of a single table by field.

    Genres come from one column, or from numbered ones; of several, the name that is preferred.

    Args:
        file: Name of the file, for messages.
        names: Names of the columns as written.
        chosen: As for `assign_columns`.
        required: Sequence of fields that must have a column.

    Raises:
        UserError: A chosen column does not exist, or a required field has none.
    """
    columns = assign_columns(file, names, chosen, USED_FIELDS)
    fields, unknown = columns.fields, columns.unknown
    # A movie without genres does not get the words of a column such as tags in their place.
    if series := columns.series(Field.GENRES):
        fields = fields | {Field.GENRES: series[0]}
    missing = [field for field in required if field not in fields]
    if missing:
        similar = "".join(
            f" {name} looks like {known}." for name, known in list(unknown.items())[:3] if known
        )
        raise UserError(
            f"{file}: found no column for {' and '.join(missing)}. Columns: "
            f"{list_columns(names)}.{similar} Name the column with "
            f'`--column "{missing[0]}=NAME"`, or the setting '
            f"`ingest.columns: {{{missing[0]}: NAME}}`."
        )
    return _with_unread(names, Columns(fields, unknown))


def list_columns(names: Sequence[str]) -> str:
    """Return names of columns for a message."""
    more = f" and {len(names) - _MAX_LISTED:,} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(printable(name[:60]) or "(no name)" for name in names[:_MAX_LISTED]) + more


def _find(name: str, names: Sequence[str]) -> str | None:
    """Return the column with a name; if there is none, one that differs in case only."""
    folded = name.strip().casefold()
    same = (column for column in names if column.casefold() == folded)
    return name if name in names else next(same, None)
