"""Find the title that each record of plots is about: by id, or by title and year."""

from typing import Final

import duckdb

from ingest.config import option_and_setting
from schema.errors import NothingJoinedError
from schema.wording import count

MIN_JOINED_SHARE: Final = 0.01
"""Share of the records, or of the kept titles if these are fewer, that must join."""

MAX_NAMESAKES: Final = 10
"""Number of titles of the same words and year up to which the people decide which one matches."""

NO_GENRE: Final = "title has no genre"
"""Result of a record about a title without a genre, which is written for `ordained label`."""

_NOT_KEPT: Final = "title was not kept"


def find_candidates(connection: duckdb.DuckDBPyConnection, *, without_plot: bool) -> None:
    """Create the table `candidates` with the id of each title that a record may be about.

    `wanted_titles` has all titles that a record can match. Its column `problem` is NULL for titles
    with genres of the model; for others it is the result of a record that matches them.

    For records without an id, `record_titles` has the titles of the same words and year, or else
    those of the same words that are one year off. If there are more than `MAX_NAMESAKES`, it has a
    single row instead, whose `id` is NULL, and the record matches none of them.

    Args:
        connection: Connection to the database of the build.
        without_plot: Bool. Whether titles without a genre that no record matches are candidates.
    """
    connection.execute(f"""
        CREATE VIEW wanted_titles AS
        SELECT *, NULL AS problem FROM titles
        UNION ALL
        SELECT *, if(labels IS NULL, '{NO_GENRE}', '{_NOT_KEPT}') FROM unlabelled_titles;

        CREATE TABLE namesakes AS
        WITH title_names AS (
            SELECT DISTINCT title_words, year, id
            FROM (SELECT id, year, normalized_words(primary_title) AS title_words FROM wanted_titles
                UNION ALL SELECT id, year, normalized_words(original_title) FROM wanted_titles)
            WHERE title_words IN (SELECT title_words FROM plots)
        )
        SELECT title_words, year,
            CASE WHEN count(*) > {MAX_NAMESAKES} THEN [NULL] ELSE list(id) END AS ids
        FROM title_names GROUP BY title_words, year;

        CREATE TABLE record_titles AS
        SELECT record, unnest(ids) AS id, false AS is_near
        FROM plots JOIN namesakes USING (title_words, year)
        UNION ALL
        SELECT record, unnest(ids), true
        FROM (FROM plots ANTI JOIN namesakes USING (title_words, year)) AS others
        JOIN namesakes ON others.title_words = namesakes.title_words
            AND namesakes.year BETWEEN others.year - 1 AND others.year + 1;

        CREATE TABLE candidates AS
        FROM (SELECT id FROM wanted_titles SEMI JOIN plots ON wanted_titles.id = plots.title_id
            UNION SELECT id FROM record_titles WHERE id IS NOT NULL
            UNION SELECT id FROM wanted_titles WHERE {without_plot} AND problem = '{NO_GENRE}');
    """)


