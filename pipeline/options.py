"""Options that several commands have in common."""

import argparse
from pathlib import Path


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """A parser with the option `--output`.

    Args:
        module: that is the command.
        description: what it does.
    """
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    made.add_argument(
        "--output",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="output directory of the runs (default: output)",
    )
    return made


def add_config(to: argparse.ArgumentParser) -> None:
    """Add the option `--config`: a list of files, as `pipeline.config.load` reads them.

    Args:
        to: the parser, changed in place.
    """
    to.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="YAML settings; given more than once, the last file that sets a value counts "
        "(default: ordained.yaml in the data folder, where there is one)",
    )
