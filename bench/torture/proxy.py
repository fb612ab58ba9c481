"""A proxy in front of PostgreSQL that forwards requests and then cuts the connection before the response."""

from __future__ import annotations

import random
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

SOCKET = ".s.PGSQL.5432"
CHUNK = 1 << 16


class CuttingProxy:
    """A proxy for the PostgreSQL in `folder`; use it with `with`.

    While `share` is above 0, that share of the requests is the last one of its connection. `cut_at` cuts the connection
    of a certain one.
    """

    def __init__(self, folder: Path) -> None:
        self._database = str(folder / SOCKET)
        self._stack = ExitStack()
        self._random = random.Random(7)
        self._listener = socket.socket(socket.AF_UNIX)
        self.share = 0.0
        self.cuts = 0
        self._pattern, self._executed = b"", True
        self._before_cut: Callable[[], None] = lambda: None

    def cut_at(self, pattern: bytes, *, executed: bool, before: Callable[[], None] = lambda: None) -> None:
        """Cut the connection at the next request that contains `pattern`, after a call of `before`.

        The database gets the request only if it is to be `executed`.
        """
        self._executed, self._before_cut = executed, before
        self._pattern = pattern

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="proxy-")))
        self._listener.bind(str(self.folder / SOCKET))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()
        self._stack.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Forward both directions until both have ended."""
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._database)
            responses = threading.Thread(target=self._forward, args=(server, client), daemon=True)
            responses.start()
            self._forward(client, server, requests=True)
            responses.join()

    def _forward(self, source: socket.socket, target: socket.socket, *, requests: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                executed = True
                cut = requests and self._random.random() < self.share
                if requests and self._pattern and self._pattern in data:
                    cut, executed, self._pattern = True, self._executed, b""
                    self._before_cut()
                if cut:
                    self.cuts += 1
                    # The client gets no response; the database has the whole request and commits.
                    source.shutdown(socket.SHUT_RDWR)
                if executed:
                    target.sendall(data)
                if cut:
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_WR)
