"""What the commands about earlier runs have in common."""

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
