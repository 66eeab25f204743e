"""CsvExampleGen whose cache key has the contents of the CSV files.

TFX identifies the files by their number, sizes and modification times. A file with a changed bit
and the size and time of before would be taken for unchanged, and one that was written again with
the same bytes for changed.
"""

from pathlib import Path
from typing import Any

from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME
from tfx.types import standard_component_specs

from schema.files import files_digest
from schema.names import MOVIES_PATTERN


def movies_digest(movies: Path) -> str:
    """Return the digest of the movies CSV shards in a directory."""
    return files_digest(sorted(movies.glob(MOVIES_PATTERN)))


class ContentDriver(FileBasedDriver):
    """Driver that identifies the movies CSV shards by their contents."""

    def resolve_exec_properties(self, *arguments: Any) -> dict[str, Any]:
        """Return the parameters of an execution, with the digest in place of TFX's fingerprint."""
        properties: dict[str, Any] = super().resolve_exec_properties(*arguments)
        movies = Path(properties[standard_component_specs.INPUT_BASE_KEY])
        return {**properties, FINGERPRINT_PROPERTY_NAME: movies_digest(movies)}


class MoviesExampleGen(CsvExampleGen):
    """CsvExampleGen for a directory of movies CSV shards."""

    DRIVER_CLASS = ContentDriver
