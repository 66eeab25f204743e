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
        rejected: Malformed lines, by file and reason.
        plots: Plots, by result of the join.
        credits: Credits, by role; those of unknown people are counted separately.
        filled: Movies that have a value, by column.
        genres: Movies by genre.
        other_genres: Movies by genre outside `schema.genres.GENRES`; these genres are not written.
        split_groups: Number of split groups ("groups"), number of movies in the largest group
            ("largest"), and number of movies in groups of two or more.
        shards: File names of the CSV shards.
        seconds: Duration of the build, in seconds.
        reused: Whether the files of an earlier build were kept because nothing had changed.
        unlabelled: Movies written without genres, by what is known of them: a plot, or title and
            people. Each is also counted in `dropped`.
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
    unlabelled: dict[str, int] = field(default_factory=dict)


def summary_tables(summary: IngestSummary) -> RenderableType:
    """Return the summary as tables for a terminal."""
    dropped = {f"dropped: {reason}": count for reason, count in summary.dropped.items()}
    titles = {
        "read from title.basics": summary.titles,
        **dropped,
        "rejected: malformed line": summary.titles - summary.movies - sum(dropped.values()),
        "movies written": summary.movies,
        **{f"written without genres: {kind}": count for kind, count in summary.unlabelled.items()},
    }
    read, rejected = (Column(header, justify="right") for header in ("read", "rejected"))
    files = Table("", read, rejected, "reasons", title="Files", title_justify="left")
    for name, count in summary.lines.items():
        counts = summary.rejected.get(name, {})
        reasons = ", ".join(f"{reason} ({times:,})" for reason, times in counts.items())
        files.add_row(name, f"{count:,}", f"{sum(counts.values()):,}", reasons)
    return Group(
        _count_table("Titles", titles),
        files,
        _count_table("Plots", summary.plots),
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
