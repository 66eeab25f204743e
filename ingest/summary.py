"""Summary of a build: counts that are printed as tables and saved as JSON."""

from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.table import Column, Table


@dataclass(frozen=True)
class IngestSummary:
    """Counts of one build.

    `titles` equals `movies` plus all of `dropped` plus the rejected lines of title.basics.

    Attributes:
        titles: Lines of title.basics, without the header.
        movies: Rows written to the shards.
        dropped: Number of well-formed titles left out, by reason. A title with several reasons
            counts for the first.
        lines: Lines read, by file; for plots, records.
        blank_lines: Blank lines that are not among `lines`, by file: those at the end of a dump,
            and all of a file of plots.
        rejected: Malformed lines, by file and reason.
        plots: Records of plots, by result of the join.
        credits: Credits, by role; those of unknown people are counted separately.
        filled: Movies that have a value, by column.
        genres: Movies by genre, in the order of the labels. A genre may have none.
        other_genres: Movies by genre that is not among the labels; these genres are not written.
        split_groups: Number of split groups ("groups"), number of movies in the largest group
            ("largest"), and number of movies in groups of two or more.
        shards: File names of the CSV shards.
        seconds: Duration of the build, in seconds.
        corrections: Rows of the file of corrections, by result: "applied"; "unchanged" if the dump
            has the same genres; "superseded" by a newer row of the same title; "rejected" with the
            reason. Empty without such a file.
        unknown_values: Values that were not understood in records that were kept, by file and
            reason.
        reused: Whether the files of an earlier build were kept because nothing had changed.
    """

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
    corrections: dict[str, int] = field(default_factory=dict)
    unknown_values: dict[str, dict[str, int]] = field(default_factory=dict)
    reused: bool = False


def summary_tables(summary: IngestSummary) -> RenderableType:
    """Return the summary as tables for a terminal."""
    dropped = {f"dropped: {reason}": count for reason, count in summary.dropped.items()}
    titles = {
        "read from title.basics": summary.titles,
        **dropped,
        "rejected: malformed line": summary.titles - summary.movies - sum(dropped.values()),
        "movies written": summary.movies,
    }
    read, rejected = (Column(header, justify="right") for header in ("read", "rejected"))
    files = Table("", read, rejected, "notes", title="Files", title_justify="left")
    for name, count in summary.lines.items():
        counts = summary.rejected.get(name, {})
        notes = [f"{reason} ({times:,})" for reason, times in counts.items()]
        if blank_lines := summary.blank_lines.get(name):
            notes.append(f"not read: blank lines ({blank_lines:,})")
        files.add_row(name, f"{count:,}", f"{sum(counts.values()):,}", ", ".join(notes))
    unknown = {
        f"{file}: {reason}": count
        for file, reasons in summary.unknown_values.items()
        for reason, count in reasons.items()
    }
    return Group(
        _count_table("Titles", titles),
        files,
        *([_count_table("Values that were not understood", unknown)] if unknown else []),
        _count_table("Plots", summary.plots),
        *([_count_table("Corrections", summary.corrections)] if summary.corrections else []),
        _count_table("Credits", summary.credits),
        _count_table("Movies with a value", summary.filled, summary.movies),
        _count_table("Genres", summary.genres, summary.movies),
        _count_table("Split groups", summary.split_groups),
    )


def _count_table(title: str, counts: dict[str, int], total: int = 0) -> Table:
    """Return a table of counts, with percentages of `total` unless it is 0."""
    table = Table("", Column(justify="right"), title=title, title_justify="left", show_header=False)
    for name, count in counts.items():
        table.add_row(name, f"{count:,}", *([f"{count / total:.1%}"] if total else []))
    return table
