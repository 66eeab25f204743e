"""An HTTP protocol for uvicorn with limits on the time and size of request headers."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES: Final = 64 << 10


class HeaderTimeoutProtocol(HttpToolsProtocol):
    """A connection that is closed if request headers arrive too slowly or are too large.

    uvicorn limits neither the time nor the size of headers. A client that sent one byte per minute
    would occupy a connection indefinitely, and endless headers would exhaust the memory.

    Attributes:
        timeout_seconds: Time allowed for the headers of one request, in seconds.
    """

    timeout_seconds = 30.0
    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Start the timer for the first request."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Restart the timer for the next request."""
        super().on_message_begin()
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Stop the timer: the body has a timeout of its own."""
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Count the bytes of the headers, and answer 431 if there are too many."""
        super().data_received(data)
        if self._timer:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._reject(b"431 Request Header Fields Too Large")

    def _start_timer(self) -> None:
        self._stop_timer()
        self._header_bytes = 0
        self._timer = self.loop.call_later(
            self.timeout_seconds, self._reject, b"408 Request Timeout"
        )

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _reject(self, status: bytes) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\n\r\n")
            self.transport.close()


def with_header_timeout(seconds: float) -> type[asyncio.Protocol]:
    """Return a `HeaderTimeoutProtocol` class with the given timeout.

    uvicorn takes a class and creates its instances, so the timeout is an attribute of the class.
    """
    return type("HeaderTimeoutProtocol", (HeaderTimeoutProtocol,), {"timeout_seconds": seconds})
