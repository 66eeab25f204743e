"""Download IMDb's dumps and an open corpus of plots.

A file is downloaded to `NAME.part`. `NAME.part.json` identifies the remote file, so that an
interrupted download continues where it stopped if the remote file has not changed. The file is
renamed to NAME after its size, its gzip checksum and, if given, its SHA-256 were verified.
"""

import http.client
import json
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from typing import BinaryIO, Final

from ingest.corpus import CMU_METADATA, CMU_PLOTS
from ingest.dumps import DUMPS
from ingest.lines import Progress, decompressed_bytes, is_gzip
from schema.errors import TryAgainError, UserError, from_os_error
from schema.files import atomic_write_text, durable_rename, fsync, lock, sha256

IMDB_URL: Final = "https://datasets.imdbws.com/"
CORPUS_URL: Final = "http://www.cs.cmu.edu/~ark/personas/data/MovieSummaries.tar.gz"
CORPUS_DIRECTORY: Final = "MovieSummaries"

TERMS: Final = """\
IMDb's datasets are for personal and non-commercial use only. They must not be republished or
resold, nor used to build another database of movies. Read the full terms at
https://developer.imdb.com/non-commercial-datasets/
The CMU Movie Summary Corpus has the Creative Commons licence Attribution-ShareAlike."""

MAX_ATTEMPTS: Final = 6
"""Number of consecutive failed attempts without progress after which a download is given up."""
FIRST_WAIT_SECONDS: Final = 1.0
"""Time before the second attempt. It doubles with each further attempt."""
MAX_WAIT_SECONDS: Final = 60.0
READ_TIMEOUT_SECONDS: Final = 30.0
"""Time without any data after which a connection counts as broken."""

_CHUNK_BYTES: Final = 1 << 16
_CONNECTION_ERRORS: Final = (
    http.client.HTTPException,
    urllib.error.URLError,
    ConnectionError,
    TimeoutError,
)


def fetch(
    output: Path,
    imdb_url: str,
    corpus_url: str | None,
    digests: Mapping[str, str],
    progress: Progress,
    *,
    refresh: bool = False,
) -> list[str]:
    """Download the dumps and the corpus. The user must have accepted `TERMS` before.

    Args:
        output: Directory for the files, which is created if necessary. Existing files are kept.
        imdb_url: URL of the directory with IMDb's dumps.
        corpus_url: URL of the corpus of plots (.tar.gz); None skips the corpus.
        digests: Expected SHA-256, in hexadecimal, by file name. Other files are not compared.
        progress: Function that is called with the progress of each download.
        refresh: Whether to download files again that exist already; False by default.

    Returns:
        Names of the files and directories that were downloaded.

    Raises:
        UserError: The server rejects a request, or a file cannot be written.
        TryAgainError: All attempts failed, another process is downloading, or the disk is full.
    """
    names = [f"{dump.name}.tsv.gz" for dump in DUMPS]
    corpus = (corpus_url or "").rpartition("/")[2]
    if unknown := sorted(digests.keys() - {*names, corpus}):
        raise UserError(
            f"--sha256: {', '.join(unknown)} is not downloaded. Expected one of "
            f"{', '.join(filter(None, (*names, corpus)))}."
        )
    fetched = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name in names:
            if refresh or not (output / name).exists():
                url = imdb_url.rstrip("/") + "/" + name
                download(url, output / name, digests.get(name), progress)
                fetched.append(name)
        directory = output / CORPUS_DIRECTORY
        if corpus_url and corpus and (refresh or not directory.exists()):
            download(corpus_url, output / corpus, digests.get(corpus), progress)
            _unpack_corpus(output / corpus, directory)
            fetched.append(CORPUS_DIRECTORY)
    except OSError as error:
        message = f"{error.filename or output}: {error.strerror or error}"
        raise from_os_error(error, message) from error
    return fetched


@dataclass(frozen=True)
class _RemoteFile:
    """Properties that identify a version of a remote file.

    Attributes:
        url: URL of the file.
        etag: Header `ETag`; "" if the server does not send it.
        modified: Header `Last-Modified`; "" if the server does not send it.
        size: Size in bytes; 0 if unknown.
    """

    url: str
    etag: str
    modified: str
    size: int

    @property
    def if_range(self) -> str:
        """Value of the header `If-Range`; "" if the server sent nothing to identify the file."""
        return self.modified if not self.etag or self.etag.startswith("W/") else self.etag


