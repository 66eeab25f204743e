"""Provenance of benchmark figures: command, date, commit and machine."""

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


def provenance(module: str) -> str:
    """Return the line that stands above a table of figures, in Markdown, without a final colon.

    Call it before the measurement, since the working copy may change while that takes place.

    Args:
        module: Name of the module whose command makes the table. The arguments are those of this
            process.
    """
    # Paths outside the project are shortened, since they mean nothing on another machine.
    words = [Path(word).name if word.startswith(("/", "..")) else word for word in sys.argv[1:]]
    command = f"python -m {shlex.join([module, *words])}"
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True
    ).stdout.strip()
    named = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = named[1].strip() if named else platform.machine()
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    # The fastest type differs between processors of the same name, and with it the training time.
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, commit {commit}, {processor} in "
        f"{precision.fastest_type()}, {os.cpu_count()} cores, {memory_gb:.0f} GB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )
