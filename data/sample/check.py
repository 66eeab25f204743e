"""Checks the bundled sample: ``python data/sample/check.py`` from the project's environment.

It prints what is wrong, one line a finding, and exits with status 1, or says that all is well.
``--counts`` prints the table of the data card instead.
"""

import argparse
import gzip
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from ingest.clean import words
from ingest.dumps import BASICS, DUMPS, PRINCIPALS, Column, Dump, quoted
from schema import command
from schema.errors import ExitStatus, UserError
from schema.genres import GENRES

SAMPLE_DIR: Final = Path(__file__).resolve().parent
SHARED_DIR: Final = SAMPLE_DIR.parents[2] / "shared" / "data" / "imdb"
"""Where a developer may keep the full data, beside the checkout and never in it."""

PLOTS: Final = Dump("title.plots", (BASICS.columns[0], Column("plot")))
FILES: Final = (*DUMPS, PLOTS)

MIN_MOVIES: Final = 1000
MIN_MOVIES_PER_GENRE: Final = 25
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
    "war": "names the event of a plot (the Civil War), in movies of most genres",
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

_FORBIDDEN: Final = re.compile(
    r"\b(?:" + "|".join([*GENRE_WORDS.values(), "movies?", "movies?"]) + r")\b", re.IGNORECASE
)

COVERAGE: Final = f"""
    SELECT 'title.basics.tsv: ' || count(*) || ' movies, at least {MIN_MOVIES} wanted'
    FROM "title.basics" HAVING count(*) < {MIN_MOVIES};

    SELECT 'title.basics.tsv: ' || count(tconst) || ' movies of ' || name
        || ', at least {MIN_MOVIES_PER_GENRE} wanted'
    FROM (SELECT unnest({list(GENRES)}) AS name) LEFT JOIN movie_genres USING (name)
    GROUP BY name HAVING count(tconst) < {MIN_MOVIES_PER_GENRE} ORDER BY name;

    SELECT 'title.basics.tsv: no movie of the ' || decade || 's'
    FROM (SELECT unnest({list(DECADES)}) AS decade)
    WHERE decade NOT IN (SELECT decade FROM movie_genres) ORDER BY decade;
"""
"""Finds too few movies in all, in a genre or in a decade."""

CREDITS: Final = f"""
    SELECT 'name.basics.tsv: no row for ' || nconst
    FROM (FROM credited EXCEPT SELECT nconst FROM "name.basics") ORDER BY nconst;

    SELECT 'name.basics.tsv: ' || nconst || ' is credited nowhere'
    FROM (SELECT nconst FROM "name.basics" EXCEPT FROM credited) ORDER BY nconst;

    SELECT 'name.basics.tsv: ' || nconst || ' is known for ' || tconst
        || ', not in title.basics.tsv'
    FROM (SELECT nconst, unnest(string_split(knownForTitles, ',')) AS tconst FROM "name.basics")
    WHERE tconst NOT IN (SELECT tconst FROM "title.basics");

    SELECT 'title.principals.tsv: its movies are not those of title.basics.tsv in the same order'
    WHERE (SELECT list(tconst ORDER BY first)
            FROM (SELECT tconst, min(rowid) AS first FROM "title.principals" GROUP BY tconst))
        IS DISTINCT FROM (SELECT list(tconst ORDER BY rowid) FROM "title.basics");

    SELECT 'title.principals.tsv: ' || tconst || ' is not ordered 1, 2, 3, ...'
    FROM "title.principals" GROUP BY tconst
    HAVING list(ordering::BIGINT ORDER BY rowid) <> range(1, count(*) + 1) ORDER BY tconst;

    SELECT 'title.principals.tsv: ' || tconst || ' has a cast of ' || count(*)
        || ', at most {MAX_CAST} wanted'
    FROM "title.principals" WHERE category = 'actor'
    GROUP BY tconst HAVING count(*) > {MAX_CAST} ORDER BY tconst;
"""
"""Finds people without credit or name, gaps in the billing order, and casts that are too long."""

SORTED: Final = """
    SELECT '{0}.tsv: ' || key || ' comes after ' || before
        || '; rows are sorted, each identifier once'
    FROM (SELECT {1} AS key, lag({1}) OVER (ORDER BY rowid) AS before FROM "{0}")
    WHERE before >= key;
"""
"""Finds identifiers of a file that are out of order or stand there twice."""

SAME_MOVIES: Final = """
    SELECT '{0}.tsv: no row for ' || tconst
    FROM (SELECT tconst FROM "title.basics" EXCEPT SELECT tconst FROM "{0}") ORDER BY tconst;

    SELECT '{0}.tsv: ' || tconst || ' is not in title.basics.tsv'
    FROM (SELECT tconst FROM "{0}" EXCEPT SELECT tconst FROM "title.basics") ORDER BY tconst;
"""
"""Finds movies that a file lacks, and movies that title.basics lacks."""

_VIEWS: Final = """
    CREATE VIEW movie_genres AS
    SELECT tconst, unnest(string_split(genres, ',')) AS name,
        startYear::INTEGER // 10 * 10 AS decade
    FROM "title.basics";

    CREATE VIEW credited AS
    SELECT unnest(string_split(directors, ',')) AS nconst FROM "title.crew"
    UNION SELECT unnest(string_split(writers, ',')) FROM "title.crew"
    UNION SELECT nconst FROM "title.principals";
"""


def read_sample(directory: Path) -> duckdb.DuckDBPyConnection:
    """Reads the six files of a sample into a database, a table of text for each.

    Raises:
        UserError: A file is missing, or a line is not as ingest wants it.
    """
    sample = duckdb.connect()
    for file in FILES:
        path = directory / f"{file.name}.tsv"
        if not path.is_file():
            raise UserError(f"{path}: no such file; restore it with `git checkout -- {path}`.")
        header, *rows = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        if header != file.header:
            expected, found = file.header.replace("\t", " "), header.replace("\t", " ")
            raise UserError(f"{path}, line 1: expected the columns {expected}, found {found}.")
        for number, row in enumerate(rows, start=2):
            if not re.fullmatch(file.pattern, row):
                raise UserError(f"{path}, line {number}: is no row of {file.name}: {row[:100]}")
        columns = {column.name: "VARCHAR" for column in file.columns}
        sample.execute(f"""
            CREATE TABLE "{file.name}" AS
            FROM read_csv('{quoted(path)}', auto_detect = false, header = true, delim = '\t',
                quote = '', escape = '', nullstr = '\\N', columns = {columns})
        """)
    sample.execute(_VIEWS)
    return sample


def query(sample: duckdb.DuckDBPyConnection, statements: str) -> Iterator[str]:
    """The findings of SQL statements that each give a column of text."""
    for statement in sample.extract_statements(statements):
        yield from (finding for (finding,) in sample.execute(statement).fetchall())


