"""Where numbers come from: a command, a day, a commit and a machine."""

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from trainer import precision

PROJECT: Final = Path(__file__).resolve().parent.parent


def origin(module: str) -> str:
    """The line above a table, in Markdown, without what ends it.

    To be asked for before the work: the working copy may have moved on when that ends.

    Args:
        module: whose command makes the table, with the arguments of this process.
    """
    # Where a folder is on this machine is of no use to a reader.
    words = [Path(word).name if word.startswith(("/", "..")) else word for word in sys.argv[1:]]
    command = f"python -m {shlex.join([module, *words])}"
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True
    ).stdout.strip()
    named = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = named[1].strip() if named else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    # Processors of one name can differ in what they multiply fastest, and so in a training's time.
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, commit {commit}, {processor} in "
        f"{precision.fastest_type()}, {os.cpu_count()} cores, {memory:.0f} GB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )
