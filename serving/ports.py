"""TCP ports of the model server and the web page."""

import socket

from schema.errors import UserError, from_os_error

BACKLOG = 2048
"""Largest number of connections that wait to be accepted."""


def listen(name: str, host: str, port: int) -> socket.socket:
    """Listen on a TCP port.

    Args:
        name: Name of the service in error messages.
        host: Address to listen on.
        port: Port number; 0 for any free port.

    Raises:
        TryAgainError: Another process listens on the port.
        UserError: The address or the port does not exist.
    """
    where = f"{name} cannot listen on {host}:{port}"
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OverflowError as error:
        raise UserError(f"{where}: {error}") from error
    except OSError as error:
        # Python appends the address, which the message already contains.
        reason = str(error.strerror).partition(" (while ")[0]
        message = f"{where}: {reason}. Stop the process that listens there, or choose another port."
        raise from_os_error(error, message) from error
