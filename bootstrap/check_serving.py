"""Check that the installed package can serve a model.

Run by the interpreter of a clean environment. Argument: output directory of a run. The script
starts `ordained serve`, requests a prediction over REST and the web page, and stops the server.
"""

import signal
import socket
import subprocess
import sys

import httpx

from serving.client import predict

with (
    socket.create_server(("127.0.0.1", 0)) as grpc,
    socket.create_server(("127.0.0.1", 0)) as rest,
    socket.create_server(("127.0.0.1", 0)) as web,
):
    ports = [str(listener.getsockname()[1]) for listener in (grpc, rest, web)]
options = zip(("--port", "--rest-api-port", "--web-port"), ports, strict=True)
command = [sys.executable, "-m", "cli", "serve", "--server", "embedded", "--output", sys.argv[1]]
with subprocess.Popen(
    [*command, *(part for option in options for part in option)], stdout=subprocess.PIPE, text=True
) as server:
    try:
        for line in server.stdout or ():
            print(line, end="")
            if line.startswith("Press Ctrl-C"):
                break
        [prediction] = predict([{"title": "The Long Ford"}], f"http://127.0.0.1:{ports[1]}")
        print(prediction.ranked[0])
        # The web page is another process, which may start later: wait up to a minute for it.
        with httpx.Client(transport=httpx.HTTPTransport(retries=7)) as client:
            client.get(f"http://127.0.0.1:{ports[2]}/api/status", timeout=60).raise_for_status()
    finally:
        # On SIGINT, `serving.launch` stops the server and the web page. SIGKILL would leave them.
        server.send_signal(signal.SIGINT)
        status = server.wait(60)
if status:
    sys.exit(f"ordained serve ended with status {status}")
