"""Messages that are not about incidents take part in the limits of a service, behind what changes there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.handlers.test_incident_notices import FAILED, Story, story
from tests.support.handler_context import MakeContext, MakeJob
from webhooks.context.budget import PATIENCE, urgency_of_job
from webhooks.job import DEAD_LETTERS

__all__ = ["story"]


def receive(story: Story, name: str) -> None:
    """Let the refresh of a new workbook fail, without running any job."""
    story.simulation.cause("WorkbookCreated", name=name)
    caused = story.simulation.cause(FAILED, name=name, reason="Disk full")
    event = story.simulation.event(**{**caused.payload, "created_at": f"{story.now:%Y-%m-%dT%H:%M:%SZ}", "text": ""})
    story.simulation.inbox.events.receive(event)


def test_messages_of_each_failure_keep_to_the_limit(story: Story) -> None:
    """Slack accepts one message a second in a channel: six at once are posted one after the other, none is lost."""
    story.action = 'each = true\nnotify = "slack:#bi"'
    for number in range(6):
        receive(story, f"Report {number}")
    began = story.now
    counts = []
    for _ in range(12):
        story.work(1)
        counts.append(len(story.top_level))
    seconds = (story.now - began).total_seconds()
    assert counts[0] <= 2
    assert all(number <= 1 + step * 1.25 for step, number in enumerate(counts, 1))
    story.work(60)
    assert len(story.top_level) == 6
    assert seconds < 60


def test_incident_goes_before_other_messages(story: Story) -> None:
    """A failure that becomes an incident is posted before messages of each failure that wait already."""
    story.action = (
        'where = { name = "Report *" }\neach = true\nnotify = "slack:#bi"\n'
        '[[rule]]\nname = "Incidents"\non = "*RefreshFailed"\nwhere = { name = "Ledger" }\nnotify = "slack:#bi"'
    )
    for number in range(8):
        receive(story, f"Report {number}")
    story.work(2)
    receive(story, "Ledger")
    story.work(60)
    titles = [text.partition("\n")[0] for text in story.top_level]
    assert len(titles) == 9
    assert titles.index("Failing: Ledger (workbook)") < 5


@pytest.mark.parametrize(
    ("handler", "waited", "urgency"),
    [("notify", 0, "repeat"), ("notify", 61, "open"), (DEAD_LETTERS, 0, "escalation"), (DEAD_LETTERS, 61, "open")],
)
def test_urgency(job: MakeJob, context: MakeContext, handler: str, waited: float, urgency: str) -> None:
    """Reports go before other messages, and no message waits behind new incidents for longer than a minute."""
    made = job(handler=handler)
    assert made.created_at
    now = made.created_at + timedelta(seconds=waited)
    assert PATIENCE.total_seconds() == 60
    assert urgency_of_job(context(made, clock=lambda: now)) == urgency
