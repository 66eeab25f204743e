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
from tests.data.faulty_server import BODY, CHANGED_BODY, corpus_archive, run_faulty_server


@pytest.fixture
def server():
    with run_faulty_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """Make few attempts and do not wait between them."""
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 3)
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(module, "READ_TIMEOUT_SECONDS", 5.0)


@pytest.fixture
def get(server, tmp_path):
    """Return a function that downloads f.gz and returns the calls of its progress function."""

    def get(digest=None):
        calls = []
        download(
            server.url + "f.gz",
            tmp_path / "f.gz",
            digest,
            lambda *arguments: calls.append(arguments),
        )
        return calls

    return get


def ranges(server):
    return [requested for _, requested in server.requests]


def test_a_download(server, get, tmp_path):
    progress = get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert progress[-1] == ("f.gz", len(BODY), len(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["f.gz"]
    assert ranges(server) == [None]


def test_an_interrupted_download_is_resumed(server, get, tmp_path):
    server.faults = ["closes early", "closes early", "closes early", "closes early"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    starts = [int(requested[6:-1]) for requested in ranges(server)[1:]]
    received, expected = 0, []
    for _ in range(4):
        received += (len(BODY) - received) // 2
        expected.append(received)
    assert starts == expected


def test_a_later_call_resumes_the_download(server, get, tmp_path):
    server.faults = ["closes early", 404]
    with pytest.raises(UserError, match=r"f.gz: the server responded 404"):
        get()
    assert not (tmp_path / "f.gz").exists()
    assert (tmp_path / "f.gz.part").read_bytes() == BODY[: len(BODY) // 2]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server)[-1] == f"bytes={len(BODY) // 2}-"
    assert [path.name for path in tmp_path.iterdir()] == ["f.gz"]


def test_a_complete_partial_file_needs_no_request(server, get, tmp_path):
    record = {"url": server.url + "f.gz", "etag": '"x"', "modified": "", "size": len(BODY)}
    (tmp_path / "f.gz.part").write_bytes(BODY)
    (tmp_path / "f.gz.part.json").write_text(json.dumps(record))
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert server.requests == []


@pytest.mark.parametrize("fault", [503, 500, 429])
def test_a_busy_server_is_retried(server, get, tmp_path, fault):
    server.faults = [fault, fault]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert len(server.requests) == 3


def test_waiting_times_double_up_to_the_maximum(server, get, monkeypatch):
    waits = []
    monkeypatch.setattr("ingest.fetch.time.sleep", waits.append)
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 9)
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 20.0)
    server.faults = [503] * 5
    get()
    assert waits == [20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_server_that_stays_busy_raises(server, get, tmp_path):
    server.faults = [503] * 3
    with pytest.raises(
        TryAgainError, match=r"the server responded 503. Gave up after 3 attempts without progress"
    ):
        get()
    assert len(server.requests) == 3
    assert not (tmp_path / "f.gz").exists()


def test_a_rejected_request_is_not_retried(server, get):
    server.files = {}
    with pytest.raises(UserError, match=r"f.gz: the server responded 404 Not Found"):
        get()
    assert len(server.requests) == 1


def test_a_server_that_ignores_range_sends_the_whole_file(server, get, tmp_path):
    server.faults = ["closes early", "ignores range"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", ["sends wrong range", "ignores if-range"])
def test_a_partial_file_of_another_version_is_discarded(server, get, tmp_path, fault):
    server.faults = ["closes early", fault]
    if fault == "ignores if-range":
        record = {"url": server.url + "f.gz", "etag": '"old"', "modified": "", "size": len(BODY)}
        (tmp_path / "f.gz.part").write_bytes(CHANGED_BODY[:5000])
        (tmp_path / "f.gz.part.json").write_text(json.dumps(record))
        server.faults = [fault]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server)[-1] is None


def test_a_file_that_changed_between_attempts_is_downloaded_again(server, get, tmp_path):
    server.faults = ["closes early", "changes file"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == CHANGED_BODY


def test_without_a_validator_the_download_is_not_resumed(server, get, tmp_path):
    server.sends_etags = False
    server.faults = ["closes early"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server) == [None, None]


def test_a_partial_file_longer_than_the_file_is_discarded(server, get, tmp_path):
    record = {"url": server.url + "f.gz", "etag": f'"{hashlib.md5(BODY).hexdigest()}"'}
    (tmp_path / "f.gz.part").write_bytes(BODY + b"x")
    (tmp_path / "f.gz.part.json").write_text(json.dumps(record | {"modified": "", "size": 0}))
    server.faults = [416]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_server_that_declares_more_than_it_sends(server, get, tmp_path):
    server.faults = ["declares more bytes"] * 4
    with pytest.raises(UserError, match=r"closed after \d+,\d+ of \d+,\d+ bytes|responded 416"):
        get()
    assert not (tmp_path / "f.gz").exists()


@pytest.mark.parametrize("fault", ["declares less bytes", "corrupts bytes"])
def test_a_truncated_or_corrupt_file_is_downloaded_again(server, get, tmp_path, fault):
    server.faults = [fault]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server) == [None, None]


@pytest.mark.parametrize("fault", ["declares less bytes", "corrupts bytes"])
def test_a_file_that_is_always_corrupt_is_not_kept(server, get, tmp_path, fault):
    server.faults = [fault] * 9
    with pytest.raises(UserError, match="the downloaded gzip file is corrupt or truncated"):
        get()
    assert not (tmp_path / "f.gz").exists()
    assert (tmp_path / "f.gz.part").stat().st_size == 0
    assert len(server.requests) <= 4


def test_without_a_length_the_gzip_data_mark_the_end(server, get, tmp_path):
    server.faults = ["omits length"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_web_page_instead_of_the_file_raises(server, get, tmp_path):
    server.files["f.gz"] = b"<html>Please log in</html>"
    with pytest.raises(UserError, match="is not a gzip file"):
        get()
    assert not (tmp_path / "f.gz").exists()


def test_the_sha256_is_compared(server, get, tmp_path):
    get(hashlib.sha256(BODY).hexdigest().upper())
    (tmp_path / "f.gz").unlink()
    with pytest.raises(
        UserError, match=rf"f.gz: expected the SHA-256 {'0' * 64}, got [0-9a-f]{{64}}"
    ):
        get("0" * 64)
    assert not (tmp_path / "f.gz").exists()


def test_a_silent_server_times_out(server, get, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "READ_TIMEOUT_SECONDS", 0.3)
    server.faults = ["pauses"]
    get()
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert ranges(server)[1] == "bytes=1000-"


def test_only_one_process_downloads_a_file(server, get, tmp_path):
    server.faults = ["pauses"]
    first = threading.Thread(target=get)
    first.start()
    assert server.paused.wait(10)
    with pytest.raises(TryAgainError, match=r"f.gz.part: another process is downloading this file"):
        get()
    server.resume.set()
    first.join()
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_missing_server_raises(tmp_path):
    with pytest.raises(TryAgainError, match=r"the connection failed \(.*refused"):
        download(
            "http://127.0.0.1:9/f.gz",
            tmp_path / "f.gz",
            None,
            lambda *progress: None,
        )


def test_a_full_disk_raises_before_the_download(server, get, monkeypatch):
    monkeypatch.setattr(
        "ingest.fetch.shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})
    )
    with pytest.raises(TryAgainError, match=rf"needs {len(BODY):,} bytes, but only 1,000 are free"):
        get()


@pytest.fixture
def fetch_all(server):
    """Return `fetch` with the URLs of a server that has all files."""
    for dump in DUMPS:
        name = f"{dump.name}.tsv.gz"
        server.files[name] = gzip.compress(name.encode())
    server.files["MovieSummaries.tar.gz"] = corpus_archive()
    corpus_url = server.url + "MovieSummaries.tar.gz"
    return partial(
        fetch, imdb_url=server.url, corpus_url=corpus_url, digests={}, progress=lambda *_: None
    )


def files(directory):
    paths = directory.rglob("*")
    return sorted(str(path.relative_to(directory)) for path in paths if path.is_file())


ALL_FILES = [
    "MovieSummaries/movie.metadata.tsv",
    "MovieSummaries/plot_summaries.txt",
    *sorted(f"{dump.name}.tsv.gz" for dump in DUMPS),
]


def test_each_file_is_fetched_once(server, fetch_all, tmp_path):
    output = tmp_path / "data"
    names = fetch_all(output)
    assert sorted(names) == ["MovieSummaries", *sorted(f"{dump.name}.tsv.gz" for dump in DUMPS)]
    assert files(output) == ALL_FILES
    assert (output / ALL_FILES[1]).read_text() == "plot_summaries.txt"
    assert fetch_all(output) == []
    assert set(Counter(name for name, _ in server.requests).values()) == {1}


def test_refresh_fetches_again(server, fetch_all, tmp_path):
    fetch_all(tmp_path)
    server.files["title.crew.tsv.gz"] = CHANGED_BODY
    assert len(fetch_all(tmp_path, corpus_url=None, refresh=True)) == 5
    assert (tmp_path / "title.crew.tsv.gz").read_bytes() == CHANGED_BODY
    assert files(tmp_path) == ALL_FILES


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (corpus_archive({"plot_summaries.txt": ""}), "does not contain movie.metadata.tsv"),
        (gzip.compress(b"no archive"), "expected a tar archive"),
    ],
    # pytest-xdist needs the same ids in all workers, and the archive contains the time.
    ids=["another archive", "no archive"],
)
def test_another_archive_raises(server, fetch_all, tmp_path, archive, message):
    server.files["MovieSummaries.tar.gz"] = archive
    with pytest.raises(UserError, match=message):
        fetch_all(tmp_path)
    assert not (tmp_path / "MovieSummaries").exists()


def test_a_digest_for_an_unknown_file_raises(fetch_all, tmp_path):
    with pytest.raises(UserError, match=r"--sha256: title.akas.tsv.gz is not downloaded"):
        fetch_all(tmp_path, digests={"title.akas.tsv.gz": "0" * 64})


def test_a_directory_that_cannot_be_created_raises(fetch_all):
    with pytest.raises(UserError, match="/proc/nowhere"):
        fetch_all(Path("/proc/nowhere"))
