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

PARAMETERS: Final = Path(__file__).resolve().with_name("parameters")
"""Files with the servers' settings of batching and monitoring, in TensorFlow Serving's form."""

BINARY: Final = "tensorflow_model_server"
IMAGE: Final = "tensorflow/serving"
ServerKind = Literal["binary", "docker", "embedded"]

SERVERS: Final[dict[ServerKind, str]] = {
    "binary": f"TensorFlow Serving ({BINARY})",
    "docker": f"TensorFlow Serving (the image {IMAGE})",
    "embedded": "the embedded server",
}
"""Each is tried in turn."""

START_SECONDS: Final = 300.0
STOP_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Address:
    """The host and the ports to listen on, and the folder with the versions."""

    host: str
    grpc: int
    rest: int
    web: int
    base: Path

    @property
    def rest_url(self) -> str:
        """http://HOST:PORT of REST."""
        return f"http://{self.host}:{self.rest}"


def choose() -> ServerKind:
    """The first of `SERVERS` that this machine has."""
    if shutil.which(BINARY):
        return "binary"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        # The command alone runs nothing: an engine has to answer.
        asked = ["docker", "version", "--format", "{{.Server.Version}}"]
        subprocess.run(asked, capture_output=True, timeout=10, check=True)
        return "docker"
    return "embedded"


def command(kind: ServerKind, address: Address) -> list[str]:
    """What starts a server, one of `SERVERS`."""
    if kind == "docker":
        return [
            *("docker", "run", "--rm", "--init"),
            *("-p", f"{address.host}:{address.grpc}:8500"),
            *("-p", f"{address.host}:{address.rest}:8501"),
            *("-v", f"{address.base}:/models/{MODEL_NAME}:ro"),
            *("-v", f"{PARAMETERS}:/parameters:ro"),
            *("-e", f"MODEL_NAME={MODEL_NAME}", IMAGE),
            *_parameters(Path("/parameters")),
        ]
    # TensorFlow Serving itself listens on every address.
    embedded = [sys.executable, "-m", "serving.server", f"--host={address.host}"]
    return [
        *([BINARY] if kind == "binary" else embedded),
        f"--port={address.grpc}",
        f"--rest_api_port={address.rest}",
        f"--model_name={MODEL_NAME}",
        f"--model_base_path={address.base}",
        *_parameters(PARAMETERS),
    ]


def _parameters(folder: Path) -> list[str]:
    return [
        "--enable_batching=true",
        f"--batching_parameters_file={folder / 'batching.config'}",
        f"--monitoring_config_file={folder / 'monitoring.config'}",
    ]


def serve(kind: ServerKind | None, address: Address, logs: Path, web_page: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit status.

    Args:
        kind: Str. Key of `SERVERS`; None starts the first that this machine has.
        address: Host, ports and model directory.
        logs: Path. Directory for the logs of the server and the web page.
        web_page: Sequence of str. Command line that starts the web page.

    Raises:
        UserError: No model has been pushed.
        TryAgainError: A port is taken, or the disk is full.
    """
    if not versions.version_directories(address.base):
        raise UserError(f"{address.base}: no model has been pushed yet; run the pipeline first")
    ports = {"gRPC": address.grpc, "REST": address.rest, "the web page": address.web}
    for name, port in ports.items():
        listen(name, address.host, port).close()
    kind = kind or choose()
    print(f"starting {SERVERS[kind]} …", flush=True)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    log = logs / "serve.log"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_child(command(kind, address), log))
        if not _ready(server, address, stopped):
            if stopped.is_set():
                return ExitStatus.OK
            slow = f"serves nothing after {START_SECONDS:.0f} s"
            return _tell_failure("server", log, "ended" if server.poll() is not None else slow)
        print(f"gRPC      {address.host}:{address.grpc}")
        print(f"REST      {address.rest_url}/v1/models/{MODEL_NAME}")
        print(f"metrics   {address.rest_url}/monitoring/prometheus/metrics")
        children = [("server", server, log)]
        # The page is an extra: a machine that only serves need not have its libraries.
        if importlib.util.find_spec("fastapi"):
            web_log = logs / "web.log"
            web = stack.enter_context(_child(web_page, web_log))
            children.append(("web page", web, web_log))
            print(f"web page  http://{address.host}:{address.web}")
        else:
            print("web page  not started: it needs `pip install ordained[web]`")
        print(f"log       {log}\nCtrl-C ends it", flush=True)
        while not stopped.wait(0.5):
            for name, process, said in children:
                if process.poll() is not None:
                    return _tell_failure(name, said, "ended")
    return ExitStatus.OK


@contextlib.contextmanager
def _child(arguments: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process for as long as the block runs; what it prints goes into a file."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        said = log.open("wb")
    except OSError as error:
        raise from_os_error(error, f"{log}: cannot be written: {error.strerror}") from error
    with said:
        # In a session of its own, so that Ctrl-C reaches it through this process, in order.
        process = subprocess.Popen(
            arguments, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(server: subprocess.Popen[bytes], address: Address, stopped: threading.Event) -> bool:
    """Wait for a version to be served; False when the server ended, or took too long."""
    end = time.monotonic() + START_SECONDS
    with Client(address.rest_url, timeout=5) as client:
        while time.monotonic() < end and server.poll() is None and not stopped.wait(0.3):
            with contextlib.suppress(ServerError):
                if any(version.state == "AVAILABLE" for version in client.status()):
                    return True
    return False


def _tell_failure(name: str, log: Path, what: str) -> int:
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    print(f"the {name} {what}: {last[0][:300]}\nthe whole story is in {log}", file=sys.stderr)
    return ExitStatus.FAILED
