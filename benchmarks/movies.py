"""Compare two builds of the movies CSV: movies gained and lost, and movies in another split.

    python -m benchmarks.movies before/movies after/movies --report docs/quality.md

Each argument is the directory of the shards that `ordained ingest build` or `ordained run` wrote.
"""

import bisect
import hashlib
import sys
from itertools import accumulate
from pathlib import Path
from typing import Final

import duckdb

from benchmarks.provenance import provenance
from benchmarks.tables import command_parser, publish, table
from schema import command
from schema import features as raw
from schema.errors import UserError
from schema.names import MOVIES_PATTERN, SPLIT_BUCKETS, Split
from schema.streams import import_tensorflow

MARKER: Final = "changed-movies"


def find_split(split_key: str) -> Split:
    """Return the split to which CsvExampleGen assigns the movies of a split key."""
    import tensorflow as tf

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[split_key.encode()]))
    digest = hashlib.sha256(feature.SerializeToString(deterministic=True)).hexdigest()
    ends = list(accumulate(SPLIT_BUCKETS.values()))
    return [*SPLIT_BUCKETS][bisect.bisect(ends, int(digest, 16) % ends[-1])]


def read_splits(directory: Path) -> dict[str, Split]:
    """Return the split of each movie, by tconst.

    Raises:
        UserError: The directory has no shards.
    """
    pattern = directory / MOVIES_PATTERN
    if not [*directory.glob(MOVIES_PATTERN)]:
        raise UserError(f"{pattern}: no such file")
    rows = duckdb.execute(
        f"SELECT {raw.TCONST}, {raw.SPLIT_KEY} FROM read_csv(?, header = true, all_varchar = true)",
        [str(pattern)],
    ).fetchall()
    return {tconst: find_split(split_key) for tconst, split_key in rows}


def compare(before: dict[str, Split], after: dict[str, Split]) -> list[list[str]]:
    """Return the rows of the table: a name, and the numbers of the splits and of all movies."""

    def count(splits: list[Split]) -> list[str]:
        return [f"{number:,}" for number in [*map(splits.count, Split), len(splits)]]

    moved = [split for tconst, split in after.items() if before.get(tconst, split) is not split]
    return [
        ["before", *count([*before.values()])],
        ["gained", *count([split for tconst, split in after.items() if tconst not in before])],
        ["lost", *count([split for tconst, split in before.items() if tconst not in after])],
        ["moved here from another split", *count(moved)],
        ["after", *count([*after.values()])],
    ]


def main() -> int:
    """Compare two builds and print a Markdown table; return the exit status."""
    parser = command_parser("benchmarks.movies", (__doc__ or "").split("\n", 1)[0])
    parser.add_argument("before", type=Path, help="directory of the earlier build")
    parser.add_argument("after", type=Path, help="directory of the later build")
    options = parser.parse_args()

    def run() -> None:
        import_tensorflow()
        rows = compare(read_splits(options.before), read_splits(options.after))
        text = table(["movies", *Split, "all"], rows)
        publish({MARKER: f"{provenance('benchmarks.movies')}:\n\n{text}"}, options.report)

    return command.run(run)


if __name__ == "__main__":
    sys.exit(main())
