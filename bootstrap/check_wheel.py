"""Check that the installed package has all files and that its modules can be imported.

Run by the interpreter of a clean environment. Arguments: files that the package must contain, such
as `schema/schema.pbtxt`.
"""

import importlib
import importlib.metadata
import sys

files = importlib.metadata.files("ordained") or []
missing = sorted(set(sys.argv[1:]) - {str(path) for path in files})
if missing:
    sys.exit(f"the wheel does not contain {', '.join(missing)}")
for path in files:
    if path.suffix == ".py":
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    elif path.suffix in (".pbtxt", ".yaml"):
        path.read_text(encoding="utf-8")
