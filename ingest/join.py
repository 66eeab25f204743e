"""Database of a build: from shared tables of titles and plots to the movies CSV, with DuckDB.

A subclass reads the data: `ingest.dump_join` IMDb's dumps and plots, `ingest.table_join` a single
table.
"""

import logging
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np  # noqa: F401 - DuckDB needs NumPy to call Python functions
from duckdb.sqltypes import VARCHAR

from ingest import clean, split_key
from ingest.config import IngestConfig, option_and_setting
from ingest.corpus import Metadata
from ingest.dumps import escape_sql
from ingest.genres import GenreMap
from ingest.lines import OnBytes, Progress, Reject, RejectLog
from schema.errors import UserError
from schema.features import CSV_COLUMNS, LIST_SEPARATOR
from schema.names import MOVIES_SHARD, UNLABELLED_SHARD
from tables.movies import Cell

log = logging.getLogger(__name__)

EARLY_STOP_REJECTS: Final = 100_000
"""Number of rejected lines above which a file may stop the build before it is read to its end."""


_ALWAYS_ALLOWED_REJECTS: Final = 10
"""Number of malformed lines of a file that are accepted whatever their share is."""


def allowed_rejects(lines: int, max_share: float) -> float:
    """Return how many lines of a file may be malformed.

    One bad row of a small table is a large share of it. Therefore a few malformed lines are always
    accepted if they are not more than half of the file, unless `max_share` is 0.

    Args:
        lines: Number of lines of the file.
        max_share: The setting `max_reject_share`.
    """
    return max(max_share * lines, min(_ALWAYS_ALLOWED_REJECTS, lines / 2)) if max_share else 0


