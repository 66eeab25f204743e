"""Checks the bundled sample: ``python data/sample/check.py`` from the project's environment.

It prints what is wrong, one line a finding, and exits with status 1, or says that all is well.
``--counts`` prints the table of the data card instead.
"""

import argparse
import gzip
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from schema import command
from schema.errors import ExitStatus, UserError
from schema.genres import GENRES

SAMPLE_DIR: Final = Path(__file__).resolve().parent
SHARED_DIR: Final = SAMPLE_DIR.parents[2] / "shared" / "data" / "imdb"
"""Where a developer may keep the full data, beside the checkout and never in it."""

BASICS: Final = "title.basics"
RATINGS: Final = "title.ratings"
CREW: Final = "title.crew"
PRINCIPALS: Final = "title.principals"
NAMES: Final = "name.basics"
PLOTS: Final = "title.plots"

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    BASICS: (
        "tconst",
        "titleType",
        "primaryTitle",
        "originalTitle",
        "isAdult",
        "startYear",
        "endYear",
        "runtimeMinutes",
        "genres",
    ),
    RATINGS: ("tconst", "averageRating", "numVotes"),
    CREW: ("tconst", "directors", "writers"),
    PRINCIPALS: ("tconst", "ordering", "nconst", "category", "job", "characters"),
    NAMES: (
        "nconst",
        "primaryName",
        "birthYear",
        "deathYear",
        "primaryProfession",
        "knownForTitles",
    ),
    PLOTS: ("tconst", "plot"),
}
NULL: Final = r"\N"

MIN_FILMS: Final = 1000
MIN_FILMS_PER_GENRE: Final = 25
DECADES: Final = tuple(range(1920, 2030, 10))
MIN_WORDS: Final = 30
MAX_WORDS: Final = 70
RUN_WORDS: Final = 7
"""A run of this many words that stands in the shared plots too counts as copied."""
MAX_BYTES: Final = 2_000_000
"""Largest file that is still pleasant to review in git."""
MAX_CAST: Final = 12

GENRE_WORDS: Final[dict[str, str]] = {
    "Action": r"actions?",
    "Adventure": r"adventur\w*",
    "Animation": r"animat\w*|cartoon\w*",
    "Biography": r"biograph\w*|biopics?",
    "Comedy": r"comed\w*|comic\w*",
    "Crime": r"crimes?|criminal\w*",
    "Documentary": r"documentar\w*",
    "Drama": r"dramas?|dramatic\w*|melodrama\w*",
    "Family": r"famil(?:y|ies)",
    "Fantasy": r"fantas(?:y|ies|tic\w*)",
    "Film-Noir": r"noirs?",
    "History": r"histor\w*",
    "Horror": r"horr(?:or\w*|ific\w*|if\w*)",
    "Music": r"music\w*",
    "Musical": r"musicals?",
    "Mystery": r"myster\w*",
    "Romance": r"romanc\w*|romantic\w*",
    "Sci-Fi": r"sci-?fi|science fiction",
    "Sport": r"sports?|sporting",
    "Thriller": r"thrill\w*",
    "War": r"wars?|wartime|warfare",
    "Western": r"westerns?",
}
"""For each genre, the words that would give it away (a regular expression)."""

ALLOWED_WORDS: Final[dict[str, str]] = {
    "family": "means kin; 'household' or 'kin' in sixty plots would read as evasion",
    "families": "as family",
    "war": "names the event of a plot (the Civil War), in films of most genres",
    "wars": "as war",
    "wartime": "as war",
}
"""Genre words that cannot be avoided, and why."""

AS_THEMSELVES: Final[dict[str, str]] = {
    "tt0057345": "Fritz Lang plays the director Fritz Lang",
    "tt0117705": "Michael Jordan plays the player Michael Jordan",
    "tt0443453": "Pamela Anderson plays the star whom Borat wants to marry",
}
"""Plots that may name a performer, and why; documentaries always may: people are their subject."""

_FORBIDDEN = re.compile(
    r"\b(?:" + "|".join([*GENRE_WORDS.values(), "films?", "movies?"]) + r")\b", re.IGNORECASE
)
_WORD = re.compile(r"[a-z0-9]+")

Row = dict[str, str]


