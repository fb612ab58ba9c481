"""Migrate the inbox before a server starts its processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from webhooks.gunicorn.processes import known_database
from webhooks.gunicorn.signals import STOPPING
from webhooks.inbox.migrate import is_current

# Seconds for a migration of the inbox.
MIGRATION_SECONDS = 900


def migrate(server: Any, url: str) -> None:
    """Migrate the inbox if it is not current, in a separate process, which a signal to the server ends.

    The memory of the migration is returned to the system, and it may take longer than a worker may be silent.
    """
    services = server.app.wsgi().extensions["webhooks"]
    services.known_database = known = known_database(url)
    if (server.cfg.uid, server.cfg.gid) == (os.geteuid(), os.getegid()) and is_current(url):
        known.exists = True
        return
    child = multiprocessing.get_context("fork").Process(target=open_inbox, args=(server, services))
    with stop_signals() as received:
        child.start()
        deadline = time.monotonic() + MIGRATION_SECONDS
        while child.is_alive() and not received and time.monotonic() < deadline:
            child.join(0.2)
        child.kill()
        child.join()
    known.exists = child.exitcode == 0


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect the signals that stop the server, and pass them on to gunicorn's handlers."""
    received: list[int] = []
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in STOPPING}

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if callable(handlers[number]):
            handlers[number](number, frame)

    for number in handlers:
        signal.signal(number, pass_on)
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def open_inbox(server: Any, services: Any) -> None:
    """Open and close the inbox, in the child process."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    for listener in server.LISTENERS:
        listener.sock.close()
    # With the rights of the server processes, so that they own the files.
    if server.cfg.gid != os.getegid():
        os.setgid(server.cfg.gid)
    if server.cfg.uid != os.geteuid():
        os.setuid(server.cfg.uid)
    os.umask(server.cfg.umask)
    # An error is raised again, and reported, when the server processes open the inbox.
    exists = False
    with suppress(Exception):
        exists = services.inbox.store.revision() is not None
        services.inbox.close()
    sys.exit(0 if exists else 1)
