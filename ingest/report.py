"""What a build did: counts for the console and, as JSON, for the record."""

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Column, Table


@dataclass(frozen=True)
class IngestSummary:
    """The account of one build. `titles` equals `movies` + all of `dropped` + the rejects of
    title.basics.

    Attributes:
        titles: Lines in title.basics, without the header.
        movies: Rows written.
        dropped: Well-formed titles left out, by reason; the first that applies counts.
        lines: Lines (of plots: records) read, by file.
        rejected: Malformed lines by file, then reason.
        plots: Plots by what became of them.
        credits: Credits by what became of them.
        filled: Movies with a value, by column.
        genres: Movies by genre.
        other_genres: Genre names outside the project's list, taken off the movies, by name.
        split_groups: Films by the size of their split group: "groups", "largest", "in groups of 2
            or more".
        shards: Names of the CSV files.
        seconds: Time that the build took.
        reused: Whether nothing had changed, so that the files of an earlier build stand.
    """

    titles: int
    movies: int
    dropped: dict[str, int]
    lines: dict[str, int]
    rejected: dict[str, dict[str, int]]
    plots: dict[str, int]
    credits: dict[str, int]
    filled: dict[str, int]
    genres: dict[str, int]
    other_genres: dict[str, int]
    split_groups: dict[str, int]
    shards: list[str]
    seconds: float
    reused: bool = False


def tables(report: IngestSummary) -> RenderableType:
    """The report for a terminal."""
    dropped = {f"dropped: {reason}": -count for reason, count in report.dropped.items()}
    titles = {
        "read from title.basics": report.titles,
        **dropped,
        "rejected: malformed line": report.movies - report.titles - sum(dropped.values()),
        "movies written": report.movies,
    }
    read, rejected = (Column(header, justify="right") for header in ("read", "rejected"))
    files = Table("", read, rejected, "reasons", title="Files", title_justify="left")
    for name, count in report.lines.items():
        reasons = report.rejected.get(name, {})
        why = ", ".join(f"{reason} ({times:,})" for reason, times in reasons.items())
        files.add_row(name, f"{count:,}", f"{sum(reasons.values()):,}", why)
    return Group(
        _counts("Titles", titles),
        files,
        _counts("Plots", report.plots),
        _counts("Credits", report.credits),
        _counts("Movies with a value", report.filled, report.movies),
        _counts("Genres", report.genres, report.movies),
        _counts("Split groups", report.split_groups),
    )


def _counts(title: str, counts: dict[str, int], of: int = 0) -> Table:
    table = Table("", Column(justify="right"), title=title, title_justify="left", show_header=False)
    for name, count in counts.items():
        table.add_row(name, f"{count:,}", *([f"{count / of:.1%}"] if of else []))
    return table
