import gzip
import hashlib
import json
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from ingest import fetch as module
from ingest.dumps import DUMPS
from ingest.fetch import download, fetch
from schema.errors import TryAgainError, UserError
from tests.data.faulty_server import BODY, OTHER, corpus, serving


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Does not wait long before a second try, nor make many."""
    monkeypatch.setattr(module, "TRIES", 3)
    monkeypatch.setattr(module, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(module, "TIMEOUT", 5.0)


@pytest.fixture
def get(server, tmp_path):
    """Downloads f.gz; returns all that was told of its progress."""

    def get(digest=None):
        told = []
        download(
            server.url + "f.gz",
            tmp_path / "f.gz",
            digest,
            lambda *progress: told.append(progress),
        )
        return told

    return get


def ranges(server):
    return [asked for _, asked in server.requests]


def test_a_download(server, get, tmp_path):
    told = get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert told[-1] == ("f.gz", len(BODY), len(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["f.gz"]
    assert ranges(server) == [None]


def test_a_broken_download_goes_on_where_it_stopped(server, get, tmp_path):
    server.plan = ["breaks", "breaks", "breaks", "breaks"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    starts = [int(asked[6:-1]) for asked in ranges(server)[1:]]
    size, expected = len(BODY), []
    held = 0
    for _ in range(4):
        held += (size - held) // 2
        expected.append(held)
    assert starts == expected


def test_a_later_call_goes_on_too(server, get, tmp_path):
    server.plan = ["breaks", 404]
    with pytest.raises(UserError, match=r"f.gz: the server answers 404"):
        get()
    assert not (tmp_path / "f.gz").exists()
    assert (tmp_path / "f.gz.part").read_bytes() == BODY[: len(BODY) // 2]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server)[-1] == f"bytes={len(BODY) // 2}-"
    assert [path.name for path in tmp_path.iterdir()] == ["f.gz"]


def test_a_call_killed_before_the_rename_asks_for_nothing_more(server, get, tmp_path):
    note = {"url": server.url + "f.gz", "etag": '"x"', "modified": "", "size": len(BODY)}
    (tmp_path / "f.gz.part").write_bytes(BODY)
    (tmp_path / "f.gz.part.json").write_text(json.dumps(note))
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert server.requests == []


@pytest.mark.parametrize("fault", [503, 500, 429])
def test_a_busy_server_is_asked_again(server, get, tmp_path, fault):
    server.plan = [fault, fault]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert len(server.requests) == 3


def test_waits_grow_and_heed_the_server(server, get, monkeypatch):
    waits = []
    monkeypatch.setattr("ingest.fetch.time.sleep", waits.append)
    monkeypatch.setattr(module, "TRIES", 9)
    monkeypatch.setattr(module, "FIRST_WAIT", 20.0)
    server.plan = [503] * 5
    get()
    assert waits == [20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_server_that_stays_busy_is_given_up(server, get, tmp_path):
    server.plan = [503] * 3
    with pytest.raises(
        UserError, match=r"the server answers 503 \(3 tries in a row gained nothing\); run the same"
    ):
        get()
    assert len(server.requests) == 3
    assert not (tmp_path / "f.gz").exists()


def test_a_refusal_is_not_tried_again(server, get):
    server.files = {}
    with pytest.raises(UserError, match=r"f.gz: the server answers 404 Not Found"):
        get()
    assert len(server.requests) == 1


def test_a_server_that_ignores_range_starts_anew(server, get, tmp_path):
    server.plan = ["breaks", "ignores range"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", ["another part", "ignores if-range"])
def test_a_part_that_does_not_fit_is_thrown_away(server, get, tmp_path, fault):
    server.plan = ["breaks", fault]
    if fault == "ignores if-range":
        note = {"url": server.url + "f.gz", "etag": '"old"', "modified": "", "size": len(BODY)}
        (tmp_path / "f.gz.part").write_bytes(OTHER[:5000])
        (tmp_path / "f.gz.part.json").write_text(json.dumps(note))
        server.plan = [fault]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server)[-1] is None


def test_a_file_that_changed_between_tries_is_downloaded_anew(server, get, tmp_path):
    server.plan = ["breaks", "changed"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == OTHER


def test_without_a_validator_nothing_is_resumed(server, get, tmp_path):
    server.validators = False
    server.plan = ["breaks"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server) == [None, None]


def test_a_part_longer_than_the_file_is_thrown_away(server, get, tmp_path):
    note = {"url": server.url + "f.gz", "etag": f'"{hashlib.md5(BODY).hexdigest()}"'}
    (tmp_path / "f.gz.part").write_bytes(BODY + b"x")
    (tmp_path / "f.gz.part.json").write_text(json.dumps(note | {"modified": "", "size": 0}))
    server.plan = [416]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_server_that_promises_more_than_it_sends(server, get, tmp_path):
    server.plan = ["promises more"] * 4
    with pytest.raises(UserError, match=r"broke after \d+,\d+ of \d+,\d+ bytes|answers 416"):
        get()
    assert not (tmp_path / "f.gz").exists()


@pytest.mark.parametrize("fault", ["promises less", "damages"])
def test_what_came_cut_or_damaged_is_downloaded_anew(server, get, tmp_path, fault):
    server.plan = [fault]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server) == [None, None]


@pytest.mark.parametrize("fault", ["promises less", "damages"])
def test_what_always_comes_damaged_is_never_kept(server, get, tmp_path, fault):
    server.plan = [fault] * 9
    with pytest.raises(UserError, match="what came is damaged or cut short"):
        get()
    assert not (tmp_path / "f.gz").exists()
    assert (tmp_path / "f.gz.part").stat().st_size == 0
    assert len(server.requests) <= 4


def test_without_a_length_the_gzip_itself_tells_the_end(server, get, tmp_path):
    server.plan = ["no length"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_page_instead_of_a_file_is_refused(server, get, tmp_path):
    server.files["f.gz"] = b"<html>Please log in</html>"
    with pytest.raises(UserError, match="what came is no gzip"):
        get()
    assert not (tmp_path / "f.gz").exists()


def test_the_sha256_is_checked(server, get, tmp_path):
    get(hashlib.sha256(BODY).hexdigest().upper())
    (tmp_path / "f.gz").unlink()
    with pytest.raises(
        UserError, match=rf"f.gz has the SHA-256 [0-9a-f]{{64}}, expected {'0' * 64}"
    ):
        get("0" * 64)
    assert not (tmp_path / "f.gz").exists()


def test_a_silent_server_times_out(server, get, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    server.plan = ["waits"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server)[1] == "bytes=1000-"


def test_two_downloads_of_one_file_do_not_mix(server, get, tmp_path):
    server.plan = ["waits"]
    first = threading.Thread(target=get)
    first.start()
    assert server.started.wait(10)
    with pytest.raises(TryAgainError, match=r"f.gz.part: another download is writing it"):
        get()
    server.go_on.set()
    first.join()
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(TryAgainError, match=r"the connection broke \(.*refused"):
        download(
            "http://127.0.0.1:9/f.gz",
            tmp_path / "f.gz",
            None,
            lambda *progress: None,
        )


def test_a_full_disk_is_told_before_the_download(server, get, monkeypatch):
    monkeypatch.setattr(
        "ingest.fetch.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})
    )
    with pytest.raises(
        TryAgainError, match=rf"{len(BODY):,} bytes are needed there, 1,000 are free"
    ):
        get()


@pytest.fixture
def everything(server):
    for dump in DUMPS:
        name = f"{dump.name}.tsv.gz"
        server.files[name] = gzip.compress(name.encode())
    server.files["MovieSummaries.tar.gz"] = corpus()
    corpus_url = server.url + "MovieSummaries.tar.gz"
    return partial(fetch, imdb_url=server.url, corpus_url=corpus_url, digests={}, progress=ignore)


def ignore(*progress):
    """For a download that nobody follows."""


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


ALL = [
    "MovieSummaries/movie.metadata.tsv",
    "MovieSummaries/plot_summaries.txt",
    *sorted(f"{dump.name}.tsv.gz" for dump in DUMPS),
]


def test_everything_is_fetched_once(server, everything, tmp_path):
    output = tmp_path / "data"
    names = everything(output)
    assert sorted(names) == ["MovieSummaries", *sorted(f"{dump.name}.tsv.gz" for dump in DUMPS)]
    assert files(output) == ALL
    assert (output / ALL[1]).read_text() == "plot_summaries.txt"
    assert everything(output) == []
    assert set(Counter(name for name, _ in server.requests).values()) == {1}


def test_refresh_fetches_again(server, everything, tmp_path):
    everything(tmp_path)
    server.files["title.crew.tsv.gz"] = OTHER
    assert len(everything(tmp_path, corpus_url=None, refresh=True)) == 5
    assert (tmp_path / "title.crew.tsv.gz").read_bytes() == OTHER
    assert files(tmp_path) == ALL


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (corpus({"plot_summaries.txt": ""}), "holds no movie.metadata.tsv"),
        (gzip.compress(b"no archive"), "is no tar archive"),
    ],
    # Workers must collect the same names, and the bytes hold the time.
    ids=["another archive", "no archive"],
)
def test_another_archive_is_told(server, everything, tmp_path, archive, message):
    server.files["MovieSummaries.tar.gz"] = archive
    with pytest.raises(UserError, match=message):
        everything(tmp_path)
    assert not (tmp_path / "MovieSummaries").exists()


def test_a_checksum_for_an_unknown_file_is_told(everything, tmp_path):
    with pytest.raises(UserError, match=r"--sha256 names title.akas.tsv.gz, which is not among"):
        everything(tmp_path, digests={"title.akas.tsv.gz": "0" * 64})


def test_a_folder_that_cannot_be_made_is_told(everything):
    with pytest.raises(UserError, match="/proc/nowhere"):
        everything(Path("/proc/nowhere"))
