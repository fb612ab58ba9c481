"""Worker processes with a no-op handler that logs when it starts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.server import ROOT
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.worker.worker import Worker

THREADS = 4
BODY = (
    '{"resource":"WORKBOOK","event_type":"WorkbookUpdated","resource_name":"Sales %d",'
    '"site_luid":"6b7a4a9c-1111-4222-8333-444455556666","resource_luid":"%08x-0000-4000-8000-%012x",'
    '"created_at":"2026-01-31T09:30:00Z","text":"Event WorkbookUpdated for resource Sales %d"}'
)


def event(series: int, number: int) -> Event:
    """Return an event that differs from all others, as long as Tableau's."""
    made = parse((BODY % (number, series, number, number)).encode())
    assert made is not None
    return made


@contextmanager
def workers(url: str, log: Path, processes: int = 2) -> Iterator[None]:
    """Run worker processes; each line of `log` has the event's id and when its handler started (monotonic)."""
    command = [sys.executable, "-m", "bench.workers", url, str(log)]
    running = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.communicate(b"\n", timeout=30)


def _work(url: str, log: Path) -> None:
    inbox = Inbox.open(url)
    with log.open("ab", buffering=0) as file:

        def run(job: Job, _: object) -> None:
            file.write(f"{job.event.id} {time.monotonic()}\n".encode())

        worker = Worker(
            inbox,
            planner=lambda _: [NewJob("nothing", "nothing")],
            run=run,
            threads=THREADS,
        )
        stopping = threading.Event()
        threading.Thread(target=_stop_on_input, args=(stopping,), daemon=True).start()
        worker.run_forever(stopping)
    inbox.close()


def _stop_on_input(stopping: threading.Event) -> None:
    sys.stdin.readline()
    stopping.set()


if __name__ == "__main__":
    _work(sys.argv[1], Path(sys.argv[2]))
