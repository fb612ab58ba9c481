"""Measure the pages: server time and size with a million events, and the rows that each statement reads."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import text

from bench import postgres
from bench.page_data import fill
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox

EVENTS, RESOURCES, RUNS = 1_000_000, 5_000, 400_000
ROUNDS = 60
# The goals: server time at the 95th percentile in milliseconds, and bytes.
MOST_MILLISECONDS, MOST_BYTES = 25.0, 60_000


def run() -> None:
    """Measure every page on both databases."""
    print(f"\nPages with {EVENTS:,} events, {RESOURCES:,} resources, {RUNS:,} runs; {ROUNDS} requests each")
    with tempfile.TemporaryDirectory() as name:
        _measure("SQLite", f"sqlite:///{name}/inbox.sqlite3", Path(name))
        if postgres.binaries():
            with postgres.Server() as server:
                _measure("PostgreSQL", server.url(), Path(name))


def _measure(database: str, url: str, folder: Path) -> None:
    began = time.monotonic()
    inbox = Inbox.open(url)
    fill(inbox, number_of_events=EVENTS, number_of_resources=RESOURCES, number_of_runs=RUNS)
    inbox.close()
    print(f"{database}: filled in {time.monotonic() - began:.0f} s")
    measure(url, folder)


def measure(url: str, folder: Path) -> None:
    """Print the server time and the size of each page of a filled inbox."""
    rules = folder / "rules.toml"
    rules.write_text('[[rule]]\nname = "Refresh failures"\non = "*RefreshFailed"\nnotify = "slack:#bi"\n')
    # A credential for a Tableau server that does not exist.
    tableau = {
        "tableau_domain": "http://127.0.0.1:9",
        "tableau_pat_name": "bench",
        "tableau_pat_secret": "bench-secret",
    }
    settings = Settings.read(_env_file=None, database_url=url, worker_threads=0, rules_file=rules, **tableau)
    app = create_app(settings)
    client = app.test_client()
    services = app.extensions["webhooks"]
    print(f"{'page':42}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}{'KB':>7}")
    for path in paths(services.inbox):
        seconds, processor, size = _time(client, path)
        p95 = statistics.quantiles(seconds, n=20)[-1] * 1000
        mark = "" if p95 <= MOST_MILLISECONDS and size <= MOST_BYTES else "  over the goal"
        print(
            f"{path[:40]:42}{statistics.median(seconds) * 1000:9.1f}{p95:9.1f}{processor:9.1f}{size / 1000:7.1f}{mark}"
        )
    version = client.get("/").headers["ETag"]
    began = time.perf_counter()
    for _ in range(1000):
        client.get("/", headers={"If-None-Match": version, "X-Poll": "1"})
    # Of a thousand requests in seconds; 200 pages ask 40 times a second.
    milliseconds = time.perf_counter() - began
    share = milliseconds * 4
    print(f"unchanged page, asked in the background: {milliseconds:.2f} ms; 200 open pages: {share:.1f} % of a core")
    services.stop()


def paths(inbox: Inbox) -> Iterator[str]:
    """Yield the pages that are measured."""
    luid = inbox.store.scalar(text("SELECT resource_luid FROM refreshed_content ORDER BY resource_name LIMIT 1"))
    yield from ("/", "/incidents", "/incidents?view=closed&period=30d", "/incidents/1")
    yield from ("/resources", "/resources?name=9", "/resources?view=failing", f"/resources/{luid}")
    yield from (
        "/events",
        "/events?type=*RefreshFailed",
        "/events?name=Nothing",
        "/events?state=dead",
        "/events/999991",
    )
    yield from ("/dead-letters", "/rules", "/webhooks", "/audit")


def _time(client: FlaskClient, path: str) -> tuple[list[float], float, int]:
    """Return the seconds of each request, the processor time at the 95th percentile in milliseconds, and the bytes.

    On a machine that others use, the processor time is the better figure.
    """
    response = client.get(path)
    if response.status_code != 200:
        raise RuntimeError(f"{path} responded with {response.status_code}")
    seconds, processor = [], []
    for _ in range(ROUNDS):
        began, began_thread = time.perf_counter(), time.thread_time()
        client.get(path)
        seconds.append(time.perf_counter() - began)
        processor.append(time.thread_time() - began_thread)
    return seconds, statistics.quantiles(processor, n=20)[-1] * 1000, len(response.data)
