"""Start a model server and the web page, and stop both together.

The server is TensorFlow Serving if its binary is on the PATH or a Docker engine runs, otherwise the
embedded server of `serving.server`.
"""

import contextlib
import importlib.util
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from schema import versions
from schema.errors import ExitStatus, UserError, from_os_error
from schema.names import MODEL_NAME
from serving.client import Client, ServerError
from serving.ports import listen

PARAMETERS_DIRECTORY: Final = Path(__file__).resolve().with_name("parameters")
"""Directory with TensorFlow Serving's parameter files for batching and monitoring."""

BINARY: Final = "tensorflow_model_server"
IMAGE: Final = "tensorflow/serving"
ServerKind = Literal["binary", "docker", "embedded"]

SERVERS: Final[dict[ServerKind, str]] = {
    "binary": f"TensorFlow Serving ({BINARY})",
    "docker": f"TensorFlow Serving (the image {IMAGE})",
    "embedded": "the embedded server",
}
"""Names of the servers, in order of preference."""

START_TIMEOUT_SECONDS: Final = 300.0
STOP_TIMEOUT_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Address:
    """Host and ports to listen on, and the model to serve.

    Attributes:
        host: Address to listen on.
        grpc: Port for gRPC.
        rest: Port for REST.
        web: Port of the web page.
        model_directory: Directory with one subdirectory per version.
    """

    host: str
    grpc: int
    rest: int
    web: int
    model_directory: Path

    @property
    def rest_url(self) -> str:
        """URL of the REST interface."""
        return f"http://{self.host}:{self.rest}"


def choose_server() -> ServerKind:
    """Return the first of `SERVERS` that can run on this machine."""
    if shutil.which(BINARY):
        return "binary"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        # The Docker command can be installed without a running engine.
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        subprocess.run(command, capture_output=True, timeout=10, check=True)
        return "docker"
    return "embedded"


def server_command(kind: ServerKind, address: Address) -> list[str]:
    """Return the command line that starts a server."""
    if kind == "docker":
        return [
            *("docker", "run", "--rm", "--init"),
            *("-p", f"{address.host}:{address.grpc}:8500"),
            *("-p", f"{address.host}:{address.rest}:8501"),
            *("-v", f"{address.model_directory}:/models/{MODEL_NAME}:ro"),
            *("-v", f"{PARAMETERS_DIRECTORY}:/parameters:ro"),
            *("-e", f"MODEL_NAME={MODEL_NAME}", IMAGE),
            *_parameter_flags(Path("/parameters")),
        ]
    # TensorFlow Serving has no flag for the host and listens on all addresses.
    embedded = [sys.executable, "-m", "serving.server", f"--host={address.host}"]
    return [
        *([BINARY] if kind == "binary" else embedded),
        f"--port={address.grpc}",
        f"--rest_api_port={address.rest}",
        f"--model_name={MODEL_NAME}",
        f"--model_base_path={address.model_directory}",
        *_parameter_flags(PARAMETERS_DIRECTORY),
    ]


def _parameter_flags(directory: Path) -> list[str]:
    return [
        "--enable_batching=true",
        f"--batching_parameters_file={directory / 'batching.config'}",
        f"--monitoring_config_file={directory / 'monitoring.config'}",
    ]


def serve(kind: ServerKind | None, address: Address, logs: Path, web_page: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit status.

    Args:
        kind: Str. Key of `SERVERS`; None starts the first that can run on this machine.
        address: Host, ports and model directory.
        logs: Path. Directory for the logs of the server and the web page.
        web_page: Sequence of str. Command line that starts the web page.

    Raises:
        UserError: No model has been pushed.
        TryAgainError: A port is taken, or the disk is full.
    """
    if not versions.version_directories(address.model_directory):
        raise UserError(
            f"{address.model_directory}: no model has been pushed yet. Run `ordained run` first."
        )
    ports = {"gRPC": address.grpc, "REST": address.rest, "the web page": address.web}
    for name, port in ports.items():
        listen(name, address.host, port).close()
    kind = kind or choose_server()
    if program := {"binary": BINARY, "docker": "docker"}.get(kind):
        _require_program(program)
    print(f"starting {SERVERS[kind]} …", flush=True)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    log = logs / f"serve-{address.grpc}.log"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_process(server_command(kind, address), log))
        if not _wait_until_available(server, address, stopped):
            if stopped.is_set():
                return ExitStatus.OK
            if server.poll() is not None:
                return _print_failure("the server ended", log)
            limit = f"{START_TIMEOUT_SECONDS:.0f} s"
            return _print_failure(f"the server has no model available after {limit}", log)
        print(f"gRPC      {address.host}:{address.grpc}")
        print(f"REST      {address.rest_url}/v1/models/{MODEL_NAME}")
        print(f"metrics   {address.rest_url}/monitoring/prometheus/metrics")
        processes = [("server", server, log)]
        if importlib.util.find_spec("fastapi"):
            web_log = logs / f"web-{address.web}.log"
            web = stack.enter_context(_process(web_page, web_log))
            processes.append(("web page", web, web_log))
            print(f"web page  http://{address.host}:{address.web}")
        else:
            print("web page  not started: run `pip install 'ordained[web]'` to have it")
        print(f"log       {log}\nPress Ctrl-C to stop.", flush=True)
        while not stopped.wait(0.5):
            for name, process, process_log in processes:
                if process.poll() is not None:
                    return _print_failure(f"the {name} ended", process_log)
    return ExitStatus.OK


def _require_program(name: str) -> None:
    if shutil.which(name) is None:
        raise UserError(
            f"{name} is not on the PATH. Install it, or use the embedded server with "
            "--server embedded."
        )


@contextlib.contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process while the block runs, and write its output to a file."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log_file = log.open("wb")
    except OSError as error:
        raise from_os_error(error, f"{log}: cannot be written: {error.strerror}") from error
    with log_file:
        # In another session, the process gets Ctrl-C only from this one, which stops it in order.
        process = subprocess.Popen(
            command, stdout=log_file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_available(
    server: subprocess.Popen[bytes], address: Address, stopped: threading.Event
) -> bool:
    """Wait for a version to be available; return False if the server ended or takes too long."""
    end = time.monotonic() + START_TIMEOUT_SECONDS
    with Client(address.rest_url, timeout=5) as client:
        while time.monotonic() < end and server.poll() is None and not stopped.wait(0.3):
            with contextlib.suppress(ServerError):
                if any(version.state == "AVAILABLE" for version in client.status()):
                    return True
    return False


def _print_failure(message: str, log: Path) -> int:
    lines = log.read_text(errors="replace").strip().splitlines()[-3:] or ["(no output)"]
    shown = "\n".join(f"  {line[:300]}" for line in lines)
    print(f"{message}. Its last output:\n{shown}\nSee {log} for all of it.", file=sys.stderr)
    return ExitStatus.FAILED
