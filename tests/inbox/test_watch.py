"""What the watch keeps in the inbox: whose turn it is, notes, remembered resources, events of our own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from webhooks.event import Event, build, parse
from webhooks.inbox import Inbox, Resource
from webhooks.job import NewJob

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def created(name: str = "Sales", *, luid: str = "w-1", at: datetime = AT, kind: str = "WorkbookCreated") -> Event:
    fields = {"resource": "WORKBOOK", "resource_name": name, "site_luid": "s", "resource_luid": luid}
    return build(kind, origin="reconciled", created_at=f"{at:%Y-%m-%dT%H:%M:%SZ}", **fields)


def real(event: Event, at: datetime = AT) -> Event:
    """The same event as Tableau would send it."""
    payload = {name: value for name, value in event.payload.items() if name != "origin"}
    found = parse(json.dumps({**payload, "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}).encode())
    assert found
    return found


def test_hold_gives_a_task_to_one_owner_at_a_time(inbox: Inbox) -> None:
    """It keeps the task by asking again; others get it when it lets go."""
    assert inbox.locks.acquire("watch", "a", 60)
    assert not inbox.locks.acquire("watch", "b", 60)
    assert inbox.locks.acquire("watch", "a", 60)
    assert inbox.locks.acquire("something else", "b", 60)
    inbox.locks.release("watch", "b")
    assert not inbox.locks.acquire("watch", "b", 60)
    inbox.locks.release("watch", "a")
    assert inbox.locks.acquire("watch", "b", 60)


def test_hold_ends_by_itself(inbox: Inbox) -> None:
    """A dead owner's lease is over after its seconds."""
    assert inbox.locks.acquire("watch", "a", -1)
    assert inbox.locks.acquire("watch", "b", 60)


def test_note_is_there_at_the_next_start(inbox: Inbox) -> None:
    """The last value counts; nothing is None."""
    assert inbox.state.get("k") is None
    inbox.state.set("k", {"a": [1, None]})
    inbox.state.set("k", {"b": "ü"})
    assert inbox.state.get("k") == {"b": "ü"}


def test_resources_are_remembered_also_when_gone(inbox: Inbox) -> None:
    """By LUID for whoever asks what it was; on the site only while there."""
    sales = Resource("w-1", "workbook", "s", "Sales", "Ann", "Finance", 1.5)
    inbox.resources.save(
        [sales, Resource("w-2", "workbook", "s", "Costs"), Resource("d-1", "datasource", "s", "Orders")]
    )
    inbox.resources.mark_deleted(["w-1"])
    assert set(inbox.resources.on_site("s", "workbook")) == {"w-2"}
    assert inbox.resources.get("w-1") == sales
    assert inbox.resources.get("w-9") is None
    inbox.resources.save([Resource("w-1", "workbook", "s", "Sales 2", "Ann", "Finance", 2.5)])
    assert inbox.resources.on_site("s", "workbook")["w-1"].name == "Sales 2"


def test_made_event_goes_the_way_of_all_events(inbox: Inbox) -> None:
    """It is planned, its jobs run, and it says what it is."""
    receipt = inbox.synthetic_events.add(created(), "reconciled", AT)
    assert inbox.events.plan(lambda _: [NewJob("k", "notify")]) == 1
    (job,) = inbox.jobs.claim("me", 5, 60)
    assert (job.event.id, job.event.payload["origin"]) == (receipt.id, "reconciled")
    assert job.event.origin == "reconciled"


def test_made_event_and_the_real_one_are_one(inbox: Inbox) -> None:
    """Whichever comes first: the same six fields make a duplicate."""
    made = inbox.synthetic_events.add(created(), "reconciled", AT)
    assert inbox.events.receive(real(created())).duplicate
    sent = inbox.events.receive(real(created(luid="w-2")))
    again = inbox.synthetic_events.add(created(luid="w-2"), "reconciled", AT)
    record = inbox.events.get(sent.id)
    assert record
    assert (again.duplicate, again.id, record.event.origin) == (True, sent.id, None)
    assert made.id != sent.id


def test_real_event_with_another_time_is_known(inbox: Inbox) -> None:
    """Tableau's times differ by seconds between its webhooks and its REST API."""
    made = inbox.synthetic_events.add(created(kind="WorkbookUpdated"), "reconciled", AT)

    def later(seconds: int, kind: str = "WorkbookUpdated") -> int | None:
        event = real(created(kind=kind), AT + timedelta(seconds=seconds))
        receipt = inbox.events.receive(event)
        kept = inbox.events.get(receipt.id)
        assert kept
        return inbox.synthetic_events.find_twin(kept.event)

    assert later(7) == made.id
    assert later(3600) is None
    assert later(8, "WorkbookDeleted") is None
    gone = inbox.synthetic_events.add(created(kind="WorkbookDeleted"), "reconciled", AT)
    assert later(7200, "WorkbookDeleted") == gone.id


def test_arrivals_and_sent_tell_the_made_ones_apart(inbox: Inbox) -> None:
    """Arrivals are all, with both times; sent only what came from outside."""
    began = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(3):
        inbox.events.receive(real(created(luid=f"r-{number}")))
    inbox.synthetic_events.add(created(), "reconciled", AT)
    assert len(inbox.events.received_times()) == 3
    found = inbox.events.received_since(began)
    assert [one.resource_luid for one in found] == ["w-1", "r-2", "r-1", "r-0"]
    assert found[0].happened_at == AT.timestamp()
    assert inbox.events.received_since(datetime.now(UTC) + timedelta(minutes=1)) == []
