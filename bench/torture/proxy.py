"""A line to PostgreSQL that breaks: what was asked arrives, and the connection is cut before the answer comes back."""

from __future__ import annotations

import random
import socket
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

SOCKET = ".s.PGSQL.5432"
CHUNK = 1 << 16


class Cutter:
    """Stands between a server and the PostgreSQL in `folder`; while `share` is above 0, that share of what clients ask
    is the last that their connection carries. Use it with `with`."""

    def __init__(self, folder: Path) -> None:
        self._database = str(folder / SOCKET)
        self._stack = ExitStack()
        self._chance = random.Random(7)
        self._listener = socket.socket(socket.AF_UNIX)
        self.share = 0.0
        self.cuts = 0

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="cutter-")))
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
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        """Both directions, until both have ended."""
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._database)
            back = threading.Thread(target=self._carry, args=(server, client, 0.0), daemon=True)
            back.start()
            self._carry(client, server, 1.0)
            back.join()

    def _carry(self, source: socket.socket, target: socket.socket, weight: float) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                cut = self._chance.random() < self.share * weight
                if cut:
                    self.cuts += 1
                    # The client hears no more; the database has its question whole, and goes on to commit.
                    source.shutdown(socket.SHUT_RDWR)
                target.sendall(data)
                if cut:
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_WR)
