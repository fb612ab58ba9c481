"""Measure how fast two processes with a no-op handler drain a backlog of 5,000 events."""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import postgres
from bench.workers import THREADS, event, workers
from webhooks.inbox import Inbox

EVENTS = 5000
ROUNDS = 3


def run() -> None:
    """Measure both databases."""
    print(f"\nDrain of {EVENTS} events, two processes of {THREADS} threads, from the first planned to the last done")
    rates = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rates.append(drain(f"sqlite:///{folder}/inbox.sqlite3", Path(folder)))
    _print("SQLite", rates)
    if postgres.binaries():
        with postgres.Server() as server, tempfile.TemporaryDirectory() as folder:
            _print("PostgreSQL", [drain(server.url(), Path(folder), number) for number in range(ROUNDS)])


def _print(database: str, rates: list[float]) -> None:
    rounds = ", ".join(f"{rate:.0f}" for rate in rates)
    print(f"{database:<12}{statistics.median(rates):6.0f} events/s   ({rounds})")


def drain(url: str, folder: Path, series: int = 0, count: int = EVENTS) -> float:
    """Return events per second, from the start of the first handler to the end of the last job."""
    inbox = Inbox.open(url)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: inbox.events.receive(event(series, number)), range(count)))
    log = folder / f"log-{series}"
    log.touch()
    with workers(url, log):
        while log.stat().st_size == 0:
            time.sleep(0.005)
        began = time.monotonic()
        figures = inbox.counts()
        while figures["unplanned"] + figures["ready"] + figures["running"] > 0:
            time.sleep(0.02)
            figures = inbox.counts()
        seconds = time.monotonic() - began
    inbox.close()
    return count / seconds
