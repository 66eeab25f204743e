"""HTTP connections that do not wait for ever, and do not read for ever."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT: Final = 64 << 10
"""Bytes that arrive before a head without an end is given up."""


def patient(seconds: float) -> type[asyncio.Protocol]:
    """A class of connections that are closed when the head of a request takes so many seconds.

    uvicorn limits neither the time nor the size of a head: a client that sends one a byte a minute
    would keep its connection, and one that never ends its head would fill the memory.
    """

    class Patient(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _head = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait_for_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_there()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._wait_for_head()

        def on_headers_complete(self) -> None:
            self._head_is_there()
            super().on_headers_complete()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._timer:
                self._head += len(data)
                if self._head > HEAD_LIMIT:
                    self._refuse(b"431 Request Header Fields Too Large")

        def _wait_for_head(self) -> None:
            self._head_is_there()
            self._head = 0
            self._timer = self.loop.call_later(seconds, self._refuse, b"408 Request Timeout")

        def _head_is_there(self) -> None:
            if self._timer:
                self._timer.cancel()
                self._timer = None

        def _refuse(self, status: bytes) -> None:
            self._head_is_there()
            if not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\n\r\n")
                self.transport.close()

    return Patient
