"""Check the bundled sample: ``python data/sample/check.py`` with the project's Python.

The script prints one line per problem and exits with status 1 if there is one. ``--counts`` prints
the table of the data card instead.
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

from ingest.clean import normalized_words
from ingest.dumps import BASICS, DUMPS, PRINCIPALS, Column, Dump, escape_sql
from schema import command
from schema.errors import ExitStatus, UserError
from schema.genres import GENRES

SAMPLE_DIR: Final = Path(__file__).resolve().parent
FULL_DATA_DIR: Final = SAMPLE_DIR.parents[2] / "shared" / "data" / "imdb"
"""Directory beside the checkout in which a developer may keep the full data."""

PLOTS: Final = Dump("title.plots", (BASICS.columns[0], Column("plot")))
SAMPLE_FILES: Final = (*DUMPS, PLOTS)

MIN_MOVIES: Final = 1000
MIN_MOVIES_PER_GENRE: Final = 25
DECADES: Final = tuple(range(1920, 2030, 10))
MIN_PLOT_WORDS: Final = 30
MAX_PLOT_WORDS: Final = 70
SHINGLE_WORDS: Final = 7
"""Length of a shingle, in words. A shingle that is also in the full data counts as copied."""
MAX_FILE_BYTES: Final = 2_000_000
"""Maximum size of a file, so that git can show its changes."""
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
"""Regular expressions of the words that name a genre."""

ALLOWED_WORDS: Final[dict[str, str]] = {
    "family": "means relatives; synonyms in sixty plots would sound unnatural",
    "families": "like family",
    "war": "names an event (the Civil War) in movies of most genres",
    "wars": "like war",
    "wartime": "like war",
}
"""Genre words that plots may contain, and the reasons."""

AS_THEMSELVES: Final[dict[str, str]] = {
    "tt0057345": "Fritz Lang plays the director Fritz Lang",
    "tt0117705": "Michael Jordan plays the player Michael Jordan",
    "tt0443453": "Pamela Anderson plays the star whom Borat wants to marry",
}
"""Movies whose plots may name a performer, and the reasons. Plots of documentaries always may."""

_FORBIDDEN_WORDS: Final = re.compile(
    r"\b(?:" + "|".join([*GENRE_WORDS.values(), "films?", "movies?"]) + r")\b", re.IGNORECASE
)

COVERAGE: Final = f"""
    SELECT 'title.basics.tsv: expected at least {MIN_MOVIES} movies, got ' || count(*)
    FROM "title.basics" HAVING count(*) < {MIN_MOVIES};

    SELECT 'title.basics.tsv: expected at least {MIN_MOVIES_PER_GENRE} movies with the genre '
        || name || ', got ' || count(tconst)
    FROM (SELECT unnest({list(GENRES)}) AS name) LEFT JOIN movie_genres USING (name)
    GROUP BY name HAVING count(tconst) < {MIN_MOVIES_PER_GENRE} ORDER BY name;

    SELECT 'title.basics.tsv: no movie from the ' || decade || 's'
    FROM (SELECT unnest({list(DECADES)}) AS decade)
    WHERE decade NOT IN (SELECT decade FROM movie_genres) ORDER BY decade;
"""
"""SQL that finds too few movies in total, with a genre or from a decade."""

CREDITS: Final = f"""
    SELECT 'name.basics.tsv: no row for ' || nconst
    FROM (FROM credited EXCEPT SELECT nconst FROM "name.basics") ORDER BY nconst;

    SELECT 'name.basics.tsv: ' || nconst || ': no credit of this person'
    FROM (SELECT nconst FROM "name.basics" EXCEPT FROM credited) ORDER BY nconst;

    SELECT 'name.basics.tsv: ' || nconst || ': knownForTitles has ' || tconst
        || ', which is not in title.basics.tsv'
    FROM (SELECT nconst, unnest(string_split(knownForTitles, ',')) AS tconst FROM "name.basics")
    WHERE tconst NOT IN (SELECT tconst FROM "title.basics");

    SELECT 'title.principals.tsv: expected the movies of title.basics.tsv in the same order'
    WHERE (SELECT list(tconst ORDER BY first)
            FROM (SELECT tconst, min(rowid) AS first FROM "title.principals" GROUP BY tconst))
        IS DISTINCT FROM (SELECT list(tconst ORDER BY rowid) FROM "title.basics");

    SELECT 'title.principals.tsv: ' || tconst || ': expected the ordering 1, 2, 3, ...'
    FROM "title.principals" GROUP BY tconst
    HAVING list(ordering::BIGINT ORDER BY rowid) <> range(1, count(*) + 1) ORDER BY tconst;

    SELECT 'title.principals.tsv: ' || tconst || ': expected a cast of at most {MAX_CAST}, got '
        || count(*)
    FROM "title.principals" WHERE category = 'actor'
    GROUP BY tconst HAVING count(*) > {MAX_CAST} ORDER BY tconst;
