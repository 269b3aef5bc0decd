"""The server at work: its socket, its start, and an end that loses no request."""

import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from captioner.errors import UsageError
from captioner.serving.connection import Connection

_BACKLOG = 512
_MAX_CONNECTIONS = 512
_FINISH_SECONDS = 30  # for requests in flight when the server is told to end
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def bind(host: str, port: int) -> socket.socket:
    """Returns a socket that listens at an address; connections wait until the server runs.

    Args:
        host: a name or a numeric address of this machine.
        port: 0 takes a free one.

    Raises:
        UsageError: the address cannot be taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # elsewhere it would let two servers have one address
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:  # UnicodeError: a label is empty or too long
        cause = error.strerror if isinstance(error, OSError) else "this is no name of a machine"
        raise UsageError(
            f"The server cannot listen at {host}, port {port}: {cause}. Choose another "
            "--port (0 takes any that is free) or --host."
        ) from error
    return listener


def is_local(listener: socket.socket) -> bool:
    """Tells whether only this machine can reach a socket."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def run_server(app: ASGIApp, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM, and then until the requests in flight are answered.

    A second SIGINT ends it at once.

    Args:
        app: the application.
        listener: the socket; closed at the end.
        announce: called when the first request can come.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="error",  # of odd clients it would tell what they were answered already
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=_FINISH_SECONDS,
        ),
        announce,
    )
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # likewise
    with _signals_are_no_faults():
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that says when it is ready, and nothing of requests that it is told to drop."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self.force_exit:
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


@contextmanager
def _signals_are_no_faults() -> Iterator[None]:
    """Keeps the process alive when uvicorn, having ended, raises the signal that ended it again."""
    earlier = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
