"""Makes an earlier version of the pushed model the served one.

python -m pipeline.rollback --output DIR [--to VERSION]
"""

import sys
from collections.abc import Sequence

from components.pusher import versions
from pipeline.arguments import command_parser
from schema import command
from schema.names import MODEL_NAME, SERVING_DIRECTORY


def main(arguments: Sequence[str] | None = None) -> int:
    """Roll back and say from which version to which; returns the exit status."""
    parser = command_parser(
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
    base = given.output / SERVING_DIRECTORY / MODEL_NAME

    def roll_back() -> None:
        done = versions.rollback(base, given.to)
        if done.before == done.after:
            print(f"{base}: version {done.after} is the one served already")
        else:
            print(f"{base}: from version {done.before or 'none'} to version {done.after}")

    return command.run(roll_back)


if __name__ == "__main__":
    sys.exit(main())
