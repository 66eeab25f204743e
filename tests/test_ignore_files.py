"""Data that must not be redistributed are neither committed nor copied into a Docker image."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def is_ignored(path: str) -> bool:
    command = ["git", "check-ignore", "--quiet", "--no-index", path]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    "path",
    [
        "imdb/title.basics.tsv",
        "imdb/MovieSummaries/plot_summaries.txt",
        "data/imdb/name.basics.tsv.gz",
        "runs/imdb/movies/movies-00000-of-00001.csv",
        "output/movies/movies-00000-of-00001.csv",
        "title.basics.tsv.gz",
        "elsewhere/title.basics.tsv.gz",
        "elsewhere/MovieSummaries/movie.metadata.tsv",
    ],
)
def test_git_ignores_data(path: str) -> None:
    assert is_ignored(path)


@pytest.mark.parametrize(
    "path",
    [
        "data/sample/title.basics.tsv",
        "data/sample/title.basics.tsv.gz",
        "data/table_sample/movies.csv",
        "data/imdb.yaml",
    ],
)
def test_git_does_not_ignore_the_sample_and_the_settings(path: str) -> None:
    assert not is_ignored(path)


def test_git_ignores_the_directories_that_the_documents_name() -> None:
    # cli.md is generated and names no directory.
    pages = [path for path in (ROOT / "docs").glob("*.md") if path.name != "cli.md"]
    texts = [path.read_text() for path in (ROOT / "README.md", *pages)]
    named = re.findall(r"(?:--data|--output|DATA=|OUTPUT=)[ =]?([a-z][\w/.-]*)", "\n".join(texts))
    directories = {name for name in named if not name.startswith("data/sample") and "." not in name}
    assert {"imdb", "runs/imdb"} <= directories
    assert [
        name for name in sorted(directories) if not is_ignored(f"{name}/title.basics.tsv")
    ] == []


def test_docker_ignores_what_git_ignores() -> None:
    """Each data pattern of .gitignore has a counterpart in .dockerignore, whose syntax differs."""
    text = (ROOT / ".gitignore").read_text()
    [data] = re.findall(r"^# Output of runs\n(.*)^# Caches", text, re.M | re.S)
    patterns = [line for line in data.splitlines() if line and not line.startswith("#")]
    docker = {
        "/output": "output",
        "/runs": "runs",
        "/imdb": "imdb",
        "/data/*/": "data/*",
        "!/data/sample/": "!data/sample",
        "!/data/table_sample/": "!data/table_sample",
        "*.tsv.gz": "**/*.tsv.gz",
        "!/data/sample/*.tsv.gz": "!data/sample/*.tsv.gz",
        "MovieSummaries/": "**/MovieSummaries",
    }
    assert patterns == list(docker)
    assert set(docker.values()) <= set((ROOT / ".dockerignore").read_text().splitlines())
