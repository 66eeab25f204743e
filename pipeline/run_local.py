"""Run the whole pipeline on this machine: `python pipeline/run_local.py --help`.

This script has the options of `ordained run`.
"""

# Postponed annotations let a Python that is too old for the project print the message below.
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # Python puts the script's own directory first on the path, where `pipeline` is no package.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if TYPE_CHECKING:
    from collections.abc import Sequence

_REQUIRED_MODULES = ("tfx", "typer", "rich", "yaml", "duckdb")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline and return the exit status.

    Args:
        arguments: Sequence of str. Command-line arguments; those of the process by default.
    """
    if not all(map(importlib.util.find_spec, _REQUIRED_MODULES)):
        print(
            "error: this Python has no TFX. In a checkout, run `make setup`, then "
            "`.venv/bin/python pipeline/run_local.py` or `make run`. Elsewhere, run "
            "`pip install 'ordained[train]'`.",
            file=sys.stderr,
        )
        return 2
    from cli.app import main

    return main(sys.argv[1:] if arguments is None else arguments, subcommand="run")


if __name__ == "__main__":
    sys.exit(main())
