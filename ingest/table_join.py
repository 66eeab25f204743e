"""Make the table of movies from a single table with plots and genres, with DuckDB."""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingest import clean
from ingest.config import option_and_setting
from ingest.corpus import corpus_files, open_corpus
from ingest.dumps import escape_sql
from ingest.genres import label_set
from ingest.join import EARLY_STOP_REJECTS, Join
from ingest.lines import Reject
from ingest.table_columns import choose_columns
from ingest.table_rows import COLUMN_TYPES, movie_cells
from schema.errors import UserError
from schema.features import LIST_SEPARATOR
from schema.genres import MAX_GENRES
from schema.wording import count
from tables.columns import Columns, Field
from tables.formats import Table, open_table
from tables.kinds import is_another_kind
from tables.movies import read_movies

_PROGRESS_ROWS: Final = 1_000
"""Number of rows after which the progress is shown and the rejects are counted."""

_MAX_LISTED: Final = 5
"""Number of genres or kinds that a message lists."""

_NO_GENRE: Final = "no genre"
_OTHER_GENRES: Final = "only genres outside the list"

log = logging.getLogger(__name__)


def table_files(path: Path) -> list[Path]:
    """Return the files that a build from a table reads; the file with the plots is the first."""
    return list(corpus_files(path) or [path])


