"""Compare the installed packages with a lock file and print the result as JSON.

Run by the environment's interpreter. Argument: path of the lock file.
"""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

from packaging.requirements import Requirement


def normalized_name(name: str) -> str:
    """Return the normalized name of a package (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


locked = {}
for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
    if re.match(r"[A-Za-z0-9]", line):
        requirement = Requirement(line.removesuffix(" \\"))
        if requirement.marker is None or requirement.marker.evaluate():
            locked[normalized_name(requirement.name)] = str(requirement.specifier).removeprefix(
                "=="
            )
installed = {
    normalized_name(distribution.metadata["Name"]): distribution.version
    for distribution in importlib.metadata.distributions()
}
differing = [
    f"{name} {installed.get(name, 'missing')} (lock: {version})"
    for name, version in locked.items()
    if installed.get(name) != version
]
print(json.dumps({"locked": len(locked), "differing": differing}))
