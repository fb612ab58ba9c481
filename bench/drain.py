"""How fast a backlog of 5,000 events is worked off by two processes whose handler does nothing."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench import postgres
from bench.workers import THREADS, event, workers
from webhooks.inbox import Inbox

EVENTS = 5000
ROUNDS = 3


def run() -> None:
    """Both databases."""
    print(f"\nDrain of {EVENTS} events, two processes of {THREADS} threads, from the first planned to the last done")
    rates = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rates.append(drain(f"sqlite:///{folder}/inbox.sqlite3", Path(folder)))
    print(f"SQLite      {_shown(rates)}")
    if postgres.binaries():
        with postgres.Server() as server, tempfile.TemporaryDirectory() as folder:
            print(f"PostgreSQL  {_shown([drain(server.url(), Path(folder), number) for number in range(ROUNDS)])}")


def _shown(rates: list[float]) -> str:
    return f"{statistics.median(rates):6.0f} events/s   ({', '.join(f'{rate:.0f}' for rate in rates)})"


def drain(url: str, folder: Path, series: int = 0, count: int = EVENTS) -> float:
    """Events a second. The processes are up before the clock starts: it runs from the first handler to the last job."""
    inbox = Inbox.open(url)
    _fill(inbox, series, count)
    log = folder / f"log-{series}"
    log.touch()
    with workers(url, log):
        while log.stat().st_size == 0:
            time.sleep(0.005)
        began = time.monotonic()
        while not _empty(inbox):
            time.sleep(0.02)
        seconds = time.monotonic() - began
    inbox.close()
    return count / seconds


def _fill(inbox: Inbox, series: int, count: int) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: inbox.events.receive(event(series, number)), range(count)))


def _empty(inbox: Inbox) -> bool:
    figures = inbox.counts()
    return figures["unplanned"] + figures["ready"] + figures["running"] == 0
