"""Serves the pushed model with what this machine has: `python -m serving.launch --help`.

TensorFlow Serving where its binary is on the PATH or a Docker engine answers, else the embedded
server of `serving.server`. The web page is started beside it.
"""

import argparse
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
from typing import Final

from schema import versions
from schema.command import run
from schema.errors import ExitStatus, UserError, exit_status_help, from_os_error
from schema.names import LOGS_DIRECTORY, MODEL_NAME, SERVING_DIRECTORY
from serving.client import Client, ServerError
from serving.ports import listen

PARAMETERS: Final = Path(__file__).resolve().with_name("parameters")
"""Files with the servers' settings of batching and monitoring, in TensorFlow Serving's form."""

BINARY: Final = "tensorflow_model_server"
IMAGE: Final = "tensorflow/serving"
SERVERS: Final = {
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status."""
    options = _parser().parse_args(arguments)
    base = (options.output / SERVING_DIRECTORY / MODEL_NAME).resolve()
    address = Address(options.host, options.port, options.rest_api_port, options.web_port, base)
    return run(lambda: _serve(options.server, address, options.output / LOGS_DIRECTORY))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.launch",
        description="Serve the pushed model over gRPC and REST, with a web page: by TensorFlow "
        "Serving where there is one, else by the embedded server.",
        epilog=exit_status_help(
            {
                ExitStatus.OK: "SIGTERM or Ctrl-C ended it",
                ExitStatus.FAILED: "the server or the web page ended by itself; the log says why",
                ExitStatus.USER_ERROR: "no model has been pushed, or an option is wrong",
                ExitStatus.TRY_AGAIN: "another process listens on one of the ports, or the disk "
                "is full",
            }
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--output", type=Path, default="output", metavar="DIR", help="of the run (default: output)")
    add("--server", choices=SERVERS, help="(default: the first of these that is there)")
    add("--host", default="127.0.0.1", help="(default: this machine only)")
    add("--port", type=int, default=8500, help="gRPC (default: %(default)s)")
    add("--rest-api-port", type=int, default=8501, metavar="PORT", help="(default: %(default)s)")
    add("--web-port", type=int, default=8080, metavar="PORT", help="(default: %(default)s)")
    return parser


def choose() -> str:
    """The first of `SERVERS` that this machine has."""
    if shutil.which(BINARY):
        return "binary"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        # The command alone runs nothing: an engine has to answer.
        asked = ["docker", "version", "--format", "{{.Server.Version}}"]
        subprocess.run(asked, capture_output=True, timeout=10, check=True)
        return "docker"
    return "embedded"


def command(kind: str, address: Address) -> list[str]:
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


def web_command(address: Address) -> list[str]:
    """What starts the web page."""
    return [
        *(sys.executable, "-m", "serving.web"),
        *("--host", address.host, "--port", str(address.web)),
        *("--rest-url", address.rest_url, "--grpc", f"{address.host}:{address.grpc}"),
        *("--model-name", MODEL_NAME),
    ]


def _serve(kind: str | None, address: Address, logs: Path) -> int:
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
            web = stack.enter_context(_child(web_command(address), web_log))
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
def _child(arguments: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
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
    with Client(address.rest_url, seconds=5) as client:
        while time.monotonic() < end and server.poll() is None and not stopped.wait(0.3):
            with contextlib.suppress(ServerError):
                if any(version.state == "AVAILABLE" for version in client.status()):
                    return True
    return False


def _tell_failure(name: str, log: Path, what: str) -> int:
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    print(f"the {name} {what}: {last[0][:300]}\nthe whole story is in {log}", file=sys.stderr)
    return ExitStatus.FAILED


if __name__ == "__main__":
    sys.exit(main())
