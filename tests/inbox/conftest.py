"""Run every test of the inbox on both kinds of database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.databases import (
    NOTIFY,
    Clock,
    clock,
    event,
    inbox,
    opened,
    patient,
    postgres_server,
    sqlite_url,
    url,
)
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import Job, JobState, NewJob

__all__ = ["clock", "event", "inbox", "opened", "patient", "postgres_server", "sqlite_url", "url"]

Plan = Callable[..., None]


@pytest.fixture
def box(url: str, opened: Callable[..., Inbox], clock: Clock) -> Inbox:
    """Return an empty inbox whose clock only moves with `clock.forward`."""
    return opened(url, clock=clock)


@pytest.fixture
def planned(box: Inbox, event: Callable[..., Event]) -> Plan:
    """Store `count` events with one job each."""

    def plan(count: int = 1, job: NewJob = NOTIFY) -> None:
        for _ in range(count):
            box.events.receive(event())
        box.events.plan(lambda _: [job])

    return plan


@pytest.fixture
def filled(box: Inbox, clock: Clock, event: Callable[..., Event]) -> Inbox:
    """Return an inbox with events 1 to 6, two seconds apart: done, dead, ready, running, ignored, received."""
    endings: dict[int, Callable[[Job], object]] = {
        1: box.jobs.finish,
        2: lambda job: box.dead_letters.dead_letter(job, "channel_not_found"),
        3: lambda job: box.jobs.postpone(job, 1000, "later"),
    }
    for name in ["Sales", "Sales_EU", "100% Finance", "Sales", "Other", "Late"]:
        event_type = "WorkbookDeleted" if name == "Other" else "WorkbookCreated"
        event_id = box.events.receive(event(event_type, resource_name=name)).id
        if name != "Late":
            box.events.plan(lambda planned: [] if planned.event_type == "WorkbookDeleted" else [NOTIFY])
        for job in box.jobs.claim("me", 1, 900):
            if event_id in endings:
                endings[event_id](job)
        clock.forward(2)
    assert box.counts()["running"] == 1
    return box


def only_job(box: Inbox) -> Job:
    """Return the one job of the one event."""
    (record,) = box.events.list()
    assert record.jobs[0].job.state in JobState
    return record.jobs[0].job


def outcomes(box: Inbox) -> list[str]:
    """Return the outcomes of the attempts of the one job of the one event."""
    (record,) = box.events.list()
    return [attempt.outcome for attempt in record.jobs[0].attempts_made]
