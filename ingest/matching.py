"""Find the title that each record of plots is about: by id, or by title and year."""

from typing import Final

import duckdb

from ingest.config import option_and_setting
from schema.errors import NothingJoinedError

MIN_JOINED_SHARE: Final = 0.01
"""Share of the records, or of the kept titles if these are fewer, that must join."""

MAX_NAMESAKES: Final = 10
"""Number of titles of the same words and year up to which the people decide which one matches."""


def find_candidates(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table `candidates` with the id of each title that a record may be about.

    For records without an id, `title_years` has the titles of the same words and year, and
    `near_titles` those of the same words that are one year off, if no title has the same year. Of
    more titles than `MAX_NAMESAKES`, which cannot be told apart, it has one without an id.
    """
    connection.execute(f"""
        CREATE TABLE title_names AS
        SELECT DISTINCT title_words, year, id
        FROM (SELECT id, year, normalized_words(primary_title) AS title_words FROM titles
            UNION ALL SELECT id, year, normalized_words(original_title) FROM titles)
        WHERE title_words IN (SELECT title_words FROM plots);

        CREATE TABLE title_years AS
        SELECT title_words, year, min(id) AS id, count(*) AS titles
        FROM title_names SEMI JOIN plots USING (title_words, year) GROUP BY ALL;

        CREATE TABLE near_titles AS
        SELECT DISTINCT plots.record, namesakes.id
        FROM (FROM plots ANTI JOIN title_years USING (title_words, year)) AS plots
        JOIN (
            SELECT title_words, year, unnest(ids) AS id
            FROM (SELECT title_words, unnest([year - 1, year + 1]) AS year,
                    CASE WHEN count(*) > {MAX_NAMESAKES} THEN [NULL] ELSE list(id) END AS ids
                FROM title_names GROUP BY title_words, title_names.year)
        ) AS namesakes USING (title_words, year);

        CREATE TABLE candidates AS
        FROM (SELECT id FROM titles SEMI JOIN plots ON titles.id = plots.title_id
            UNION SELECT id FROM title_years UNION SELECT id FROM near_titles WHERE id IS NOT NULL);
    """)


def find_unlabelled(connection: duckdb.DuckDBPyConnection, *, without_plot: bool) -> None:
    """Create the table `unlabelled_matches` of records about titles without a known genre.

    A record matches by id, or by title and year if these name only one such title. The titles are
    added to `candidates`.

    Args:
        connection: Connection to the database of the build.
        without_plot: Bool. Whether titles that no record matches are candidates, too.
    """
    connection.execute(f"""
        DELETE FROM unlabelled_titles WHERE id IN (SELECT id FROM titles) OR line IN (
            SELECT line FROM unlabelled_titles
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY line) > 1);

        CREATE TABLE unlabelled_matches AS
        WITH title_names AS (
            SELECT title_words, year, min(id) AS id
            FROM (SELECT id, year, normalized_words(primary_title) AS title_words
                FROM unlabelled_titles
                UNION ALL SELECT id, year, normalized_words(original_title)
                FROM unlabelled_titles)
            WHERE title_words IN (SELECT title_words FROM plots)
            GROUP BY ALL HAVING count(DISTINCT id) = 1
        )
        SELECT record, text, coalesce(by_id.id, title_names.id) AS id
        FROM plots
        LEFT JOIN unlabelled_titles AS by_id ON plots.title_id = by_id.id
        LEFT JOIN title_names ON plots.title_words = title_names.title_words
            AND plots.year = title_names.year
        WHERE coalesce(by_id.id, title_names.id) IS NOT NULL;

        INSERT INTO candidates
        SELECT id FROM unlabelled_titles
        WHERE {without_plot} OR id IN (SELECT id FROM unlabelled_matches);
    """)


def match_unlabelled(connection: duckdb.DuckDBPyConnection, *, without_plot: bool) -> None:
    """Create the table `unlabelled_plots` of the titles without a known genre that are written.

    A record that joined no title with genres, and matches one without, has the result "title has no
    genre" afterwards. The first such record of a title is its plot.

    Args:
        connection: Connection to the database with the tables of `match_plots`.
        without_plot: Bool. Whether titles without a plot are written, too.
    """
    connection.execute(f"""
        UPDATE plot_results SET result = 'title has no genre'
        WHERE result = 'title was not kept'
            AND record IN (SELECT record FROM unlabelled_matches);

        CREATE TABLE unlabelled_plots AS
        SELECT unlabelled_titles.id, text
        FROM unlabelled_titles LEFT JOIN (
            SELECT id, arg_min(text, record) AS text
            FROM (SELECT unlabelled_matches.* FROM unlabelled_matches
                JOIN plot_results USING (record) WHERE result = 'title has no genre')
            GROUP BY id
        ) USING (id)
        WHERE text IS NOT NULL OR {without_plot};
    """)


def match_plots(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table `plot_results` with the title and the result of each record.

    A title that is one year off matches if it is the only one, or the only one that has a person
    of the record. If several records match a title, the surest match joins, then the first record.
    """
    connection.execute("""
        CREATE TABLE agreeing_titles AS
        SELECT DISTINCT record, near_titles.id
        FROM (SELECT record, unnest(string_split(people, '|')) AS person FROM plots
            WHERE record IN (SELECT record FROM near_titles)) AS people
        JOIN near_titles USING (record)
        JOIN credits USING (id)
        JOIN names ON names.id = credits.person
        WHERE normalized_words(names.name) = normalized_words(people.person);

        CREATE TABLE near_title AS
        SELECT record, CASE WHEN count(*) = 1 THEN min(near_titles.id)
            WHEN count(agreeing_titles.id) = 1 THEN min(agreeing_titles.id) END AS id
        FROM near_titles LEFT JOIN agreeing_titles USING (record, id) GROUP BY record;

        CREATE TABLE plot_results AS
        WITH matches AS (
            SELECT plots.record, plots.text,
                coalesce(by_id.id, title_years.id, near_title.id) AS id,
                -- In alphabetical order, the surest match is first.
                CASE WHEN by_id.id IS NOT NULL THEN 'joined by id'
                    WHEN title_years.id IS NOT NULL THEN 'joined by title and year'
                    ELSE 'joined by title, one year off' END AS match,
                CASE WHEN plots.is_another_kind THEN 'another kind of title'
                    WHEN plots.title_id IS NULL
                        AND (plots.title_words IS NULL OR plots.year IS NULL)
                        THEN 'record identifies no title'
                    WHEN plots.text IS NULL THEN 'empty'
                    WHEN title_years.titles > 1
                        OR (near_title.record IS NOT NULL AND near_title.id IS NULL)
                        THEN 'several titles match'
                    WHEN coalesce(by_id.id, title_years.id, near_title.id) IS NULL
                        THEN 'title was not kept' END AS problem
            FROM plots
            LEFT JOIN titles AS by_id ON plots.title_id = by_id.id
            LEFT JOIN title_years ON plots.title_words = title_years.title_words
                AND plots.year = title_years.year
            LEFT JOIN near_title ON plots.record = near_title.record
        )
        SELECT record, text, id, coalesce(problem,
            CASE WHEN row_number() OVER (PARTITION BY id, problem ORDER BY match, record) > 1
                THEN 'title already has a plot' ELSE match END) AS result
        FROM matches;
    """)


