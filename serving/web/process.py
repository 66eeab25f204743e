"""Run the web page as a process that stops on SIGTERM or Ctrl-C."""

import signal
from typing import Final

import uvicorn

from serving.client import Client, ModelSpec
from serving.ports import listen
from serving.web.app import create_app

ANSWER_TIMEOUT_SECONDS: Final = 20.0


def serve(server: str, model_name: str, host: str, port: int) -> None:
    """Serve the page until SIGTERM or Ctrl-C.

    Args:
        server: Str. Address of the model server, as `serving.client.Client` takes it.
        model_name: Str. Name of the served model.
        host: Str. Address to listen on.
        port: Int. Port to listen on; 0 takes any free port.

    Raises:
        UserError: The address of the server or the port is not possible.
        TryAgainError: Another process listens on the port.
    """
    with Client(server, ModelSpec(model_name), ANSWER_TIMEOUT_SECONDS) as client:
        listening = listen("the web page", host, port)
        config = uvicorn.Config(
            create_app(client, model_name),
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=5,
        )
        page = uvicorn.Server(config)
        # uvicorn installs its own handlers later and removes them earlier. A KeyboardInterrupt
        # outside of them could be lost where Python ignores exceptions.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, page.handle_exit)
        print(f"web page on http://{host}:{listening.getsockname()[1]}", flush=True)
        page.run([listening])