@dataclass(frozen=True)
class Sample:
    """The rows of the sample's files, in their order, each row by column name."""

    tables: dict[str, list[Row]]

    def genres(self) -> dict[str, list[str]]:
        """The genres of each film, by tconst."""
        return {row["tconst"]: row["genres"].split(",") for row in self.tables[BASICS]}

    def plots(self) -> list[tuple[str, str]]:
        """Every (tconst, plot), in the order of the file."""
        return [(row["tconst"], row["plot"]) for row in self.tables[PLOTS]]


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """Reads a file in the layout of IMDb's dumps.

    Args:
        path: A tab-separated UTF-8 file with a header, without quoting.
        columns: The header that it must have.

    Raises:
        UserError: The file is missing, its header differs, or a row has another number of fields.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; restore it with `git checkout -- {path}`.")
    with path.open(encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    if not lines or lines[0] != list(columns):
        found = " ".join(lines[0]) if lines else "nothing"
        raise UserError(f"{path}, line 1: expected the columns {' '.join(columns)}, found {found}.")
    for number, fields in enumerate(lines[1:], start=2):
        if len(fields) != len(columns):
            raise UserError(
                f"{path}, line {number}: expected {len(columns)} fields separated by tabs, "
                f"found {len(fields)}."
            )
    return [dict(zip(columns, fields, strict=True)) for fields in lines[1:]]


def read_sample(directory: Path) -> Sample:
    """Reads the six files of a sample.

    Raises:
        UserError: As `read_table`.
    """
    return Sample(
        {name: read_table(directory / f"{name}.tsv", cols) for name, cols in COLUMNS.items()}
    )


def check_size(directory: Path) -> Iterator[str]:
    """Finds files that are too large to review."""
    for name in COLUMNS:
        size = (directory / f"{name}.tsv").stat().st_size
        if size > MAX_BYTES:
            yield f"{name}.tsv: {size:,} bytes, at most {MAX_BYTES:,} wanted"


def check_coverage(sample: Sample) -> Iterator[str]:
    """Finds too few films in all, in a genre or in a decade."""
    basics = sample.tables[BASICS]
    if len(basics) < MIN_FILMS:
        yield f"{BASICS}.tsv: {len(basics)} films, at least {MIN_FILMS} wanted"
    by_genre = Counter(genre for genres in sample.genres().values() for genre in genres)
    for genre in GENRES:
        if by_genre[genre] < MIN_FILMS_PER_GENRE:
            yield (
                f"{BASICS}.tsv: {by_genre[genre]} films of {genre}, "
                f"at least {MIN_FILMS_PER_GENRE} wanted"
            )
    by_decade = Counter(decade_of(row) for row in basics)
    for decade in DECADES:
        if not by_decade[decade]:
            yield f"{BASICS}.tsv: no film of the {decade}s"


def check_ids(sample: Sample) -> Iterator[str]:
    """Finds identifiers that are out of order, double, or without a row in another file."""
    tables = sample.tables
    titles = {row["tconst"] for row in tables[BASICS]}
    people = {row["nconst"] for row in tables[NAMES]}
    for name, key in ((BASICS, "tconst"), (PLOTS, "tconst"), (RATINGS, "tconst"), (CREW, "tconst")):
        keys = [row[key] for row in tables[name]]
        yield from _out_of_order(name, keys)
        yield from (f"{name}.tsv: no row for {t}" for t in sorted(titles - set(keys)))
        yield from (f"{name}.tsv: {t} is not in {BASICS}.tsv" for t in sorted(set(keys) - titles))
    yield from _out_of_order(NAMES, [row["nconst"] for row in tables[NAMES]])

    used: set[str] = set()
    for row in tables[CREW]:
        used.update(_ids(row["directors"]) + _ids(row["writers"]))
    used.update(row["nconst"] for row in tables[PRINCIPALS])
    yield from (f"{NAMES}.tsv: no row for {n}" for n in sorted(used - people))
    yield from (f"{NAMES}.tsv: {n} is credited nowhere" for n in sorted(people - used))
    for row in tables[NAMES]:
        for tconst in _ids(row["knownForTitles"]):
            if tconst not in titles:
                yield f"{NAMES}.tsv: {row['nconst']} is known for {tconst}, not in {BASICS}.tsv"


def check_principals(sample: Sample) -> Iterator[str]:
    """Finds credits of unknown films, gaps in the billing order, and casts of the wrong length."""
    by_film: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sample.tables[PRINCIPALS]:
        by_film[row["tconst"]].append(row)
    titles = [row["tconst"] for row in sample.tables[BASICS]]
    if list(by_film) != titles:
        yield f"{PRINCIPALS}.tsv: its films are not those of {BASICS}.tsv in the same order"
    for tconst, rows in by_film.items():
        if [row["ordering"] for row in rows] != [str(n) for n in range(1, len(rows) + 1)]:
            yield f"{PRINCIPALS}.tsv: {tconst} is not ordered 1, 2, 3, ..."
        actors = sum(row["category"] == "actor" for row in rows)
        if actors > MAX_CAST:
            yield f"{PRINCIPALS}.tsv: {tconst} has a cast of {actors}, at most {MAX_CAST} wanted"


def check_plots(sample: Sample) -> Iterator[str]:
    """Finds plots that are double, too short or long, untidy, or name a genre or a performer."""
    names = {row["nconst"]: row["primaryName"] for row in sample.tables[NAMES]}
    cast: defaultdict[str, set[str]] = defaultdict(set)
    for row in sample.tables[PRINCIPALS]:
        if row["category"] == "actor":
            cast[row["tconst"]].add(names.get(row["nconst"], ""))
    genres = sample.genres()
    first: dict[str, str] = {}
    for tconst, plot in sample.plots():
        where = f"{PLOTS}.tsv: {tconst}"
        normalised = " ".join(words(plot))
        if normalised in first:
            yield f"{where} has the plot of {first[normalised]}"
        first.setdefault(normalised, tconst)
        count = len(plot.split())
        if not MIN_WORDS <= count <= MAX_WORDS:
            yield f"{where} has {count} words, {MIN_WORDS} to {MAX_WORDS} wanted"
        if plot != unicodedata.normalize("NFC", " ".join(plot.split())):
            yield f"{where} has untidy white space or is not in Unicode NFC"
        for match in _FORBIDDEN.findall(plot):
            if match.lower() not in ALLOWED_WORDS:
                yield f"{where} says '{match}'; say what happens instead of naming a genre"
        if "Documentary" not in genres.get(tconst, []) and tconst not in AS_THEMSELVES:
            for name in sorted(cast[tconst]):
                if " " in name and re.search(rf"\b{re.escape(name)}\b", plot):
                    yield f"{where} names the performer {name}; name the character"


def check_copied(sample: Sample, shared_plots: Path) -> Iterator[str]:
    """Finds runs of words that stand in the shared plots too, of whichever film.

    A copied sentence shows as a copied run, since every sentence of the sample is longer than one.

    Args:
        sample: The sample.
        shared_plots: A gzipped file of tconst and plot.
    """
    runs: dict[str, str] = {}
    for tconst, plot in sample.plots():
        for run in word_runs(plot):
            runs.setdefault(run, tconst)
    with gzip.open(shared_plots, "rt", encoding="utf-8") as file:
        next(file)
        for line in file:
            shared, _, text = line.rstrip("\n").partition("\t")
            for run in word_runs(text):
                if run in runs:
                    where = f"{PLOTS}.tsv: {runs[run]}"
                    yield f"{where} shares '{run}' with the shared plot of {shared}"


def check(directory: Path) -> list[str]:
    """All findings about a sample, without the comparison with the shared plots.

    Raises:
        UserError: A file cannot be read as what it should be.
    """
    sample = read_sample(directory)
    return [
        *check_size(directory),
        *check_coverage(sample),
        *check_ids(sample),
        *check_principals(sample),
        *check_plots(sample),
    ]


def counts_table(sample: Sample) -> str:
    """Films by genre and decade as a Markdown table; a film counts once in each of its genres."""
    cells: Counter[tuple[str, int]] = Counter()
    films: Counter[int] = Counter()
    for row in sample.tables[BASICS]:
        decade = decade_of(row)
        films[decade] += 1
        cells.update((genre, decade) for genre in row["genres"].split(","))
    extra = sorted({genre for genre, _ in cells} - set(GENRES))
    lines = [
        "| genre | " + " | ".join(f"{decade}s" for decade in DECADES) + " | all |",
        "|---|" + "--:|" * (len(DECADES) + 1),
    ]
    for genre in (*GENRES, *extra):
        row_counts = [cells[genre, decade] for decade in DECADES]
        lines.append(f"| {genre} | " + " | ".join(map(str, [*row_counts, sum(row_counts)])) + " |")
    totals = [films[decade] for decade in DECADES]
    lines.append("| **films** | " + " | ".join(f"**{n}**" for n in [*totals, sum(totals)]) + " |")
    return "\n".join(lines)


def decade_of(row: Row) -> int:
    """The first year of the decade of a row of title.basics."""
    return int(row["startYear"]) // 10 * 10


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def word_runs(text: str) -> Iterator[str]:
    """Every run of `RUN_WORDS` words of a text."""
    found = words(text)
    for start in range(len(found) - RUN_WORDS + 1):
        yield " ".join(found[start : start + RUN_WORDS])


def _ids(cell: str) -> list[str]:
    return [] if cell == NULL else cell.split(",")


def _out_of_order(name: str, keys: Sequence[str]) -> Iterator[str]:
    for before, after in pairwise(keys):
        if before >= after:
            yield f"{name}.tsv: {after} comes after {before}; rows are sorted, each identifier once"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks; returns the exit status: that of `command.run`, or `FAILED` on findings."""
    parser = argparse.ArgumentParser(description="Checks the bundled sample of films.")
    parser.add_argument("--counts", action="store_true", help="print films by genre and decade")
    parser.add_argument(
        "--shared",
        type=Path,
        default=SHARED_DIR,
        help="directory of the shared data whose plots must not be copied (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    return command.run(lambda: _run(arguments.shared, counts=arguments.counts))


def _run(shared: Path, *, counts: bool) -> ExitStatus:
    if counts:
        print(counts_table(read_sample(SAMPLE_DIR)))
        return ExitStatus.OK
    findings = check(SAMPLE_DIR)
    sample = read_sample(SAMPLE_DIR)
    shared_plots = shared / f"{PLOTS}.tsv.gz"
    if shared_plots.is_file():
        findings += check_copied(sample, shared_plots)
    else:
        print(f"not compared with the shared plots: there is no {shared_plots}")
    for finding in findings:
        print(finding)
    plots = sample.plots()
    print(f"{len(plots):,} films, {len(findings)} findings")
    return ExitStatus.FAILED if findings else ExitStatus.OK


if __name__ == "__main__":
    sys.exit(main())
