"""Test that an act on several incidents sees the one before, also before the job of that one has run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, text, update

from bench.postgres import Server
from tests.support.databases import Clock, some_event
from webhooks.clock import from_timestamp
from webhooks.inbox import Inbox
from webhooks.inbox.incidents.acts import insert_act
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.incidents.updates import lock_incidents
from webhooks.incidents import Act, DestinationPolicy, Policy
from webhooks.incidents.sms_commands import parse_command
from webhooks.job import JOINT_ACT, NOTICE_GROUP, SLACK_GROUP_PRESS, NewJob

START = 1_795_600_000.0
NOW = from_timestamp(START)
TO = "slack:#bi"
ACKNOWLEDGE = Act("", "acknowledge", "", NOW, "Ann")
SNOOZE = Act("", "snooze", "", NOW, "Bob", until=NOW + timedelta(hours=1))
PRESS = {"user": "U1", "channel": "C1", "message": "alert-1"}
# Seconds until transactions wait for another one.
PATIENCE = 30


def storm(box: Inbox) -> tuple[int, list[int]]:
    """Let the refreshes of four workbooks fail, and return the group of their incidents and the numbers of those."""
    for number in range(4):
        luid = f"00000000-0000-4000-8000-{number:012}"
        fields = {"resource": "EXTRACTS", "resource_luid": luid, "created_at": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}
        box.events.receive(some_event(number, "WorkbookRefreshFailed", **fields))
    box.events.plan(lambda _: [NewJob("k", "notify")])
    job = box.jobs.claim("me", 10, 900)[0]
    policy = Policy("R", (DestinationPolicy(TO),))
    for _ in range(2):
        for record in sorted(box.incidents.list(), key=lambda one: one.id):
            box.notice_groups.place(box.notices.register(record.id, TO, policy), job)
    group = box.notice_groups.get(1)
    assert group
    message = {"kind": "slack", "channel": PRESS["channel"], "id": PRESS["message"]}
    box.notice_groups.save(group, posted={"message": message}, shown={})
    return group.id, [record.id for _, record in box.notice_groups.members(group.id)]


def states(box: Inbox, ids: list[int]) -> set[tuple[str, str, float | None]]:
    found = [one for one in box.incidents.list() if one.id in ids]
    ends = [one.incident.quiet_until for one in found]
    return {
        (one.incident.state, one.incident.quiet_by, end and end.timestamp())
        for one, end in zip(found, ends, strict=True)
    }


def test_next_act_comes_before_the_job(box: Inbox, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """An acknowledgement is not replaced by "Snooze all", and the same act is stored once, by each of the three ways.

    Each act has its line in the log, with the incident, the group and the event.
    """
    clock.seconds = START
    caplog.set_level(logging.INFO)
    group_id, ids = storm(box)
    together = box.presses.act_together
    # One is snoozed by a link, and then all that remain by Slack's button.
    assert [together(group_id, ids[:1], SNOOZE, origin="link") for _ in range(2)] == [1, 0]
    snoozed = [box.presses.record_group(f"s{number}", group_id, PRESS, SNOOZE) for number in range(2)]
    assert snoozed == ["", "repeated"]
    assert states(box, ids) == {("snoozed", "Bob", START + 3600)}
    # PagerDuty acknowledges all, which a snooze allows; no later act of these is stored.
    assert box.presses.record_alert("r1", "alert-1", ACKNOWLEDGE, origin="PagerDuty") == len(ids)
    assert states(box, ids) == {("acknowledged", "Ann", None)}
    assert box.presses.record_alert("r2", "alert-1", ACKNOWLEDGE, origin="PagerDuty") == 0
    assert [together(group_id, ids, act, origin="link") for act in (SNOOZE, ACKNOWLEDGE)] == [0, 0]
    refused = [box.presses.record_group(act.kind, group_id, PRESS, act) for act in (SNOOZE, ACKNOWLEDGE)]
    assert refused == ["repeated"] * 2
    assert len(box.audit.list()) == 2 * len(ids)
    # The jobs find the same, and update the messages although nothing is new to them.
    before = states(box, ids)
    jobs = box.jobs.claim("me", 20, 900)
    assert sorted({job.handler for job in jobs}) == sorted([JOINT_ACT, NOTICE_GROUP, SLACK_GROUP_PRESS])
    about = [(job.params["incidents"], job.params["group"]) for job in jobs if job.handler == JOINT_ACT]
    assert sorted(about) == [(ids[:1], group_id), (ids, None)]
    box.incidents.acted(ids, cause="job")
    assert states(box, ids) == before
    assert {len(box.incidents.get(number).incident.acts) for number in ids} == {2}
    assert box.jobs.claim("me", 20, 900)
    events = {one.id: one.event_id for one in box.incidents.list()}
    lines = [line for line in caplog.messages if line.startswith("Act stored:")]
    snooze = [f"act='snooze' on incident {one} group={group_id} event={events[one]} by='Bob'" for one in ids]
    assert [line.removeprefix("Act stored: ") for line in lines] == [
        f"{snooze[0]} origin='link'",
        *(f"{one} origin='Slack'" for one in snooze[1:]),
        *(f"act='acknowledge' on incident {one} event={events[one]} by='Ann' origin='PagerDuty'" for one in ids),
    ]


def test_snooze_that_is_over_changes_nothing(box: Inbox, clock: Clock) -> None:
    """The states before the job are those that it computes."""
    clock.seconds = START
    group_id, ids = storm(box)
    clock.forward(7200)
    box.presses.act_together(group_id, ids, SNOOZE, origin="link")
    before = states(box, ids)
    box.incidents.acted(ids, cause="job")
    assert before == states(box, ids) == {("open", "", None)}


def test_log_has_only_acts_that_are_stored(box: Inbox, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A second click is not logged; a reply by text message and a press have lines with the event."""
    clock.seconds = START
    caplog.set_level(logging.INFO)
    _, ids = storm(box)
    for _ in range(2):
        box.incidents.act(ids[0], ACKNOWLEDGE)
    key = box.incidents.get(ids[1]).incident.id
    for name in ("a", "b"):
        box.presses.record(name, ids[1], key, {}, ACKNOWLEDGE)
    for number in range(2):
        box.sms_replies.record(f"SM{number}", "+15550100", [TO], parse_command("ack all"))
    events = [box.incidents.get(number).event_id for number in ids]
    assert [line for line in caplog.messages if line.startswith("Act stored:")] == [
        f"Act stored: act='acknowledge' on incident {ids[0]} event={events[0]} by='Ann' origin='server'",
        f"Act stored: act='acknowledge' on incident {ids[1]} event={events[1]} by='Ann' origin='Slack'",
        *(
            f"Act stored: act='acknowledge' on incident {number} event={event_id} by='+15550100' origin='SMS'"
            for number, event_id in reversed([*zip(ids, events, strict=True)][2:])
        ),
    ]


