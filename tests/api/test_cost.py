"""Test that the lists of the API read what they show, also in a larger inbox, and with as many statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.dashboard.conftest import fail, services_of
from tests.dashboard.test_cost import STEP, Work, work
from webhooks.api.blueprint import PREFIX
from webhooks.api.operations import OPERATIONS
from webhooks.clock import utc_now
from webhooks.incidents import Act

__all__ = ["work"]

pytestmark = pytest.mark.second_stage

LIMIT = 4
SMALL, LARGE = 10, 60
LISTS = [operation for operation in OPERATIONS if operation.is_list]
# Instructions that may be more in a larger inbox, because trees are higher.
FEW = 3000


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Collect the statements of all connections."""
    found: list[str] = []

    def add(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(Engine, "before_cursor_execute", add)
    yield found
    event.remove(Engine, "before_cursor_execute", add)


def filled(make_app: Callable[..., Flask], folder: Path, number: int) -> FlaskClient:
    """Return a client for an inbox in which this many workbooks fail; each incident has an act and a silence."""
    client = make_app(database_url=f"sqlite:///{folder / f'{number}.sqlite3'}").test_client()
    inbox = services_of(client).inbox
    for place in range(number):
        name = f"Workbook {place:03}"
        record = fail(inbox, name, project="Finance")
        inbox.incidents.act(record.id, Act("", "note", record.incident.id, utc_now(), "Ann", text="seen"))
        end = utc_now() + timedelta(hours=1)
        inbox.silences.add(matchers={"resource_name": [name]}, start=utc_now(), end=end, by="Ann", reason="x")
    return client


def measure(client: FlaskClient, work: Work, statements: list[str]) -> dict[str, tuple[int, int]]:
    """Return the instructions and the statements of the second page of each list; of the only one if there is one."""
    found = {}
    for operation in LISTS:
        path = f"{PREFIX}{operation.path}"
        limited = f"{path}?limit={LIMIT}" if "limit" in operation.parameters.model_fields else path
        first = client.get(limited)
        assert first.status_code == 200, first.text
        following = first.json["next"] if first.json else None
        address = f"{limited}&cursor={following}" if following else limited
        client.get(address)
        before = work.steps
        statements.clear()
        assert client.get(address).status_code == 200
        found[operation.name] = (work.steps - before) * STEP, len(statements)
    return found


def test_lists_do_not_read_more_in_a_larger_inbox(
    make_app: Callable[..., Flask], tmp_path: Path, work: Work, statements: list[str]
) -> None:
    """With six times as much of everything, each list reads its page only, with as many statements as before."""
    small, large = (measure(filled(make_app, tmp_path, number), work, statements) for number in (SMALL, LARGE))
    assert set(large) == {operation.name for operation in LISTS}
    for name, (instructions, number) in large.items():
        assert number == small[name][1], (name, small[name], number)
        # Each silence shown names the open incidents that it matches, of at most 200.
        most = 8 if name == "list_silences" else 1.5
        assert instructions <= most * small[name][0] + FEW, (name, small[name], instructions)