@dataclass
class TableJoin(Join):
    """Database and counts of a build from a single table.

    Attributes:
        columns: Columns of the table by field.
        labels: Genres of the movies.
        other_genres: Complete rows by genre that is left out, also of rows that are dropped for it.
    """

    columns: Columns = field(default_factory=lambda: Columns({}, {}))
    labels: tuple[str, ...] = ()
    other_genres: dict[str, int] = field(default_factory=dict)

    @property
    def genres(self) -> tuple[str, ...]:
        """Genres that are written: those of the settings, or all frequent ones of the table."""
        return self.labels

    def run_table(self, source: Path) -> None:
        """Create the tables `movies` and `unlabelled`."""
        path = table_files(source)[0]
        self._read_rows(source, path)
        self._unify_spellings()
        self._choose_genres(path)
        self._sort_out_rows(f"list_has_any(labels, {self._sql_genres})")
        self._count_rows(path)
        self._check_movies(path)
        self._create_shared_tables()
        self._compute_split_keys()
        self._assemble_movies()

    def _read_rows(self, source: Path, path: Path) -> None:
        """Create the table `rows` of all readable rows."""
        part = self.scratch / "rows.tsv"
        on_bytes = self._on_bytes(path)
        self.lines[path.name] = 0
        with self._open(source) as table, part.open("w", encoding="utf-8", newline="\n") as file:
            required = (Field.PLOT, Field.GENRES) if self.for_training else (Field.PLOT,)
            self.columns = choose_columns(
                path.name, table.columns, self.config.columns, required=required
            )
            for movie in read_movies(table, self.columns, any_id=True):
                self.lines[path.name] += 1
                movie = clean.without_long_values(movie, self.columns)
                for cell in movie.unreadable:
                    self._note_unreadable(path, movie.line, cell)
                cells = movie_cells(movie, self.genre_map)
                if isinstance(cells, str):
                    title = str(movie.values.get(Field.TITLE, ""))
                    reject = Reject(path.name, movie.line, cells, movie.text or title)
                    self.reject_log.add([reject])
                else:
                    file.write("\t".join(cells) + "\n")
                if self.lines[path.name] % _PROGRESS_ROWS == 0:
                    on_bytes(table.bytes_read())
                    self._check_reject_share(path, allowed_lines=EARLY_STOP_REJECTS)
            self._add_blank_lines(path, table.blank_lines)
            log.info("%s: %s", source, table.description)
        self._check_reject_share(path)
        self._warn_of_unused_names(path)
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMN_TYPES.items())
        self.connection.create_function("is_another_kind", self._is_another_kind)
        self.connection.execute(f"""
            CREATE TABLE rows AS
            SELECT row_number() OVER (ORDER BY tconst, line) AS id,
                string_split(labels, '{LIST_SEPARATOR}') AS labels,
                plot_words(text) AS words, * EXCLUDE (labels)
            FROM read_csv('{escape_sql(part)}', auto_detect = false, header = false,
                delim = '\\t', quote = '', escape = '', new_line = '\\n',
                max_line_size = {clean.MAX_ROW_BYTES}, columns = {{{columns}}})
        """)
        part.unlink()

    def _open(self, source: Path) -> AbstractContextManager[Table]:
        files = corpus_files(source)
        return open_corpus(*files, self._add_metadata) if files else open_table(source)

    def _is_another_kind(self, kind: str) -> bool:
        return is_another_kind(kind, self.config.title_types)

    def _unify_spellings(self) -> None:
        """Give genres that differ only in case the name in the settings, or the most frequent."""
        counts = self._count("""
            SELECT label, count(*) FROM (SELECT unnest(labels) AS label FROM rows) GROUP BY label
        """)
        by_count = sorted(counts, key=lambda name: (-counts[name], name))
        spellings: dict[str, str] = {}
        for name in (*(self.config.genres or ()), *self.config.genre_map.values(), *by_count):
            spellings.setdefault(name.casefold(), name)
        used = [spellings[name.casefold()] for name in by_count]
        if used != by_count:
            self.connection.execute(
                """
                UPDATE rows SET labels =
                    list_distinct(list_transform(labels, lambda name: map($given, $used)[name]))
                """,
                {"given": by_count, "used": used},
            )

    def _choose_genres(self, path: Path) -> None:
        """Set `labels` to the genres of the settings, or else to all that enough movies have."""
        if self.config.genres is not None:
            self.labels = self.config.genres
            return
        self._sort_out_rows("true")
        smallest = self.config.min_genre_movies
        used = [name for name, count in self._genre_counts().items() if count >= smallest]
        if left_out := used[MAX_GENRES:]:
            log.warning(
                "%s: %s genres have %s or more, but a model has at most %d genres. The "
                "%s least frequent are left out, such as %s. The setting ingest.genres names "
                "others.",
                *(path.name, f"{len(used):,}", count(smallest, "movie"), MAX_GENRES),
                *(f"{len(left_out):,}", ", ".join(left_out[:_MAX_LISTED])),
            )
        self.labels = tuple(sorted(used[:MAX_GENRES]))

    def _genre_counts(self) -> dict[str, int]:
        """Return the number of rows by genre, also of rows that have only other genres."""
        return self._count(f"""
            SELECT label, count(*)
            FROM (SELECT unnest(labels) AS label FROM rows JOIN results USING (id)
                WHERE result IN ('kept', '{_OTHER_GENRES}'))
            GROUP BY label ORDER BY count(*) DESC, label
        """)

    def _sort_out_rows(self, has_genre: str) -> None:
        """Create the table `results` with `id` and result of each row.

        A movie with the plot of an earlier movie is a copy, and so is any row with the id and the
        plot of another. Of the rows that have only the id in common, one is used: preferably a
        movie, then one that has other genres, then one without genres that has a plot.

        Args:
            has_genre: Condition in SQL that a row with genres is a movie.
        """
        self.connection.execute(f"""
            CREATE OR REPLACE TABLE results AS
            WITH sorted AS (
                SELECT id, tconst, line, words, labels,
                    CASE WHEN is_another_kind(kind) THEN 'another title type'
                        WHEN labels IS NULL THEN '{_NO_GENRE}'
                        WHEN text IS NULL THEN 'no plot'
                        WHEN {has_genre} THEN 'kept'
                        ELSE '{_OTHER_GENRES}' END AS result,
                    CASE result WHEN 'kept' THEN 1 WHEN '{_OTHER_GENRES}' THEN 2
                        WHEN '{_NO_GENRE}' THEN 3 END AS rank
                FROM rows
            ), used AS (
                SELECT *, words IS NOT NULL AND (
                    row_number() OVER (PARTITION BY tconst, words ORDER BY rank, id) > 1
                    OR (labels IS NOT NULL
                        AND row_number() OVER (PARTITION BY rank, words ORDER BY id) > 1)
                    ) AS is_copy
                FROM sorted
                WHERE rank IS NOT NULL
                    AND (words IS NOT NULL OR {self.config.unlabelled_without_plot})
            ), duplicates AS (
                SELECT id,
                    row_number() OVER (PARTITION BY tconst ORDER BY rank, words IS NULL, line) > 1
                        AS is_duplicate
                FROM used WHERE NOT is_copy
            )
            SELECT id,
                CASE WHEN is_copy THEN 'plot of an earlier movie'
                    WHEN is_duplicate THEN 'duplicate id'
                    ELSE sorted.result END AS result
            FROM sorted LEFT JOIN used USING (id) LEFT JOIN duplicates USING (id)
        """)

    def _count_rows(self, path: Path) -> None:
        """Set `dropped`, and reject duplicate ids."""
        duplicates = self.connection.execute("""
            SELECT line, tconst FROM rows JOIN results USING (id) WHERE result = 'duplicate id'
            ORDER BY line
        """)
        while rows := duplicates.fetchmany(EARLY_STOP_REJECTS):
            self.reject_log.add(Reject(path.name, line, "duplicate id", id_) for line, id_ in rows)
        self._check_reject_share(path)
        self.dropped = self._count("""
            SELECT result, count(*) FROM results WHERE result NOT IN ('kept', 'duplicate id')
            GROUP BY 1 ORDER BY 2 DESC, 1
        """)

    def _check_movies(self, path: Path) -> None:
        """Set `other_genres`, and stop the build if its movies are of no use."""
        counts = self._genre_counts()
        (movies,) = self.connection.execute(
            "SELECT count(*) FROM results WHERE result = 'kept'"
        ).fetchone() or (0,)
        with_genres = movies + self.dropped.get(_OTHER_GENRES, 0)
        if self.for_training:
            if with_genres < 2:
                expected = "several hundred movies with plot and genre"
                raise UserError(self._too_few_movies(path, expected, with_genres))
            self._check_labels(path, counts)
            wanted = self.config.genres
            used = {name: counts.get(name, 0) for name in self.labels}
            self.labels = label_set(used, wanted, movies=movies, source=path.name)
        elif not with_genres + self._count_unlabelled():
            raise UserError(self._too_few_movies(path, "movies with plot", 0))
        self.other_genres = {name: counts[name] for name in counts if name not in self.labels}

    def _check_labels(self, path: Path, counts: dict[str, int]) -> None:
        """Stop the build if the settings leave too few of the table's genres."""
        wanted, smallest = self.config.genres, self.config.min_genre_movies
        most = list(counts.items())[:_MAX_LISTED]
        found = ", ".join(f"{name[:60]} ({count:,})" for name, count in most)
        if wanted is not None and not {*wanted} & {*counts}:
            raise UserError(
                f"{path.name}: no movie has the genres that the settings name, "
                f"{', '.join(wanted[:_MAX_LISTED])}. The most frequent are {found}. "
                f"Correct {option_and_setting('genres')}."
            )
        if wanted is None and len(self.labels) < 2 <= len(counts):
            raise UserError(
                f"{path.name}: fewer than two genres have {count(smallest, 'movie')} or more. The "
                f"most frequent are {found}. Add movies, merge genres or lower the number: "
                f"{option_and_setting('genre_map', 'min_genre_movies')}."
            )

    def _count_unlabelled(self) -> int:
        """Return the number of rows without a genre that are written."""
        return self._count(f"SELECT 'rows', count(*) {self._sql_unlabelled}")["rows"]

    @property
    def _sql_unlabelled(self) -> str:
        """Rows without a genre that are written, as the end of a query in SQL."""
        return f"""FROM rows JOIN results USING (id) WHERE result = '{_NO_GENRE}'
            AND (text IS NOT NULL OR {self.config.unlabelled_without_plot})"""

    def _too_few_movies(self, path: Path, expected: str, found: int) -> str:
        """Return the message of a table of which at most one row can be used."""
        # Rows that have only other genres are among those that were found.
        reasons = [
            f"{reason} ({count:,})"
            for reason, count in self.dropped.items()
            if reason != _OTHER_GENRES
        ]
        if rejected := self.reject_log.counts[path.name].total():
            reasons.append(f"malformed ({rejected:,})")
        rows = self.lines[path.name]
        message = (
            f"{path.name}: expected {expected}, found {found} in {rows:,} "
            f"{'row' if rows == 1 else 'rows'}."
        )
        if reasons:
            message += f" The other rows: {', '.join(reasons)}."
        if "another title type" in self.dropped:
            kinds = self._count("""
                SELECT kind, count(*) FROM rows WHERE kind IS NOT NULL GROUP BY 1 ORDER BY 2 DESC
            """)
            message += (
                f" Types in the table: {', '.join(list(kinds)[:_MAX_LISTED])}. Choose other types "
                f"with {option_and_setting('title_types')}."
            )
        read = [f"{name} from {', '.join(found)}" for name, found in self.columns.fields.items()]
        return f"{message} Read were {', '.join(read)}."

    def _create_shared_tables(self) -> None:
        """Create the tables from which those of dumps are joined, too."""
        self.connection.execute(f"""
            CREATE TABLE movie_plots AS
            SELECT row_number() OVER (ORDER BY id) - 1 AS number, id, text, words
            FROM rows JOIN results USING (id) WHERE result = 'kept';
            CREATE VIEW titles AS
            SELECT id, tconst, primary_title, original_title, year, runtime, labels,
                false AS corrected
            FROM rows;
            CREATE VIEW unlabelled_titles AS FROM titles;
            CREATE TABLE unlabelled_plots AS SELECT id, text {self._sql_unlabelled};
            CREATE VIEW ratings AS SELECT id, rating, votes FROM rows;
            CREATE VIEW people AS SELECT id, directors, writers, "cast" FROM rows;
        """)

    def _source_counts(self) -> dict[str, Any]:
        return {
            "other_genres": self.other_genres,
            "plots": {},
            "credits": {},
            "columns": {str(name): ", ".join(found) for name, found in self.columns.fields.items()},
            "unknown_columns": self.columns.unknown,
        }
