"""The embedded server beside the model in the same process and a plain Flask application.

    python -m benchmarks.serving
    python -m benchmarks.serving --model runs/imdb/serving/movie_genres --requests 20000

Latency of one movie and movies a second at several numbers of clients, memory over many requests,
and version swaps under load. Server, clients, the bare model and Flask have a process each, on the
same machine, so that the clients' share of the processors is part of every number but the bare
model's. What is compared is measured in turns, round by round: other work on the machine meets all
alike.
"""

import argparse
import asyncio
import csv
import json
import multiprocessing
import operator
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np

from benchmarks.origin import PROJECT, origin
from benchmarks.tables import table
from schema import command, versions
from schema import features as raw
from schema.errors import UserError
from schema.files import durable_rename
from schema.names import MODEL_NAME, SERVING_DIRECTORY, SERVING_SIGNATURE
from serving.client import Client, ModelSpec, ServerError
from serving.client.grpc_transport import predict_request
from serving.launch import PARAMETERS
from serving.ports import listen

PLOTS = PROJECT / "data" / "sample" / "title.plots.tsv"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
SIZES = (1, 8, 32, 128)
"""Numbers of clients; and of movies in a batch, for the model in the same process."""
MOVIES = 256
PATIENCE = 60.0
"""Seconds after which a request counts as failed."""
ROUNDS = 3
SWAPS = 10
BARE = "in process"

Movies = Sequence[Mapping[str, Any]]


class Load(NamedTuple):
    """What clients met: seconds by answer, errors, and seconds of them all and of processors."""

    latencies: list[float]
    errors: list[str]
    seconds: float
    asking: float
    """Processor seconds of the process that asks."""
    answering: float = 0.0
    """Likewise of the server, where it is known."""

    def quantile(self, share: float) -> float:
        """Milliseconds within which such a share was answered."""
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))] * 1e3


Ask = Callable[[bytes], Awaitable[str]]
"""Sends a request; returns an error, or nothing."""


def load(*what: Any, **limits: Any) -> Load:
    """Run `_load` in this process."""
    return asyncio.run(_load(*what, **limits))


async def _load(
    kind: str,
    port: int,
    requests: Sequence[bytes],
    clients: int,
    seconds: float = float("inf"),
    number: int = sys.maxsize,
    file: Path | None = None,
) -> Load:
    """So many clients, each of which asks again when it has its answer.

    They stop after some seconds, after a number of requests, or when a file is there.
    """
    latencies: list[float] = []
    errors: list[str] = []
    connect = {"gRPC": _grpc_client, "HTTP": _http_client}[kind]
    asks = [connect(port) for _ in range(clients)]
    started, worked = time.perf_counter(), time.process_time()
    sent = 0

    async def client(ask: Ask) -> None:
        nonlocal sent
        while sent < number and time.perf_counter() - started < seconds:
            if file and file.exists():
                break
            message = requests[sent % len(requests)]
            sent += 1
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(PATIENCE):
                    error = await ask(message)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as failure:
                error = repr(failure)
            if error:
                errors.append(error)
            else:
                latencies.append(time.perf_counter() - begun)

    await asyncio.gather(*map(client, asks))
    return Load(latencies, errors, time.perf_counter() - started, time.process_time() - worked)


def _grpc_client(port: int) -> Ask:
    options = [("grpc.use_local_subchannel_pool", 1)]
    call = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options).unary_unary(PREDICT)

    async def ask(message: bytes) -> str:
        try:
            await call(message)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return ""

    return ask


def _http_client(port: int) -> Ask:
    """A client that costs less of the processors than those of libraries."""
    connection: Any = None

    async def ask(message: bytes) -> str:
        nonlocal connection
        connection = connection or await asyncio.open_connection("127.0.0.1", port)
        reader, writer = connection
        head = f"POST /v1/models/{MODEL_NAME}:predict HTTP/1.1\r\nHost: a\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(message)}\r\n\r\n"
        writer.write(head.encode() + message)
        answer = await reader.readuntil(b"\r\n\r\n")
        fields = answer.lower().partition(b"content-length:")[2]
        body = await reader.readexactly(int(fields.split(b"\r\n", 1)[0]))
        if b"connection: close" in answer.lower():
            # As Flask's own server does after each request.
            writer.close()
            connection = None
        return "" if answer.split(maxsplit=2)[1] == b"200" else body.decode()

    return ask


def movies() -> Movies:
    """Movies of the sample, with everything that the model takes."""
    with PLOTS.open(encoding="utf-8", newline="") as file:
        plots = [row["plot"] for row in islice(csv.DictReader(file, delimiter="\t"), MOVIES)]
    known = {raw.TITLE: "The Long Ford", raw.YEAR: 1957.0, raw.CAST: "An Actor|Another Actor"}
    unknown = {name: 0.0 if name in raw.NUMBERS else "" for name in raw.MODEL_INPUTS}
    return [{**unknown, **known, raw.PLOT: plot} for plot in plots]


