"""Run by the environment's interpreter: are the packages those of the lock file? Prints JSON.

Argument: the lock file.
"""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

from packaging.requirements import Requirement


def normal(name: str) -> str:
    """Gives a package's name in the one spelling that all its spellings share."""
    return re.sub(r"[-_.]+", "-", name).lower()


locked = {}
for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
    if re.match(r"[A-Za-z0-9]", line):
        requirement = Requirement(line.removesuffix(" \\"))
        if requirement.marker is None or requirement.marker.evaluate():
            locked[normal(requirement.name)] = str(requirement.specifier).removeprefix("==")
here = {
    normal(found.metadata["Name"]): found.version for found in importlib.metadata.distributions()
}
wrong = [
    f"{name} {here.get(name, 'missing')} (lock: {version})"
    for name, version in locked.items()
    if here.get(name) != version
]
print(json.dumps({"locked": len(locked), "wrong": wrong}))