def check_plots(sample: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Finds plots that are double, too short or long, untidy, or name a genre or a performer."""
    rows = sample.execute("""
        SELECT tconst, plot, coalesce(genres LIKE '%Documentary%', false), ARRAY(
            SELECT DISTINCT primaryName FROM "title.principals" JOIN "name.basics" USING (nconst)
            WHERE tconst = plots.tconst AND category = 'actor' ORDER BY primaryName)
        FROM "title.plots" AS plots LEFT JOIN "title.basics" USING (tconst) ORDER BY plots.rowid
    """).fetchall()
    first: dict[str, str] = {}
    for tconst, plot, is_documentary, performers in rows:
        where = f"title.plots.tsv: {tconst}"
        before = first.setdefault(words(plot), tconst)
        if before != tconst:
            yield f"{where} has the plot of {before}"
        count = len(plot.split())
        if not MIN_WORDS <= count <= MAX_WORDS:
            yield f"{where} has {count} words, {MIN_WORDS} to {MAX_WORDS} wanted"
        if plot != unicodedata.normalize("NFC", " ".join(plot.split())):
            yield f"{where} has untidy white space or is not in Unicode NFC"
        for match in _FORBIDDEN.findall(plot):
            if match.lower() not in ALLOWED_WORDS:
                yield f"{where} says '{match}'; say what happens instead of naming a genre"
        if not is_documentary and tconst not in AS_THEMSELVES:
            for name in performers:
                if " " in name and re.search(rf"\b{re.escape(name)}\b", plot):
                    yield f"{where} names the performer {name}; name the character"


def check_copied(sample: duckdb.DuckDBPyConnection, shared_plots: Path) -> Iterator[str]:
    """Finds runs of words that stand in the shared plots too, of whichever movie.

    A copied sentence shows as a copied run, since every sentence of the sample is longer than one.

    Args:
        sample: The sample.
        shared_plots: A gzipped file of tconst and plot.
    """
    runs: dict[str, str] = {}
    for tconst, plot in sample.execute('FROM "title.plots"').fetchall():
        for run in word_runs(plot):
            runs.setdefault(run, tconst)
    with gzip.open(shared_plots, "rt", encoding="utf-8") as file:
        next(file)
        for line in file:
            shared, _, text = line.rstrip("\n").partition("\t")
            for run in word_runs(text):
                if run in runs:
                    where = f"title.plots.tsv: {runs[run]}"
                    yield f"{where} shares '{run}' with the shared plot of {shared}"


def check(directory: Path) -> list[str]:
    """All findings about a sample, without the comparison with the shared plots.

    Raises:
        UserError: See `read_sample`.
    """
    sample = read_sample(directory)
    sizes = {path.name: path.stat().st_size for path in directory.glob("*.tsv")}
    ids = [SORTED.format(one.name, one.columns[0].name) for one in FILES if one is not PRINCIPALS]
    ids += [SAME_MOVIES.format(one.name) for one in FILES if one.columns[0].name == "tconst"]
    return [
        *(
            f"{name}: {size:,} bytes, at most {MAX_BYTES:,} wanted"
            for name, size in sizes.items()
            if size > MAX_BYTES
        ),
        *query(sample, COVERAGE + "".join(ids) + CREDITS),
        *check_plots(sample),
    ]


def counts_table(sample: duckdb.DuckDBPyConnection) -> str:
    """Movies by genre and decade as a Markdown table; a movie counts once in each of its genres."""
    cells = Counter(sample.execute("SELECT name, decade FROM movie_genres").fetchall())
    distinct = sample.execute("SELECT DISTINCT tconst, decade FROM movie_genres").fetchall()
    movies = Counter(decade for _, decade in distinct)
    extra = sorted({name for name, _ in cells} - set(GENRES))
    lines = [
        "| genre | " + " | ".join(f"{decade}s" for decade in DECADES) + " | all |",
        "|---|" + "--:|" * (len(DECADES) + 1),
    ]
    for genre in (*GENRES, *extra):
        row_counts = [cells[genre, decade] for decade in DECADES]
        lines.append(f"| {genre} | " + " | ".join(map(str, [*row_counts, sum(row_counts)])) + " |")
    totals = [movies[decade] for decade in DECADES]
    lines.append("| **movies** | " + " | ".join(f"**{n}**" for n in [*totals, sum(totals)]) + " |")
    return "\n".join(lines)


def word_runs(text: str) -> Iterator[str]:
    """Every run of `RUN_WORDS` words of a text."""
    found = words(text).split()
    for start in range(len(found) - RUN_WORDS + 1):
        yield " ".join(found[start : start + RUN_WORDS])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks; returns the exit status: that of `command.run`, or `FAILED` on findings."""
    parser = argparse.ArgumentParser(description="Checks the bundled sample of movies.")
    parser.add_argument("--counts", action="store_true", help="print movies by genre and decade")
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
    shared_plots = shared / "title.plots.tsv.gz"
    if shared_plots.is_file():
        findings += check_copied(sample, shared_plots)
    else:
        print(f"not compared with the shared plots: there is no {shared_plots}")
    for finding in findings:
        print(finding)
    (movies,) = sample.execute('SELECT count(*) FROM "title.plots"').fetchone() or (0,)
    print(f"{movies:,} movies, {len(findings)} findings")
    return ExitStatus.FAILED if findings else ExitStatus.OK


if __name__ == "__main__":
    sys.exit(main())
