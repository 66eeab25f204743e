"""The embedded server beside the model in the same process and a plain Flask application.

    python -m benchmarks.serving
    python -m benchmarks.serving --model runs/imdb/serving/movie_genres --requests 20000

Latency of one film and films a second at several numbers of clients, memory over many requests, and
version swaps under load. Server, clients, the bare model and Flask have a process each, on the same
machine, so that the clients' share of the processors is part of every number but the bare model's.
What is compared is measured in turns, round by round: other work on the machine meets all alike.
"""

import argparse
import asyncio
import csv
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.origin import PROJECT, origin
from schema import command, versions
from schema.errors import UserError
from schema.files import move
from schema.names import MODEL_NAME, SERVING_FOLDER, SERVING_SIGNATURE
from serving.launch import PARAMETERS

PLOTS = PROJECT / "data" / "sample" / "title.plots.tsv"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
SIZES = (1, 8, 32, 128)
"""Numbers of clients; and of films in a batch, for the model in the same process."""
FILMS = 256
PATIENCE = 60.0
"""Seconds after which a request counts as failed."""
ROUNDS = 3
SWAPS = 10


@dataclass
class Load:
    """What clients met.

    Attributes:
        latencies: seconds by answer.
        errors: what went wrong.
        seconds: in all.
        asking: processor seconds of the process that asks.
        answering: likewise of the server, where it is known.
    """

    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    asking: float = 0.0
    answering: float = 0.0

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.latencies + other.latencies,
            self.errors + other.errors,
            self.seconds + other.seconds,
            self.asking + other.asking,
            self.answering + other.answering,
        )

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """Milliseconds within which such a share was answered."""
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))] * 1e3


@dataclass(frozen=True)
class Limit:
    """When clients stop: after so many seconds or requests, or when a file is there."""

    seconds: float = float("inf")
    requests: int = sys.maxsize
    file: Path | None = None


Ask = Callable[[bytes], Awaitable[str]]
"""Sends a request; returns an error, or nothing."""


def load(kind: str, port: int, requests: Sequence[bytes], clients: int, limit: Limit) -> Load:
    """So many clients, each of which asks again when it has its answer."""
    return asyncio.run(_load(kind, port, requests, clients, limit))


async def _load(
    kind: str, port: int, requests: Sequence[bytes], clients: int, limit: Limit
) -> Load:
    connect = {"gRPC": _grpc_client, "HTTP": _http_client}[kind]
    asks = [await connect(port) for _ in range(clients)]
    measured = Load()
    started, worked = time.perf_counter(), time.process_time()
    sent = 0

    def over() -> bool:
        return (
            sent >= limit.requests
            or time.perf_counter() - started >= limit.seconds
            or (limit.file is not None and limit.file.exists())
        )

    async def client(ask: Ask) -> None:
        nonlocal sent
        while not over():
            request = requests[sent % len(requests)]
            sent += 1
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(PATIENCE):
                    error = await ask(request)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as failure:
                error = repr(failure)
            if error:
                measured.errors.append(error)
            else:
                measured.latencies.append(time.perf_counter() - begun)

    await asyncio.gather(*(client(ask) for ask in asks))
    measured.seconds = time.perf_counter() - started
    measured.asking = time.process_time() - worked
    return measured


async def _grpc_client(port: int) -> Ask:
    import grpc

    options = [("grpc.use_local_subchannel_pool", 1)]
    call = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options).unary_unary(PREDICT)

    async def ask(request: bytes) -> str:
        try:
            await call(request)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return ""

    return ask


async def _http_client(port: int) -> Ask:
    connection: Any = None

    async def ask(request: bytes) -> str:
        nonlocal connection
        connection = connection or await asyncio.open_connection("127.0.0.1", port)
        reader, writer = connection
        head = f"POST /v1/models/{MODEL_NAME}:predict HTTP/1.1\r\nHost: a\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(request)}\r\n\r\n"
        writer.write(head.encode() + request)
        answer = await reader.readuntil(b"\r\n\r\n")
        fields = answer.lower().partition(b"content-length:")[2]
        body = await reader.readexactly(int(fields.split(b"\r\n", 1)[0]))
        if b"connection: close" in answer.lower():
            # As Flask's own server does after each request.
            writer.close()
            connection = None
        return "" if answer.split(maxsplit=2)[1] == b"200" else body.decode()

    return ask


