"""Latency, throughput and memory of the embedded server.

    python -m benchmarks.serving
    python -m benchmarks.serving --model runs/imdb/serving/movie_genres --requests 20000

The server is compared with direct calls of the model and with a plain Flask application: latency
of one movie, movies/s for several numbers of clients, memory over many requests, and version swaps
under load. Server, clients, direct calls and Flask each run in a separate process on the same
machine, so all figures except those of the direct calls include the processor time of the clients.
The variants are measured alternately in several rounds, so that other load on the machine affects
all of them.
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

from benchmarks.provenance import PROJECT, provenance
from benchmarks.tables import table
from schema import command, versions
from schema import features as raw
from schema.errors import UserError
from schema.files import durable_rename
from schema.names import MODEL_NAME, SERVING_DIRECTORY, SERVING_SIGNATURE
from serving.client import Client, ModelSpec, ServerError
from serving.client.grpc_transport import predict_request
from serving.client.movies import model_inputs
from serving.launch import PARAMETERS_DIRECTORY
from serving.ports import listen

PLOTS_FILE = PROJECT / "data" / "sample" / "title.plots.tsv"
PREDICT_METHOD = "/tensorflow.serving.PredictionService/Predict"
CONCURRENCIES = (1, 8, 32, 128)
"""Numbers of clients; for direct calls of the model, numbers of movies in a batch."""
MOVIE_COUNT = 256
REQUEST_TIMEOUT_SECONDS = 60.0
STARTUP_TIMEOUT_SECONDS = 1800.0
MEASUREMENT_ROUNDS = 3
VERSION_SWAPS = 10
IN_PROCESS = "in process"

Movies = Sequence[Mapping[str, Any]]


class LoadResult(NamedTuple):
    """Result of a load test.

    Attributes:
        latencies: Latency of each successful request, in seconds.
        errors: Message of each failed request.
        seconds: Float. Wall-clock time of the test.
        client_cpu_seconds: Float. Processor time of the process that sends the requests.
        server_cpu_seconds: Float. Processor time of the server; 0 if unknown.
    """

    latencies: list[float]
    errors: list[str]
    seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float = 0.0

    def quantile_ms(self, share: float) -> float:
        """Return the quantile of the latencies, in milliseconds."""
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))] * 1e3


SendRequest = Callable[[bytes], Awaitable[str]]
"""Function that sends a request and returns an error message, or an empty string."""


def run_load(*arguments: Any, **limits: Any) -> LoadResult:
    """Run `_run_load` in this process."""
    return asyncio.run(_run_load(*arguments, **limits))


async def _run_load(
    protocol: str,
    port: int,
    requests: Sequence[bytes],
    clients: int,
    seconds: float = float("inf"),
    max_requests: int = sys.maxsize,
    stop_file: Path | None = None,
) -> LoadResult:
    """Send requests with several clients, each of which waits for its response before the next.

    Args:
        protocol: `gRPC` or `HTTP`.
        port: Int. Port of the server on this machine.
        requests: Encoded requests, which are repeated in order.
        clients: Int. Number of clients.
        seconds: Float. Time after which the clients stop; no limit by default.
        max_requests: Int. Number of requests after which the clients stop; no limit by default.
        stop_file: Path of a file whose existence stops the clients; None by default.
    """
    latencies: list[float] = []
    errors: list[str] = []
    connect = {"gRPC": _grpc_client, "HTTP": _http_client}[protocol]
    senders = [connect(port) for _ in range(clients)]
    started, cpu_started = time.perf_counter(), time.process_time()
    sent = 0

    async def client(send: SendRequest) -> None:
        nonlocal sent
        while sent < max_requests and time.perf_counter() - started < seconds:
            if stop_file and stop_file.exists():
                break
            message = requests[sent % len(requests)]
            sent += 1
            request_started = time.perf_counter()
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    error = await send(message)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as failure:
                error = repr(failure)
            if error:
                errors.append(error)
            else:
                latencies.append(time.perf_counter() - request_started)

    await asyncio.gather(*map(client, senders))
    elapsed, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return LoadResult(latencies, errors, elapsed, cpu_seconds)


def _grpc_client(port: int) -> SendRequest:
    options = [("grpc.use_local_subchannel_pool", 1)]
    call = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options).unary_unary(PREDICT_METHOD)

    async def send(message: bytes) -> str:
        try:
            await call(message)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return ""

    return send


def _http_client(port: int) -> SendRequest:
    """Return a minimal client, which takes less processor time than those of libraries."""
    connection: Any = None

    async def send(message: bytes) -> str:
        nonlocal connection
        connection = connection or await asyncio.open_connection("127.0.0.1", port)
        reader, writer = connection
        head = f"POST /v1/models/{MODEL_NAME}:predict HTTP/1.1\r\nHost: a\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(message)}\r\n\r\n"
        writer.write(head.encode() + message)
        head_of_response = await reader.readuntil(b"\r\n\r\n")
        fields = head_of_response.lower().partition(b"content-length:")[2]
        body = await reader.readexactly(int(fields.split(b"\r\n", 1)[0]))
        if b"connection: close" in head_of_response.lower():
            # Flask's development server closes the connection after each request.
            writer.close()
            connection = None
        return "" if head_of_response.split(maxsplit=2)[1] == b"200" else body.decode()

    return send


def sample_movies() -> Movies:
    """Return movies with the plots of the sample and values for all inputs of the model."""
    with PLOTS_FILE.open(encoding="utf-8", newline="") as file:
        plots = [row["plot"] for row in islice(csv.DictReader(file, delimiter="\t"), MOVIE_COUNT)]
    known = {raw.TITLE: "The Long Ford", raw.YEAR: 1957.0, raw.CAST: "An Actor|Another Actor"}
    unknown = {name: 0.0 if name in raw.NUMBERS else "" for name in raw.MODEL_INPUTS}
    return [{**unknown, **known, raw.PLOT: plot} for plot in plots]


def measure_in_process(model: Path, rows: Movies, batch_size: int, seconds: float) -> LoadResult:
    """Call the model directly for some seconds; each request is one batch."""
    predict = load_signature(model)
    started, cpu_started = time.perf_counter(), time.process_time()
    latencies: list[float] = []
    while time.perf_counter() - started < seconds:
        first = len(latencies) * batch_size
        batch = [rows[(first + row) % len(rows)] for row in range(batch_size)]
        call_started = time.perf_counter()
        predict(batch)
        latencies.append(time.perf_counter() - call_started)
    elapsed, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return LoadResult(latencies, [], elapsed, cpu_seconds)


@cache
def load_signature(model: Path) -> Callable[[Movies], dict[str, Any]]:
    """Load and warm up the serving signature as a function from movies to arrays."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))

    def predict(rows: Movies) -> dict[str, Any]:
        inputs = {name: tf.constant([row[name] for row in rows]) for name in rows[0]}
        outputs = loaded.signatures[SERVING_SIGNATURE](**inputs)
        return {name: value.numpy() for name, value in outputs.items()}

    for count in (1, 8) * 3:
        predict(sample_movies()[:count])
    return predict


