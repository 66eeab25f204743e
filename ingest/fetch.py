"""Downloads IMDb's dumps and an open corpus of plots: whole files or none.

Bytes go to `NAME.part`; what is known of the remote file goes to `NAME.part.json`, so that a broken
download continues where it stopped if the remote file is still the same. The rename to NAME comes
last, after the checks of size, gzip and, where one is given, SHA-256.
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

from ingest.dumps import DUMPS
from ingest.lines import Progress, is_gzip, raw_bytes, sha256
from ingest.plots import CMU_FILMS, CMU_PLOTS
from schema.errors import TryAgainError, UserError, from_os_error
from schema.files import lock, move, sync, write_text

IMDB_URL: Final = "https://datasets.imdbws.com/"
CORPUS_URL: Final = "http://www.cs.cmu.edu/~ark/personas/data/MovieSummaries.tar.gz"
CORPUS_FOLDER: Final = "MovieSummaries"

TERMS: Final = """\
IMDb's datasets are for personal and non-commercial use only. They must not be republished or
resold, nor used to build another database of films. The terms in full:
https://developer.imdb.com/non-commercial-datasets/
The CMU Movie Summary Corpus is under the Creative Commons licence Attribution-ShareAlike."""

TRIES: Final = 6
"""Failures in a row, without a byte gained, before giving up."""
FIRST_WAIT: Final = 1.0
"""Seconds before the second try; doubled for each further one, up to `LONGEST_WAIT`."""
LONGEST_WAIT: Final = 60.0
TIMEOUT: Final = 30.0
"""Seconds without a byte before a connection counts as broken."""

_PIECE: Final = 1 << 16
_BROKEN: Final = (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError)


def fetch(
    output: Path,
    imdb_url: str,
    corpus_url: str | None,
    digests: Mapping[str, str],
    progress: Progress,
    *,
    refresh: bool = False,
) -> list[str]:
    """Downloads the dumps and the corpus. The user must have agreed to `TERMS` before.

    Args:
        output: The folder; made if need be. What is there already is left as it is.
        imdb_url: Folder of IMDb's dumps.
        corpus_url: The corpus of plots (a .tar.gz), None for no corpus.
        digests: Expected SHA-256 (hexadecimal) by file name, for those to be checked.
        progress: Told how far each file is.
        refresh: Download also what is there already.

    Returns:
        The names of what was downloaded now.

    Raises:
        UserError: The server refuses, or a file cannot be written.
        TryAgainError: The tries are used up, another process downloads, or the disk is full.
    """
    names = [f"{dump.name}.tsv.gz" for dump in DUMPS]
    corpus = (corpus_url or "").rpartition("/")[2]
    if unknown := sorted(digests.keys() - {*names, corpus}):
        raise UserError(f"--sha256 names {', '.join(unknown)}, which is not among the downloads")
    fetched = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name in names:
            if refresh or not (output / name).exists():
                url = imdb_url.rstrip("/") + "/" + name
                download(url, output / name, digests.get(name), progress)
                fetched.append(name)
        folder = output / CORPUS_FOLDER
        if corpus_url and corpus and (refresh or not folder.exists()):
            download(corpus_url, output / corpus, digests.get(corpus), progress)
            _unpack_corpus(output / corpus, folder)
            fetched.append(CORPUS_FOLDER)
    except OSError as error:
        message = f"{error.filename or output}: {error.strerror or error}"
        raise from_os_error(error, message) from error
    return fetched


@dataclass(frozen=True)
class _Remote:
    """What is known of a remote file: enough to know it again."""

    url: str
    etag: str
    modified: str
    size: int

    @property
    def condition(self) -> str:
        """The If-Range header, "" if the server gave nothing to know the file by."""
        return self.modified if not self.etag or self.etag.startswith("W/") else self.etag


class _FailedTryError(Exception):
    """A try failed; another one may not. The message says what happened."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def download(url: str, target: Path, digest: str | None, progress: Progress) -> None:
    """Downloads one gzip file, which is then complete and undamaged or not there at all.

    Args:
        url: Of the file.
        target: Where to.
        digest: Its SHA-256 (hexadecimal); None checks none.
        progress: Told how far the file is.

    Raises:
        UserError: The server refuses.
        TryAgainError: The tries are used up or another process downloads the file.
    """
    part = target.with_name(target.name + ".part")
    note = part.with_name(part.name + ".json")
    failures, most = 0, 0
    held_message = f"{part}: another download is writing it; wait for its end"
    with lock(part, held_message), part.open("ab") as file:
        while True:
            try:
                remote = _receive(url, file, note, target.name, progress)
                _check(part, target.name, remote, digest)
                break
            except _FailedTryError as failure:
                held = os.fstat(file.fileno()).st_size
                failures = 1 if held > most else failures + 1
                most = max(most, held)
                if failures >= TRIES:
                    raise TryAgainError(
                        f"{url}: {failure} ({failures} tries in a row gained nothing); "
                        "run the same command again later to go on"
                    ) from failure
                wait = FIRST_WAIT * 2 ** (failures - 1)
                time.sleep(min(max(wait, failure.wait), LONGEST_WAIT))
        sync(part)
        move(part, target)
        note.unlink(missing_ok=True)