def films() -> list[dict[str, Any]]:
    """Films of the sample, with everything that the model takes."""
    from schema import features as raw

    with PLOTS.open(encoding="utf-8", newline="") as file:
        plots = [row["plot"] for row in islice(csv.DictReader(file, delimiter="\t"), FILMS)]
    known = {raw.TITLE: "The Long Ford", raw.YEAR: 1957.0, raw.CAST: "An Actor|Another Actor"}
    return [
        {name: 0.0 if name in raw.NUMBERS else "" for name in raw.MODEL_INPUTS}
        | known
        | {raw.PLOT: plot}
        for plot in plots
    ]


def bare(model: Path, rows: Sequence[dict[str, Any]], batch: int, seconds: float) -> Load:
    """Call the signature in this process; a request is a batch, values in and values out."""
    signature = _signature(model)
    started, worked = time.perf_counter(), time.process_time()
    measured = Load()
    number = 0
    while time.perf_counter() - started < seconds:
        chosen = [rows[(number + row) % len(rows)] for row in range(batch)]
        number += batch
        begun = time.perf_counter()
        answer(signature, chosen)
        measured.latencies.append(time.perf_counter() - begun)
    measured.seconds = time.perf_counter() - started
    measured.asking = time.process_time() - worked
    return measured


_loaded: dict[Path, Any] = {}


def _signature(model: Path) -> Any:
    """The signature, loaded once and warm."""
    if model not in _loaded:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
        import tensorflow as tf

        _loaded[model] = tf.saved_model.load(str(model))
        for rows in (1, 8) * 3:
            answer(_loaded[model].signatures[SERVING_SIGNATURE], films()[:rows])
    return _loaded[model].signatures[SERVING_SIGNATURE]


