"""Run by the interpreter of a clean environment: does the installed package serve a model?

Argument: the output directory of a run. Starts `ordained serve` as a user does, asks for a
prediction over REST and for the web page, and stops it.
"""

import signal
import socket
import subprocess
import sys

import httpx

from serving.client import predict

with (
    socket.create_server(("127.0.0.1", 0)) as one,
    socket.create_server(("127.0.0.1", 0)) as two,
    socket.create_server(("127.0.0.1", 0)) as three,
):
    ports = [str(free.getsockname()[1]) for free in (one, two, three)]
options = zip(("--port", "--rest-api-port", "--web-port"), ports, strict=True)
command = [sys.executable, "-m", "cli", "serve", "--server", "embedded", "--output", sys.argv[1]]
with subprocess.Popen(
    [*command, *(part for option in options for part in option)], stdout=subprocess.PIPE, text=True
) as server:
    try:
        for line in server.stdout or ():
            print(line, end="")
            if line.startswith("Ctrl-C"):
                break
        [prediction] = predict([{"title": "The Long Ford"}], f"http://127.0.0.1:{ports[1]}")
        print(prediction.ranked[0])
        # The page is a process of its own, which may come later: wait up to a minute for it.
        with httpx.Client(transport=httpx.HTTPTransport(retries=7)) as client:
            client.get(f"http://127.0.0.1:{ports[2]}/api/status", timeout=60).raise_for_status()
    finally:
        # It ends the server and the web page, which would outlive it if it were killed.
        server.send_signal(signal.SIGINT)
        status = server.wait(60)
if status:
    sys.exit(f"ordained serve ended with status {status}")