"""
"""SQL that finds people without credit or name, and wrong billing orders."""

SORTED: Final = """
    SELECT '{0}.tsv: ' || key || ' comes after ' || previous
        || '. Sort the rows and delete duplicates.'
    FROM (SELECT {1} AS key, lag({1}) OVER (ORDER BY rowid) AS previous FROM "{0}")
    WHERE previous >= key;
"""
"""SQL that finds ids of a file that are not sorted or not unique."""

SAME_MOVIES: Final = """
    SELECT '{0}.tsv: no row for ' || tconst
    FROM (SELECT tconst FROM "title.basics" EXCEPT SELECT tconst FROM "{0}") ORDER BY tconst;

    SELECT '{0}.tsv: ' || tconst || ': not in title.basics.tsv'
    FROM (SELECT tconst FROM "{0}" EXCEPT SELECT tconst FROM "title.basics") ORDER BY tconst;
"""
"""SQL that finds movies that are missing in a file or in title.basics."""

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
    """Read the files of a sample into a database with one table per file.

    Raises:
        UserError: A file is missing or malformed.
    """
    sample = duckdb.connect()
    for file in SAMPLE_FILES:
        path = directory / f"{file.name}.tsv"
        if not path.is_file():
            raise UserError(f"{path}: no such file. Restore it with `git checkout -- {path}`.")
        header, *rows = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        if header != file.header:
            expected, got = file.header.replace("\t", " "), header.replace("\t", " ")
            raise UserError(f"{path}: line 1: expected the columns {expected}, got {got}")
        for number, row in enumerate(rows, start=2):
            if not re.fullmatch(file.line_pattern, row):
                raise UserError(
                    f"{path}: line {number}: expected a row of {file.name}, got {row[:100]}"
                )
        columns = {column.name: "VARCHAR" for column in file.columns}
        sample.execute(f"""
            CREATE TABLE "{file.name}" AS
            FROM read_csv('{escape_sql(path)}', auto_detect = false, header = true, delim = '\t',
                quote = '', escape = '', nullstr = '\\N', columns = {columns})
        """)
    sample.execute(_VIEWS)
    return sample


def query(sample: duckdb.DuckDBPyConnection, statements: str) -> Iterator[str]:
    """Run SQL statements and yield the problems that they return as text."""
    for statement in sample.extract_statements(statements):
        yield from (problem for (problem,) in sample.execute(statement).fetchall())


def check_plots(sample: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield problems of the plots: duplicates, length, whitespace, names of genres and people."""
    rows = sample.execute("""
        SELECT tconst, plot, coalesce(genres LIKE '%Documentary%', false), ARRAY(
            SELECT DISTINCT primaryName FROM "title.principals" JOIN "name.basics" USING (nconst)
            WHERE tconst = plots.tconst AND category = 'actor' ORDER BY primaryName)
        FROM "title.plots" AS plots LEFT JOIN "title.basics" USING (tconst) ORDER BY plots.rowid
    """).fetchall()
    first_with_words: dict[str, str] = {}
    for tconst, plot, is_documentary, performers in rows:
        row = f"title.plots.tsv: {tconst}"
        first = first_with_words.setdefault(normalized_words(plot), tconst)
        if first != tconst:
            yield f"{row}: same plot as {first}"
        count = len(plot.split())
        if not MIN_PLOT_WORDS <= count <= MAX_PLOT_WORDS:
            yield f"{row}: expected {MIN_PLOT_WORDS} to {MAX_PLOT_WORDS} words, got {count}"
        if plot != unicodedata.normalize("NFC", " ".join(plot.split())):
            yield f"{row}: expected single spaces and Unicode NFC"
        for match in _FORBIDDEN_WORDS.findall(plot):
            if match.lower() not in ALLOWED_WORDS:
                yield f"{row}: contains '{match}'. Say what happens instead of naming a genre."
        if not is_documentary and tconst not in AS_THEMSELVES:
            for name in performers:
                if " " in name and re.search(rf"\b{re.escape(name)}\b", plot):
                    yield f"{row}: names the performer {name}. Name the character."


