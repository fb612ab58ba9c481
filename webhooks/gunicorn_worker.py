"""gunicorn's threaded worker, made to leave connections to a less busy process.

It reads attributes of gunicorn's worker that are not documented, so it is used only with the versions it was tested
with; with any other version the server runs with gunicorn's own threaded worker. See
docs/decisions/008-shared-connections.md.
"""

from __future__ import annotations

import time
from collections.abc import MutableSequence
from typing import Any, ClassVar

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

# As in pyproject.toml.
SUPPORTED = "27.0."
# Seconds for another process to accept a connection first.
YIELD_SECONDS = 0.005
# The number of connections of a process that does not exist.
ABSENT = 1_000_000


class SharingWorker(ThreadWorker):  # type: ignore[misc]
    """Waits before it accepts a connection if its threads are busy and another process holds fewer connections.

    All processes wait on the same socket. Without this the process that happens to be awake accepts every connection,
    while the others idle.
    """

    # How many connections each process holds, in memory shared by all; set before the fork.
    connections: ClassVar[MutableSequence[int]] = []
    # The position of this process in it.
    place: int = 0

    def accept(self, listener: Any) -> None:
        """Accept one connection."""
        # Kept-alive connections do not occupy a thread.
        busy = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        if busy >= self.cfg.threads and self.nr_conns > min(self.connections) + 1:
            time.sleep(YIELD_SECONDS)
        super().accept(listener)
        self.connections[self.place] = self.nr_conns


def choose_worker_class(version: str) -> type[SharingWorker] | str:
    """Return the worker class for this version of gunicorn; "gthread", gunicorn's own, for an unsupported one."""
    return SharingWorker if version.startswith(SUPPORTED) else "gthread"
