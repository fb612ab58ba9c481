"""Measure /metrics with a million events and with none: wall and processor time of a response."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import postgres
from bench.page_data import fill
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox

EVENTS, RESOURCES, RUNS = 1_000_000, 5_000, 400_000
ROUNDS = 200
# The goal for one response.
MOST_MILLISECONDS = 10.0


def run() -> None:
    """Measure both databases, empty and full."""
    print(f"\n/metrics with {EVENTS:,} events; {ROUNDS} requests, ms")
    print(f"{'':24}{'wall p50':>10}{'p95':>8}{'cpu p50':>9}{'p95':>8}{'with PostgreSQL':>17}")
    with tempfile.TemporaryDirectory() as name:
        for label, number in (("SQLite, empty", 0), ("SQLite", EVENTS)):
            measure(label, f"sqlite:///{name}/{number}.sqlite3", number)
        if postgres.binaries():
            with postgres.Server() as server:
                for label, number in (("PostgreSQL, empty", 0), ("PostgreSQL", EVENTS)):
                    measure(label, server.url(), number, server.processor_time)


def measure(label: str, url: str, number: int, database_time: Callable[[], float] = lambda: 0.0) -> None:
    """Print the wall time and the processor time of a response."""
    if number:
        inbox = Inbox.open(url)
        fill(inbox, number_of_events=number, number_of_resources=RESOURCES, number_of_runs=RUNS)
        inbox.close()
    tableau = {
        "tableau_domain": "http://127.0.0.1:9",
        "tableau_pat_name": "bench",
        "tableau_pat_secret": "bench-secret",
    }
    settings = Settings.read(
        _env_file=None, database_url=url, worker_threads=0, rules_file=Path("rules.toml"), **tableau
    )
    app = create_app(settings)
    client = app.test_client()
    for _ in range(10):
        client.get("/metrics")
    wall, processor = [], []
    before = database_time()
    for _ in range(ROUNDS):
        began, began_thread = time.perf_counter(), time.thread_time()
        response = client.get("/metrics")
        wall.append((time.perf_counter() - began) * 1000)
        processor.append((time.thread_time() - began_thread) * 1000)
        assert response.status_code == 200
        assert b"inbox_up 1.0" in response.data
    both = statistics.mean(processor) + (database_time() - before) * 1000 / ROUNDS
    p95 = [statistics.quantiles(values, n=20)[-1] for values in (wall, processor)]
    mark = "" if both <= MOST_MILLISECONDS else "  over the goal"
    print(
        f"{label:24}{statistics.median(wall):10.1f}{p95[0]:8.1f}{statistics.median(processor):9.1f}{p95[1]:8.1f}"
        f"{both:17.1f}{mark}",
        flush=True,
    )
    app.extensions["webhooks"].stop()
