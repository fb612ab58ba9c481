"""The digest, against a simulated Slack."""

from __future__ import annotations

from datetime import time, timedelta

from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story, story
from webhooks.event import MONITOR, build
from webhooks.event_types import DIGEST_DUE
from webhooks.planner import Planner
from webhooks.registry import Registry
from webhooks.rules import Rules
from webhooks.rules.digest import Digest

__all__ = ["story"]

DAY = timedelta(days=1)


def send(story: Story, *, since: timedelta = DAY) -> str:
    """Send the digest to #finance-data, and return its text."""
    event = build(
        DIGEST_DUE,
        origin=MONITOR,
        resource="WEBHOOK",
        resource_name="Digest",
        resource_luid="digest",
        created_at=f"{story.now:%Y-%m-%dT%H:%M:%SZ}",
        text=(story.now - since).isoformat(),
    )
    inbox = story.simulation.inbox
    inbox.synthetic_events.add(event, MONITOR, story.now)
    wanted = Digest(time(8), frozenset(range(7)), ("slack:#finance-data",))
    inbox.events.plan(Planner(Rules(digest=wanted), Registry()).jobs)
    story.work()
    return story.top_level[-1]


def test_digest_lists_open_and_closed_incidents(story: Story) -> None:
    """Open incidents come first, then those that closed since the last digest, with the counts of refreshes."""
    story.refresh(FAILED, name="Sales")
    story.refresh(FAILED, name="Cash Flow")
    story.at(60)
    story.refresh(SUCCEEDED, name="Sales")
    text = send(story)
    assert text.startswith("Digest: 1 open incident\n1 open incident, 1 closed since the last digest.")
    assert text.index("Cash Flow ·") < text.index("Sales ·")
    assert "Refreshes: 1 of 3 succeeded" in text


def test_older_ones_are_not_listed(story: Story) -> None:
    """Incidents that closed before the last digest are left out; without any, the digest says so."""
    story.refresh(FAILED, name="Sales")
    story.at(60)
    story.refresh(SUCCEEDED, name="Sales")
    story.at(600)
    text = send(story, since=timedelta(hours=1))
    assert text.startswith("Digest: no open incidents\nNo open incidents, 0 closed since the last digest.")
    assert "Sales" not in text
