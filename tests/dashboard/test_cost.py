"""Test that pages stay cheap: their statements do the same work in a larger inbox, and their size is bounded."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench.page_data import fill
from bench.pages import MOST_BYTES, paths
from tests.dashboard.conftest import fail, services_of
from webhooks.inbox import Inbox

# Instructions of SQLite's virtual machine between two calls of the handler.
STEP = 20


class Work:
    """Counts the instructions that SQLite executes: they grow with the rows that a statement reads."""

    def __init__(self) -> None:
        self.steps = 0

    def connect(self, connection: Any, _: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_progress_handler(self.count, STEP)

    def count(self) -> int:
        self.steps += 1
        return 0


@pytest.fixture
def work() -> Iterator[Work]:
    """Count the work of all connections that are opened during the test."""
    work = Work()
    event.listen(Engine, "connect", work.connect)
    yield work
    event.remove(Engine, "connect", work.connect)


def measure(client: Any, work: Work) -> dict[str, tuple[int, int]]:
    """Return the work and the bytes of each page on a second request, without what is remembered."""
    found = {}
    services = services_of(client)
    for path in paths(services.inbox):
        if path.startswith(("/incidents/", "/resources/", "/events/9")):
            continue
        client.get(path)
        before = work.steps
        response = client.get(path)
        assert response.status_code == 200, path
        found[path] = ((work.steps - before) * STEP, len(response.data))
    return found


@pytest.mark.second_stage
def test_pages_do_not_read_more_in_a_larger_inbox(make_app: Callable[..., Flask], tmp_path: Path, work: Work) -> None:
    """With six times as many events and runs, no page's statements do much more work, and none exceeds 60 KB."""
    results = []
    for factor in (1, 6):
        url = f"sqlite:///{tmp_path / f'{factor}.sqlite3'}"
        inbox = Inbox.open(url)
        fill(inbox, number_of_events=2000 * factor, number_of_resources=40, number_of_runs=40 * 101 * factor)
        inbox.close()
        results.append(measure(make_app(database_url=url).test_client(), work))
    small, large = results
    for path, (instructions, size) in large.items():
        # Searches look through ten thousand events at most, and the page of rules counts two thousand jobs.
        is_bounded = "type=" in path or "name=Nothing" in path or path == "/rules"
        most = 6 if is_bounded else 1.6
        assert instructions <= most * small[path][0] + 3000, (path, small[path], instructions)
        assert size <= MOST_BYTES, path


@pytest.mark.second_stage
def test_open_page_that_has_not_changed_costs_one_statement(client: FlaskClient, inbox: Inbox) -> None:
    """A request in the background only reads whether the inbox has changed, and gets a new page after a change."""
    fail(inbox)
    version = client.get("/").headers["ETag"]
    asking = {"X-Poll": "1", "If-None-Match": version}
    statements: list[str] = []

    def add(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", add)
    try:
        deadline = time.monotonic() + 30
        # At first it gets what was rendered just now, without any statement.
        while not statements and time.monotonic() < deadline:
            assert client.get("/", headers=asking).status_code == 304
            time.sleep(0.1)
    finally:
        event.remove(Engine, "before_cursor_execute", add)
    assert len(statements) == 1
    assert statements[0].startswith("SELECT (SELECT max(events.id)")
    fail(inbox, "Daily Orders")
    deadline = time.monotonic() + 30
    while (response := client.get("/", headers=asking)).status_code == 304 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "Daily Orders" in response.text
