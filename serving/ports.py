"""The ports that the servers listen on."""

import socket

from schema.errors import UserError, from_os_error

BACKLOG = 2048
"""Connections that wait to be accepted."""


def listen(name: str, host: str, port: int) -> socket.socket:
    """Listen on a TCP port, on any that is free for 0; `name` stands in messages.

    Raises:
        TryAgainError: another process listens on the port.
        UserError: there is no such address or port.
    """
    where = f"{name} cannot listen on {host}:{port}"
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OverflowError as error:
        raise UserError(f"{where}: {error}") from error
    except OSError as error:
        # Python adds the address, which the message names already.
        reason = str(error.strerror).partition(" (while ")[0]
        message = f"{where}: {reason}; choose another address or port"
        raise from_os_error(error, message) from error