@dataclass
class Join(ABC):
    """Database and counts of one build.

    A subclass makes these tables, with the number in a title's id, or of its row, as `id`:

    - `titles` and `unlabelled_titles` (id, tconst, primary_title, original_title, year, runtime,
      labels, corrected), of which the second are those without a known genre. A title has no
      genre at all if its `labels` are NULL;
    - `movie_plots` (number, id, text, words) of the movies, numbered from 0 in the order of tconst;
    - `unlabelled_plots` (id, text) of the titles without any genre that are written;
    - `ratings` (id, rating, votes) and `people` (id, directors, writers, cast).

    Attributes:
        connection: Connection to an empty DuckDB database.
        config: Settings of the build.
        scratch: Directory for temporary files.
        reject_log: Writer of rejected lines.
        progress: Function that is called with the progress of the build.
        for_training: Whether the build stops if nothing can be learned from the genres.
        lines: Lines or records read, by file.
        blank_lines: Blank lines, which are not among `lines`, by file.
        dropped: Titles dropped, by reason.
        unreadable: Cells that were not understood, by column.
        corrections: Rows of the file of corrections, by result.
        without_plot: Movies in the metadata of the CMU corpus that have no plot, by file.
        genre_map: Names to use in place of given genres.
    """

    connection: duckdb.DuckDBPyConnection
    config: IngestConfig
    scratch: Path
    reject_log: RejectLog
    progress: Progress
    for_training: bool = True
    lines: dict[str, int] = field(default_factory=dict)
    blank_lines: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    unreadable: Counter[str] = field(default_factory=Counter)
    corrections: dict[str, int] = field(default_factory=dict)
    without_plot: dict[str, int] = field(default_factory=dict)
    genre_map: GenreMap = field(init=False)

    def __post_init__(self) -> None:
        """Create the map of genres, and the functions that the SQL of the methods uses."""
        self.genre_map = GenreMap(self.config.genre_map)
        for name in ("normalize", "normalized_words", "plot_words"):
            self.connection.create_function(name, getattr(clean, name), [VARCHAR], VARCHAR)
        self.connection.execute("SET enable_progress_bar = false")

    @property
    @abstractmethod
    def genres(self) -> tuple[str, ...]:
        """Genres that are written, in the order of the labels."""

    @property
    def _sql_genres(self) -> str:
        """`genres` as a list in SQL."""
        return "[" + ", ".join(f"'{escape_sql(name)}'" for name in self.genres) + "]"

    def _sql_joined(self, labels: str) -> str:
        """Return SQL for the cell `genres` of the CSV, from SQL for a list of labels."""
        return (
            f"array_to_string(list_filter({self._sql_genres}, "
            f"lambda g: list_contains({labels}, g)), '{LIST_SEPARATOR}')"
        )

    def _count(self, sql: str) -> dict[str, int]:
        """Return the rows of a query with the columns name and count."""
        return dict(self.connection.execute(sql).fetchall())

    def _on_bytes(self, path: Path) -> OnBytes:
        """Return a function that reports how much of a file is read."""
        size = path.stat().st_size
        return lambda done: self.progress(f"reading {path.name}", done, size)

    def _add_blank_lines(self, path: Path, count: int) -> None:
        """Count blank lines of a file, if there are any."""
        if count:
            self.blank_lines[path.name] = self.blank_lines.get(path.name, 0) + count

    def _add_metadata(self, metadata: Metadata) -> None:
        """Count the metadata of the CMU corpus, and reject malformed lines of it."""
        path = Path(metadata.file)
        self.lines[path.name] = metadata.lines
        self._add_blank_lines(path, metadata.blank_lines)
        self.without_plot[path.name] = metadata.without_plot
        log.info(
            "%s: %s of %s movies have no plot and are not used",
            *(path.name, f"{metadata.without_plot:,}", f"{len(metadata.movies):,}"),
        )
        self.reject_log.add(metadata.rejects)
        self._check_reject_share(path)

    def _note_unreadable(self, path: Path, line: int, cell: Cell) -> None:
        """List and count a cell that was not understood, in a record that is kept."""
        column, value, reason = cell
        self.reject_log.note(Reject(path.name, line, f"kept without {column}: {reason}", value))
        self.unreadable[column] += 1

    def _check_reject_share(self, path: Path, allowed_lines: int = 0) -> None:
        """Stop the build if malformed lines exceed `allowed_lines` and `allowed_rejects`."""
        reasons, total = self.reject_log.counts[path.name], self.lines[path.name]
        share = self.config.max_reject_share
        if reasons.total() > max(allowed_lines, allowed_rejects(total, share)):
            raise UserError(
                f"{path.name}: {reasons.total():,} of {total:,} lines are malformed, more than the "
                f"allowed share of {share:g}. Most frequent reason: "
                f"{reasons.most_common(1)[0][0]}. {self.reject_log.final_path} lists all of them. "
                f"Correct the file, or raise {option_and_setting('max_reject_share')}."
            )

    def _warn_of_unused_names(self, path: Path) -> None:
        """Say which names in `genre_map` no title has."""
        if names := self.genre_map.unused:
            log.warning(
                "%s: no title has a genre that ingest.genre_map names: %s. Correct the names.",
                path.name,
                ", ".join(names),
            )

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
        """Create the tables `movies` and `unlabelled` with `number` and the columns of the CSV."""
        self.progress("joining", 0, 0)
        title = "nullif(normalize(coalesce(primary_title, original_title)), '') AS title"
        numbers = """year, runtime AS runtime_minutes, rating AS average_rating,
            votes AS num_votes, directors, writers, "cast\""""
        self.connection.execute(f"""
            CREATE TABLE movies AS
            SELECT number, tconst, {title}, text AS plot, {self._sql_joined("labels")} AS genres,
                {numbers}, split_key, CASE WHEN corrected THEN 1 END AS corrected
            FROM movie_plots JOIN titles USING (id) JOIN split_keys USING (number)
                LEFT JOIN ratings USING (id) LEFT JOIN people USING (id)
            ORDER BY number;

            CREATE TABLE unlabelled AS
            SELECT row_number() OVER (ORDER BY id) - 1 AS number, tconst, {title}, text AS plot,
                NULL AS genres, {numbers}, NULL AS split_key, NULL AS corrected
            FROM unlabelled_plots JOIN unlabelled_titles USING (id)
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

    def _label_counts(self) -> dict[str, int]:
        """Return the number of movies by genre, also of genres that are not written."""
        return self._count("""
            SELECT label, count(*)
            FROM (SELECT unnest(labels) AS label FROM movie_plots JOIN titles USING (id))
            GROUP BY label ORDER BY label
        """)

    def counts(self) -> dict[str, Any]:
        """Return the counts of the build by field of `IngestSummary`."""
        (movies,) = self.connection.execute("SELECT count(*) FROM movies").fetchone() or (0,)
        labels = self._label_counts()
        return {
            "movies": movies,
            "dropped": self.dropped,
            "lines": self.lines,
            "blank_lines": self.blank_lines,
            "without_plot": self.without_plot,
            "rejected": {
                file: dict(sorted(reasons.items()))
                for file, reasons in sorted(self.reject_log.counts.items())
                if reasons
            },
            "unreadable": dict(self.unreadable.most_common()),
            "unused_genre_map": self.genre_map.unused,
            "unlabelled": self._count("""
                SELECT if(plot IS NULL, 'title and people', 'plot'), count(*) FROM unlabelled
                GROUP BY 1 ORDER BY 1
            """),
            "filled": self._count("""
                UNPIVOT (SELECT count(COLUMNS(* EXCLUDE (number, tconst, split_key, corrected)))
                    FROM movies)
                ON COLUMNS(*)
            """),
            "genres": {name: labels.get(name, 0) for name in self.genres},
            "other_genres": {
                name: count for name, count in labels.items() if name not in self.genres
            },
            "split_groups": self._count("""
                UNPIVOT (
                    SELECT count(*) AS groups, coalesce(max(size), 0) AS largest,
                        coalesce(sum(size) FILTER (size > 1), 0)::BIGINT
                            AS "movies in groups of two or more"
                    FROM (SELECT count(*) AS size FROM movies GROUP BY split_key)
                ) ON COLUMNS(*)
            """),
            **self._source_counts(),
        }

    @abstractmethod
    def _source_counts(self) -> dict[str, Any]:
        """Return the counts that only a build from this kind of input has."""