def _receive(url: str, file: BinaryIO, note: Path, name: str, progress: Progress) -> _Remote:
    """One request: appends to the part file what is missing, or starts it anew."""
    held = os.fstat(file.fileno()).st_size
    known = _known(url, note)
    if known and held and held == known.size:
        return known
    headers = {"Accept-Encoding": "identity", "User-Agent": "ordained-ingest"}
    if held and known and known.condition:
        headers |= {"Range": f"bytes={held}-", "If-Range": known.condition}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            if response.status == 206 and known and _continues(response.headers, held, known):
                remote = known
            else:
                file.truncate(0)
                if response.status == 206:
                    raise _FailedTryError("the server sent another part than was asked for")
                etag, modified = (response.headers.get(h, "") for h in ("ETag", "Last-Modified"))
                held, remote = 0, _Remote(url, etag, modified, response.length or 0)
                free = shutil.disk_usage(note.parent).free
                if remote.size > free:
                    raise TryAgainError(
                        f"{note.parent}: {remote.size:,} bytes are needed there, {free:,} are free"
                    )
                write_text(note, json.dumps(asdict(remote)))
            while piece := response.read1(_PIECE):
                file.write(piece)
                held += len(piece)
                progress(name, held, remote.size)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            file.truncate(0)
            raise _FailedTryError("the server has less than was downloaded before") from error
        if error.code in (408, 425, 429) or error.code >= 500:
            seconds = error.headers.get("Retry-After", "")
            wait = float(seconds) if seconds.isdecimal() else 0.0
            raise _FailedTryError(f"the server answers {error.code}", wait) from error
        raise UserError(f"{url}: the server answers {error.code} {error.reason}") from error
    except _BROKEN as error:
        raise _FailedTryError(f"the connection broke ({error})") from error
    finally:
        file.flush()
    return remote


def _check(part: Path, name: str, remote: _Remote, digest: str | None) -> None:
    """Refuses a part file that is not the whole file; one that is damaged is emptied."""
    held = part.stat().st_size
    if held < remote.size:
        raise _FailedTryError(f"the connection broke after {held:,} of {remote.size:,} bytes")
    fault = ""
    if remote.size and held > remote.size:
        fault = f"the server promised {remote.size:,} bytes and sent {held:,}"
    elif not is_gzip(part):
        fault = "what came is no gzip"
    elif not _is_whole(part):
        fault = "what came is damaged or cut short"
    elif digest and (found := sha256(part)) != digest.lower():
        fault = f"{name} has the SHA-256 {found}, expected {digest}"
    if fault:
        os.truncate(part, 0)
        raise _FailedTryError(fault)


def _is_whole(part: Path) -> bool:
    try:
        return all(raw_bytes(part))
    except UserError:
        return False


def _known(url: str, note: Path) -> _Remote | None:
    with suppress(OSError, ValueError, TypeError):
        remote = _Remote(**json.loads(note.read_text("utf-8")))
        return remote if remote.url == url else None
    return None


def _continues(headers: Message, held: int, known: _Remote) -> bool:
    """Whether a partial answer (206) goes on exactly where the part file ends."""
    span, _, total = headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    return (
        span.partition("-")[0] == str(held)
        and (total == "*" or not known.size or total == str(known.size))
        and headers.get("ETag", known.etag) == known.etag
    )


def _unpack_corpus(archive: Path, folder: Path) -> None:
    """Replaces the archive by a folder with the two files of it that `ingest build` reads."""
    fresh = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).name
                if name in (CMU_PLOTS, CMU_FILMS) and (source := tar.extractfile(member)):
                    with (fresh / name).open("wb") as file:
                        shutil.copyfileobj(source, file)
        missing = [name for name in (CMU_PLOTS, CMU_FILMS) if not (fresh / name).is_file()]
    except tarfile.TarError as error:
        raise UserError(f"{archive}: is no tar archive ({error})") from error
    if missing:
        raise UserError(f"{archive}: holds no {' and no '.join(missing)}")
    shutil.rmtree(folder, ignore_errors=True)
    move(fresh, folder)
    archive.unlink()