@pytest.fixture
def two_boxes(postgres_server: Server, opened: Callable[..., Inbox], clock: Clock) -> list[Inbox]:
    """Return the inbox of two processes."""
    clock.seconds = START
    url = postgres_server.url()
    boxes = [opened(url, clock=clock) for _ in range(2)]
    # Both are connected before one waits for the other.
    assert [box.incidents.list() for box in boxes] == [[], []]
    return boxes


def wait_for_waiting(connection: Connection, number: int) -> None:
    """Return when this many transactions wait for another one."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + PATIENCE
    while connection.execute(waiting).scalar_one() < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.postgres
@pytest.mark.parametrize("way", ["link", "button", "page"])
def test_two_processes_store_an_act_once(way: str, two_boxes: list[Inbox]) -> None:
    """Two servers that get the same act at once store it once: the second one waits, and sees the first."""
    group_id, ids = storm(two_boxes[0])
    chosen = ids[:1] if way == "page" else ids
    store = two_boxes[0].incidents._store

    def act(box: Inbox) -> object:
        if way == "link":
            return box.presses.act_together(group_id, ids, ACKNOWLEDGE, origin="link")
        if way == "button":
            return box.presses.record_group(f"key {two_boxes.index(box)}", group_id, PRESS, ACKNOWLEDGE)
        return box.incidents.act(ids[0], ACKNOWLEDGE).incident.state

    with ThreadPoolExecutor(2) as threads:

        def hold(connection: Connection) -> list[Future[object]]:
            # Both have read the states, or wait for the other, when they come to the audit log.
            store.serialize(connection, ["audit"])
            acting = [threads.submit(act, box) for box in two_boxes]
            wait_for_waiting(connection, 2)
            return acting

        outcomes = [one.result() for one in store.write(hold)]
    expected = {"link": [0, len(ids)], "button": ["", "repeated"], "page": ["acknowledged"] * 2}
    assert sorted(outcomes, key=str) == expected[way]
    assert len(two_boxes[0].audit.list()) == len(chosen)


@pytest.mark.postgres
@pytest.mark.parametrize("way", ["one act", "acts together"])
def test_name_of_a_person_while_incidents_are_joined(way: str, two_boxes: list[Inbox]) -> None:
    """Naming the author of acts waits for late evidence that moves them, without a deadlock."""
    box, other = two_boxes
    _, ids = storm(box)
    for number in ids:
        box.incidents.act(number, ACKNOWLEDGE)
    rows = box.store.rows(select(acts.c.id, acts.c.incident_id).order_by(acts.c.id))
    numbers = [row["id"] for row in rows]

    def name() -> None:
        if way == "one act":
            other.incidents.name_author(numbers[0], "Ann Lee", slack_user="U1")
        else:
            other.incidents.name_authors(numbers, "Ann Lee", slack_user="U1")

    with ThreadPoolExecutor(1) as threads:

        def join(connection: Connection) -> Future[None]:
            lock_incidents(box.store, connection, ids)
            naming = threads.submit(name)
            wait_for_waiting(connection, 1)
            # As the joining of two incidents does.
            connection.execute(update(acts).where(acts.c.incident_id.in_(ids)).values(text="joined"))
            return naming

        box.store.write(join).result()
    named = box.store.rows(select(acts.c.author, acts.c.text).order_by(acts.c.id))
    assert named[0] == {"author": "Ann Lee", "text": "joined"}
    assert {row["text"] for row in named} == {"joined"}


@pytest.mark.postgres
def test_act_on_an_incident_that_is_due(two_boxes: list[Inbox]) -> None:
    """An act and the process that wakes its incident do not wait for each other."""
    box, other = two_boxes
    _, ids = storm(box)
    box.incidents.save_due(ids[0], NOW)
    with ThreadPoolExecutor(1) as threads:

        def act(connection: Connection) -> Future[int]:
            lock_incidents(box.store, connection, ids)
            waking = threads.submit(other.incidents.wake)
            wait_for_waiting(connection, 1)
            insert_act(box.store, connection, ids[0], "key", SNOOZE, origin="link")
            connection.execute(update(incidents).where(incidents.c.id == ids[0]).values(quiet_by="Bob"))
            return waking

        assert box.store.write(act).result() == 1
