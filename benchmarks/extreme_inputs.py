"""How `ingest` ends on extreme inputs, and what time and memory it takes.

    python -m benchmarks.extreme_inputs --rows 100000
    python -m benchmarks.extreme_inputs --rows 100000 --tables

Each case is a directory of dumps and plots, or a single table, which is built in a process of its
own. The first case has the given number of ordinary movies. Time and memory of the others are
ratios to it.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Final

from pyarrow import csv, parquet

from benchmarks.ingest_scale import Build, run_build
from benchmarks.provenance import provenance
from benchmarks.tables import command_parser, publish, table
from ingest.dumps import BASICS, DUMPS
from schema import command
from schema.genres import GENRES
from schema.names import INGEST_SUMMARY_FILE

_WORDS: Final = ("harbour", "clerk", "ledger", "night", "salt", "winter", "train", "letter")
_GENRES: Final = ("Drama,Crime", "Comedy")
_LONG: Final = 1_000_000

Lines = Iterator[str]
Case = Callable[[Path, int], object]


def words(number: int, count: int) -> str:
    """Return words that differ from those of other numbers."""
    return " ".join(f"{_WORDS[i % 8]}{(number * 31 + i * i) % 999_983}" for i in range(count))


def titles(count: int, genres: str = "", year: int = 1950, name: str = "") -> Lines:
    """Yield the lines of title.basics; by default, with two sets of genres."""
    for i in range(1, count + 1):
        title = name or words(i, 3)
        yield rf"tt{i:07}	movie	{title}	\N	0	{year}	\N	90	{genres or _GENRES[i % 2]}"


def plots(count: int, length: int = 20, text: str = "") -> Lines:
    """Yield the lines of a table of plots, separated by tabs."""
    yield "tconst\tplot"
    for i in range(1, count + 1):
        yield f"tt{i:07}\t{text or words(i, length)}"


def write(directory: Path, basics: Lines, plots: Lines, name: str = "plots.tsv") -> None:
    """Write title.basics, the plots, and the other dumps without rows."""
    for dump in DUMPS:
        rows = basics if dump is BASICS else iter(())
        write_lines(directory / f"{dump.name}.tsv", dump.header, rows)
    write_lines(directory / name, next(plots), plots)


def write_lines(path: Path, first: str, lines: Lines) -> None:
    """Write lines to a file."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{first}\n")
        file.writelines(f"{line}\n" for line in lines)


