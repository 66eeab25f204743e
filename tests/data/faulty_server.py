"""HTTP server on this machine that simulates faults, for tests of downloads."""

import functools
import gzip
import hashlib
import http.server
import io
import random
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BODY = gzip.compress(random.Random(7).randbytes(400_000), mtime=0)
CHANGED_BODY = gzip.compress(random.Random(8).randbytes(300_000), mtime=0)


class FaultyServer(http.server.ThreadingHTTPServer):
    """Server of `files` that fails as planned.

    Attributes:
        files: Contents of the files, by name.
        faults: Fault of each coming request, in order: an HTTP status, or one of the names that
            `Handler` compares with. Requests after the last fault succeed.
        requests: Name and Range header of each request received.
        sends_etags: Whether responses have an ETag.
        paused: Event that is set when the fault "pauses" has begun.
        resume: Event that ends the fault "pauses".
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"f.gz": BODY}
        self.faults = []
        self.requests = []
        self.sends_etags = True
        self.paused = threading.Event()
        self.resume = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append((self.path[1:], self.headers.get("Range")))
        fault = server.faults.pop(0) if server.faults else None
        body = server.files.get(self.path[1:])
        if body is None:
            return self.send_error(404)
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if fault == "changes file":
            body = server.files["f.gz"] = CHANGED_BODY
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        range_header = self.headers.get("Range")
        start = 0
        if range_header and fault != "ignores range":
            is_current = self.headers.get("If-Range") == etag
            if is_current or fault == "ignores if-range":
                start = int(range_header.removeprefix("bytes=").removesuffix("-"))
        if fault == "sends wrong range":
            start -= 10
        part = body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.sends_etags:
            self.send_header("ETag", etag)
        length = len(part)
        if fault == "declares more bytes":
            length += 1000
        elif fault == "declares less bytes":
            length -= 1000
            part = part[:length]
        if fault != "omits length":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if fault == "closes early":
            part = part[: len(part) // 2]
        elif fault == "sends nothing":
            part = b""
        elif fault == "corrupts bytes":
            part = part[:5000] + bytes(100) + part[5100:]
        elif fault == "pauses":
            self.wfile.write(part[:1000])
            self.wfile.flush()
            server.paused.set()
            server.resume.wait(20)
            part = part[1000:]
        self.wfile.write(part)
        self.close_connection = True
        return None


@contextmanager
def run_faulty_server() -> Iterator[FaultyServer]:
    """Run a server within the `with` block."""
    with FaultyServer() as server:
        thread = threading.Thread(
            target=functools.partial(server.serve_forever, poll_interval=0.01)
        )
        thread.start()
        yield server
        server.resume.set()
        server.shutdown()
        thread.join()


CORPUS_FILES = {name: name for name in ("plot_summaries.txt", "movie.metadata.tsv", "README.txt")}


def corpus_archive(files=CORPUS_FILES):
    """Return an archive with the layout of the CMU Movie Summary Corpus."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"MovieSummaries/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()
