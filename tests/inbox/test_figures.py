"""Test the figures for metrics."""

from __future__ import annotations

import pytest

from tests.support.databases import Clock
from webhooks.inbox import Inbox


def test_figures_count_events_and_jobs(filled: Inbox) -> None:
    """Each figure counts what its name says."""
    figures = filled.counts()
    assert {name: figures[name] for name in ("events", "unplanned", "ready", "running", "dead")} == {
        "events": 6,
        "unplanned": 1,
        "ready": 1,
        "running": 1,
        "dead": 1,
    }
    assert figures["newest_event"] == 1_800_000_010
    assert figures["oldest_due"] == 0
    assert figures["bytes"] > 10_000


def test_age_of_the_oldest_due_job(filled: Inbox, clock: Clock) -> None:
    """The figure is how long the oldest due job has been waiting, in seconds."""
    filled.events.replay([1])
    clock.forward(42)
    assert filled.counts()["oldest_due"] == pytest.approx(42)
