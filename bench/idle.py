"""Measure the time from an acknowledgement to the start of its handler on an idle server."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench import postgres
from bench.workers import event, workers
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.worker.worker import Worker

EVENTS = 60
PAUSE_SECONDS = 0.05


def run() -> None:
    """Measure both databases, with the worker in the same process and in another one."""
    print(f"\nFrom acknowledgement to handler, idle, {EVENTS} events one after the other: median / 95th percentile, ms")
    with tempfile.TemporaryDirectory() as folder:
        _print("SQLite", f"sqlite:///{folder}/inbox.sqlite3", Path(folder))
        if postgres.binaries():
            with postgres.Server() as server:
                _print("PostgreSQL", server.url(), Path(folder))


def _print(database: str, url: str, folder: Path) -> None:
    same, other = _format(same_process(url)), _format(other_process(url, folder))
    print(f"{database:<12} same process {same}   other process {other}", flush=True)


def _format(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:5.1f} / {statistics.quantiles(seconds, n=20)[-1] * 1000:5.1f}"


def same_process(url: str, series: int = 1) -> list[float]:
    """Return the seconds with the worker in the process that acknowledges."""
    began: dict[int | None, float] = {}
    inbox = Inbox.open(url)

    def run(job: Job, _: object) -> None:
        began[job.event.id] = time.monotonic()

    worker = Worker(inbox, planner=lambda _: [NewJob("nothing", "nothing")], run=run)
    worker.start()
    acknowledged = _send(inbox, series)
    worker.stop()
    inbox.close()
    return [began[event_id] - at for event_id, at in acknowledged.items()]


def other_process(url: str, folder: Path, series: int = 2) -> list[float]:
    """Return the seconds with the worker in another process of the same machine."""
    log = folder / f"idle-{series}-{time.monotonic_ns()}"
    log.touch()
    inbox = Inbox.open(url)
    with workers(url, log, processes=1):
        inbox.events.receive(event(series + 100, 0))
        while log.stat().st_size == 0:
            time.sleep(0.01)
        acknowledged = _send(inbox, series)
    inbox.close()
    began = {int(line.split()[0]): float(line.split()[1]) for line in log.read_text().splitlines()}
    return [began[event_id] - at for event_id, at in acknowledged.items()]


def _send(inbox: Inbox, series: int) -> dict[int, float]:
    """Store events with pauses, and return when each was acknowledged, by its id."""
    acknowledged = {}
    for number in range(EVENTS):
        receipt = inbox.events.receive(event(series, number))
        acknowledged[receipt.id] = time.monotonic()
        time.sleep(PAUSE_SECONDS)
    time.sleep(0.5)
    return acknowledged
