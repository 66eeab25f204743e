"""The join of dumps and plots into one table of movies, in DuckDB.

Films are chosen first; the millions of lines about other titles are checked and forgotten as they
go by. Ids are joined as the numbers in them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np  # noqa: F401 - DuckDB calls Python functions through it
from duckdb.sqltypes import VARCHAR

from ingest import clean, lines, split_key
from ingest.config import IngestConfig
from ingest.dumps import BASICS, CREW, NAMES, PRINCIPALS, RATINGS, Dump, quoted, spooled
from ingest.lines import CountBytes, Progress, Reject, RejectLog
from ingest.plots import plot_files, read_plots
from schema.errors import UserError
from schema.features import CSV_COLUMNS, LIST_SEPARATOR
from schema.genres import GENRES
from schema.names import MOVIES_SHARD

CAST_CATEGORIES: Final = ("actor", "actress", "self")
"""Who counts as cast; "self" is whom a documentary shows."""

FEW: Final = 100_000
"""Below this many rejects a file is read to its end before their share is judged."""


@dataclass
class Join:
    """One build's database and accounts.

    Attributes:
        con: An empty DuckDB database.
        settings: The user's choices.
        spool: Folder for files of the moment.
        log: Takes the rejects.
        progress: Told what is being done.
        lines: Lines or records read, by file.
        dropped: Titles dropped, by reason.
    """

    con: duckdb.DuckDBPyConnection
    settings: IngestConfig
    spool: Path
    log: RejectLog
    progress: Progress
    lines: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Makes the functions and tables that the SQL below uses."""
        for name, function in (("tidy", clean.tidy), ("words", clean.words)):
            self.con.create_function(name, function, [VARCHAR], VARCHAR)
        self.con.execute("SET enable_progress_bar = false")
        self.con.execute("CREATE TEMP TABLE lines (line BIGINT, text VARCHAR, ok BOOLEAN)")

    def run(self, sources: dict[Dump, Path], plots: Path) -> None:
        """Makes the table `movies`: the columns of the CSV, and `n`, the place by tconst."""
        self._read_films(sources[BASICS])
        self._read_plots(plots)
        self._choose_movies()
        self._read_ratings(sources[RATINGS])
        self._read_credits(sources[CREW], sources[PRINCIPALS])
        self._read_names(sources[NAMES])
        self._group()
        self._assemble()

    def _count(self, sql: str) -> dict[str, int]:
        """Counts by name, from a query of two columns."""
        return dict(self.con.execute(sql).fetchall())

    def _follow(self, path: Path) -> CountBytes:
        """Tells how far a file is read."""
        size = path.stat().st_size
        return lambda done: self.progress(f"reading {path.name}", done, size)

    def _load(self, dump: Dump, path: Path, **tables: str) -> None:
        """Makes tables from a dump, a block of lines at a time, and rejects malformed lines.

        Each table is given as a query of `rows`: the columns of the dump, NULL for IMDb's null;
        `id`, the number in the first column; and `line`, the number of the line.
        """
        self.lines[path.name] = 0
        self.con.execute(f"""
            CREATE OR REPLACE TEMP VIEW rows AS
            SELECT line, {dump.sql_columns()} FROM lines WHERE ok
        """)
        verb = "CREATE TABLE {} AS"
        for block, part in lines.ahead(spooled(dump, path, self.spool, self._follow(path))):
            self.lines[path.name] += block.count
            self.con.execute(f"""
                CREATE OR REPLACE TEMP TABLE lines AS
                SELECT row_number() OVER () + {block.first - 1} AS line, text,
                    regexp_full_match(text, '{dump.pattern}') AS ok
                FROM read_csv('{quoted(part)}', columns = {{'text': 'VARCHAR'}},
                    auto_detect = false, header = false, quote = '', escape = '',
                    new_line = '\\n', delim = '{lines.FIELD_FREE}', nullstr = '{lines.TAKEN_OUT}')
            """)
            part.unlink()
            for name, query in tables.items():
                self.con.execute(verb.format(name) + query)
            verb = "INSERT INTO {}"
            malformed = self.con.execute(
                f"SELECT line, {dump.sql_reason()}, left(text, 200) FROM lines WHERE NOT ok"
            ).fetchall()
            self.log.add(block.rejects + [Reject(path.name, *row) for row in malformed])
            self._judge(path, at_least=FEW)

    def _judge(self, path: Path, at_least: int = 0) -> None:
        """Stops the build where more lines than `at_least` and the allowed share are malformed."""
        reasons, total = self.log.counts[path.name], self.lines[path.name]
        allowed = self.settings.max_reject_share
        if reasons.total() > max(at_least, allowed * total):
            raise UserError(
                f"{path.name}: {reasons.total():,} of {total:,} lines are malformed, more than the "
                f"allowed share {allowed:g} (mostly: {reasons.most_common(1)[0][0]}); see "
                f"{self.log.shown_path}, mend the file or raise --max-reject-share"
            )

    def _reject_repeats(self, table: str, dump: Dump, path: Path) -> None:
        """Keeps the first line of each id in a table (id, line), and judges the file."""
        prefix, name = ("nm", "nconst") if dump is NAMES else ("tt", "tconst")
        repeats = self.con.execute(f"""
            DELETE FROM {table} WHERE line IN (
                SELECT line FROM {table}
                QUALIFY row_number() OVER (PARTITION BY id ORDER BY line) > 1
            ) RETURNING line, id
        """).fetchall()
        reason = f"repeats the {name} of an earlier line"
        self.log.add(Reject(path.name, line, reason, f"{prefix}{id_:07}") for line, id_ in repeats)
        self._judge(path)

    def _read_films(self, path: Path) -> None:
        adult = "false" if self.settings.include_adult else "isAdult = '1' OR 'Adult' IN labels"
        types = list(self.settings.title_types)
        titles = f"""(
            SELECT *, string_split(genres, ',') AS labels,
                CASE WHEN coalesce(NOT list_contains({types}, titleType), true)
                        THEN 'another title type'
                    WHEN coalesce({adult}, false) THEN 'adult'
                    WHEN labels IS NULL THEN 'no genre'
                    WHEN NOT list_has_any(labels, {list(GENRES)})
                        THEN 'only genres outside the list'
                END AS reason
            FROM rows
        )"""
        self._load(
            BASICS,
            path,
            films=f"""
                SELECT id, line, tconst, primaryTitle AS primary_title,
                    originalTitle AS original_title, startYear::INTEGER AS year,
                    nullif(runtimeMinutes::INTEGER, 0) AS runtime, labels
                FROM {titles} WHERE reason IS NULL
            """,
            dropped=f"""
                SELECT reason, count(*) AS count FROM {titles}
                WHERE reason IS NOT NULL GROUP BY reason
            """,
        )
        self._reject_repeats("films", BASICS, path)
        self.dropped = self._count(
            "SELECT reason, sum(count)::BIGINT FROM dropped GROUP BY 1 ORDER BY 2 DESC"
        )

    def _read_plots(self, source: Path) -> None:
        path = plot_files(source)[0]
        part = self.spool / "plots.tsv"
        records = 0
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for record in read_plots(source, self._follow(path)):
                records += 1
                if isinstance(record, Reject):
                    self.log.add([record])
                else:
                    cells = ("" if cell is None else str(cell) for cell in record)
                    file.write("\t".join(cells) + "\n")
        self.lines[path.name] = records
        self._judge(path)
        self.con.execute(f"""
            CREATE TABLE plots AS
            FROM read_csv('{quoted(part)}', auto_detect = false, header = false,
                delim = '\\t', quote = '', escape = '', new_line = '\\n',
                max_line_size = {8 * lines.LONGEST_LINE}, columns = {{'line': 'BIGINT',
                'film': 'BIGINT', 'title': 'VARCHAR', 'year': 'INTEGER', 'text': 'VARCHAR'}})
        """)
        part.unlink()

    def _choose_movies(self) -> None:
        """Films with a plot of their own, numbered by tconst: the table `chosen`."""
        self.progress("joining plots", 0, 0)
        self.con.execute("""
            CREATE TABLE keys AS
            SELECT title, year, min(id) AS id, count(DISTINCT id) AS films
            FROM (SELECT id, year, words(primary_title) AS title FROM films
                UNION ALL SELECT id, year, words(original_title) FROM films)
            WHERE (title, year) IN (SELECT (title, year) FROM plots WHERE film IS NULL)
            GROUP BY ALL;

            CREATE TABLE matched AS
            SELECT plots.line, plots.text, coalesce(by_id.id, keys.id) AS id,
                CASE WHEN plots.film IS NULL AND (plots.title IS NULL OR plots.year IS NULL)
                        THEN 'source names no film'
                    WHEN plots.text IS NULL THEN 'empty'
                    WHEN keys.films > 1 THEN 'title and year of two films'
                    WHEN by_id.id IS NULL AND keys.id IS NULL THEN 'film not among those kept'
                    WHEN row_number() OVER (
                        PARTITION BY coalesce(by_id.id, keys.id), coalesce(keys.films, 1) > 1,
                            plots.text IS NULL
                        ORDER BY plots.line) > 1 THEN 'film has one already'
                    ELSE 'joined' END AS fate
            FROM plots
            LEFT JOIN films AS by_id ON plots.film = by_id.id
            LEFT JOIN keys
                ON plots.film IS NULL AND keys.title = plots.title AND keys.year = plots.year;

            CREATE TABLE told AS
            SELECT id, text, words(text) AS words FROM matched WHERE fate = 'joined';

            CREATE TABLE chosen AS
            SELECT row_number() OVER (ORDER BY id) - 1 AS n, id, text, words
            FROM (FROM told QUALIFY row_number() OVER (PARTITION BY words ORDER BY id) = 1);
        """)
        films, told, chosen = self.con.execute("""
            SELECT (SELECT count(*) FROM films), (SELECT count(*) FROM told),
                (SELECT count(*) FROM chosen)
        """).fetchone() or (0, 0, 0)
        self.dropped |= {"no plot": films - told, "plot of an earlier film": told - chosen}

    def _read_ratings(self, path: Path) -> None:
        self._load(
            RATINGS,
            path,
            ratings="""
                SELECT id, line, nullif(try_cast(averageRating AS DECIMAL(3, 1)), 0) AS rating,
                    nullif(try_cast(numVotes AS BIGINT), 0) AS votes
                FROM rows WHERE id IN (SELECT id FROM chosen)
            """,
        )
        self._reject_repeats("ratings", RATINGS, path)

    def _read_credits(self, crew: Path, principals: Path) -> None:
        """People by film and role: the table `credits`. title.crew goes before title.principals."""
        self._load(
            CREW,
            crew,
            crew="""
                SELECT id, line, directors, writers
                FROM rows WHERE id IN (SELECT id FROM chosen)
            """,
        )
        self._reject_repeats("crew", CREW, crew)
        self._load(
            PRINCIPALS,
            principals,
            principals=f"""
                SELECT id, line, try_cast(ordering AS INTEGER) AS position,
                    try_cast(substr(nconst, 3) AS BIGINT) AS person,
                    CASE WHEN category IN {CAST_CATEGORIES} THEN 'cast'
                        WHEN category = 'director' THEN 'directors'
                        WHEN category = 'writer' THEN 'writers' END AS role
                FROM rows WHERE role IS NOT NULL AND id IN (SELECT id FROM chosen)
            """,
        )
        self._judge(principals)
        self.con.execute("""
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
        self._load(
            NAMES,
            path,
            names=f"""
                SELECT id, line,
                    nullif(tidy(replace(primaryName, '{LIST_SEPARATOR}', ' ')), '') AS name
                FROM rows WHERE id IN (SELECT person FROM credits)
            """,
        )
        self._reject_repeats("names", NAMES, path)

    def _group(self) -> None:
        """The table `keys_of`: the split key of each chosen film."""
        self.progress("grouping remakes and sequels", 0, 0)
        films = self.con.execute("""
            SELECT tconst, coalesce(primary_title, original_title, '')
            FROM chosen JOIN films USING (id) ORDER BY n
        """).fetchall()
        window = ", ".join(f"w[i + {offset}]" for offset in range(split_key.WINDOW))
        copies = self.con.execute(f"""
            WITH phrases AS MATERIALIZED (
                SELECT DISTINCT n, unnest(list_transform(
                    range(1, len(w) - {split_key.WINDOW - 2}), lambda i: hash({window}))) AS phrase
                FROM (SELECT n, list_transform(string_split(words, ' '), lambda x: hash(x)) AS w
                    FROM chosen)
            ), shared AS (
                SELECT phrase, min(n) AS first FROM phrases GROUP BY phrase
                HAVING count(*) BETWEEN 2 AND {split_key.TOO_COMMON}
            )
            SELECT DISTINCT first, n FROM phrases JOIN shared USING (phrase) WHERE n > first
        """).fetchall()
        self.con.execute(
            """
            CREATE TABLE keys_of AS
            SELECT unnest(range(len($keys))) AS n, unnest($keys::VARCHAR[]) AS split_key
            """,
            {"keys": split_key.split_keys(films, copies)},
        )

    def _assemble(self) -> None:
        self.progress("joining", 0, 0)
        self.con.execute(f"""
            CREATE TABLE movies AS
            WITH named AS (
                SELECT credits.id, role, name, min(position) AS position
                FROM credits JOIN names ON person = names.id WHERE name IS NOT NULL GROUP BY ALL
            ), people AS (
                PIVOT named ON role IN ('directors', 'writers', 'cast')
                USING string_agg(name, '{LIST_SEPARATOR}' ORDER BY position, name) GROUP BY id
            )
            SELECT n, tconst, nullif(tidy(coalesce(primary_title, original_title)), '') AS title,
                text AS plot,
                array_to_string(list_filter({list(GENRES)}, lambda g: list_contains(labels, g)),
                    '{LIST_SEPARATOR}') AS genres,
                year, runtime AS runtime_minutes, rating AS average_rating, votes AS num_votes,
                directors, writers, "cast", split_key
            FROM chosen JOIN films USING (id) JOIN keys_of USING (n)
                LEFT JOIN ratings USING (id) LEFT JOIN people USING (id)
            ORDER BY n
        """)

    def write(self, folder: Path) -> list[str]:
        """Writes the CSV shards; returns their names."""
        self.progress("writing", 0, 0)
        (count,) = self.con.execute("SELECT count(*) FROM movies").fetchone() or (0,)
        size = self.settings.rows_per_shard
        shards = max(1, -(-count // size))
        columns = ", ".join(f'"{name}"' for name in CSV_COLUMNS)
        names = [MOVIES_SHARD.format(shard, shards) for shard in range(shards)]
        for shard, name in enumerate(names):
            self.con.execute(f"""
                COPY (SELECT {columns} FROM movies
                    WHERE n >= {shard * size} AND n < {(shard + 1) * size} ORDER BY n)
                TO '{quoted(folder / name)}' (FORMAT csv, HEADER, DELIMITER ',')
            """)
        return names

    def accounts(self) -> dict[str, Any]:
        """What the report says of titles and movies, by the names of its fields."""
        (movies,) = self.con.execute("SELECT count(*) FROM movies").fetchone() or (0,)
        labels = self._count("""
            SELECT label, count(*)
            FROM (SELECT unnest(labels) AS label FROM chosen JOIN films USING (id))
            GROUP BY label ORDER BY label
        """)
        return {
            "movies": movies,
            "dropped": self.dropped,
            "lines": self.lines,
            "rejected": {
                file: dict(sorted(reasons.items()))
                for file, reasons in sorted(self.log.counts.items())
                if reasons
            },
            "plots": self._count("SELECT fate, count(*) FROM matched GROUP BY 1 ORDER BY 2 DESC"),
            "credits": self._count("""
                SELECT CASE WHEN names.id IS NULL THEN 'person not in name.basics' ELSE role END,
                    count(*)
                FROM credits LEFT JOIN names ON person = names.id GROUP BY 1 ORDER BY 2 DESC
            """),
            "filled": self._count("""
                UNPIVOT (SELECT count(COLUMNS(* EXCLUDE (n, tconst, split_key))) FROM movies)
                ON COLUMNS(*)
            """),
            "genres": {name: labels.get(name, 0) for name in GENRES},
            "other_genres": {name: n for name, n in labels.items() if name not in GENRES},
            "split_groups": self._count("""
                UNPIVOT (
                    SELECT count(*) AS groups, coalesce(max(size), 0) AS largest,
                        coalesce(sum(size) FILTER (size > 1), 0)::BIGINT
                            AS "films in groups of two or more"
                    FROM (SELECT count(*) AS size FROM movies GROUP BY split_key)
                ) ON COLUMNS(*)
            """),
        }
