"""Test events that the server creates itself, and how their real twins are recognized."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from webhooks.event import Event, build, job_fingerprint, parse
from webhooks.inbox import Inbox
from webhooks.job import NewJob

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def created(name: str = "Sales", *, luid: str = "w-1", at: datetime = AT, kind: str = "WorkbookCreated") -> Event:
    """Return a synthetic event."""
    fields = {"resource": "WORKBOOK", "resource_name": name, "site_luid": "s", "resource_luid": luid}
    return build(kind, origin="reconciled", created_at=f"{at:%Y-%m-%dT%H:%M:%SZ}", **fields)


def real(event: Event, at: datetime = AT) -> Event:
    """Return the same event as Tableau would send it."""
    payload = {name: value for name, value in event.payload.items() if name != "origin"}
    found = parse(json.dumps({**payload, "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}).encode())
    assert found
    return found


def test_synthetic_event_is_planned_like_any_other(inbox: Inbox) -> None:
    """It is planned, its jobs run, and its origin comes from the inbox."""
    receipt = inbox.synthetic_events.add(created(), "reconciled", AT)
    origins: list[str | None] = []

    def plan(event: Event) -> list[NewJob]:
        origins.append(event.origin)
        return [NewJob("k", "notify")]

    assert inbox.events.plan(plan) == 1
    (job,) = inbox.jobs.claim("me", 5, 60)
    assert (job.event.id, job.event.payload["origin"]) == (receipt.id, "reconciled")
    assert [*origins, job.event.origin, inbox.events.list()[0].event.origin] == ["reconciled"] * 3


def test_sender_cannot_claim_an_origin(inbox: Inbox) -> None:
    """An event that was received has no origin, whatever its payload says."""
    received = parse(b'{"event_type": "WorkbookCreated", "resource_name": "Sales", "origin": "monitor"}')
    assert received
    inbox.events.receive(received)
    seen: list[str | None] = []
    inbox.events.plan(lambda event: seen.append(event.origin) or [NewJob("k", "notify")])  # type: ignore[func-returns-value]
    (job,) = inbox.jobs.claim("me", 5, 60)
    assert [*seen, job.event.origin, inbox.events.list()[0].event.origin] == [None] * 3


def test_synthetic_and_real_event_with_the_same_fields_are_one(inbox: Inbox) -> None:
    """The same six core fields make a duplicate, in either order."""
    synthetic = inbox.synthetic_events.add(created(), "reconciled", AT)
    assert inbox.events.receive(real(created())).duplicate
    sent = inbox.events.receive(real(created(luid="w-2")))
    again = inbox.synthetic_events.add(created(luid="w-2"), "reconciled", AT)
    record = inbox.events.get(sent.id)
    assert record
    assert (again.duplicate, again.id, record.event.origin) == (True, sent.id, None)
    assert synthetic.id != sent.id


def test_twin_with_another_time_is_found(inbox: Inbox) -> None:
    """Tableau's times differ by seconds between its webhooks and its REST API."""
    synthetic = inbox.synthetic_events.add(created(kind="WorkbookUpdated"), "reconciled", AT)

    def twin_of_event(seconds: int, kind: str = "WorkbookUpdated") -> int | None:
        receipt = inbox.events.receive(real(created(kind=kind), AT + timedelta(seconds=seconds)))
        record = inbox.events.get(receipt.id)
        assert record
        return inbox.synthetic_events.find_twin(record.event)

    assert twin_of_event(7) == synthetic.id
    assert twin_of_event(3600) is None
    assert twin_of_event(8, "WorkbookDeleted") is None
    deleted = inbox.synthetic_events.add(created(kind="WorkbookDeleted"), "reconciled", AT)
    assert twin_of_event(7200, "WorkbookDeleted") == deleted.id


def test_received_events_are_told_from_synthetic_ones(inbox: Inbox) -> None:
    """`received_since` returns all events with both of their times, `received_times` only events from outside."""
    began = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(3):
        inbox.events.receive(real(created(luid=f"r-{number}")))
    inbox.synthetic_events.add(created(), "reconciled", AT)
    assert len(inbox.events.received_times()) == 3
    found = inbox.events.received_since(began)
    assert [summary.resource_luid for summary in found] == ["w-1", "r-2", "r-1", "r-0"]
    assert found[0].happened_at == AT.timestamp()
    assert inbox.events.received_since(datetime.now(UTC) + timedelta(minutes=1)) == []


def test_stored_fingerprints_are_found(inbox: Inbox) -> None:
    """Of many, in several statements; a received event counts, too."""
    events = [created(luid=f"w-{number}") for number in range(1200)]
    inbox.synthetic_events.add(events[0], "reconciled", AT)
    inbox.synthetic_events.add(events[1199], "reconciled", AT)
    inbox.events.receive(real(events[600]))
    found = inbox.synthetic_events.stored([event.fingerprint for event in events])
    assert found == {events[number].fingerprint for number in (0, 600, 1199)}
    assert inbox.synthetic_events.stored([]) == set()


def test_job_has_one_fingerprint_for_each_outcome() -> None:
    """It does not depend on the case of the LUID, and sorts by the time of the job."""
    luid = "AB3417F6-1C11-4A07-9F2E-0D3B5A6C7D8E"
    first = job_fingerprint("FlowRunFailed", luid, "2026-01-31T09:30:00+00:00")
    assert first == job_fingerprint("FlowRunFailed", luid.lower(), "2026-01-31T09:30:00+00:00")
    assert first != job_fingerprint("FlowRunSucceeded", luid, "2026-01-31T09:30:00+00:00")
    assert first < job_fingerprint("FlowRunFailed", luid, "2026-01-31T09:30:01+00:00")
    assert len(first) == 32
