"""Signals that end a server's process: those that gunicorn loses, and what they mean for jobs."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType
from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def stop_claiming_at_sigterm(worker: Any, services: Any) -> None:
    """Let the embedded worker claim no more jobs when the process gets its first SIGTERM, beside what gunicorn does."""
    stop_requests: Any = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        first = worker.alive
        stop_requests(number, frame)
        if first:
            worker.stopped_at = time.monotonic()
            worker.jobs.stop_claiming()
            services.stop_claiming()

    signal.signal(signal.SIGTERM, stop)
    # As gunicorn sets it: no request is interrupted.
    signal.siginterrupt(signal.SIGTERM, False)


def repeat_early_signals(worker: Any) -> None:
    """Send this process the signals that came before gunicorn replaced the master's handlers in it.

    They are in its copy of the master's queue. Without them it would be killed in the end, half a minute later.
    """
    queued = getattr(worker, "master_signals", None)
    while queued is not None and not queued.empty():
        if (number := queued.get()) in STOPPING:
            os.kill(os.getpid(), number)