def run_flask(model: Path, port: int) -> None:
    """Run a Flask application that calls the model once per request."""
    import logging

    import flask
    import flask.cli

    call_model = load_signature(model)
    # Flask would print its banner between the tables.
    flask.cli.show_server_banner = lambda *_: None
    application = flask.Flask("movies")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    @application.post(f"/v1/models/{MODEL_NAME}:predict")
    def predict() -> Any:
        outputs = call_model(flask.request.get_json(force=True)["instances"])
        lists = {name: array.ravel().tolist() for name, array in outputs.items()}
        text = json.dumps({"predictions": [lists]}, default=bytes.decode)
        return flask.Response(text, mimetype="application/json")

    application.run("127.0.0.1", port, threaded=True)


class Server(NamedTuple):
    """A running embedded server: id of its process, gRPC port and REST port."""

    pid: int
    grpc_port: int
    rest_port: int

    def has_states(self, states: Mapping[int, str]) -> bool:
        """Return whether the model versions are in the given states."""
        with Client(f"http://127.0.0.1:{self.rest_port}") as client:
            found = {status.version: status.state for status in client.status()}
        return states.items() <= found.items()

    def resident_mb(self) -> float:
        """Return the resident memory, in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time so far, in seconds."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def embedded_server(base: Path) -> Iterator[Server]:
    """Run the embedded server in a separate process, with the batching of `serving.launch`."""
    grpc_port, rest_port = free_port(), free_port()
    command = [
        *(sys.executable, "-m", "serving.server", "--host=127.0.0.1", f"--port={grpc_port}"),
        *(
            f"--rest_api_port={rest_port}",
            f"--model_name={MODEL_NAME}",
            f"--model_base_path={base}",
        ),
        *(
            "--enable_batching",
            f"--batching_parameters_file={PARAMETERS_DIRECTORY / 'batching.config'}",
        ),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=PROJECT
    ) as process:
        try:
            server = Server(process.pid, grpc_port, rest_port)
            wait_until(partial(server.has_states, {1: "AVAILABLE"}))
            yield server
        finally:
            process.terminate()


@contextmanager
def flask_server(model: Path, message: bytes) -> Iterator[int]:
    """Run the Flask application in a separate process; yield its port once it responds."""
    port = free_port()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=run_flask, args=(model, port))
    process.start()
    try:
        wait_until(lambda: not run_load("HTTP", port, [message], 1, max_requests=1).errors)
        yield port
    finally:
        process.kill()
        process.join()


def free_port() -> int:
    """Return a port that no process uses."""
    with listen("a server", "127.0.0.1", 0) as socket:
        port: int = socket.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true; connection errors and server errors count as false.

    Raises:
        TimeoutError: The condition is false after `STARTUP_TIMEOUT_SECONDS`.
    """
    deadline = time.monotonic() + STARTUP_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, ServerError):
            pass
        time.sleep(0.1)
    raise TimeoutError(f"the server was not ready after {STARTUP_TIMEOUT_SECONDS:.0f} s")


