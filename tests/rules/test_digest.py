"""Test the `[digest]` table of the rules file, and when a digest is due."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from webhooks.rules import RulesError, parse
from webhooks.rules.digest import Digest

RULE = '[[rule]]\nname = "R"\non = "*"\nnotify = "console"\n'
ZURICH = ZoneInfo("Europe/Zurich")
WORKDAYS = frozenset(range(5))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('at = "08:00"\ndays = "mon-fri"\nnotify = "slack:#bi"', Digest(time(8), WORKDAYS, ("slack:#bi",))),
        ('at = "8:05"\nnotify = ["console", "console"]', Digest(time(8, 5), frozenset(range(7)), ("console",))),
    ],
)
def test_digest_is_read(table: str, expected: Digest) -> None:
    """Time, weekdays and destinations are read; every day is the default."""
    assert parse(f"{RULE}[digest]\n{table}\n", {"notify": _notify()}).digest == expected


def test_rules_without_digest_have_none() -> None:
    """The table is optional."""
    assert parse(RULE, {"notify": _notify()}).digest is None


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ('notify = "slack:#bi"', 'at is missing; for example at = "08:00"'),
        ('at = "08:00"', 'notify is missing; for example notify = "slack:#bi"'),
        ('at = "25:00"\nnotify = "console"', "'25:00' is not a time of day"),
        ('at = 8\nnotify = "console"', "8 is not a time of day"),
        ('at = "08:00"\ndays = "moonday"\nnotify = "console"', "'moonday' is not a weekday"),
        ('at = "08:00"\nnotify = "slack:bi bi"', "is not an address in Slack"),
        ('at = "08:00"\nnotify = "owner"', "owner is for messages about one content; name a channel"),
        ('at = "08:00"\nnotify = "email:owner"', "email:owner is for messages about one content"),
        ('at = "08:00"\nnotfy = "console"\nnotify = "console"', "notfy"),
    ],
)
def test_mistakes_are_reported(table: str, error: str) -> None:
    """Every mistake is named, with what would be right."""
    with pytest.raises(RulesError) as raised:
        parse(f"{RULE}[digest]\n{table}\n", {"notify": _notify()})
    assert "digest (line " in str(raised.value)
    assert error in str(raised.value)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        # 26 November 2026 is a Thursday; Zürich is an hour ahead of UTC.
        ("2026-11-26T06:59:59", None),
        ("2026-11-26T07:00:00", "2026-11-26T07:00:00"),
        # A server that was down catches up for less than two hours.
        ("2026-11-26T08:59:59", "2026-11-26T07:00:00"),
        ("2026-11-26T09:00:00", None),
        # Not on Saturday.
        ("2026-11-28T07:30:00", None),
        # In summer time.
        ("2026-07-01T06:00:00", "2026-07-01T06:00:00"),
    ],
)
def test_time_of_a_digest(now: str, due: str | None) -> None:
    """A digest is due at its local time on its weekdays, and two hours late at most."""
    found = Digest(time(8), WORKDAYS, ("console",)).due(_utc(now), ZURICH)
    assert found == (_utc(due) if due else None)


def test_digest_before_midnight_is_caught_up_after_it() -> None:
    """The two hours may reach into the next day."""
    digest = Digest(time(23, 30), WORKDAYS, ("console",))
    assert digest.due(_utc("2026-11-28T00:30:00"), UTC) == _utc("2026-11-27T23:30:00")


def test_digest_covers_the_time_since_the_one_before() -> None:
    """On Monday that is Friday's."""
    digest = Digest(time(8), WORKDAYS, ("console",))
    assert digest.before(_utc("2026-11-30T07:00:00"), ZURICH) == _utc("2026-11-27T07:00:00")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _notify() -> type:
    from webhooks.handlers.notify import NotifyParams

    return NotifyParams