def match_plots(connection: duckdb.DuckDBPyConnection, *, without_plot: bool) -> None:
    """Create the table `plot_results` with the title and the result of each record.

    A record matches the only title of its words and year, or the only one of them that has a person
    of the record. If several records match a title, the surest match joins, then the first record.

    `unlabelled_plots` has the titles without a genre that are written. A record that matches one
    has the result `NO_GENRE`.

    Args:
        connection: Connection to the database with the tables of `find_candidates`, `credits` and
            `names`.
        without_plot: Bool. Whether titles without a genre and a plot are written, too.
    """
    connection.execute(f"""
        CREATE TABLE agreeing_titles AS
        WITH ambiguous AS (
            FROM record_titles
            WHERE record IN (SELECT record FROM record_titles GROUP BY record HAVING count(*) > 1)
        ), people AS (
            SELECT record, normalized_words(unnest(string_split(people, '|'))) AS name
            FROM plots SEMI JOIN ambiguous USING (record)
        ), credited AS (
            SELECT credits.id, normalized_words(names.name) AS name
            FROM credits SEMI JOIN ambiguous USING (id) JOIN names ON names.id = credits.person
        )
        SELECT DISTINCT record, id
        FROM ambiguous JOIN people USING (record) JOIN credited USING (id, name);

        CREATE TABLE matched_titles AS
        SELECT record, any_value(is_near) AS is_near,
            CASE WHEN count(*) = 1 THEN min(record_titles.id)
                WHEN count(agreeing_titles.id) = 1 THEN min(agreeing_titles.id) END AS id
        FROM record_titles LEFT JOIN agreeing_titles USING (record, id) GROUP BY record;

        CREATE TABLE plot_results AS
        WITH matches AS (
            SELECT plots.record, plots.text, wanted_titles.id,
                -- In alphabetical order, the surest match is first.
                CASE WHEN plots.title_id IS NOT NULL THEN 'joined by id'
                    WHEN is_near THEN 'joined by title, one year off'
                    ELSE 'joined by title and year' END AS match,
                CASE WHEN plots.is_another_kind THEN 'another kind of title'
                    WHEN plots.title_id IS NULL
                        AND (plots.title_words IS NULL OR plots.year IS NULL)
                        THEN 'record identifies no title'
                    WHEN plots.text IS NULL THEN 'empty'
                    WHEN matched_titles.record IS NOT NULL AND matched_titles.id IS NULL
                        THEN 'several titles match'
                    WHEN wanted_titles.id IS NULL THEN '{_NOT_KEPT}'
                    ELSE wanted_titles.problem END AS problem
            FROM plots
            LEFT JOIN matched_titles USING (record)
            LEFT JOIN wanted_titles
                ON wanted_titles.id = coalesce(plots.title_id, matched_titles.id)
        )
        SELECT record, text, id,
            row_number() OVER (PARTITION BY id, problem ORDER BY match, record) AS position,
            coalesce(problem, if(position > 1, 'title already has a plot', match)) AS result
        FROM matches;

        CREATE TABLE unlabelled_plots AS
        SELECT id, text
        FROM (FROM unlabelled_titles WHERE labels IS NULL)
        LEFT JOIN (SELECT id, text FROM plot_results WHERE result = '{NO_GENRE}' AND position = 1)
            USING (id)
        WHERE text IS NOT NULL OR {without_plot};
    """)


def check_joined(
    connection: duckdb.DuckDBPyConnection,
    file: str,
    results: dict[str, int],
    malformed: int,
    *,
    for_training: bool,
) -> None:
    """Stop the build if no record of plots joined, or almost none.

    Args:
        connection: Connection to the database with the tables of `match_plots`.
        file: Name of the file of plots.
        results: Number of records by result.
        malformed: Number of malformed records.
        for_training: Bool. Whether only titles with genres are of use.

    Raises:
        NothingJoinedError: Fewer than `MIN_JOINED_SHARE` joined.
    """
    joined = sum(
        count
        for result, count in results.items()
        if result.startswith("joined") or (result == NO_GENRE and not for_training)
    )
    records = sum(results.values()) + malformed
    usable = "problem IS NULL" if for_training else f"problem IS DISTINCT FROM '{_NOT_KEPT}'"
    (titles,) = connection.execute(
        f"SELECT count(*) FROM wanted_titles WHERE {usable}"
    ).fetchone() or (0,)
    if joined and joined >= MIN_JOINED_SHARE * min(records, titles):
        return
    counts = results | ({"malformed": malformed} if malformed else {})
    reasons = ", ".join(f"{result}: {count:,}" for result, count in counts.items())
    rows = connection.execute(f"""
        FROM (SELECT title, year, 'tt' || lpad(title_id::VARCHAR, 7, '0') FROM plots
            JOIN plot_results USING (record)
            ORDER BY result <> '{_NOT_KEPT}', record LIMIT 1)
        UNION ALL FROM (SELECT primary_title, year, tconst FROM wanted_titles WHERE {usable}
            ORDER BY line LIMIT 1)
    """).fetchall()
    shown = [", ".join(str(cell) for cell in row if cell is not None) or "nothing" for row in rows]
    example = ""
    if records > malformed and titles:
        example = f" For example, a record has {shown[0]}, and a title has {shown[1]}."
    raise NothingJoinedError(
        f"{file}: {joined:,} of {records:,} records joined one of the "
        f"{count(titles, 'kept title')} ({reasons or 'there are no records'}).{example} Correct "
        f"ids, titles and years, or choose other plots with {option_and_setting('plots')}."
    )