def check_copied(sample: duckdb.DuckDBPyConnection, full_plots: Path) -> Iterator[str]:
    """Yield shingles of the sample's plots that are also in a plot of the full data.

    This finds every copied sentence, since all sentences of the sample are longer than a shingle.

    Args:
        sample: Database of the sample.
        full_plots: Gzip file with the columns tconst and plot.
    """
    sample_shingles: dict[str, str] = {}
    for tconst, plot in sample.execute('FROM "title.plots"').fetchall():
        for shingle in shingles(plot):
            sample_shingles.setdefault(shingle, tconst)
    with gzip.open(full_plots, "rt", encoding="utf-8") as file:
        next(file)
        for line in file:
            full_tconst, _, text = line.rstrip("\n").partition("\t")
            for shingle in shingles(text):
                if shingle in sample_shingles:
                    row = f"title.plots.tsv: {sample_shingles[shingle]}"
                    yield f"{row}: has '{shingle}' in common with the full data's {full_tconst}"


def check(directory: Path) -> list[str]:
    """Return all problems of a sample, without a comparison with the full data.

    Raises:
        UserError: A file is missing or malformed.
    """
    sample = read_sample(directory)
    sizes = {path.name: path.stat().st_size for path in directory.glob("*.tsv")}
    id_columns = {file: file.columns[0].name for file in SAMPLE_FILES}
    id_checks = [
        *(SORTED.format(f.name, name) for f, name in id_columns.items() if f is not PRINCIPALS),
        *(SAME_MOVIES.format(f.name) for f, name in id_columns.items() if name == "tconst"),
    ]
    return [
        *(
            f"{name}: expected at most {MAX_FILE_BYTES:,} bytes, got {size:,}"
            for name, size in sizes.items()
            if size > MAX_FILE_BYTES
        ),
        *query(sample, COVERAGE + "".join(id_checks) + CREDITS),
        *check_plots(sample),
    ]


def counts_table(sample: duckdb.DuckDBPyConnection) -> str:
    """Return a Markdown table of movies by genre and decade.

    A movie counts once for each of its genres.
    """
    cells = Counter(sample.execute("SELECT name, decade FROM movie_genres").fetchall())
    distinct = sample.execute("SELECT DISTINCT tconst, decade FROM movie_genres").fetchall()
    movies = Counter(decade for _, decade in distinct)
    other_genres = sorted({name for name, _ in cells} - set(GENRES))
    lines = [
        "| genre | " + " | ".join(f"{decade}s" for decade in DECADES) + " | all |",
        "|---|" + "--:|" * (len(DECADES) + 1),
    ]
    for genre in (*GENRES, *other_genres):
        row_counts = [cells[genre, decade] for decade in DECADES]
        lines.append(f"| {genre} | " + " | ".join(map(str, [*row_counts, sum(row_counts)])) + " |")
    totals = [movies[decade] for decade in DECADES]
    lines.append("| **movies** | " + " | ".join(f"**{n}**" for n in [*totals, sum(totals)]) + " |")
    return "\n".join(lines)


def shingles(text: str) -> Iterator[str]:
    """Yield all sequences of `SHINGLE_WORDS` words in a text."""
    words = normalized_words(text).split()
    for start in range(len(words) - SHINGLE_WORDS + 1):
        yield " ".join(words[start : start + SHINGLE_WORDS])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks and return the exit status, which is `FAILED` if there are problems."""
    parser = argparse.ArgumentParser(description="Check the bundled sample of movies.")
    parser.add_argument(
        "--counts", action="store_true", help="print a table of movies by genre and decade"
    )
    parser.add_argument(
        "--full-data",
        type=Path,
        default=FULL_DATA_DIR,
        help="directory of the full data, whose plots must not be copied (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    return command.run(lambda: _run(arguments.full_data, counts=arguments.counts))


def _run(full_data: Path, *, counts: bool) -> ExitStatus:
    if counts:
        print(counts_table(read_sample(SAMPLE_DIR)))
        return ExitStatus.OK
    problems = check(SAMPLE_DIR)
    sample = read_sample(SAMPLE_DIR)
    full_plots = full_data / "title.plots.tsv.gz"
    if full_plots.is_file():
        problems += check_copied(sample, full_plots)
    else:
        print(f"{full_plots}: no such file. The plots were not compared with the full data.")
    for problem in problems:
        print(problem)
    (movies,) = sample.execute('SELECT count(*) FROM "title.plots"').fetchone() or (0,)
    print(f"{movies:,} movies, {len(problems)} problems")
    return ExitStatus.FAILED if problems else ExitStatus.OK


if __name__ == "__main__":
    sys.exit(main())
