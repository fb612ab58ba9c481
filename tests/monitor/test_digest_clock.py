"""Test that the event of a digest is added once, whichever processes are running."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from webhooks.inbox import Inbox
from webhooks.monitor.digest_clock import DigestClock
from webhooks.planner import Planner
from webhooks.registry import Registry
from webhooks.rules import Rules
from webhooks.rules.digest import Digest

DIGEST = Digest(time(8), frozenset(range(7)), ("slack:#bi", "console"))
EIGHT = datetime(2026, 11, 26, 8, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def clock(inbox: Inbox, digest: Digest | None = DIGEST) -> DigestClock:
    """Return the clock of another process."""
    return DigestClock(lambda: inbox, lambda: digest, UTC)


def test_several_processes_add_one_event(inbox: Inbox) -> None:
    """At its time each process adds the digest; it is stored once, and once more on the next day."""
    clocks = [clock(inbox), clock(inbox)]
    for now in (EIGHT - SECOND, EIGHT, EIGHT + SECOND, EIGHT + HOUR, EIGHT + 3 * HOUR):
        for one in clocks:
            one.tick(now)
        assert len(inbox.events.list()) == (0 if now < EIGHT else 1)
    clocks[1].tick(EIGHT + 24 * HOUR)
    assert len(inbox.events.list()) == 2


def test_restarted_process_adds_no_second_one(inbox: Inbox) -> None:
    """A process that starts after the digest was sent does not send it again."""
    clock(inbox).tick(EIGHT)
    clock(inbox).tick(EIGHT + HOUR)
    assert len(inbox.events.list()) == 1


def test_digest_has_a_job_for_each_destination(inbox: Inbox) -> None:
    """The event is planned by the rules in force; without a digest in them it has no jobs."""
    clock(inbox).tick(EIGHT)
    (record,) = inbox.events.list()
    plan: Callable[..., list[str]] = lambda digest: [  # noqa: E731 - used below only
        job.key for job in Planner(Rules(digest=digest), Registry()).jobs(record.event)
    ]
    assert plan(DIGEST) == ["digest/slack:#bi", "digest/console"]
    assert plan(None) == []
    assert DIGEST.before(EIGHT, UTC).isoformat() == record.event.payload["text"]


def test_rules_without_digest_add_nothing(inbox: Inbox) -> None:
    """Nothing is added while no digest is wanted."""
    clock(inbox, None).tick(EIGHT)
    assert inbox.events.list() == []
