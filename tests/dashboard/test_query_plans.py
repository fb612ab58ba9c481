"""Test how the databases carry out the statements of pages: they read little more than what a page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from bench.page_data import fill
from bench.pages import paths
from tests.dashboard.conftest import services_of
from tests.support.databases import postgres_server, url
from webhooks.clock import utc_now
from webhooks.inbox import Inbox
from webhooks.inbox.indexes import PARTIAL_INDEXES

__all__ = ["postgres_server", "url"]

pytestmark = pytest.mark.second_stage

# Rows of tables that are so small that the database reads them as a whole.
FEW = 150
# Rows that a statement may read for each row that it returns or counts.
MOST = 3
# Statements of the first page, which is asked for most.
MOST_STATEMENTS = 16
LARGE = r"\b(events|jobs|attempts|runs|resources|refreshed_content|expected_runs|audit)\b"
# Searches by a part of a name look through a limited number of events, or through the names of all content.
SEARCHES = ("name=", "type=")
RESOURCES = 400
PARTIAL = {index.name for index in PARTIAL_INDEXES}


class Statements:
    """The statements of the requests since `found` was emptied, with their parameters."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Any]] = []

    def add(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.found.append((statement, parameters))


@pytest.fixture
def statements() -> Iterator[Statements]:
    """Collect the statements of all databases during the test."""
    statements = Statements()
    event.listen(Engine, "before_cursor_execute", statements.add)
    yield statements
    event.remove(Engine, "before_cursor_execute", statements.add)


def read_and_shown(node: dict[str, Any]) -> tuple[float, float]:
    """Return the rows that a part of a plan reads from tables, and those that it returns or counts."""
    loops = node["Actual Loops"]
    given = node["Actual Rows"] * loops
    dropped = sum(node.get(f"Rows Removed by {by}", 0) for by in ("Filter", "Index Recheck", "Join Filter")) * loops
    parts = node.get("Plans", [])
    read = dropped + (given if "Scan" in node["Node Type"] and "Relation Name" in node else 0)
    shown = 0.0
    for part in parts:
        below, counted = read_and_shown(part)
        read, shown = read + below, shown + counted
        if "Aggregate" in node["Node Type"]:
            shown += part["Actual Rows"] * part["Actual Loops"]
    return read, shown


def wasteful(connection: Connection, statement: str, parameters: Any, *, is_search: bool) -> str:
    """Return why a statement does more work than its result needs; empty if it does not."""
    if connection.dialect.name == "postgresql":
        # In a small database it would read whole tables where it uses an index in a large one.
        connection.exec_driver_sql("SET enable_seqscan = off")
        explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
        connection.exec_driver_sql("RESET enable_seqscan")
        plan = (explained if isinstance(explained, list) else json.loads(explained))[0]["Plan"]
        read, shown = read_and_shown(plan)
        most = max(MOST * (shown + plan["Actual Rows"]), 10_000 if is_search else 0) + FEW
        return f"reads {read:.0f} rows to show {shown + plan['Actual Rows']:.0f}" if read > most else ""
    steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).mappings().all()
    for step in (row["detail"] for row in steps):
        # A partial index has only the rows in question, and a list that is not sorted ends at its LIMIT.
        index = step.partition("INDEX ")[2].partition(" ")[0]
        is_list = "ORDER BY" in statement and "LIMIT" in statement
        if re.search(rf"^SCAN {LARGE}", step) and index not in PARTIAL and not is_list:
            return step
        if "TEMP B-TREE FOR ORDER BY" in step and not re.search(r" IN \(", statement):
            return step
    return ""


def test_statements_read_what_they_show(
    make_app: Callable[..., Flask], url: str, tmp_path: Path, statements: Statements
) -> None:
    """No page's statement reads more than three rows for each that it returns or counts, or scans or sorts a table."""
    box = Inbox.open(url)
    fill(box, number_of_events=12_000, number_of_resources=RESOURCES, number_of_runs=RESOURCES * 110)
    box.close()
    # At eight in the morning, so that the last night has as many runs at every time of the day.
    hours = (8 - utc_now().hour + 12) % 24 - 12
    app = make_app(database_url=url, timezone=f"Etc/GMT{-hours:+d}")
    store = services_of(app.test_client()).inbox.store
    found = []
    # As text, because its pages have other parameters.
    luid = next(path for path in paths(services_of(app.test_client()).inbox) if path.startswith("/resources/"))
    badge = re.search(r'src="(/badge/[^"]+)', app.test_client().get(luid).text)
    assert badge
    more = re.search(r'href="(/resources[^"]+)" rel="next"', app.test_client().get("/resources").text)
    assert more
    pages = [path for path in paths(services_of(app.test_client()).inbox) if not path.startswith("/events/")]
    for path in [*pages, "/events/11991", badge[1], more[1].replace("&amp;", "&")]:
        statements.found.clear()
        assert app.test_client().get(path).status_code == 200, path
        seen = list(statements.found)
        assert seen, path
        assert path != "/" or len(seen) <= MOST_STATEMENTS, [statement for statement, _ in seen]
        is_search = any(search in path for search in SEARCHES)
        for statement, parameters in seen:
            reason = store.read(
                lambda connection, one=statement, given=parameters, search=is_search: wasteful(
                    connection, one, given, is_search=search
                )
            )
            if reason:
                found.append(f"{path}: {reason}: {' '.join(statement.split())[:300]}")
    assert not found, "\n".join(found)
