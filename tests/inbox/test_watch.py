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
    assert inbox.hold("watch", "a", 60)
    assert not inbox.hold("watch", "b", 60)
    assert inbox.hold("watch", "a", 60)
    assert inbox.hold("something else", "b", 60)
    inbox.let_go("watch", "b")
    assert not inbox.hold("watch", "b", 60)
    inbox.let_go("watch", "a")
    assert inbox.hold("watch", "b", 60)


def test_hold_ends_by_itself(inbox: Inbox) -> None:
    """A dead owner's lease is over after its seconds."""
    assert inbox.hold("watch", "a", -1)
    assert inbox.hold("watch", "b", 60)


def test_note_is_there_at_the_next_start(inbox: Inbox) -> None:
    """The last value counts; nothing is None."""
    assert inbox.noted("k") is None
    inbox.note("k", {"a": [1, None]})
    inbox.note("k", {"b": "ü"})
    assert inbox.noted("k") == {"b": "ü"}


def test_resources_are_remembered_also_when_gone(inbox: Inbox) -> None:
    """By LUID for whoever asks what it was; on the site only while there."""
    sales = Resource("w-1", "workbook", "s", "Sales", "Ann", "Finance", 1.5)
    inbox.remember([sales, Resource("w-2", "workbook", "s", "Costs"), Resource("d-1", "datasource", "s", "Orders")])
    inbox.gone(["w-1"])
    assert set(inbox.on_site("s", "workbook")) == {"w-2"}
    assert inbox.remembered("w-1") == sales
    assert inbox.remembered("w-9") is None
    inbox.remember([Resource("w-1", "workbook", "s", "Sales 2", "Ann", "Finance", 2.5)])
    assert inbox.on_site("s", "workbook")["w-1"].name == "Sales 2"


def test_made_event_goes_the_way_of_all_events(inbox: Inbox) -> None:
    """It is planned, its jobs run, and it says what it is."""
    receipt = inbox.make(created(), "reconciled", AT)
    assert inbox.plan(lambda _: [NewJob("k", "notify")]) == 1
    (job,) = inbox.claim("me", 5, 60)
    assert (job.event.id, job.event.payload["origin"]) == (receipt.id, "reconciled")
    assert inbox.origin(receipt.id) == "reconciled"


def test_made_event_and_the_real_one_are_one(inbox: Inbox) -> None:
    """Whichever comes first: the same six fields make a duplicate."""
    made = inbox.make(created(), "reconciled", AT)
    assert inbox.receive(real(created())).duplicate
    sent = inbox.receive(real(created(luid="w-2")))
    again = inbox.make(created(luid="w-2"), "reconciled", AT)
    assert (again.duplicate, again.id, inbox.origin(sent.id)) == (True, sent.id, None)
    assert made.id != sent.id


def test_real_event_with_another_time_is_known(inbox: Inbox) -> None:
    """Tableau's times differ by seconds between its webhooks and its REST API."""
    made = inbox.make(created(kind="WorkbookUpdated"), "reconciled", AT)

    def later(seconds: int, kind: str = "WorkbookUpdated") -> int | None:
        event = real(created(kind=kind), AT + timedelta(seconds=seconds))
        receipt = inbox.receive(event)
        kept = inbox.event(receipt.id)
        assert kept
        return inbox.stands_for(kept.event)

    assert later(7) == made.id
    assert later(3600) is None
    assert later(8, "WorkbookDeleted") is None
    gone = inbox.make(created(kind="WorkbookDeleted"), "reconciled", AT)
    assert later(7200, "WorkbookDeleted") == gone.id


def test_arrivals_and_sent_tell_the_made_ones_apart(inbox: Inbox) -> None:
    """Arrivals are all, with both times; sent only what came from outside."""
    began = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(3):
        inbox.receive(real(created(luid=f"r-{number}")))
    inbox.make(created(), "reconciled", AT)
    assert len(inbox.sent()) == 3
    found = inbox.arrivals(began)
    assert [one.resource_luid for one in found] == ["w-1", "r-2", "r-1", "r-0"]
    assert found[0].happened_at == AT.timestamp()
    assert inbox.arrivals(datetime.now(UTC) + timedelta(minutes=1)) == []
