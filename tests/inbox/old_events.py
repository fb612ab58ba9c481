"""An inbox with events of all states, for the tests of retention and transfer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.databases import NOTIFY, Clock
from webhooks.event import Event
from webhooks.inbox import Inbox

DAY = 86400.0


@pytest.fixture
def old(box: Inbox, clock: Clock, event: Callable[..., Event]) -> Inbox:
    """Return events 1 to 12: seven done, one ready, one dead, one ignored, one unplanned, and one a day younger."""
    for _ in range(9):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    for number, job in enumerate(box.jobs.claim("me", 9, 60)):
        if number < 7:
            box.jobs.finish(job)
        elif number == 7:
            box.jobs.postpone(job, 5 * DAY, "later")
        else:
            box.dead_letters.dead_letter(job, "channel_not_found")
    box.events.receive(event())
    box.events.plan(lambda _: [])
    box.events.receive(event())
    clock.forward(DAY)
    box.events.receive(event())
    return box


def ids(box: Inbox) -> list[int | None]:
    """Return the ids of all events."""
    return [record.event.id for record in box.events.list()]
