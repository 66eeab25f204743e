"""Makes an earlier version of the pushed model the served one.

python -m pipeline.rollback --output DIR [--to VERSION]
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from components import versions
from pipeline import options
from schema.errors import UserError

MODEL_DIRECTORY: Final = Path("serving", "movie_genres")
"""Where a run's output directory holds the pushed versions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Roll back and say from which version to which.

    Returns:
        The exit status: 0, or 2 for a mistake of the user.
    """
    parser = options.parser(
        "pipeline.rollback",
        "Make an earlier version of the pushed model the served one. A server that "
        "polls the directory follows by itself; the model rolled back is not pushed again unless "
        "asked for.",
    )
    parser.add_argument(
        "--to",
        type=int,
        metavar="VERSION",
        help="the version to serve, also one that was rolled back (default: the one before the "
        "current)",
    )
    given = parser.parse_args(arguments)
    base = given.output / MODEL_DIRECTORY
    try:
        done = versions.rollback(base, given.to)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if done.before == done.after:
        print(f"{base}: version {done.after} is the one served already")
    else:
        print(f"{base}: from version {done.before or 'none'} to version {done.after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