def many_columns(directory: Path, rows: int) -> None:
    """Write plots with 10,000 columns."""
    columns = 10_000

    def lines() -> Lines:
        yield ",".join(["tconst", "plot", *(f"column {i}" for i in range(columns - 2))])
        for i in range(1, rows // 100 + 1):
            yield f"tt{i:07},{words(i, 20)}{',x' * (columns - 2)}"

    write(directory, titles(rows // 100), lines(), "plots.csv")


def title_and_year(count: int, name: str, year: int) -> Lines:
    """Yield the lines of plots without ids, all about one title."""
    yield "title\tyear\tplot"
    for i in range(1, count + 1):
        yield f"{name}\t{year}\t{words(i, 20)}"


def json_plots(records: Iterator[object]) -> Lines:
    """Yield JSON lines, after one good record."""
    yield json.dumps({"tconst": "tt0000001", "plot": words(1, 20)})
    yield from map(json.dumps, records)


def open_quotes(count: int) -> Lines:
    """Yield CSV in which every row opens a quote that is never closed."""
    yield "tconst,plot"
    for i in range(1, count + 1):
        yield f'tt{i:07},"{words(i, 20)}'


def nested(count: int) -> Lines:
    """Yield JSON lines of which one is a hundred thousand brackets."""
    yield from json_plots({"tconst": f"tt{i:07}", "plot": words(i, 9)} for i in range(2, count + 1))
    yield "[" * 100_000


def write_table(
    directory: Path,
    count: int,
    genres: str = "",
    text: str = "",
    columns: int = 0,
    long: int = 0,
) -> Path:
    """Write a single table with further columns, and plots of 10 MB at its end; return its path."""

    def lines() -> Lines:
        for i in range(1, count + long + 1):
            plot = text or words(i, 20 if i <= count else 830_000)
            labels = genres or _GENRES[i % 2].replace(",", "|")
            yield f"{words(i, 3)},{1900 + i % 100},{labels},{plot}{',x' * columns}"

    path = directory / "table.csv"
    header = ["title", "year", "genres", "plot", *(f"column {i}" for i in range(columns))]
    write_lines(path, ",".join(header), lines())
    return path


def write_parquet(directory: Path, count: int, long: int) -> None:
    """Write a single table with plots of 10 MB at its end as Parquet."""
    path = write_table(directory, count, long=long)
    options = csv.ReadOptions(block_size=1 << 28)
    parquet.write_table(csv.read_csv(path, options), path.with_suffix(".parquet"))
    path.unlink()


CASES: Final[dict[str, Case]] = {
    "ordinary movies": lambda d, n: write(d, titles(n), plots(n)),
    "10 times as many rows": lambda d, n: write(d, titles(10 * n), plots(10 * n)),
    "one row": lambda d, _: write(d, titles(1), plots(1)),
    "one genre only": lambda d, n: write(d, titles(n, "Drama"), plots(n)),
    "all genres in every row": lambda d, n: write(d, titles(n, ",".join(GENRES)), plots(n)),
    "every plot equal": lambda d, n: write(d, titles(n), plots(n, text=words(0, 30))),
    "every title equal": lambda d, n: write(d, titles(n, name="Night"), plots(n)),
    "every title and year equal, no ids": lambda d, n: write(
        d, titles(n, name="Night"), title_and_year(n, "Night", 1950)
    ),
    "every title equal and one year off, no ids": lambda d, n: write(
        d, titles(n, name="Night"), title_and_year(n, "Night", 1951)
    ),
    "10,000 columns, 1 in 100 rows": many_columns,
    "100 plots of 0.9 MB": lambda d, n: write(d, titles(n), plots(100, 75_000)),
    "20 plots of 10 MB": lambda d, n: write(d, titles(n), plots(20, 830_000)),
    "20 plots of 10 MB in JSON": lambda d, n: write(
        d,
        titles(n),
        json_plots({"tconst": f"tt{i:07}", "plot": words(i, 830_000)} for i in range(2, 22)),
        "plots.jsonl",
    ),
    "20 lines of 20 MB in plots": lambda d, n: write(
        d, titles(n), plots(20, text="x" * 20 * _LONG)
    ),
    "a JSON line of 100,000 brackets": lambda d, n: write(d, titles(n), nested(n), "plots.jsonl"),
    "a quote opened in every row": lambda d, n: write(d, titles(n), open_quotes(n), "plots.csv"),
    "20 titles of 1 MB": lambda d, _: write(d, titles(20, name="Nacht " * 170_000), plots(20)),
    "5 lines of 100 MB in a dump": lambda d, n: write(
        d, iter([*titles(n), *repeat("x" * 100 * _LONG, 5)]), plots(n)
    ),
    "100 times as many blank lines": lambda d, n: write(
        d, iter([*titles(n), *repeat("", 100 * n)]), plots(n)
    ),
    "100 times as many malformed lines": lambda d, n: write(
        d, iter([*titles(n), *repeat("x", 100 * n)]), plots(n)
    ),
}

TABLE_CASES: Final[dict[str, Case]] = {
    "ordinary rows": write_table,
    "10 times as many rows": lambda d, n: write_table(d, 10 * n),
    "one row": lambda d, _: write_table(d, 1),
    "one genre only": lambda d, n: write_table(d, n, "Drama"),
    "all genres in every row": lambda d, n: write_table(d, n, "|".join(GENRES)),
    "every plot equal": lambda d, n: write_table(d, n, text=words(0, 30)),
    "10,000 columns, 1 in 100 rows": lambda d, n: write_table(d, n // 100, columns=10_000),
    "5 more rows with plots of 10 MB": lambda d, n: write_table(d, n, long=5),
    "5 more rows with plots of 10 MB, Parquet": lambda d, n: write_parquet(d, n, long=5),
    "only 5 plots of 10 MB": lambda d, _: write_table(d, 0, long=5),
}


def end_of(build: Build, output: Path) -> str:
    """Return how a build ended, in a few words."""
    if build.exit_status:
        last = (build.errors.strip().splitlines() or ["no message"])[-1]
        last = last.replace(f"{output.parent}/", "").replace("|", "/")
        kind = "" if last.startswith("error: ") else "crash: "
        return f"{kind}status {build.exit_status}, {last.partition('. ')[0]}"
    summary = json.loads((output / INGEST_SUMMARY_FILE).read_text("utf-8"))["summary"]
    rejected = sum(sum(reasons.values()) for reasons in summary["rejected"].values())
    blank_lines = sum(summary["blank_lines"].values())
    return f"{summary['movies']:,} movies, {rejected:,} rejects, {blank_lines:,} blank lines"


def measure(cases: dict[str, Case], rows: int, directory: Path | None) -> list[list[str]]:
    """Build each case; return the rows of the table."""
    found: list[list[str]] = []
    ordinary: Build | None = None
    for name, write_case in cases.items():
        with tempfile.TemporaryDirectory(dir=directory) as temporary:
            data, output = Path(temporary, "data"), Path(temporary, "movies")
            data.mkdir()
            write_case(data, rows)
            table_path = next(data.glob("table.*"), None)
            build = run_build(table_path or data, output, "--max-reject-share", "0.5")
            end = end_of(build, output)
        ordinary = ordinary or build
        found.append(
            [
                name,
                end,
                f"{build.cpu_seconds / ordinary.cpu_seconds:.2f}",
                f"{build.megabytes / ordinary.megabytes:.2f}",
                f"{build.seconds:.1f}",
                f"{build.megabytes:,.0f}",
            ]
        )
        print(*found[-1], sep=" | ", file=sys.stderr)
    return found


def main() -> int:
    """Measure the cases and print a Markdown table; return the exit status."""
    parser = command_parser("benchmarks.extreme_inputs", (__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the first case")
    parser.add_argument("--tables", action="store_true", help="build from single tables")
    parser.add_argument("--cases", nargs="+", choices=[*CASES, *TABLE_CASES], metavar="CASE")
    parser.add_argument("--directory", type=Path, help="directory for the temporary files")
    options = parser.parse_args()

    def run() -> None:
        cases = TABLE_CASES if options.tables else CASES
        chosen = {name: cases[name] for name in cases if name in (options.cases or cases)}
        rows = measure(chosen, options.rows, options.directory)
        head = ["case", "end", "CPU time, ratio", "memory, ratio", "s", "MB"]
        text = f"{provenance('benchmarks.extreme_inputs')}:\n\n{table(head, rows, text_columns=2)}"
        publish({"extreme-tables" if options.tables else "extreme-inputs": text}, options.report)

    return command.run(run)


if __name__ == "__main__":
    sys.exit(main())
