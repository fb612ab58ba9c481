"""A TCP server whose side of each connection is a function, for what no HTTP server would do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import socket
from socketserver import BaseRequestHandler, ThreadingTCPServer

Behaviour = Callable[[socket], None]


class Server(ThreadingTCPServer):
    """Runs `behaviour` for each connection; `closing` is set when the test is over."""

    block_on_close = True
    request_queue_size = 16

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.stopped = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Handler(BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        with suppress(OSError):
            self.server.behaviour(self.request)


@contextmanager
def raw_server(behaviour: Behaviour) -> Iterator[Server]:
    """Serve on an ephemeral port of loopback inside the block."""
    with Server(behaviour) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def read_head(connection: socket) -> bytes:
    """Return the bytes of a request up to the end of its headers."""
    head = b""
    while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
        head += piece
    return head
