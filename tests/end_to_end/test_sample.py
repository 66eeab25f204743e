"""The bundled sample passes its checks and ingest, and each check finds damaged data."""

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
    """Import the script in the data directory, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("sample_check", SAMPLE_DIR / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load_check()


@pytest.fixture
def sample_dir(tmp_path: Path) -> Path:
    """A copy of the sample that a test can change."""
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


def test_bundled_sample_size() -> None:
    sample = check.read_sample(SAMPLE_DIR)
    counts = {
        file.name: sample.execute(f'SELECT count(*) FROM "{file.name}"').fetchall()[0][0]
        for file in check.FILES
    }
    assert counts == {
        "title.basics": 1207,
        "title.ratings": 1207,
        "title.crew": 1207,
        "title.principals": 16201,
        "name.basics": 9943,
        "title.plots": 1207,
    }


def test_bundled_sample_has_no_copied_plot() -> None:
    shared = check.SHARED_DIR / "title.plots.tsv.gz"
    if not shared.is_file():
        pytest.skip(f"the shared plots are compared only where they are present: no {shared}")
    assert list(check.check_copied(check.read_sample(SAMPLE_DIR), shared)) == []


def test_data_card_has_the_counts() -> None:
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
    ("file", "old", "new", "finding"),
    [
        (
            "title.plots.tsv",
            "Maggots in the meat push sailors",
            "Maggots in the meat of this horror push sailors",
            "title.plots.tsv: tt0015648 says 'horror'; say what happens instead of naming a genre",
        ),
        (
            "title.plots.tsv",
            "Maggots in the meat push sailors",
            "Maggots in a movie push sailors",
            "title.plots.tsv: tt0015648 says 'movie'; say what happens instead of naming a genre",
        ),
        (
            "title.plots.tsv",
            "A lone tramp joins",
            "A lone Charles Chaplin joins",
            "title.plots.tsv: tt0015864 names the performer Charles Chaplin; name the character",
        ),
        (
            "title.plots.tsv",
            "A lone tramp joins",
            "A lone  tramp joins",
            "title.plots.tsv: tt0015864 has untidy white space or is not in Unicode NFC",
        ),
        (
            "title.plots.tsv",
            "A lone tramp joins",
            "A lone tramp " + "very " * 30 + "gladly joins",
            "title.plots.tsv: tt0015864 has 79 words, 30 to 70 wanted",
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
            "title.principals.tsv: tt0015864 is not ordered 1, 2, 3, ...",
        ),
        (
            "name.basics.tsv",
            "nm0000002\tJoseph Farnham",
            "nm0000001\tJoseph Farnham",
            "name.basics.tsv: no row for nm0000002",
        ),
    ],
)
def test_damage_is_found(sample_dir: Path, file: str, old: str, new: str, finding: str) -> None:
    edit(sample_dir / file, old, new)
    assert finding in check.check(sample_dir)


def test_duplicate_plot_with_other_punctuation_is_found(sample_dir: Path) -> None:
    path = sample_dir / "title.plots.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    plot = lines[1].split("\t")[1]
    lines[5] = lines[5].split("\t")[0] + "\t" + plot.replace(",", ";").upper()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert check.check(sample_dir) == ["title.plots.tsv: tt0013086 has the plot of tt0010323"]


def test_insufficient_coverage_is_found(sample_dir: Path) -> None:
    path = sample_dir / "title.basics.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if "Western" not in line and "\t192" not in line]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    findings = list(check.query(check.read_sample(sample_dir), check.COVERAGE))
    assert findings == [
        "title.basics.tsv: 0 movies of Western, at least 25 wanted",
        "title.basics.tsv: no movie of the 1920s",
    ]


def test_copied_words_are_found_in_any_plot(tmp_path: Path) -> None:
    shared = tmp_path / "title.plots.tsv.gz"
    with gzip.open(shared, "wt", encoding="utf-8") as file:
        file.write("tconst\tplot\n")
        file.write("tt9000001\tOn a ship, MAGGOTS in the meat push sailors of many lands.\n")
        file.write("tt9000002\tElsewhere maggots in the meat push cooks away.\n")
    findings = list(check.check_copied(check.read_sample(SAMPLE_DIR), shared))
    assert findings == [
        "title.plots.tsv: tt0015648 shares 'maggots in the meat push sailors of' "
        "with the shared plot of tt9000001"
    ]


def test_missing_shared_plots_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["--shared", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"not compared with the shared plots: there is no {tmp_path / 'title.plots.tsv.gz'}",
        "1,207 movies, 0 findings",
    ]


def test_errors_name_the_line(sample_dir: Path) -> None:
    path = sample_dir / "title.ratings.tsv"
    path.write_text("tconst\taverageRating\tnumVotes\ntt0000001\t7.0\t9\ntt0000002\t7.0\n")
    with pytest.raises(UserError, match=r"line 3: is no row of title.ratings: tt0000002\t7.0"):
        check.read_sample(sample_dir)
    path.write_text("tconst\tnumVotes\n")
    with pytest.raises(UserError, match="line 1: expected the columns tconst averageRating"):
        check.read_sample(sample_dir)
    path.unlink()
    with pytest.raises(UserError, match="no such file"):
        check.read_sample(sample_dir)


def test_ingest_accepts_every_movie(tmp_path: Path) -> None:
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
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))["report"]
    assert report["rejected"] == {}
    assert {row["tconst"]: row["plot"] for row in rows} == dict(
        check.read_sample(SAMPLE_DIR).execute('FROM "title.plots"').fetchall()
    )