def bare(model: Path, rows: Movies, batch: int, seconds: float) -> Load:
    """Call the signature in this process; a request is a batch, values in and values out."""
    answer = signature(model)
    started, worked = time.perf_counter(), time.process_time()
    latencies: list[float] = []
    while time.perf_counter() - started < seconds:
        first = len(latencies) * batch
        chosen = [rows[(first + row) % len(rows)] for row in range(batch)]
        begun = time.perf_counter()
        answer(chosen)
        latencies.append(time.perf_counter() - begun)
    return Load(latencies, [], time.perf_counter() - started, time.process_time() - worked)


@cache
def signature(model: Path) -> Callable[[Movies], dict[str, Any]]:
    """The signature as a function from movies to arrays, loaded once and warm."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))

    def answer(rows: Movies) -> dict[str, Any]:
        inputs = {name: tf.constant([row[name] for row in rows]) for name in rows[0]}
        outputs = loaded.signatures[SERVING_SIGNATURE](**inputs)
        return {name: value.numpy() for name, value in outputs.items()}

    for count in (1, 8) * 3:
        answer(movies()[:count])
    return answer


def flask_application(model: Path, port: int) -> None:
    """The plain way: one call of the model a request."""
    import logging

    import flask
    import flask.cli

    answer = signature(model)
    # The banner would stand among the tables.
    flask.cli.show_server_banner = lambda *_: None
    application = flask.Flask("movies")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    @application.post(f"/v1/models/{MODEL_NAME}:predict")
    def predict() -> Any:
        outputs = answer(flask.request.get_json(force=True)["instances"])
        lists = {name: array.ravel().tolist() for name, array in outputs.items()}
        text = json.dumps({"predictions": [lists]}, default=bytes.decode)
        return flask.Response(text, mimetype="application/json")

    application.run("127.0.0.1", port, threaded=True)


class Server(NamedTuple):
    """A running embedded server: its process and its ports."""

    pid: int
    grpc: int
    rest: int

    def has(self, states: Mapping[int, str]) -> bool:
        """Whether versions are in these states."""
        with Client(f"http://127.0.0.1:{self.rest}") as client:
            found = {one.version: one.state for one in client.status()}
        return states.items() <= found.items()

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
    grpc_port, rest = free_port(), free_port()
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
            until(partial(server.has, {1: "AVAILABLE"}))
            yield server
        finally:
            process.terminate()


@contextmanager
def flask_server(model: Path, message: bytes) -> Iterator[int]:
    """The Flask application in a process of its own, once it answers; its port."""
    port = free_port()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=flask_application, args=(model, port))
    process.start()
    try:
        until(lambda: not load("HTTP", port, [message], 1, number=1).errors)
        yield port
    finally:
        process.kill()
        process.join()


def free_port() -> int:
    """A port that nobody listens on."""
    with listen("a server", "127.0.0.1", 0) as found:
        port: int = found.getsockname()[1]
    return port


def until(condition: Callable[[], bool], seconds: float = 1800) -> None:
    """Wait for it; what cannot be asked yet does not hold yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, ServerError):
            pass
        time.sleep(0.1)
    raise TimeoutError("the server did not get there")


def compare(
    model: Path,
    server: Server,
    clients: ProcessPoolExecutor,
    requests: tuple[list[bytes], list[bytes]],
    seconds: float,
) -> str:
    """The tables of latency and throughput; the requests are those for gRPC and for HTTP."""
    protos, bodies = requests
    met: dict[tuple[str, int], Load] = {}
    with own_process() as alone, flask_server(model, bodies[0]) as flask_port:
        ways = {
            "gRPC": ("gRPC", server.grpc, protos),
            "REST": ("HTTP", server.rest, bodies),
            "Flask": ("HTTP", flask_port, bodies),
        }
        for turn in range(ROUNDS + 1):
            for size in SIZES:
                found = {BARE: alone.submit(bare, model, movies(), size, seconds).result()}
                for way, asked in ways.items():
                    worked = server.worked()
                    of_way = clients.submit(load, *asked, size, seconds).result()
                    found[way] = of_way._replace(answering=server.worked() - worked)
                # The first round is a warm-up.
                for way, of_way in found.items() if turn else ():
                    before = met.get((way, size), Load([], [], 0.0, 0.0))
                    met[way, size] = Load(*map(operator.add, before, of_way))
            print(f"round {turn} of {ROUNDS}", file=sys.stderr)
    return tables(met)