class _RetryableError(Exception):
    """Failure of one attempt to download, after which another attempt may succeed.

    Attributes:
        wait_seconds: Time that the server asks to wait; 0 if it does not ask.
    """

    def __init__(self, message: str, wait_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


def download(url: str, target: Path, digest: str | None, progress: Progress) -> None:
    """Download a gzip file. Afterwards the target is complete and intact, or does not exist.

    Args:
        url: URL of the file.
        target: Path of the downloaded file.
        digest: Expected SHA-256, in hexadecimal; None skips the comparison.
        progress: Function that is called with the progress of the download.

    Raises:
        UserError: The server rejects the request.
        TryAgainError: All attempts failed, or another process is downloading the file.
    """
    part = target.with_name(target.name + ".part")
    remote_record = part.with_name(part.name + ".json")
    failures, max_size = 0, 0
    message = f"{part}: another process is downloading this file. Wait until it has finished."
    with lock(part, message), part.open("ab") as file:
        while True:
            try:
                remote = _receive(url, file, remote_record, target.name, progress)
                _verify(part, target.name, remote, digest)
                break
            except _RetryableError as failure:
                size = os.fstat(file.fileno()).st_size
                failures = 1 if size > max_size else failures + 1
                max_size = max(max_size, size)
                if failures >= MAX_ATTEMPTS:
                    raise TryAgainError(
                        f"{url}: {failure}. Gave up after {failures} attempts without progress. "
                        "Run the same command again later to continue."
                    ) from failure
                wait = FIRST_WAIT_SECONDS * 2 ** (failures - 1)
                time.sleep(min(max(wait, failure.wait_seconds), MAX_WAIT_SECONDS))
        fsync(part)
        durable_rename(part, target)
        remote_record.unlink(missing_ok=True)


def _receive(
    url: str, file: BinaryIO, remote_record: Path, name: str, progress: Progress
) -> _RemoteFile:
    """Send one request and append the response to a partial file, or start the file again."""
    size = os.fstat(file.fileno()).st_size
    known = _read_remote_record(url, remote_record)
    if known and size and size == known.size:
        return known
    headers = {"Accept-Encoding": "identity", "User-Agent": "ordained-ingest"}
    if size and known and known.if_range:
        headers |= {"Range": f"bytes={size}-", "If-Range": known.if_range}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=READ_TIMEOUT_SECONDS) as response:
            if response.status == 206 and known and _continues(response.headers, size, known):
                remote = known
            else:
                file.truncate(0)
                if response.status == 206:
                    raise _RetryableError("the server sent another range than requested")
                etag, modified = (response.headers.get(h, "") for h in ("ETag", "Last-Modified"))
                size, remote = 0, _RemoteFile(url, etag, modified, response.length or 0)
                directory = remote_record.parent
                free = shutil.disk_usage(directory).free
                if remote.size > free:
                    raise TryAgainError(
                        f"{directory}: the download needs {remote.size:,} bytes, but only {free:,} "
                        "are free. Free space and run the same command again."
                    )
                atomic_write_text(remote_record, json.dumps(asdict(remote)))
            while chunk := response.read1(_CHUNK_BYTES):
                file.write(chunk)
                size += len(chunk)
                progress(name, size, remote.size)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            file.truncate(0)
            raise _RetryableError(
                "the file on the server is shorter than the partial file"
            ) from error
        if error.code in (408, 425, 429) or error.code >= 500:
            seconds = error.headers.get("Retry-After", "")
            wait_seconds = float(seconds) if seconds.isdecimal() else 0.0
            raise _RetryableError(f"the server responded {error.code}", wait_seconds) from error
        raise UserError(
            f"{url}: the server responded {error.code} {error.reason}. Check the URL."
        ) from error
    except _CONNECTION_ERRORS as error:
        raise _RetryableError(f"the connection failed ({error})") from error
    finally:
        file.flush()
    return remote


def _verify(part: Path, name: str, remote: _RemoteFile, digest: str | None) -> None:
    """Raise an error if a partial file is not complete and intact; empty it if it is corrupt."""
    size = part.stat().st_size
    if size < remote.size:
        raise _RetryableError(f"the connection closed after {size:,} of {remote.size:,} bytes")
    problem = ""
    if remote.size and size > remote.size:
        problem = f"expected {remote.size:,} bytes, got {size:,}"
    elif not is_gzip(part):
        problem = "the downloaded file is not a gzip file"
    elif not _is_intact(part):
        problem = "the downloaded gzip file is corrupt or truncated"
    elif digest and (found := sha256(part)) != digest.lower():
        problem = f"{name}: expected the SHA-256 {digest}, got {found}"
    if problem:
        os.truncate(part, 0)
        raise _RetryableError(problem)


def _is_intact(part: Path) -> bool:
    try:
        return all(decompressed_bytes(part))
    except UserError:
        return False


def _read_remote_record(url: str, remote_record: Path) -> _RemoteFile | None:
    with suppress(OSError, ValueError, TypeError):
        remote = _RemoteFile(**json.loads(remote_record.read_text("utf-8")))
        return remote if remote.url == url else None
    return None


def _continues(headers: Message, size: int, known: _RemoteFile) -> bool:
    """Return whether a partial response (206) continues a file that already has `size` bytes."""
    span, _, total = headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    return (
        span.partition("-")[0] == str(size)
        and (total == "*" or not known.size or total == str(known.size))
        and headers.get("ETag", known.etag) == known.etag
    )


def _unpack_corpus(archive: Path, directory: Path) -> None:
    """Extract the two files that `build` reads to a directory, then delete the archive."""
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).name
                if name in (CMU_PLOTS, CMU_METADATA) and (source := tar.extractfile(member)):
                    with (partial / name).open("wb") as file:
                        shutil.copyfileobj(source, file)
        missing = [name for name in (CMU_PLOTS, CMU_METADATA) if not (partial / name).is_file()]
    except tarfile.TarError as error:
        raise UserError(
            f"{archive}: expected a tar archive ({error}). Check --corpus-url."
        ) from error
    if missing:
        raise UserError(
            f"{archive}: the archive does not contain {' and '.join(missing)}. Check --corpus-url."
        )
    shutil.rmtree(directory, ignore_errors=True)
    durable_rename(partial, directory)
    archive.unlink()
