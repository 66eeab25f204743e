"""Tests of the bundled sample and of its checks."""

import csv
import gzip
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from schema.errors import UserError
from schema.genres import GENRES

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_DIR = ROOT / "data" / "sample"


def load_check() -> ModuleType:
    """Import the script, which is in no package."""
    spec = importlib.util.spec_from_file_location("sample_check", SAMPLE_DIR / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load_check()


@pytest.fixture
def sample_dir(tmp_path: Path) -> Path:
    """Copy the sample, so that a test can change it."""
    for path in SAMPLE_DIR.glob("*.tsv"):
        shutil.copy(path, tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    """Replace the only occurrence of a text in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_bundled_sample_passes() -> None:
    assert check.check(SAMPLE_DIR) == []


def test_bundled_sample_has_its_size() -> None:
    sample = check.read_sample(SAMPLE_DIR)
    counts = {
        file.name: sample.execute(f'SELECT count(*) FROM "{file.name}"').fetchall()[0][0]
        for file in check.SAMPLE_FILES
    }
    assert counts == {
        "title.basics": 1207,
        "title.ratings": 1207,
        "title.crew": 1207,
        "title.principals": 16201,
        "name.basics": 9943,
        "title.plots": 1207,
    }


def test_bundled_sample_copies_no_plot_of_the_full_data() -> None:
    full_plots = check.FULL_DATA_DIR / "title.plots.tsv.gz"
    if not full_plots.is_file():
        pytest.skip(f"{full_plots}: no such file")
    assert list(check.check_copied(check.read_sample(SAMPLE_DIR), full_plots)) == []


def test_data_card_holds_the_counts() -> None:
    card = (SAMPLE_DIR / "README.md").read_text(encoding="utf-8")
    table = check.counts_table(check.read_sample(SAMPLE_DIR))
    assert table in card
    assert table.splitlines()[-1] == (
        "| **movies** | **45** | **75** | **91** | **113** | **110** | **116** | **128** | **145** "
        "| **178** | **158** | **48** | **1207** |"
    )


def test_every_genre_has_its_words() -> None:
    assert tuple(check.GENRE_WORDS) == GENRES


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "title.plots.tsv",
            "Maggots in the meat push sailors",
            "Maggots in the meat of this horror push sailors",
            "title.plots.tsv: tt0015648: contains 'horror'. "
            "Say what happens instead of naming a genre.",
        ),
        (
            "title.plots.tsv",
            "Maggots in the meat push sailors",
            "Maggots in a film push sailors",
            "title.plots.tsv: tt0015648: contains 'film'. "
            "Say what happens instead of naming a genre.",
        ),
        (
            "title.plots.tsv",
            "A lone tramp joins",
            "A lone Charles Chaplin joins",
            "title.plots.tsv: tt0015864: names the performer Charles Chaplin. Name the character.",
        ),
        (
            "title.plots.tsv",
            "A lone tramp joins",
            "A lone  tramp joins",
            "title.plots.tsv: tt0015864: expected single spaces and Unicode NFC",
        ),
        (
            "title.plots.tsv",
            "A lone tramp joins",
            "A lone tramp " + "very " * 30 + "gladly joins",
            "title.plots.tsv: tt0015864: expected 30 to 70 words, got 79",
        ),
        (
            "title.ratings.tsv",
            "tt0015864\t",
            "tt0015865\t",
            "title.ratings.tsv: no row for tt0015864",
        ),
        (
            "title.principals.tsv",
            "tt0015864\t2\t",
            "tt0015864\t3\t",
            "title.principals.tsv: tt0015864: expected the ordering 1, 2, 3, ...",
        ),
        (
            "name.basics.tsv",
            "nm0000002\tJoseph Farnham",
            "nm0000001\tJoseph Farnham",
            "name.basics.tsv: no row for nm0000002",
        ),
    ],
)
def test_a_problem_is_found(sample_dir: Path, file: str, old: str, new: str, problem: str) -> None:
    edit(sample_dir / file, old, new)
    assert problem in check.check(sample_dir)


def test_a_duplicate_plot_is_found_despite_other_punctuation(sample_dir: Path) -> None:
    path = sample_dir / "title.plots.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    plot = lines[1].split("\t")[1]
    lines[5] = lines[5].split("\t")[0] + "\t" + plot.replace(",", ";").upper()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert check.check(sample_dir) == ["title.plots.tsv: tt0013086: same plot as tt0010323"]


def test_too_few_movies_are_found(sample_dir: Path) -> None:
    path = sample_dir / "title.basics.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if "Western" not in line and "\t192" not in line]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    problems = list(check.query(check.read_sample(sample_dir), check.COVERAGE))
    assert problems == [
        "title.basics.tsv: expected at least 25 movies with the genre Western, got 0",
        "title.basics.tsv: no movie from the 1920s",
    ]


def test_a_copied_shingle_is_found_in_the_plot_of_any_movie(tmp_path: Path) -> None:
    shared = tmp_path / "title.plots.tsv.gz"
    with gzip.open(shared, "wt", encoding="utf-8") as file:
        file.write("tconst\tplot\n")
        file.write("tt9000001\tOn a ship, MAGGOTS in the meat push sailors of many lands.\n")
        file.write("tt9000002\tElsewhere maggots in the meat push cooks away.\n")
    problems = list(check.check_copied(check.read_sample(SAMPLE_DIR), shared))
    assert problems == [
        "title.plots.tsv: tt0015648: has 'maggots in the meat push sailors of' in common with the "
        "full data's tt9000001"
    ]


def test_missing_full_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--full-data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/title.plots.tsv.gz: no such file. "
        "The plots were not compared with the full data.",
        "1,207 movies, 0 problems",
    ]


def test_errors_of_malformed_files_name_the_line(sample_dir: Path) -> None:
    path = sample_dir / "title.ratings.tsv"
    path.write_text("tconst\taverageRating\tnumVotes\ntt0000001\t7.0\t9\ntt0000002\t7.0\n")
    with pytest.raises(
        UserError, match=r"line 3: expected a row of title.ratings, got tt0000002\t7.0"
    ):
        check.read_sample(sample_dir)
    path.write_text("tconst\tnumVotes\n")
    with pytest.raises(UserError, match="line 1: expected the columns tconst averageRating"):
        check.read_sample(sample_dir)
    path.unlink()
    with pytest.raises(UserError, match="no such file"):
        check.read_sample(sample_dir)


def test_ingest_keeps_every_movie(tmp_path: Path) -> None:
    output = tmp_path / "movies"
    done = subprocess.run(
        [sys.executable, "-m", "cli", "ingest", "build", "--data", SAMPLE_DIR, "--output", output],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = []
    for shard in sorted(output.glob("movies-*.csv")):
        with shard.open(encoding="utf-8", newline="") as file:
            rows += list(csv.DictReader(file))
    assert len(rows) == 1207
    assert len((output / "rejects.tsv").read_text(encoding="utf-8").splitlines()) == 1  # the header
    report = json.loads((output / "summary.json").read_text(encoding="utf-8"))["summary"]
    assert report["rejected"] == {}
    assert {row["tconst"]: row["plot"] for row in rows} == dict(
        check.read_sample(SAMPLE_DIR).execute('FROM "title.plots"').fetchall()
    )