def check_joined(
    connection: duckdb.DuckDBPyConnection, file: str, results: dict[str, int], malformed: int
) -> None:
    """Stop the build if no record of plots joined, or almost none.

    Args:
        connection: Connection to the database with the tables of `match_plots`.
        file: Name of the file of plots.
        results: Number of records by result.
        malformed: Number of malformed records.

    Raises:
        NothingJoinedError: Fewer than `MIN_JOINED_SHARE` joined.
    """
    joined = sum(count for result, count in results.items() if result.startswith("joined"))
    records = sum(results.values()) + malformed
    (titles,) = connection.execute("SELECT count(*) FROM titles").fetchone() or (0,)
    if joined and joined >= MIN_JOINED_SHARE * min(records, titles):
        return
    counts = results | ({"malformed": malformed} if malformed else {})
    reasons = ", ".join(f"{result}: {count:,}" for result, count in counts.items())
    rows = connection.execute("""
        FROM (SELECT title, year, 'tt' || lpad(title_id::VARCHAR, 7, '0') FROM plots
            JOIN plot_results USING (record)
            ORDER BY result <> 'title was not kept', record LIMIT 1)
        UNION ALL FROM (SELECT primary_title, year, tconst FROM titles ORDER BY line LIMIT 1)
    """).fetchall()
    shown = [", ".join(str(cell) for cell in row if cell is not None) or "nothing" for row in rows]
    example = ""
    if records > malformed and titles:
        example = f" For example, a record has {shown[0]}, and a title has {shown[1]}."
    raise NothingJoinedError(
        f"{file}: {joined:,} of {records:,} records joined one of the {titles:,} kept titles "
        f"({reasons or 'there are no records'}).{example} Correct ids, titles and years, or choose "
        f"other plots with {option_and_setting('plots')}."
    )
