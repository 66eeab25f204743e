"""Names the state of the code, for TFX's cache.

A component that is given as a dotted path (`trainer.run.run_fn`) is cached by that path alone: an
edit to the code behind it would be a cache hit. So each node carries a hash of the sources it runs.
"""

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path

SUFFIXES = (".py", ".pbtxt")


@cache
def fingerprint(*names: str) -> str:
    """A hash over the source files of packages and modules.

    Args:
        names: dotted names; of a package all files count, of a module its own.

    Returns:
        16 hexadecimal digits, the same wherever the project is installed.
    """
    digest = hashlib.sha256()
    for name in sorted(set(names)):
        origin = Path(str(import_module(name).__file__))
        package = origin.name == "__init__.py"
        files = sorted(origin.parent.rglob("*")) if package else [origin]
        for file in files:
            if file.suffix in SUFFIXES:
                place = file.relative_to(origin.parent).as_posix()
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{name}:{place}:{content}\n".encode())
    return digest.hexdigest()[:16]
