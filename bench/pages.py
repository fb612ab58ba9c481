"""Measure the pages: server time and size with a million events, and the rows that each statement reads."""

from __future__ import annotations

import http.client
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Self

import psutil
from flask.testing import FlaskClient
from sqlalchemy import text

from bench import postgres, server
from bench.page_data import fill
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox

EVENTS, RESOURCES, RUNS = 1_000_000, 5_000, 400_000
ROUNDS = 60
# The goals: server time at the 95th percentile in milliseconds, and bytes.
MOST_MILLISECONDS, MOST_BYTES = 25.0, 60_000
# Open pages, how often each asks while someone uses it, and for how long that is measured. Others ask half as often.
OPEN_PAGES, POLL_SECONDS, OPEN_SECONDS = 200, 5.0, 60.0
# In an ordinary hour, someone uses one page in four: fifteen minutes each.
ORDINARY = 4
IDS = text("SELECT id FROM incidents ORDER BY id LIMIT 500")


def run() -> None:
    """Measure every page on both databases."""
    print(f"\nPages with {EVENTS:,} events, {RESOURCES:,} resources, {RUNS:,} runs; {ROUNDS} requests each")
    with tempfile.TemporaryDirectory() as name:
        _measure("SQLite", f"sqlite:///{name}/inbox.sqlite3", Path(name))
        if postgres.binaries():
            with postgres.Server() as database:
                _measure("PostgreSQL", database.url(), Path(name), database.processor_time)


def _measure(database: str, url: str, folder: Path, of_server: Callable[[], float] = lambda: 0.0) -> None:
    began = time.monotonic()
    inbox = Inbox.open(url)
    fill(inbox, number_of_events=EVENTS, number_of_resources=RESOURCES, number_of_runs=RUNS)
    inbox.close()
    print(f"{database}: filled in {time.monotonic() - began:.0f} s")
    measure(url, folder, of_server)


def measure(url: str, folder: Path, of_server: Callable[[], float] = lambda: 0.0) -> None:
    """Print the server time and the size of each page of a filled inbox.

    `of_server` returns the processor time in seconds that a database server has used so far.
    """
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
    print(f"{'page':42}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}{'database ms':>13}{'KB':>7}")
    for path in paths(services.inbox):
        before = of_server()
        seconds, processor, size = _time(client, path)
        database = (of_server() - before) / (ROUNDS + 1) * 1000
        p95 = statistics.quantiles(seconds, n=20)[-1] * 1000
        mark = "" if p95 <= MOST_MILLISECONDS and size <= MOST_BYTES else "  over the goal"
        print(
            f"{path[:40]:42}{statistics.median(seconds) * 1000:9.1f}{p95:9.1f}{processor:9.1f}{database:13.1f}"
            f"{size / 1000:7.1f}{mark}"
        )
    different = [*paths(services.inbox), *(f"/incidents/{row['id']}" for row in services.inbox.store.rows(IDS))]
    services.stop()
    ordinary, busy = open_pages(url, folder, different, of_server)
    print(
        f"{OPEN_PAGES} open pages that do not change: {ordinary * 100:.1f} % of a core in an ordinary hour, "
        f"{busy * 100:.1f} % if someone uses each"
    )


def open_pages(url: str, folder: Path, different: Sequence[str], of_server: Callable[[], float]) -> tuple[float, float]:
    """Return the shares of a core that many open pages use: one in four is in use, and all of them are.

    It is the processor time of the server and its database, less what they use without open pages.
    """
    variables = server.environment(folder, DATABASE_URL=url)
    with server.serving("index:app", server.ROOT / "gunicorn.conf.py", variables) as port, ExitStack() as stack:
        pages = [
            stack.enter_context(OpenPage(port, different[number % len(different)])) for number in range(OPEN_PAGES)
        ]
        idle = _processor_share(of_server, lambda: time.sleep(POLL_SECONDS))
        # As they changed meanwhile.
        _ask(pages, pages)
        rounds = count()

        def ask_ordinary() -> None:
            """Let those in use ask, and every second time the others."""
            turn = next(rounds)
            _ask(pages, [page for number, page in enumerate(pages) if number % ORDINARY == 0 or (number + turn) % 2])

        ordinary = _processor_share(of_server, ask_ordinary)
        return ordinary - idle, _processor_share(of_server, lambda: _ask(pages, pages)) - idle


class OpenPage:
    """A page in a browser, whose script asks for it; use it with `with`."""

    def __init__(self, port: int, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._path, self._version = path, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def ask(self) -> None:
        """Ask whether the page has changed. Servers end connections that were not used for some seconds."""
        headers = {"X-Poll": "1", "If-None-Match": self._version}
        try:
            self._connection.request("GET", self._path, headers=headers)
            response = self._connection.getresponse()
        except ConnectionError:
            self._connection.close()
            self._connection.request("GET", self._path, headers=headers)
            response = self._connection.getresponse()
        response.read()
        if response.status not in {200, 304}:
            raise RuntimeError(f"{self._path} responded with {response.status}")
        self._version = response.headers.get("ETag", "")


def _processor_share(of_server: Callable[[], float], work: Callable[[], object]) -> float:
    """Return the share of a core that the servers use while `work` is repeated for a minute."""
    children = psutil.Process().children(recursive=True)

    def used() -> float:
        times = [process.cpu_times() for process in children if process.is_running()]
        return sum(one.user + one.system for one in times) + of_server()

    before, began = used(), time.monotonic()
    while time.monotonic() - began < OPEN_SECONDS:
        work()
    return (used() - before) / (time.monotonic() - began)


def _ask(pages: Sequence[OpenPage], asking: Sequence[OpenPage]) -> None:
    began = time.monotonic()
    for number, page in enumerate(pages):
        time.sleep(max(0.0, began + number * POLL_SECONDS / len(pages) - time.monotonic()))
        if page in asking:
            page.ask()


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
