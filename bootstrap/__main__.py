"""Command line of the set-up: `python3 -m bootstrap setup|browser|doctor|lock|wheel-test`.

Has the syntax of Python 3.6 (see `pythons`), since an old Python starts it and then replaces itself
by a supported one.
"""

import os
import sys
from typing import List

from bootstrap import pythons

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def main(arguments: List[str]) -> int:
    """Run one command of the set-up and return its exit status."""
    requested = ""
    if arguments[:1] == ["--python"] and len(arguments) > 1:
        requested, arguments = arguments[1], arguments[2:]
    if sys.version_info[:2] not in pythons.SUPPORTED:
        try:
            executable = pythons.choose(requested)["executable"]
        except pythons.PythonNotFoundError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        option = ["--python", requested] if requested else []
        os.execv(executable, [executable, "-m", "bootstrap"] + option + arguments)

    from bootstrap import commands

    return commands.run(ROOT, requested, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
