"""Build from damaged dumps and plots, which must end with a summary or with one line of error."""

import csv
import gzip
import io
import json
import os
import re
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from ingest import IngestConfig, build
from ingest.corpus import CMU_METADATA
from ingest.dumps import BASICS, CREW, NAMES, PRINCIPALS, RATINGS
from schema.errors import UserError
from tests.data import tiny_dumps as tiny
from tests.data.damage import DAMAGE, PIECES, cut, damaged, insert

EXAMPLES = int(os.environ.get("ORDAINED_FUZZ_EXAMPLES", "0"))
"""Number of random examples; 0 takes a few that are always the same."""

DUMPS = {
    f"{dump.name}.tsv": tiny.format_tsv(dump.header, rows)
    for dump, rows in (
        (BASICS, tiny.TITLE_ROWS),
        (RATINGS, tiny.RATINGS_ROWS),
        (CREW, tiny.CREW_ROWS),
        (PRINCIPALS, tiny.PRINCIPALS_ROWS),
        (NAMES, tiny.NAME_ROWS),
    )
}
RECORDS = [{"imdb_id": tconst, "year": "", "plot": text} for tconst, text in tiny.PLOT_ROWS]
RECORDS += [{"title": "Leuchtturm", "year": 1931, "plot": 'A "line"\nand, another.'}]
COLUMNS = ("imdb_id", "title", "year", "plot")


def quoted(delimiter):
    """Return the plots as quoted cells."""
    rows = [COLUMNS, *([str(record.get(name, "")) for name in COLUMNS] for record in RECORDS)]
    cells = (('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    return "\r\n".join(map(delimiter.join, cells)).encode()


def parquet():
    """Return the plots as a Parquet file."""
    columns = {name: [str(record.get(name, "")) for record in RECORDS] for name in COLUMNS}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def zipped(content):
    """Return a zip file with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", content)
    return buffer.getvalue()


METADATA = b"7\t/m/07\tLeuchtturm\t1931-05-01\t\t95.0\t{}\t{}\t{}\n"
JSON_LINES = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()
PLOTS = {
    "plots.tsv": tiny.format_tsv("tconst\tplot", tiny.PLOT_ROWS),
    "plots.csv": quoted(","),
    "plots-semicolons.csv": b"sep=;\n" + quoted(";"),
    "plots-pipes.txt": quoted("|"),
    "plots.jsonl": JSON_LINES,
    "plots.json": json.dumps(RECORDS, indent=1).encode(),
    "plots.parquet": parquet(),
    "plots.csv.gz": gzip.compress(quoted(","), mtime=0),
    "plots.jsonl.zip": zipped(JSON_LINES),
    "plots-utf16.csv": quoted(",").decode().encode("utf-16"),
    "plot_summaries.txt": b"7\tA keeper waits.\n8\tNobody knows.\n",
}
FILES = [*DUMPS, "plots", CMU_METADATA]

DAMAGES = st.tuples(
    st.sampled_from(FILES),
    st.sampled_from([False, False, False, True]),  # whether the compressed file is damaged
    DAMAGE,
)


def write_damaged(directory, plots, damages, compress):
    """Write all files; return the plots and the names of the files."""
    names = []
    contents = DUMPS | {plots: PLOTS[plots]}
    if plots == "plot_summaries.txt":
        contents |= {CMU_METADATA: METADATA}
    for name, content in contents.items():
        key = "plots" if name == plots else name
        before, after = (
            [damage for file, is_late, damage in damages if (file, is_late) == (key, late)]
            for late in (False, True)
        )
        data = damaged(content, before)
        if compress and name in DUMPS:
            name, data = f"{name}.gz", gzip.compress(data, mtime=0)
        (directory / name).write_bytes(damaged(data, after))
        names.append(name)
    return directory / plots, names


def content_lines(path):
    """Return the number of lines of a dump after its header, and that of blank lines at the end."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    if data.startswith(b"\xff\xfe") or b"\0" in data[:2]:
        data = data.decode("utf-16" if data[0] == 0xFF else "utf-16-le", "replace").encode()
    lines = data.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    if lines[-1] == b"\r":
        lines[-1] = b""
    kept = len(lines)
    while not lines[kept - 1]:
        kept -= 1
    return kept - 1, len(lines) - kept


def check_counts(summary, data, output, plots):
    """Check that each line of each file is counted once."""
    rejects = [
        line.split("\t") for line in (output / "rejects.tsv").read_text("utf-8").split("\n")[1:-1]
    ]
    kept = [reason for _, _, reason, _ in rejects if reason.startswith("kept without ")]
    listed = Counter((file, reason) for file, _, reason, _ in rejects if reason not in kept)
    rejected = {
        (file, reason): count
        for file, reasons in summary.rejected.items()
        for reason, count in reasons.items()
    }
    assert listed == rejected
    columns = (reason.removeprefix("kept without ").rpartition(": ")[0] for reason in kept)
    assert Counter(columns) == summary.unreadable
    by_file = {file: sum(reasons.values()) for file, reasons in summary.rejected.items()}
    # A plot can have several values that are not understood.
    lines = [(file, line) for file, line, *_ in rejects if file != plots.name]
    assert len(set(lines)) == len(lines)
    basics, *_ = summary.lines
    assert summary.titles == summary.lines[basics]
    assert summary.titles == summary.movies + sum(summary.dropped.values()) + by_file.get(basics, 0)
    assert summary.lines[plots.name] == sum(summary.plots.values()) + by_file.get(plots.name, 0)
    if plots.name == "plots.tsv":
        count = summary.lines[plots.name] + summary.blank_lines.get(plots.name, 0)
        assert count == sum(content_lines(plots))
    for file, count in summary.lines.items():
        if file not in (plots.name, CMU_METADATA):
            assert (count, summary.blank_lines.get(file, 0)) == content_lines(data / file)
    with (output / summary.shards[0]).open(encoding="utf-8", newline="") as shard:
        assert sum(1 for _ in csv.reader(shard)) == summary.movies + 1


def check_build(plots, damages, share, compress):
    """Build from damaged files; the build must end well or with one line that names a file."""
    with tempfile.TemporaryDirectory() as directory:
        data, output = Path(directory, "data"), Path(directory, "movies")
        data.mkdir()
        source, names = write_damaged(data, plots, damages, compress)
        config = IngestConfig(max_reject_share=share, plots=source)
        result = summary_or_error(data, output, config)
        if isinstance(result, UserError):
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", str(result))
            assert any(name in str(result) for name in names)
            assert not output.exists()
            assert {path.name for path in Path(directory).iterdir()} <= {
                "data",
                "movies.rejects.tsv",
            }
        else:
            check_counts(result, data, output, source)
    return result


def summary_or_error(data, output, config):
    """Return the summary of the build, or the error with which it ended."""
    try:
        return build(data, output, config)
    except UserError as error:
        return error


@settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# Messages contained control characters of a column's name, and of the file.
@example("plots.csv", [("plots", False, (insert, 0.01, 0, PIECES.index(b"\x1f")))], 1, False)
@example("plots.parquet", [("plots", False, (cut, 0.5, 17, 0))], 1, False)
@given(
    st.sampled_from(sorted(PLOTS)),
    st.lists(DAMAGES, min_size=1, max_size=4),
    st.sampled_from([0.01, 1]),
    st.booleans(),
)
def test_damaged_files_end_in_counts_or_in_one_line(plots, damages, share, compress):
    event(type(check_build(plots, damages, share, compress)).__name__)
