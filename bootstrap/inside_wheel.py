"""Run by the interpreter of a clean environment: is the installed package whole, and importable?

Arguments: the files that the package must hold, such as `schema/schema.pbtxt`.
"""

import importlib
import importlib.metadata
import sys

files = importlib.metadata.files("ordained") or []
lacking = sorted(set(sys.argv[1:]) - {str(path) for path in files})
if lacking:
    sys.exit(f"the wheel lacks {', '.join(lacking)}")
for path in files:
    if path.suffix == ".py":
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    elif path.suffix in (".pbtxt", ".yaml"):
        path.read_text(encoding="utf-8")
