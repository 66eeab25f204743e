"""Summary of a build: counts that are printed as tables and saved as JSON."""

from dataclasses import dataclass, field
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Column, Table

_MAX_LISTED: Final = 30
"""Number of unused columns, and of genres that are left out, that are printed."""

_MAX_CELL: Final = 60
"""Number of characters of a name that are printed."""


@dataclass(frozen=True)
class IngestSummary:
    """Counts of one build, from dumps or from a single table.

    `titles` equals `movies` plus all of `dropped` plus the rejected lines of `source`.

    Attributes:
        source: Name of the file with the titles: title.basics, or the table.
        titles: Lines of this file, without the header; for a table, rows.
        movies: Rows written to the shards.
        dropped: Number of well-formed titles left out, by reason. A title with several reasons
            counts for the first.
        lines: Lines read, by file; for plots, records.
        blank_lines: Blank lines that are not among `lines`, by file: those at the end of a dump,
            and all of a file of plots.
        rejected: Malformed lines, by file and reason.
        plots: Plots, by result of the join; empty for a table.
        credits: Credits, by role; those of unknown people are counted separately. Empty for a
            table.
        filled: Movies that have a value, by column.
        genres: Movies by genre, in the order of the labels. A genre may have none.
        other_genres: Movies by genre that is not among the labels and not written. Of a table, also
            movies that were dropped because they have no other genre.
        split_groups: Number of split groups ("groups"), number of movies in the largest group
            ("largest"), and number of movies in groups of two or more.
        columns: Columns of the table, by field; empty for dumps.
        unknown_columns: Most similar known name by column of the table that is not used; "" if
            there is none.
        unreadable: Cells of the table or the plots that were not understood, by column. Their rows
            are kept.
        shards: File names of the CSV shards.
        seconds: Duration of the build, in seconds.
        corrections: Rows of the file of corrections, by result: "applied"; "unchanged" if the dump
            has the same genres; "superseded" by a newer row of the same title; "rejected" with the
            reason. Empty without such a file.
        unused_genre_map: Names in the setting `genre_map` that no title has as a genre.
        without_plot: Movies in the metadata of the CMU corpus that have no plot, by file. They are
            not among `titles`, which are the plots.
        reused: Whether the files of an earlier build were kept because nothing had changed.
        unlabelled: Movies written without genres, by what is known of them: a plot, or title and
            people. Each is also counted in `dropped`.
    """

    source: str
    titles: int
    movies: int
    dropped: dict[str, int]
    lines: dict[str, int]
    blank_lines: dict[str, int]
    rejected: dict[str, dict[str, int]]
    plots: dict[str, int]
    credits: dict[str, int]
    filled: dict[str, int]
    genres: dict[str, int]
    other_genres: dict[str, int]
    split_groups: dict[str, int]
    shards: list[str]
    seconds: float
    columns: dict[str, str] = field(default_factory=dict)
    unknown_columns: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    corrections: dict[str, int] = field(default_factory=dict)
    without_plot: dict[str, int] = field(default_factory=dict)
    unused_genre_map: list[str] = field(default_factory=list)
    reused: bool = False
    unlabelled: dict[str, int] = field(default_factory=dict)


def summary_tables(summary: IngestSummary) -> RenderableType:
    """Return the summary as tables for a terminal."""
    dropped = {f"dropped: {reason}": count for reason, count in summary.dropped.items()}
    titles = {
        f"read from {summary.source}": summary.titles,
        **dropped,
        "rejected: malformed line": summary.titles - summary.movies - sum(dropped.values()),
        "movies written": summary.movies,
        **{f"written without genres: {kind}": count for kind, count in summary.unlabelled.items()},
    }
    read, rejected = (Column(header, justify="right") for header in ("read", "rejected"))
    files = Table("", read, rejected, "notes", title="Files", title_justify="left")
    for name, count in summary.lines.items():
        counts = summary.rejected.get(name, {})
        notes = [f"{reason} ({times:,})" for reason, times in counts.items()]
        if blank_lines := summary.blank_lines.get(name):
            notes.append(f"not read: blank lines ({blank_lines:,})")
        if without_plot := summary.without_plot.get(name):
            notes.append(f"not used: no plot ({without_plot:,})")
        files.add_row(name, f"{count:,}", f"{sum(counts.values()):,}", ", ".join(notes))
    columns = Table("", "", title="Columns", title_justify="left", show_header=False)
    for name, column in summary.columns.items():
        columns.add_row(name, column)
    for column, similar in list(summary.unknown_columns.items())[:_MAX_LISTED]:
        name = column or "(no name)"
        columns.add_row("not used", name + (f" (similar to {similar})" if similar else ""))
    names = [name[:_MAX_CELL] for name in summary.unused_genre_map[:_MAX_LISTED]]
    tables = [
        _count_table("Titles", titles),
        files,
        columns,
        _count_table("Cells that were not understood", summary.unreadable),
        _count_table("Plots", summary.plots),
        _count_table("Corrections", summary.corrections),
        _count_table("Credits", summary.credits),
        _count_table("Movies with a value", summary.filled, summary.movies),
        _count_table("Genres", summary.genres, summary.movies),
        _count_table("Genres left out", _most_frequent(summary.other_genres)),
        _count_table("Names in genre_map that no title has", dict.fromkeys(names, 0)),
        _count_table("Split groups", summary.split_groups),
    ]
    return Group(*(table for table in tables if table.row_count))


def _most_frequent(counts: dict[str, int]) -> dict[str, int]:
    """Return the largest counts, largest first, and last the sum of all others."""
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = {name[:_MAX_CELL]: count for name, count in by_count[:_MAX_LISTED]}
    others = [count for _, count in by_count[_MAX_LISTED:]]
    return shown | ({f"{len(others):,} others": sum(others)} if others else {})


def _count_table(title: str, counts: dict[str, int], total: int = 0) -> Table:
    """Return a table of counts, with percentages of `total` unless it is 0."""
    table = Table("", Column(justify="right"), title=title, title_justify="left", show_header=False)
    # The title of a narrow table would be divided into several lines.
    table.min_width = len(title)
    for name, count in counts.items():
        table.add_row(name, f"{count:,}", *([f"{count / total:.1%}"] if total else []))
    return table