def answer(signature: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Arrays of the signature's outputs."""
    import tensorflow as tf

    inputs = {name: tf.constant([row[name] for row in rows]) for name in rows[0]}
    return {name: value.numpy() for name, value in signature(**inputs).items()}


def flask_application(model: Path, port: int) -> None:
    """The plain way: one call of the model a request."""
    import logging

    import flask
    import flask.cli

    signature = _signature(model)
    # The banner would stand among the tables.
    flask.cli.show_server_banner = lambda *_: None
    application = flask.Flask("films")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    @application.post(f"/v1/models/{MODEL_NAME}:predict")
    def predict() -> Any:
        outputs = answer(signature, flask.request.get_json(force=True)["instances"])
        lists = {
            name: [value.decode() for value in array.ravel()]
            if array.dtype == object
            else array.ravel().tolist()
            for name, array in outputs.items()
        }
        return flask.jsonify(predictions=[lists])

    application.run("127.0.0.1", port, threaded=True)


@dataclass(frozen=True)
class Server:
    """A running embedded server."""

    pid: int
    grpc: int
    rest: int

    def versions(self) -> dict[int, str]:
        """State by version."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.rest}/v1/models/{MODEL_NAME}"
        ) as status:
            found = json.load(status)["model_version_status"]
        return {int(one["version"]): one["state"] for one in found}

    def is_in(self, state: str, version: int) -> bool:
        """Whether a version is in a state."""
        return self.versions().get(version) == state

    def resident(self) -> float:
        """Megabytes of resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def worked(self) -> float:
        """Processor seconds so far."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def embedded(base: Path) -> Iterator[Server]:
    """The server in a process of its own, with batching as `serving.launch` sets it."""
    grpc_port, rest = free_ports(2)
    command = [
        *(sys.executable, "-m", "serving.server", "--host=127.0.0.1", f"--port={grpc_port}"),
        *(f"--rest_api_port={rest}", f"--model_name={MODEL_NAME}", f"--model_base_path={base}"),
        *("--enable_batching", f"--batching_parameters_file={PARAMETERS / 'batching.config'}"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=PROJECT
    ) as process:
        try:
            server = Server(process.pid, grpc_port, rest)
            until(lambda: "AVAILABLE" in server.versions().values())
            yield server
        finally:
            process.terminate()


@contextmanager
def flask_server(model: Path) -> Iterator[int]:
    """The Flask application in a process of its own; its port."""
    [port] = free_ports(1)
    process = multiprocessing.get_context("spawn").Process(
        target=flask_application, args=(model, port)
    )
    process.start()
    try:
        request = json.dumps({"instances": films()[:1]}).encode()
        until(lambda: not load("HTTP", port, [request], 1, Limit(requests=1)).errors)
        yield port
    finally:
        process.kill()
        process.join()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    import socket

    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers: list[int] = [one.getsockname()[1] for one in found]
    for one in found:
        one.close()
    return numbers


def until(condition: Callable[[], bool], seconds: float = 1800) -> None:
    """Wait for it; what cannot be asked yet does not hold yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise TimeoutError("the server did not get there")
        time.sleep(0.1)


def requests_of(rows: Sequence[dict[str, Any]]) -> tuple[list[bytes], list[bytes]]:
    """A request a film, for gRPC and for HTTP."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    protos = []
    for row in rows:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = MODEL_NAME
        for name, value in row.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto([value]))
        protos.append(request.SerializeToString())
    return protos, [json.dumps({"instances": [row]}).encode() for row in rows]


def compare(model: Path, server: Server, clients: ProcessPoolExecutor, seconds: float) -> str:
    """The tables of latency and throughput."""
    rows = films()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as alone, flask_server(model) as flask_port:
        protos, bodies = alone.submit(requests_of, rows).result()
        ways = {
            "gRPC": ("gRPC", server.grpc, protos),
            "REST": ("HTTP", server.rest, bodies),
            "Flask": ("HTTP", flask_port, bodies),
        }
        met: dict[tuple[str, int], Load] = {}

        def add(way: str, size: int, found: Load) -> None:
            met[way, size] = met.get((way, size), Load()) + found

        for turn in range(ROUNDS + 1):
            for size in SIZES:
                found = alone.submit(bare, model, rows, size, seconds).result()
                if turn:
                    add("in process", size, found)
                for way, (kind, port, requests) in ways.items():
                    limit, worked = Limit(seconds=seconds), server.worked()
                    found = clients.submit(load, kind, port, requests, size, limit).result()
                    if way != "Flask":
                        found.answering = server.worked() - worked
                    # The first round is a warm-up.
                    if turn:
                        add(way, size, found)
            print(f"round {turn} of {ROUNDS}", file=sys.stderr)
    return tables(met)


def tables(met: dict[tuple[str, int], Load]) -> str:
    """Latency at one client, and films a second, in Markdown."""
    ways = list(dict.fromkeys(way for way, _ in met))
    bare_p50 = met["in process", 1].quantile(0.5)
    lines = [
        "| one client, one film | p50 ms | p99 ms | p50 by that in process |",
        "|---|--:|--:|--:|",
    ]
    for way in ways:
        one = met[way, 1]
        lines.append(
            f"| {way} | {one.quantile(0.5):.2f} | {one.quantile(0.99):.2f} | "
            f"{one.quantile(0.5) / bare_p50:.2f} |"
        )
    rates = {
        (way, size): one.rate * (size if way == "in process" else 1)
        for (way, size), one in met.items()
    }
    best = max(rates["in process", size] for size in SIZES)
    lines += [
        "",
        "| films a second | " + " | ".join(f"{size}" for size in SIZES) + " | errors |",
        "|---|" + "--:|" * (len(SIZES) + 1),
    ]
    for way in ways:
        what = f"{way}, batches of" if way == "in process" else f"{way}, clients"
        cells = [f"{rates[way, size]:,.0f}" for size in SIZES]
        errors = sum(len(met[way, size].errors) for size in SIZES)
        lines.append(f"| {what} | {' | '.join(cells)} | {errors} |")
    for way in ("gRPC", "REST"):
        shares = [f"{rates[way, size] / best:.0%}" for size in SIZES]
        lines.append(f"| {way} by the best in process | {' | '.join(shares)} | |")
        same = [f"{rates[way, size] / rates['in process', size]:.0%}" for size in SIZES]
        lines.append(f"| {way} by a batch of as many in process | {' | '.join(same)} | |")
        times = [f"{rates[way, size] / rates['Flask', size]:.1f}" for size in SIZES]
        lines.append(f"| {way} by Flask | {' | '.join(times)} | |")
    return "\n".join([*lines, "", *work(met)])


def work(met: dict[tuple[str, int], Load]) -> list[str]:
    """Where the processors' time goes, in Markdown."""
    lines = [
        "| processor ms a film | " + " | ".join(f"{size}" for size in SIZES) + " |",
        "|---|" + "--:|" * len(SIZES),
    ]

    def line(what: str, values: Iterator[str]) -> None:
        lines.append(f"| {what} | {' | '.join(values)} |")

    def each(way: str) -> list[Load]:
        return [met[way, size] for size in SIZES]

    alone = zip(SIZES, each("in process"), strict=True)
    line(
        "the model in process, batches of",
        (f"{1e3 * one.asking / len(one.latencies) / size:.1f}" for size, one in alone),
    )
    for way in ("gRPC", "REST"):
        found = each(way)
        line(
            f"the server, {way}, clients",
            (f"{1e3 * one.answering / len(one.latencies):.1f}" for one in found),
        )
        line("its clients", (f"{1e3 * one.asking / len(one.latencies):.1f}" for one in found))
        busy = ((one.answering + one.asking) / one.seconds / (os.cpu_count() or 1) for one in found)
        line("both, of what the processors have", (f"{share:.0%}" for share in busy))
    return lines


def memory(server: Server, clients: ProcessPoolExecutor, protos: list[bytes], requests: int) -> str:
    """Memory after each tenth of the requests."""
    sizes, errors, seconds = [server.resident()], 0, 0.0
    for tenth in range(10):
        limit = Limit(requests=requests // 10)
        found = clients.submit(load, "gRPC", server.grpc, protos, 32, limit).result()
        sizes.append(server.resident())
        errors += len(found.errors)
        seconds += found.seconds
        print(f"{tenth + 1} tenths of {requests:,}, {sizes[-1]:,.0f} MB", file=sys.stderr)
    cells = " | ".join(f"{size:,.0f}" for size in sizes)
    return "\n".join(
        [
            "| requests | " + " | ".join(f"{requests * i // 10:,}" for i in range(11)) + " |",
            "|---|" + "--:|" * 11,
            f"| resident MB | {cells} |",
            "",
            f"{requests:,} requests of 32 clients over gRPC in {seconds:,.0f} s: {errors} errors.",
        ]
    )


def swaps(
    base: Path, model: Path, server: Server, clients: ProcessPoolExecutor, protos: list[bytes]
) -> str:
    """Errors and latency while versions are swapped."""
    stop = base / ".stop"
    loading = clients.submit(load, "gRPC", server.grpc, protos, 32, Limit(file=stop))
    took, sizes = [], [server.resident()]
    for version in range(2, SWAPS + 2):
        shutil.copytree(model, base / ".part")
        move(base / ".part", base / str(version))
        started = time.monotonic()
        until(partial(server.is_in, "AVAILABLE", version))
        until(partial(server.is_in, "END", version - 1))
        took.append(time.monotonic() - started)
        sizes.append(server.resident())
        print(f"swap {version - 1} of {SWAPS}: {took[-1]:.1f} s", file=sys.stderr)
    stop.touch()
    found = loading.result()
    return (
        f"{SWAPS} version swaps under the load of 32 clients: {len(found.latencies):,} answers, "
        f"{len(found.errors)} errors, p50 {found.quantile(0.5):.0f} ms, p99 "
        f"{found.quantile(0.99):.0f} ms, largest {found.quantile(1):,.0f} ms; a swap took "
        f"{statistics.median(took):.1f} s; memory after each: "
        + ", ".join(f"{size:,.0f}" for size in sizes)
        + " MB."
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Latency, throughput and memory of the server.")
    parser.add_argument(
        "--model",
        type=Path,
        default=PROJECT / "output" / SERVING_FOLDER / MODEL_NAME,
        help="folder with the pushed versions (default: that of `make run`)",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each point and round")
    parser.add_argument("--requests", type=int, default=100_000, help="for the memory")
    options = parser.parse_args()
    return command.run(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> None:
    found = versions.folders(options.model)
    if not found:
        raise UserError(f"{options.model}: no model has been pushed yet; run `make run` first")
    model = found[max(found)]
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copytree(model, base / "1")
        clients = stack.enter_context(ProcessPoolExecutor(1, spawn))
        server = stack.enter_context(embedded(base))
        print(f"{origin('benchmarks.serving')}:\n")
        print(compare(base / "1", server, clients, options.seconds), flush=True)
        with ProcessPoolExecutor(1, spawn) as other:
            protos, _ = other.submit(requests_of, films()).result()
        print(f"\n{swaps(base, model, server, clients, protos)}", flush=True)
        print(f"\n{memory(server, clients, protos, options.requests)}")


if __name__ == "__main__":
    sys.exit(main())
