"""Join IMDb's dumps and plots, with DuckDB.

The titles to keep are selected first. The millions of lines about other titles are validated but
not stored. Tables are joined on the number in the id: 111161 for tt0111161.
"""

import functools
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
from duckdb.sqltypes import VARCHAR

from ingest import clean, lines, matching
from ingest.config import option_and_setting
from ingest.corrections import (
    USED_RESULTS,
    Correction,
    correction_results,
    create_table,
    read_corrections,
)
from ingest.dumps import BASICS, CREW, NAMES, PRINCIPALS, RATINGS, Dump, escape_sql, write_blocks
from ingest.genres import GenreMap, label_set
from ingest.join import EARLY_STOP_REJECTS, Join
from ingest.lines import Reject
from ingest.plots import UnreadableCell, plot_files, read_plots
from schema.errors import UserError
from schema.features import LIST_SEPARATOR
from schema.genres import GENRES

CAST_CATEGORIES: Final = ("actor", "actress", "self")
"""Categories of title.principals that count as cast. "self" is a person in a documentary."""

_ANOTHER_TYPE: Final = "another title type"
_NO_GENRE: Final = "no genre"
_OTHER_GENRES: Final = "only genres outside the list"


@dataclass
class DumpJoin(Join):
    """Database and counts of a build from dumps and plots."""

    def __post_init__(self) -> None:
        """Create the functions and the table that the SQL of the methods uses."""
        super().__post_init__()
        if self.config.genre_map:
            # Millions of titles have a few thousand lists of genres.
            mapped = functools.cache(lambda genres: list(self.genre_map.apply(genres.split(","))))
            names = duckdb.list_type(VARCHAR)
            self.connection.create_function("map_genres", mapped, [VARCHAR], names)
        self.connection.execute("CREATE TEMP TABLE lines (line BIGINT, text VARCHAR, ok BOOLEAN)")

    @property
    def genres(self) -> tuple[str, ...]:
        """Genres that are written; by default IMDb's with the names of `genre_map`."""
        return self.config.genres or GenreMap(self.config.genre_map).apply(GENRES)

    def run(self, dumps: dict[Dump, Path], plots: Path, corrections: Path | None) -> None:
        """Create the tables `movies` and `unlabelled`."""
        self._read_corrections(corrections)
        self._read_titles(dumps[BASICS])
        self._read_plots(plots)
        self.progress("joining plots", 0, 0)
        without_plot = self.config.unlabelled_without_plot
        matching.find_candidates(self.connection, without_plot=without_plot)
        self._read_credits(dumps[CREW], dumps[PRINCIPALS])
        self._read_names(dumps[NAMES])
        matching.match_plots(self.connection, without_plot=without_plot)
        malformed = self.reject_log.counts[plot_files(plots)[0].name].total()
        matching.check_joined(
            self.connection,
            plot_files(plots)[0].name,
            self._plot_results(),
            malformed,
            for_training=self.for_training,
        )
        self._select_movies()
        self._count_corrections(corrections)
        self._read_ratings(dumps[RATINGS])
        self._collect_people()
        self._compute_split_keys()
        self._assemble_movies()
        if self.for_training:
            self._check_genres()

    def _plot_results(self) -> dict[str, int]:
        """Return the number of records of plots by result."""
        return self._count(
            "SELECT result, count(*) FROM plot_results GROUP BY 1 ORDER BY 2 DESC, 1"
        )

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
            self._add_blank_lines(path, block.blank_lines)
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
            malformed = f"SELECT line, {dump.sql_reason()}, left(text, 200) FROM lines WHERE NOT ok"
            self._reject(path, malformed, block.rejects)

    def _reject(self, path: Path, query: str, rejects: list[Reject]) -> None:
        """Reject the rows (line, reason, text) of a query and `rejects`, some at a time."""
        rows = self.connection.execute(query)
        while rejects := rejects + [
            Reject(path.name, *row) for row in rows.fetchmany(EARLY_STOP_REJECTS)
        ]:
            self.reject_log.add(rejects)
            self._check_reject_share(path, allowed_lines=EARLY_STOP_REJECTS)
            rejects = []

    def _reject_duplicates(self, table: str, dump: Dump, path: Path) -> None:
        """Reject all lines of an id but the first in a table (id, line); check the reject share."""
        prefix, name = ("nm", "nconst") if dump is NAMES else ("tt", "tconst")
        duplicates = f"""
            DELETE FROM {table} WHERE line IN (
                SELECT line FROM {table}
                QUALIFY row_number() OVER (PARTITION BY id ORDER BY line) > 1
            ) RETURNING line, 'duplicate {name}', format('{prefix}{{:07}}', id)
        """
        self._reject(path, duplicates, [])
        self._check_reject_share(path)

    def _read_corrections(self, path: Path | None) -> None:
        """Create the table `corrections` of the newest correction of each title."""
        newest: dict[int, Correction] = {}
        if path:
            self.corrections = {"superseded": 0}
            for row in read_corrections(
                path, self.genres, self.config.genre_map, self._on_bytes(path)
            ):
                if isinstance(row, Reject):
                    self.reject_log.add([row])
                    continue
                earlier = newest.setdefault(row.title_id, row)
                if earlier is not row:
                    self.corrections["superseded"] += 1
                    newest[row.title_id] = row if row.when >= earlier.when else earlier
        create_table(self.connection, newest.values())

    def _count_corrections(self, path: Path | None) -> None:
        """Count the corrections by result, and reject those of titles that are no movies."""
        if not path:
            return
        used = dict.fromkeys(USED_RESULTS, 0)
        for line, text, result in correction_results(self.connection):
            if result in used:
                used[result] += 1
            else:
                self.reject_log.add([Reject(path.name, line, result, text)])
        # Any share of corrections may be rejected, so they are not among the malformed lines.
        rejected: dict[str, int] = self.reject_log.counts.pop(path.name, {})
        self.corrections = used | self.corrections
        self.corrections |= {f"rejected: {name}": rejected[name] for name in sorted(rejected)}

    def _read_titles(self, path: Path) -> None:
        """Create the table `titles` of the titles that have a wanted type and a known genre.

        `unlabelled_titles` has those of a wanted type without a known genre. Its `labels` are NULL
        if a title has no genre at all.
        """
        given = "string_split(genres, ',')"
        mapped = "map_genres(genres)" if self.config.genre_map else given
        adult = "false" if self.config.include_adult else f"isAdult = '1' OR 'Adult' IN {given}"
        types = list(self.config.title_types)
        classified = f"""(
            SELECT *, {mapped} AS uncorrected,
                coalesce(string_split(correction, '{LIST_SEPARATOR}'), uncorrected) AS labels,
                if(correction IS NULL, false, correction <> {self._sql_joined("uncorrected")})
                    AS corrected,
                CASE WHEN coalesce(NOT list_contains({types}, titleType), true)
                        THEN '{_ANOTHER_TYPE}'
                    WHEN coalesce({adult}, false) THEN 'adult'
                    WHEN labels IS NULL THEN '{_NO_GENRE}'
                    WHEN NOT list_has_any(labels, {self._sql_genres})
                        THEN '{_OTHER_GENRES}'
                END AS reason
            FROM rows LEFT JOIN (SELECT id, genres AS correction FROM corrections) USING (id)
        )"""
        corrected_but_dropped = f"""
            SELECT id, reason FROM {classified} WHERE correction IS NOT NULL AND reason IS NOT NULL
        """
        columns = """id, line, tconst, primaryTitle AS primary_title,
            originalTitle AS original_title, startYear::INTEGER AS year,
            nullif(runtimeMinutes::INTEGER, 0) AS runtime, labels, corrected"""
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
            **({"corrected_but_dropped": corrected_but_dropped} if self.corrections else {}),
        )
        self._reject_duplicates("titles", BASICS, path)
        # Each of these lines is counted as dropped, so a duplicate is not rejected as well.
        self.connection.execute("""
            DELETE FROM unlabelled_titles WHERE id IN (SELECT id FROM titles) OR line IN (
                SELECT line FROM unlabelled_titles
                QUALIFY row_number() OVER (PARTITION BY id ORDER BY line) > 1)
        """)
        self._warn_of_unused_names(path)
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
        """Create the table `plots`: the fields of `ingest.plots.Plot`, `record`, `title_words`.

        `record` counts the rows; a line can have several. `title_words` are the normalized words of
        the title if the record has no id.
        """
        path = plot_files(source)[0]
        part = self.scratch / "plots.tsv"
        records = 0
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for record in read_plots(
                source,
                self._on_bytes(path),
                self.config.title_types,
                self.config.columns,
                partial(self._add_blank_lines, path),
                self._add_metadata,
            ):
                if isinstance(record, UnreadableCell):
                    self._note_unreadable(path, record.line, record.cell)
                    continue
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
            SELECT *, row_number() OVER () AS record,
                CASE WHEN title_id IS NULL THEN nullif(normalized_words(title), '') END
                    AS title_words
            FROM read_csv('{escape_sql(part)}', auto_detect = false, header = false,
                delim = '\\t', quote = '', escape = '', new_line = '\\n',
                max_line_size = {clean.MAX_ROW_BYTES}, columns = {{'line': 'BIGINT',
                'title_id': 'BIGINT', 'title': 'VARCHAR', 'year': 'INTEGER', 'text': 'VARCHAR',
                'people': 'VARCHAR', 'is_another_kind': 'BOOLEAN'}})
        """)
        part.unlink()

    def _select_movies(self) -> None:
        """Create the table `movie_plots` of the titles that have a plot no earlier title has.

        `number` counts them from 0 in the order of tconst. `text` is the plot and `words` are its
        normalized words.
        """
        self.connection.execute("""
            CREATE TABLE titles_with_plot AS
            SELECT id, text, plot_words(text) AS words
            FROM plot_results WHERE starts_with(result, 'joined');

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

    def _read_ratings(self, path: Path) -> None:
        """Create the table `ratings` of the movies."""
        self._load(
            RATINGS,
            path,
            ratings="""
                SELECT id, line, nullif(try_cast(averageRating AS DECIMAL(3, 1)), 0) AS rating,
                    nullif(try_cast(numVotes AS BIGINT), 0) AS votes
                FROM rows
                WHERE id IN (SELECT id FROM movie_plots UNION ALL SELECT id FROM unlabelled_plots)
            """,
        )
        self._reject_duplicates("ratings", RATINGS, path)

    def _read_credits(self, crew: Path, principals: Path) -> None:
        """Create the table `credits` of the candidates.

        Directors and writers come from title.crew; if it has none for a movie, from
        title.principals.
        """
        self._load(
            CREW,
            crew,
            crew="""
                SELECT id, line, directors, writers
                FROM rows WHERE id IN (FROM candidates)
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
                FROM rows WHERE role IS NOT NULL AND id IN (FROM candidates)
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

    def _collect_people(self) -> None:
        """Create the table `people` with the names of the credited people of each movie."""
        self.connection.execute(f"""
            CREATE TABLE people AS
            WITH named AS (
                SELECT credits.id, role, name, min(position) AS position
                FROM credits JOIN names ON person = names.id WHERE name IS NOT NULL GROUP BY ALL
            )
            PIVOT named ON role IN ('directors', 'writers', 'cast')
            USING string_agg(name, '{LIST_SEPARATOR}' ORDER BY position, name) GROUP BY id
        """)

    def _check_genres(self) -> None:
        """Stop the build if there is nothing to learn from the genres of the movies."""
        (movies,) = self.connection.execute("SELECT count(*) FROM movies").fetchone() or (0,)
        # A single movie always has all genres that occur.
        if movies > 1:
            label_set(self._label_counts(), self.genres, movies=movies, source="title.basics")

    def _source_counts(self) -> dict[str, Any]:
        """Return the counts that only a build from this kind of input has."""
        return {
            "plots": self._plot_results(),
            "corrections": self.corrections,
            "credits": self._count("""
                SELECT CASE WHEN names.id IS NULL THEN 'person not in name.basics' ELSE role END,
                    count(*)
                FROM credits SEMI JOIN movie_plots USING (id)
                LEFT JOIN names ON person = names.id GROUP BY 1 ORDER BY 2 DESC
            """),
        }