def tables(met: Mapping[tuple[str, int], Load]) -> str:
    """Latency at one client, movies a second, and where the processors' time goes, in Markdown."""
    ways = list(dict.fromkeys(way for way, _ in met))
    quantiles = {way: [met[way, 1].quantile(share) for share in (0.5, 0.99)] for way in ways}
    latencies = [
        [way, f"{p50:.2f}", f"{p99:.2f}", f"{p50 / quantiles[BARE][0]:.2f}"]
        for way, (p50, p99) in quantiles.items()
    ]

    def row(what: str, values: Iterable[float], form: str, *more: str) -> list[str]:
        return [what, *(format(value, form) for value in values), *more]

    rate, server, client, busy = {}, {}, {}, {}
    rates, work = [], []
    for way in ways:
        loads = [met[way, size] for size in SIZES]
        batches = np.array(SIZES if way == BARE else [1] * len(SIZES))
        count = np.array([len(one.latencies) for one in loads]) * batches
        seconds, asking, answering = np.array([one[2:] for one in loads]).T
        rate[way] = count / seconds
        server[way], client[way] = 1e3 * answering / count, 1e3 * asking / count
        busy[way] = (asking + answering) / seconds / (os.cpu_count() or 1)
        what = f"{way}, batches of" if way == BARE else f"{way}, clients"
        rates.append(row(what, rate[way], ",.0f", str(sum(len(one.errors) for one in loads))))
    work.append(row("the model in process, batches of", client[BARE], ".1f"))
    for way in ("gRPC", "REST"):
        rates += [
            row(f"{way} by the best in process", rate[way] / rate[BARE].max(), ".0%", ""),
            row(f"{way} by a batch of as many in process", rate[way] / rate[BARE], ".0%", ""),
            row(f"{way} by Flask", rate[way] / rate["Flask"], ".1f", ""),
        ]
        work += [
            row(f"the server, {way}, clients", server[way], ".1f"),
            row("its clients", client[way], ".1f"),
            row("both, of what the processors have", busy[way], ".0%"),
        ]
    sizes = [str(size) for size in SIZES]
    head = ["one client, one movie", "p50 ms", "p99 ms", "p50 by that in process"]
    return (
        f"{table(head, latencies)}\n\n{table(['movies a second', *sizes, 'errors'], rates)}\n\n"
        f"{table(['processor ms a movie', *sizes], work)}"
    )


def memory(server: Server, ask: Callable[..., Future[Load]], requests: int) -> str:
    """Memory after each tenth of the requests."""
    sizes, errors, seconds = [server.resident()], 0, 0.0
    for tenth in range(1, 11):
        found = ask(number=requests // 10).result()
        sizes.append(server.resident())
        errors += len(found.errors)
        seconds += found.seconds
        print(f"{tenth} tenths of {requests:,}, {sizes[-1]:,.0f} MB", file=sys.stderr)
    head = ["requests", *(f"{requests * tenth // 10:,}" for tenth in range(11))]
    return (
        f"{table(head, [['resident MB', *(f'{size:,.0f}' for size in sizes)]])}\n\n"
        f"{requests:,} requests of 32 clients over gRPC in {seconds:,.0f} s: {errors} errors."
    )


def swaps(base: Path, model: Path, server: Server, ask: Callable[..., Future[Load]]) -> str:
    """Errors and latency while versions are swapped."""
    stop = base / ".stop"
    loading = ask(file=stop)
    took, sizes = [], [server.resident()]
    for version in range(2, SWAPS + 2):
        shutil.copytree(model, base / ".part")
        durable_rename(base / ".part", base / str(version))
        started = time.monotonic()
        until(partial(server.has, {version: "AVAILABLE", version - 1: "END"}))
        took.append(time.monotonic() - started)
        sizes.append(server.resident())
        print(f"swap {version - 1} of {SWAPS}: {took[-1]:.1f} s", file=sys.stderr)
    stop.touch()
    found = loading.result()
    return (
        f"{SWAPS} version swaps under the load of 32 clients: {len(found.latencies):,} answers, "
        f"{len(found.errors)} errors, p50 {found.quantile(0.5):.0f} ms, p99 "
        f"{found.quantile(0.99):.0f} ms, largest {found.quantile(1):,.0f} ms; a swap took "
        f"{statistics.median(took):.1f} s; memory before the first and after each: "
        f"{', '.join(f'{size:,.0f}' for size in sizes)} MB."
    )


def own_process() -> ProcessPoolExecutor:
    """Runs functions in a new process."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Latency, throughput and memory of the server.")
    parser.add_argument(
        "--model",
        type=Path,
        default=PROJECT / "output" / SERVING_DIRECTORY / MODEL_NAME,
        help="folder with the pushed versions (default: that of `make run`)",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each point and round")
    parser.add_argument("--requests", type=int, default=100_000, help="for the memory")
    options = parser.parse_args()
    return command.run(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> None:
    found = versions.version_directories(options.model)
    if not found:
        raise UserError(f"{options.model}: no model has been pushed yet; run `make run` first")
    model = found[max(found)]
    protos = [predict_request([movie], ModelSpec()).SerializeToString() for movie in movies()]
    bodies = [json.dumps({"instances": [movie]}).encode() for movie in movies()]
    with tempfile.TemporaryDirectory() as folder, own_process() as clients:
        base = Path(folder)
        shutil.copytree(model, base / "1")
        with embedded(base) as server:
            print(f"{origin('benchmarks.serving')}:\n")
            print(
                compare(base / "1", server, clients, (protos, bodies), options.seconds), flush=True
            )
            ask = partial(clients.submit, load, "gRPC", server.grpc, protos, 32)
            print(f"\n{swaps(base, model, server, ask)}", flush=True)
            print(f"\n{memory(server, ask, options.requests)}")


if __name__ == "__main__":
    sys.exit(main())
