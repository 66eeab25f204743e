"""A web server on this machine that breaks off, lies and is busy, for tests of downloads."""

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
OTHER = gzip.compress(random.Random(8).randbytes(300_000), mtime=0)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by name; `plan` holds for each request in turn what goes wrong."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"f.gz": BODY}
        self.plan = []
        self.requests = []
        self.validators = True
        self.started = threading.Event()
        self.go_on = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append((self.path[1:], self.headers.get("Range")))
        fault = server.plan.pop(0) if server.plan else None
        body = server.files.get(self.path[1:])
        if body is None:
            return self.send_error(404)
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if fault == "changed":
            body = server.files["f.gz"] = OTHER
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        asked = self.headers.get("Range")
        start = 0
        if asked and fault != "ignores range":
            fresh = self.headers.get("If-Range") == etag
            if fresh or fault == "ignores if-range":
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if fault == "another part":
            start -= 10
        part = body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.validators:
            self.send_header("ETag", etag)
        length = len(part)
        if fault == "promises more":
            length += 1000
        elif fault == "promises less":
            length -= 1000
            part = part[:length]
        if fault != "no length":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if fault == "breaks":
            part = part[: len(part) // 2]
        elif fault == "sends nothing":
            part = b""
        elif fault == "damages":
            part = part[:5000] + bytes(100) + part[5100:]
        elif fault == "waits":
            self.wfile.write(part[:1000])
            self.wfile.flush()
            server.started.set()
            server.go_on.wait(20)
            part = part[1000:]
        self.wfile.write(part)
        self.close_connection = True
        return None


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs while the context lasts."""
    with Server() as server:
        thread = threading.Thread(
            target=functools.partial(server.serve_forever, poll_interval=0.01)
        )
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


CORPUS = {name: name for name in ("plot_summaries.txt", "movie.metadata.tsv", "README.txt")}


def corpus(files=CORPUS):
    """An archive laid out as that of the CMU Movie Summary Corpus."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"MovieSummaries/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()
