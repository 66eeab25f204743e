"""Write settings, exit statuses, columns and code fingerprints into the documents.

`make docs` runs this script. The tables are committed, so that they can be read without the site.
"""

from collections.abc import Iterator
from pathlib import Path

import code_tables
import generated_markdown
import settings_table

from pipeline.config import ConfigFile

DOCS = Path(__file__).parent


def documents() -> Iterator[tuple[Path, str]]:
    """Yield the path of each document with generated tables, and its new text."""
    settings = {
        f"settings-{name}": settings_table.settings_table(type(field.default))
        for name, field in ConfigFile.model_fields.items()
    }
    for name, texts in {
        "settings.md": settings,
        "exit-statuses.md": {"exit-statuses": code_tables.exit_statuses()},
        "cache.md": {"fingerprints": code_tables.fingerprint_list()},
        "tables.md": {"columns": code_tables.column_names()},
    }.items():
        path = DOCS / name
        yield path, generated_markdown.insert(path.read_text(encoding="utf-8"), texts)


if __name__ == "__main__":
    for path, text in documents():
        path.write_text(text, encoding="utf-8")
