"""Test that a damaged row of the inbox is dead-lettered with the reason, and stops neither others nor commands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.databases import some_event
from tests.support.server import wait_for
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import EventRecord, Inbox
from webhooks.job import JobState, NewJob
from webhooks.services import Services

RULES = """
[dead_letters]
notify = "console"

[[rule]]
name = "All"
on = "WorkbookCreated"
notify = "console"
"""
DEEP = b'{"event_type": "X", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BODIES = [b"", b"not JSON", b"\xff\x00", b"[]", b"{}", b'{"event_type": 5}', b'{"event_type": "Workbo', DEEP]


@pytest.fixture
def services(url: str, tmp_path: Path) -> Iterator[Services]:
    """Return the parts of a server on each kind of database."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    services = Services(Settings(_env_file=None, database_url=url, rules_file=rules, slack_token=""))
    yield services
    services.stop()


@pytest.fixture
def box(services: Services) -> Inbox:
    """Return the server's inbox, empty."""
    return services.inbox


def damage(inbox: Inbox, statement: str, **values: Any) -> None:
    """Change rows as a shell or a failing disk does."""
    assert inbox.store.execute(text(statement), values) == 1


def run(services: Services) -> dict[int | None, EventRecord]:
    """Run a worker until it has ended all jobs, and return the events by their ids."""
    worker = services.worker(2)
    worker.start()
    try:
        wait_for(lambda: figures(services.inbox) == (0, 0, 0), what="the end of all jobs")
    finally:
        worker.stop()
    return {record.event.id: record for record in services.inbox.events.list(limit=100)}


def figures(inbox: Inbox) -> tuple[float, ...]:
    counts = inbox.counts()
    return counts["unplanned"], counts["ready"], counts["running"]


def states(record: EventRecord) -> dict[str, JobState]:
    """Return the states of the event's jobs by their handlers."""
    return {job.job.handler: job.job.state for job in record.jobs}


def test_unreadable_events_are_dead_lettered(services: Services, box: Inbox) -> None:
    """Each becomes a dead letter with the reason, is announced, and all other events run."""
    ids = [box.events.receive(some_event(number)).id for number in range(2 * len(BODIES))]
    for event_id, body in zip(ids[::2], BODIES, strict=True):
        damage(box, "UPDATE events SET body = :body WHERE id = :id", body=body, id=event_id)
    found = run(services)
    for event_id in ids[1::2]:
        assert states(found[event_id]) == {"notify": JobState.DONE}
    announced = 0
    for event_id in ids[::2]:
        record = found[event_id]
        assert record.event.defect.startswith("The stored event cannot be read: ")
        assert record.event.event_type == "WorkbookCreated"
        assert states(record)["planning_failed"] is JobState.DEAD
        assert "The stored event cannot be read" in str(record.jobs[0].job.error)
        assert record.jobs[0].announced_at
        announced += "dead_letters" in states(record)
    assert announced


def test_event_that_becomes_unreadable_after_planning(services: Services, box: Inbox) -> None:
    """Its jobs are dead-lettered without running, and other jobs are claimed."""
    ids = [box.events.receive(some_event(number)).id for number in range(4)]
    box.events.plan(services.planner.jobs)
    damage(box, "UPDATE events SET body = :body WHERE id = :id", body=b"{", id=ids[0])
    found = run(services)
    assert states(found[ids[0]])["notify"] is JobState.DEAD
    assert {states(found[event_id])["notify"] for event_id in ids[1:]} == {JobState.DONE}


@pytest.mark.parametrize("column", ["params", "conditions"])
@pytest.mark.parametrize("value", ["", "{", "[]", "null"])
def test_unreadable_jobs_are_dead_lettered(services: Services, box: Inbox, column: str, value: str) -> None:
    """A job whose parameters cannot be read dies with the reason, and other jobs are claimed."""
    ids = [box.events.receive(some_event(number)).id for number in range(2)]
    box.events.plan(services.planner.jobs)
    damage(box, f"UPDATE jobs SET {column} = :value WHERE event_id = :id", value=value, id=ids[0])
    found = run(services)
    (dead, *_) = found[ids[0]].jobs
    assert dead.job.state is JobState.DEAD
    assert "The stored job cannot be read" in str(dead.job.error)
    assert states(found[ids[1]]) == {"notify": JobState.DONE}


def test_jobs_that_cannot_be_stored_are_one_dead_letter(box: Inbox) -> None:
    """A handler with parameters that are not JSON fails for its own event only."""
    ids = [box.events.receive(some_event(number)).id for number in range(3)]
    cyclic: dict[str, Any] = {}
    cyclic["self"] = cyclic
    bad = {ids[0]: {"x": object()}, ids[1]: cyclic}
    assert box.events.plan(lambda event: [NewJob("k", "notify", params=bad.get(event.id or 0, {}))]) == 3
    found = {record.event.id: list(states(record)) for record in box.events.list()}
    assert [found[event_id] for event_id in ids] == [["planning_failed"], ["planning_failed"], ["notify"]]


SQLITE_DAMAGES = [
    "UPDATE events SET body = 'text instead of bytes' WHERE id = 1",
    "UPDATE events SET body = 7 WHERE id = 1",
    "UPDATE events SET body = x'', event_type = CAST(x'ff41' AS TEXT) WHERE id = 1",
    "UPDATE events SET received_at = 'yesterday', fingerprint = 'text' WHERE id = 1",
    "UPDATE events SET state = 77 WHERE id = 1",
    "UPDATE jobs SET params = CAST(x'ff41' AS TEXT) WHERE event_id = 1",
    "UPDATE jobs SET state = 77, due_at = 'never' WHERE event_id = 1",
    "UPDATE attempts SET started_at = 'then' WHERE job_id = 1",
]


@pytest.mark.parametrize("statement", SQLITE_DAMAGES)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_values_of_a_wrong_type(services: Services, box: Inbox, statement: str) -> None:
    """SQLite stores any type in any column; the row is listed, and other events are planned and run."""
    first = box.events.receive(some_event(1)).id
    box.events.plan(lambda _: [NewJob("All/notify/console", "notify", rule="All", params={"to": "console"})])
    for job in box.jobs.claim("me", 1, 60):
        box.jobs.postpone(job, 0, "again")
    damage(box, statement)
    second = box.events.receive(some_event(2)).id
    found = run(services)
    assert states(found[second]) == {"notify": JobState.DONE}
    assert found[first].jobs
    assert box.events.received_since(datetime(2020, 1, 1, tzinfo=UTC))


def test_commands_show_a_damaged_event(services: Services, box: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """`events list`, `show` and `explain` print the event with a note, and no traceback."""
    event_id = box.events.receive(some_event(1)).id
    damage(box, "UPDATE events SET body = :body WHERE id = :id", body=b"not JSON", id=event_id)
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    runner = create_app(services.settings).test_cli_runner()
    for words, note in {
        ("list",): "WorkbookCreated",
        ("list", "--json"): "The stored event cannot be read: Expecting value",
        ("show", str(event_id)): "The stored event cannot be read: Expecting value",
        ("show", str(event_id), "--json"): "The stored event cannot be read: Expecting value",
        ("explain", str(event_id)): "The stored event cannot be read: Expecting value",
    }.items():
        result = runner.invoke(args=["events", *words])
        assert result.exit_code == 0, result.output
        assert note in " ".join(result.stdout.split())