def compare(
    model: Path,
    server: Server,
    clients: ProcessPoolExecutor,
    requests: tuple[list[bytes], list[bytes]],
    seconds: float,
) -> str:
    """Measure all variants and return the tables of latency and throughput.

    Args:
        model: Directory of the model version.
        server: Embedded server that serves the model.
        clients: Pool with the process of the clients.
        requests: Encoded requests for gRPC and for HTTP.
        seconds: Float. Duration of each measurement in each round.
    """
    protos, bodies = requests
    results: dict[tuple[str, int], LoadResult] = {}
    with single_process_pool() as direct, flask_server(model, bodies[0]) as flask_port:
        targets = {
            "gRPC": ("gRPC", server.grpc_port, protos),
            "REST": ("HTTP", server.rest_port, bodies),
            "Flask": ("HTTP", flask_port, bodies),
        }
        for turn in range(MEASUREMENT_ROUNDS + 1):
            for size in CONCURRENCIES:
                call = direct.submit(measure_in_process, model, sample_movies(), size, seconds)
                round_results = {IN_PROCESS: call.result()}
                for name, target in targets.items():
                    before = server.cpu_seconds()
                    result = clients.submit(run_load, *target, size, seconds).result()
                    used = server.cpu_seconds() - before
                    round_results[name] = result._replace(server_cpu_seconds=used)
                # The first round is a warm-up.
                for name, result in round_results.items() if turn else ():
                    total = results.get((name, size), LoadResult([], [], 0.0, 0.0))
                    results[name, size] = LoadResult(*map(operator.add, total, result))
            print(f"round {turn} of {MEASUREMENT_ROUNDS}", file=sys.stderr)
    return load_tables(results)


def load_tables(results: Mapping[tuple[str, int], LoadResult]) -> str:
    """Return the Markdown tables of latency, throughput and processor time.

    Args:
        results: Results by variant and concurrency.
    """
    variants = list(dict.fromkeys(variant for variant, _ in results))
    quantiles = {
        variant: [results[variant, 1].quantile_ms(share) for share in (0.5, 0.99)]
        for variant in variants
    }
    latency_rows = [
        [variant, f"{p50:.2f}", f"{p99:.2f}", f"{p50 / quantiles[IN_PROCESS][0]:.2f}"]
        for variant, (p50, p99) in quantiles.items()
    ]

    def row(label: str, values: Iterable[float], form: str, *more: str) -> list[str]:
        return [label, *(format(value, form) for value in values), *more]

    rate, server_ms, client_ms, utilization = {}, {}, {}, {}
    rate_rows, cpu_rows = [], []
    for variant in variants:
        loads = [results[variant, size] for size in CONCURRENCIES]
        in_process = variant == IN_PROCESS
        batch_sizes = np.array(CONCURRENCIES if in_process else [1] * len(CONCURRENCIES))
        movies = np.array([len(load.latencies) for load in loads]) * batch_sizes
        seconds, client_cpu, server_cpu = np.array([load[2:] for load in loads]).T
        rate[variant] = movies / seconds
        server_ms[variant], client_ms[variant] = (
            1e3 * server_cpu / movies,
            1e3 * client_cpu / movies,
        )
        utilization[variant] = (client_cpu + server_cpu) / seconds / (os.cpu_count() or 1)
        label = f"{variant}, batch size" if in_process else f"{variant}, clients"
        errors = str(sum(len(load.errors) for load in loads))
        rate_rows.append(row(label, rate[variant], ",.0f", errors))
    cpu_rows.append(row("in process, batch size", client_ms[IN_PROCESS], ".1f"))
    for variant in ("gRPC", "REST"):
        best = rate[IN_PROCESS].max()
        rate_rows += [
            row(f"{variant} / best in process", rate[variant] / best, ".0%", ""),
            row(f"{variant} / in process", rate[variant] / rate[IN_PROCESS], ".0%", ""),
            row(f"{variant} / Flask", rate[variant] / rate["Flask"], ".1f", ""),
        ]
        cpu_rows += [
            row(f"{variant}: server", server_ms[variant], ".1f"),
            row(f"{variant}: clients", client_ms[variant], ".1f"),
            row(f"{variant}: utilization of all cores", utilization[variant], ".0%"),
        ]
    sizes = [str(size) for size in CONCURRENCIES]
    latency_head = ["one client, one movie", "p50 ms", "p99 ms", "p50 / p50 in process"]
    return (
        f"{table(latency_head, latency_rows)}\n\n"
        f"{table(['movies/s', *sizes, 'errors'], rate_rows)}\n\n"
        f"{table(['processor ms per movie', *sizes], cpu_rows)}"
    )


