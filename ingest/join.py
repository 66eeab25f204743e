"""Join dumps and plots into one table of movies, with DuckDB.

The titles to keep are selected first. The millions of lines about other titles are validated but
not stored. Tables are joined on the number in the id: 111161 for tt0111161.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np  # noqa: F401 - DuckDB needs NumPy to call Python functions
from duckdb.sqltypes import VARCHAR

from ingest import clean, lines, split_key
from ingest.config import IngestConfig, option_and_setting
from ingest.dumps import BASICS, CREW, NAMES, PRINCIPALS, RATINGS, Dump, escape_sql, write_blocks
from ingest.lines import OnBytes, Progress, Reject, RejectLog
from ingest.plots import MAX_PLOT_CHARACTERS, plot_files, read_plots
from schema.errors import UserError
from schema.features import CSV_COLUMNS, LIST_SEPARATOR
from schema.genres import GENRES
from schema.names import MOVIES_SHARD, UNLABELLED_SHARD

CAST_CATEGORIES: Final = ("actor", "actress", "self")
"""Categories of title.principals that count as cast. "self" is a person in a documentary."""

EARLY_STOP_REJECTS: Final = 100_000
"""Number of rejected lines above which a file may stop the build before it is read to its end."""

_ANOTHER_TYPE: Final = "another title type"
_NO_GENRE: Final = "no genre"
_OTHER_GENRES: Final = "only genres outside the list"


@dataclass
class Join:
    """Database and counts of one build.

    Attributes:
        connection: Connection to an empty DuckDB database.
        config: Settings of the build.
        scratch: Directory for temporary files.
        reject_log: Writer of rejected lines.
        progress: Function that is called with the progress of the build.
        lines: Lines or records read, by file.
        dropped: Titles dropped, by reason.
    """

    connection: duckdb.DuckDBPyConnection
    config: IngestConfig
    scratch: Path
    reject_log: RejectLog
    progress: Progress
    lines: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Create the functions and the table that the SQL of the methods uses."""
        for name in ("normalize", "normalized_words"):
            self.connection.create_function(name, getattr(clean, name), [VARCHAR], VARCHAR)
        self.connection.execute("SET enable_progress_bar = false")
        self.connection.execute("CREATE TEMP TABLE lines (line BIGINT, text VARCHAR, ok BOOLEAN)")

    def run(self, dumps: dict[Dump, Path], plots: Path) -> None:
        """Create the tables `movies` and `unlabelled`.

        Both have the columns of the CSV and `number`, the order of tconst.
        """
        self._read_titles(dumps[BASICS])
        self._read_plots(plots)
        self._select_movies()
        self._select_unlabelled()
        self._read_ratings(dumps[RATINGS])
        self._read_credits(dumps[CREW], dumps[PRINCIPALS])
        self._read_names(dumps[NAMES])
        self._compute_split_keys()
        self._assemble_movies()

    def _count(self, sql: str) -> dict[str, int]:
        """Return the rows of a query with the columns name and count."""
        return dict(self.connection.execute(sql).fetchall())

    def _on_bytes(self, path: Path) -> OnBytes:
        """Return a function that reports how much of a file is read."""
        size = path.stat().st_size
        return lambda done: self.progress(f"reading {path.name}", done, size)

    def _load(self, dump: Dump, path: Path, **tables: str) -> None:
        """Create tables from a dump, one block of lines at a time, and reject malformed lines.

        Args:
            dump: Format of the file.
            path: File to read.
            **tables: Query for each table, by the table's name. The query reads the view `rows`:
                the columns of the dump, with NULL for IMDb's null; `id`, the number in the first
                column; and `line`, the line number.
        """
        self.lines[path.name] = 0
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP VIEW rows AS
            SELECT line, {dump.sql_columns()} FROM lines WHERE ok
        """)
        verb = "CREATE TABLE {} AS"
        for block, part in lines.prefetch(
            write_blocks(dump, path, self.scratch, self._on_bytes(path))
        ):
            self.lines[path.name] += block.count
            self.connection.execute(f"""
                CREATE OR REPLACE TEMP TABLE lines AS
                SELECT row_number() OVER () + {block.first - 1} AS line, text,
                    regexp_full_match(text, '{dump.line_pattern}') AS ok
                FROM read_csv('{escape_sql(part)}', columns = {{'text': 'VARCHAR'}},
                    auto_detect = false, header = false, quote = '', escape = '',
                    new_line = '\\n', delim = '{lines.UNUSED_CHARACTER}',
                    nullstr = '{lines.REJECTED_LINE}')
            """)
            part.unlink()
            for name, query in tables.items():
                self.connection.execute(f"{verb.format(name)} {query}")
            verb = "INSERT INTO {}"
            malformed = self.connection.execute(
                f"SELECT line, {dump.sql_reason()}, left(text, 200) FROM lines WHERE NOT ok"
            ).fetchall()
            self.reject_log.add(block.rejects + [Reject(path.name, *row) for row in malformed])
            self._check_reject_share(path, allowed_lines=EARLY_STOP_REJECTS)

    def _check_reject_share(self, path: Path, allowed_lines: int = 0) -> None:
        """Stop the build if malformed lines exceed both `allowed_lines` and `max_reject_share`."""
        reasons, total = self.reject_log.counts[path.name], self.lines[path.name]
        share = self.config.max_reject_share
        if reasons.total() > max(allowed_lines, share * total):
            raise UserError(
                f"{path.name}: {reasons.total():,} of {total:,} lines are malformed, more than the "
                f"allowed share of {share:g}. Most frequent reason: "
                f"{reasons.most_common(1)[0][0]}. {self.reject_log.final_path} lists all of them. "
                f"Correct the file, or raise {option_and_setting('max_reject_share')}."
            )

    def _reject_duplicates(self, table: str, dump: Dump, path: Path) -> None:
        """Reject all lines of an id but the first in a table (id, line); check the reject share."""
        prefix, name = ("nm", "nconst") if dump is NAMES else ("tt", "tconst")
        duplicates = self.connection.execute(f"""
            DELETE FROM {table} WHERE line IN (
                SELECT line FROM {table}
                QUALIFY row_number() OVER (PARTITION BY id ORDER BY line) > 1
            ) RETURNING line, id
        """).fetchall()
        self.reject_log.add(
            Reject(path.name, line, f"duplicate {name}", f"{prefix}{id_:07}")
            for line, id_ in duplicates
        )
        self._check_reject_share(path)

    def _read_titles(self, path: Path) -> None:
        """Create the table `titles` of the titles that have a wanted type and a known genre.

        `unlabelled_titles` has those of a wanted type without a known genre.
        """
        adult = "false" if self.config.include_adult else "isAdult = '1' OR 'Adult' IN labels"
        types = list(self.config.title_types)
        classified = f"""(
            SELECT *, string_split(genres, ',') AS labels,
                CASE WHEN coalesce(NOT list_contains({types}, titleType), true)
                        THEN '{_ANOTHER_TYPE}'
                    WHEN coalesce({adult}, false) THEN 'adult'
                    WHEN labels IS NULL THEN '{_NO_GENRE}'
                    WHEN NOT list_has_any(labels, {list(GENRES)})
                        THEN '{_OTHER_GENRES}'
                END AS reason
            FROM rows
        )"""
        columns = """id, line, tconst, primaryTitle AS primary_title,
            originalTitle AS original_title, startYear::INTEGER AS year,
            nullif(runtimeMinutes::INTEGER, 0) AS runtime, labels"""
        self._load(
            BASICS,
            path,
            titles=f"SELECT {columns} FROM {classified} WHERE reason IS NULL",
            unlabelled_titles=f"""
                SELECT {columns} FROM {classified}
                WHERE reason IN ('{_NO_GENRE}', '{_OTHER_GENRES}')
            """,
            dropped=f"""
                SELECT reason, titleType AS type, count(*) AS count FROM {classified}
                WHERE reason IS NOT NULL GROUP BY ALL
            """,
        )
        self._reject_duplicates("titles", BASICS, path)
        self.dropped = self._count(
            "SELECT reason, sum(count)::BIGINT FROM dropped GROUP BY 1 ORDER BY 2 DESC"
        )
        has_titles = self._count("SELECT 'titles', count(*) FROM titles")["titles"]
        if not has_titles and self.dropped.keys() == {_ANOTHER_TYPE}:
            found = self._count("SELECT type, count FROM dropped WHERE type IS NOT NULL ORDER BY 1")
            raise UserError(
                f"{path.name}: no title has the type {' or '.join(types)}. Types in the file: "
                f"{', '.join(found) or 'none'}. Choose other types with "
                f"{option_and_setting('title_types')}."
            )

    def _read_plots(self, source: Path) -> None:
        """Create the table `plots` with the fields of `ingest.plots.Plot`."""
        path = plot_files(source)[0]
        part = self.scratch / "plots.tsv"
        records = 0
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for record in read_plots(source, self._on_bytes(path)):
                records += 1
                if isinstance(record, Reject):
                    self.reject_log.add([record])
                else:
                    cells = ("" if cell is None else str(cell) for cell in record)
                    file.write("\t".join(cells) + "\n")
        self.lines[path.name] = records
        self._check_reject_share(path)
        self.connection.execute(f"""
            CREATE TABLE plots AS
            FROM read_csv('{escape_sql(part)}', auto_detect = false, header = false,
                delim = '\\t', quote = '', escape = '', new_line = '\\n',
                max_line_size = {8 * MAX_PLOT_CHARACTERS}, columns = {{'line': 'BIGINT',
                'title_id': 'BIGINT', 'title_words': 'VARCHAR', 'year': 'INTEGER',
                'text': 'VARCHAR'}})
        """)
        part.unlink()

    def _select_movies(self) -> None:
        """Create the table `movie_plots` of the titles that have a plot no earlier title has.

        `number` counts them from 0 in the order of tconst. `text` is the plot and `words` are its
        normalized words.
        """
        self.progress("joining plots", 0, 0)
        self.connection.execute("""
            CREATE TABLE title_years AS
            SELECT title_words, year, min(id) AS id, count(DISTINCT id) AS titles
            FROM (SELECT id, year, normalized_words(primary_title) AS title_words FROM titles
                UNION ALL SELECT id, year, normalized_words(original_title) FROM titles)
            WHERE (title_words, year) IN (
                SELECT (title_words, year) FROM plots WHERE title_id IS NULL)
            GROUP BY ALL;

            CREATE TABLE plot_results AS
            SELECT plots.line, plots.text, coalesce(by_id.id, title_years.id) AS id,
                CASE WHEN plots.title_id IS NULL
                        AND (plots.title_words IS NULL OR plots.year IS NULL)
                        THEN 'record identifies no title'
                    WHEN plots.text IS NULL THEN 'empty'
                    WHEN title_years.titles > 1 THEN 'several titles match'
                    WHEN by_id.id IS NULL AND title_years.id IS NULL THEN 'title was not kept'
                    WHEN row_number() OVER (
                        PARTITION BY coalesce(by_id.id, title_years.id),
                            coalesce(title_years.titles, 1) > 1, plots.text IS NULL
                        ORDER BY plots.line) > 1 THEN 'title already has a plot'
                    ELSE 'joined' END AS result
            FROM plots
            LEFT JOIN titles AS by_id ON plots.title_id = by_id.id
            LEFT JOIN title_years
                ON plots.title_id IS NULL AND title_years.title_words = plots.title_words
                    AND title_years.year = plots.year;

            CREATE TABLE titles_with_plot AS
            SELECT id, text, normalized_words(text) AS words
            FROM plot_results WHERE result = 'joined';

            CREATE TABLE movie_plots AS
            SELECT row_number() OVER (ORDER BY id) - 1 AS number, id, text, words
            FROM (FROM titles_with_plot
                QUALIFY row_number() OVER (PARTITION BY words ORDER BY id) = 1);
        """)
        titles, with_plot, movies = self.connection.execute("""
            SELECT (SELECT count(*) FROM titles), (SELECT count(*) FROM titles_with_plot),
                (SELECT count(*) FROM movie_plots)
        """).fetchone() or (0, 0, 0)
        self.dropped |= {
            "no plot": titles - with_plot,
            "plot of an earlier movie": with_plot - movies,
        }

    def _select_unlabelled(self) -> None:
        """Create the table `unlabelled_plots` of the titles without a known genre, by id.

        `text` is the plot; titles without one are included only if the settings say so. The view
        `wanted` has the ids of all titles that are written. A title and year that name several
        titles without genres join none of them.
        """
        self.connection.execute(f"""
            DELETE FROM unlabelled_titles WHERE id IN (SELECT id FROM titles);

            CREATE TABLE unlabelled_plots AS
            WITH names AS (
                SELECT title_words, year, min(id) AS id
                FROM (SELECT id, year, normalized_words(primary_title) AS title_words
                    FROM unlabelled_titles
                    UNION ALL SELECT id, year, normalized_words(original_title)
                    FROM unlabelled_titles)
                WHERE (title_words, year) IN (
                    SELECT (title_words, year) FROM plots WHERE title_id IS NULL)
                GROUP BY ALL HAVING count(DISTINCT id) = 1
            ), joined AS (
                SELECT plots.line, plots.text, coalesce(by_id.id, names.id) AS id
                FROM plots JOIN plot_results USING (line)
                LEFT JOIN unlabelled_titles AS by_id ON plots.title_id = by_id.id
                LEFT JOIN names
                    ON plots.title_id IS NULL AND names.title_words = plots.title_words
                        AND names.year = plots.year
                WHERE result = 'title was not kept'
            )
            SELECT DISTINCT unlabelled_titles.id, text
            FROM unlabelled_titles LEFT JOIN (
                SELECT id, arg_min(text, line) AS text FROM joined GROUP BY id
            ) USING (id)
            WHERE text IS NOT NULL OR {self.config.unlabelled_without_plot};

            CREATE VIEW wanted AS
            SELECT id FROM movie_plots UNION ALL SELECT id FROM unlabelled_plots;
        """)

    def _read_ratings(self, path: Path) -> None:
        """Create the table `ratings` of the movies."""
        self._load(
            RATINGS,
            path,
            ratings="""
                SELECT id, line, nullif(try_cast(averageRating AS DECIMAL(3, 1)), 0) AS rating,
                    nullif(try_cast(numVotes AS BIGINT), 0) AS votes
                FROM rows WHERE id IN (SELECT id FROM wanted)
            """,
        )
        self._reject_duplicates("ratings", RATINGS, path)

    def _read_credits(self, crew: Path, principals: Path) -> None:
        """Create the table `credits` of the movies.

        Directors and writers come from title.crew; if it has none for a movie, from
        title.principals.
        """
        self._load(
            CREW,
            crew,
            crew="""
                SELECT id, line, directors, writers
                FROM rows WHERE id IN (SELECT id FROM wanted)
            """,
        )
        self._reject_duplicates("crew", CREW, crew)
        self._load(
            PRINCIPALS,
            principals,
            principals=f"""
                SELECT id, line, try_cast(ordering AS INTEGER) AS position,
                    try_cast(substr(nconst, 3) AS BIGINT) AS person,
                    CASE WHEN category IN {CAST_CATEGORIES} THEN 'cast'
                        WHEN category = 'director' THEN 'directors'
                        WHEN category = 'writer' THEN 'writers' END AS role
                FROM rows WHERE role IS NOT NULL AND id IN (SELECT id FROM wanted)
            """,
        )
        self._check_reject_share(principals)
        self.connection.execute("""
            CREATE TABLE credits AS
            WITH listed AS (
                SELECT id, role, string_split(names, ',') AS names
                FROM (UNPIVOT crew ON directors, writers INTO NAME role VALUE names)
            )
            SELECT id, role, generate_subscripts(names, 1) AS position,
                substr(unnest(names), 3)::BIGINT AS person
            FROM listed
            UNION ALL
            SELECT id, role, position, person FROM principals
            WHERE role = 'cast' OR (id, role) NOT IN (SELECT (id, role) FROM listed)
        """)

    def _read_names(self, path: Path) -> None:
        """Create the table `names` of the credited people."""
        self._load(
            NAMES,
            path,
            names=f"""
                SELECT id, line,
                    nullif(normalize(replace(primaryName, '{LIST_SEPARATOR}', ' ')), '') AS name
                FROM rows WHERE id IN (SELECT person FROM credits)
            """,
        )
        self._reject_duplicates("names", NAMES, path)

    def _compute_split_keys(self) -> None:
        """Create the table `split_keys` with `number` and split key of each movie."""
        self.progress("grouping remakes and sequels", 0, 0)
        movies = self.connection.execute("""
            SELECT tconst, coalesce(primary_title, original_title, '')
            FROM movie_plots JOIN titles USING (id) ORDER BY number
        """).fetchall()
        length = split_key.SHINGLE_WORDS
        shingle = ", ".join(f"hashes[i + {offset}]" for offset in range(length))
        near_duplicates = self.connection.execute(f"""
            WITH shingles AS MATERIALIZED (
                SELECT DISTINCT number, unnest(list_transform(
                    range(1, len(hashes) - {length - 2}), lambda i: hash({shingle}))) AS shingle
                FROM (SELECT number,
                        list_transform(string_split(words, ' '), lambda x: hash(x)) AS hashes
                    FROM movie_plots)
            ), shared AS (
                SELECT shingle, min(number) AS first FROM shingles GROUP BY shingle
                HAVING count(*) BETWEEN 2 AND {split_key.MAX_SHINGLE_MOVIES}
            )
            SELECT DISTINCT first, number
            FROM shingles JOIN shared USING (shingle) WHERE number > first
        """).fetchall()
        self.connection.execute(
            """
            CREATE TABLE split_keys AS
            SELECT unnest(range(len($keys))) AS number, unnest($keys::VARCHAR[]) AS split_key
            """,
            {"keys": split_key.split_keys(movies, near_duplicates)},
        )

    def _assemble_movies(self) -> None:
        """Create the tables `movies` and `unlabelled` from all others."""
        self.progress("joining", 0, 0)
        self.connection.execute(f"""
            CREATE TABLE people AS
            WITH named AS (
                SELECT credits.id, role, name, min(position) AS position
                FROM credits JOIN names ON person = names.id WHERE name IS NOT NULL GROUP BY ALL
            )
            PIVOT named ON role IN ('directors', 'writers', 'cast')
            USING string_agg(name, '{LIST_SEPARATOR}' ORDER BY position, name) GROUP BY id
        """)
        # Columns of the CSV in its order, without the first, from titles, ratings and people.
        title = "nullif(normalize(coalesce(primary_title, original_title)), '') AS title"
        numbers = """year, runtime AS runtime_minutes, rating AS average_rating,
            votes AS num_votes, directors, writers, "cast\""""
        self.connection.execute(f"""
            CREATE TABLE movies AS
            SELECT number, tconst, {title}, text AS plot,
                array_to_string(list_filter({list(GENRES)}, lambda g: list_contains(labels, g)),
                    '{LIST_SEPARATOR}') AS genres,
                {numbers}, split_key
            FROM movie_plots JOIN titles USING (id) JOIN split_keys USING (number)
                LEFT JOIN ratings USING (id) LEFT JOIN people USING (id)
            ORDER BY number;

            CREATE TABLE unlabelled AS
            SELECT row_number() OVER (ORDER BY id) - 1 AS number, tconst, {title}, text AS plot,
                NULL AS genres, {numbers}, NULL AS split_key
            FROM unlabelled_plots
                JOIN (FROM unlabelled_titles
                    QUALIFY row_number() OVER (PARTITION BY id ORDER BY line) = 1) USING (id)
                LEFT JOIN ratings USING (id) LEFT JOIN people USING (id)
            WHERE text IS NOT NULL
                OR title IS NOT NULL AND coalesce(directors, writers, "cast") IS NOT NULL
            ORDER BY number;
        """)

    def write(self, directory: Path) -> list[str]:
        """Write the CSV shards to a directory and return the file names of those with genres."""
        self.progress("writing", 0, 0)
        self._write_shards("unlabelled", UNLABELLED_SHARD, directory)
        return self._write_shards("movies", MOVIES_SHARD, directory, at_least=1)

    def _write_shards(
        self, table: str, shard: str, directory: Path, at_least: int = 0
    ) -> list[str]:
        """Write a table to CSV shards, at least a certain number, and return their file names."""
        count = self._count(f"SELECT 'rows', count(*) FROM {table}")["rows"]
        size = self.config.rows_per_shard
        shards = max(at_least, -(-count // size))
        columns = ", ".join(f'"{name}"' for name in CSV_COLUMNS)
        names = [shard.format(number, shards) for number in range(shards)]
        for number, name in enumerate(names):
            self.connection.execute(f"""
                COPY (SELECT {columns} FROM {table}
                    WHERE number >= {number * size} AND number < {(number + 1) * size}
                    ORDER BY number)
                TO '{escape_sql(directory / name)}' (FORMAT csv, HEADER, DELIMITER ',')
            """)
        return names

    def counts(self) -> dict[str, Any]:
        """Return the counts of the build by field of `IngestSummary`."""
        (movies,) = self.connection.execute("SELECT count(*) FROM movies").fetchone() or (0,)
        labels = self._count("""
            SELECT label, count(*)
            FROM (SELECT unnest(labels) AS label FROM movie_plots JOIN titles USING (id))
            GROUP BY label ORDER BY label
        """)
        return {
            "movies": movies,
            "dropped": self.dropped,
            "lines": self.lines,
            "rejected": {
                file: dict(sorted(reasons.items()))
                for file, reasons in sorted(self.reject_log.counts.items())
                if reasons
            },
            "unlabelled": self._count("""
                SELECT if(plot IS NULL, 'title and people', 'plot'), count(*) FROM unlabelled
                GROUP BY 1 ORDER BY 1
            """),
            "plots": self._count(
                "SELECT result, count(*) FROM plot_results GROUP BY 1 ORDER BY 2 DESC"
            ),
            "credits": self._count("""
                SELECT CASE WHEN names.id IS NULL THEN 'person not in name.basics' ELSE role END,
                    count(*)
                FROM credits LEFT JOIN names ON person = names.id GROUP BY 1 ORDER BY 2 DESC
            """),
            "filled": self._count("""
                UNPIVOT (SELECT count(COLUMNS(* EXCLUDE (number, tconst, split_key))) FROM movies)
                ON COLUMNS(*)
            """),
            "genres": {name: labels.get(name, 0) for name in GENRES},
            "other_genres": {name: count for name, count in labels.items() if name not in GENRES},
            "split_groups": self._count("""
                UNPIVOT (
                    SELECT count(*) AS groups, coalesce(max(size), 0) AS largest,
                        coalesce(sum(size) FILTER (size > 1), 0)::BIGINT
                            AS "movies in groups of two or more"
                    FROM (SELECT count(*) AS size FROM movies GROUP BY split_key)
                ) ON COLUMNS(*)
            """),
        }
