"""The set-up's command line: `python3 -m bootstrap setup|doctor|lock|wheel-test`.

An old Python must be able to read this file (see `pythons`): it hands over to one that fits.
"""

import os
import sys
from typing import List

from bootstrap import pythons

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def main(arguments: List[str]) -> int:
    """Runs one command of the set-up and returns its exit status."""
    requested = ""
    if arguments[:1] == ["--python"] and len(arguments) > 1:
        requested, arguments = arguments[1], arguments[2:]
    if sys.version_info[:2] not in pythons.SUPPORTED:
        try:
            fitting = pythons.choose(requested)["executable"]
        except pythons.NoPython as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        named = ["--python", requested] if requested else []
        os.execv(fitting, [fitting, "-m", "bootstrap"] + named + arguments)

    from bootstrap import commands

    return commands.run(ROOT, requested, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