def measure_memory(server: Server, submit: Callable[..., Future[LoadResult]], requests: int) -> str:
    """Measure the resident memory ten times over a number of requests; return a table."""
    sizes, errors, seconds = [server.resident_mb()], 0, 0.0
    for tenth in range(1, 11):
        result = submit(max_requests=requests // 10).result()
        sizes.append(server.resident_mb())
        errors += len(result.errors)
        seconds += result.seconds
        print(f"{tenth} tenths of {requests:,}, {sizes[-1]:,.0f} MB", file=sys.stderr)
    head = ["requests", *(f"{requests * tenth // 10:,}" for tenth in range(11))]
    return (
        f"{table(head, [['resident MB', *(f'{size:,.0f}' for size in sizes)]])}\n\n"
        f"{requests:,} requests of 32 clients over gRPC in {seconds:,.0f} s: {errors} errors."
    )


def measure_swaps(
    base: Path, model: Path, server: Server, submit: Callable[..., Future[LoadResult]]
) -> str:
    """Measure errors, latency and memory while model versions are swapped under load."""
    stop_file = base / ".stop"
    load = submit(stop_file=stop_file)
    seconds, sizes = [], [server.resident_mb()]
    for version in range(2, VERSION_SWAPS + 2):
        shutil.copytree(model, base / ".part")
        durable_rename(base / ".part", base / str(version))
        started = time.monotonic()
        wait_until(partial(server.has_states, {version: "AVAILABLE", version - 1: "END"}))
        seconds.append(time.monotonic() - started)
        sizes.append(server.resident_mb())
        print(f"swap {version - 1} of {VERSION_SWAPS}: {seconds[-1]:.1f} s", file=sys.stderr)
    stop_file.touch()
    result = load.result()
    return (
        f"{VERSION_SWAPS} version swaps under the load of 32 clients: {len(result.latencies):,} "
        f"responses, {len(result.errors)} errors, p50 {result.quantile_ms(0.5):.0f} ms, p99 "
        f"{result.quantile_ms(0.99):.0f} ms, maximum {result.quantile_ms(1):,.0f} ms; median time "
        f"of a swap {statistics.median(seconds):.1f} s; memory before the first swap and after "
        f"each: "
        f"{', '.join(f'{size:,.0f}' for size in sizes)} MB."
    )


def single_process_pool() -> ProcessPoolExecutor:
    """Return a pool with one new process."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def main() -> int:
    """Measure and print the tables; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Measure latency, throughput and memory of the server."
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=PROJECT / "output" / SERVING_DIRECTORY / MODEL_NAME,
        help="directory with the pushed versions (default: that of `make run`)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=5.0,
        help="duration of each measurement in each round (default: %(default)s)",
    )
    parser.add_argument(
        "--requests",
        type=int,
        default=100_000,
        help="number of requests of the memory measurement (default: %(default)s)",
    )
    options = parser.parse_args()
    return command.run(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> None:
    pushed = versions.version_directories(options.model)
    if not pushed:
        raise UserError(f"{options.model}: no model has been pushed. Run `make run` first.")
    model = pushed[max(pushed)]
    movies = sample_movies()
    protos = [
        predict_request(model_inputs([movie]), ModelSpec()).SerializeToString() for movie in movies
    ]
    bodies = [json.dumps({"instances": [movie]}).encode() for movie in movies]
    with tempfile.TemporaryDirectory() as directory, single_process_pool() as clients:
        base = Path(directory)
        shutil.copytree(model, base / "1")
        with embedded_server(base) as server:
            print(f"{provenance('benchmarks.serving')}:\n")
            print(
                compare(base / "1", server, clients, (protos, bodies), options.seconds), flush=True
            )
            submit = partial(clients.submit, run_load, "gRPC", server.grpc_port, protos, 32)
            print(f"\n{measure_swaps(base, model, server, submit)}", flush=True)
            print(f"\n{measure_memory(server, submit, options.requests)}")


if __name__ == "__main__":
    sys.exit(main())
