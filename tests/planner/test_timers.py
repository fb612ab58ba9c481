"""Handlers that run at a time: when a timer is due, that each time is one event, and which job it leads to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from webhooks.event_types import TIMER_DUE
from webhooks.inbox import Inbox
from webhooks.monitor.timer_clock import TimerClock
from webhooks.planner import Planner
from webhooks.registry import RegistrationError, Registry
from webhooks.rules import Rules
from webhooks.rules.timer import Timer, parse_timer

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timer", "now", "due"),
    [
        (parse_timer("15m"), "2026-03-01T10:07:12", "2026-03-01T10:00:00"),
        (parse_timer("15m"), "2026-03-01T10:15:00", "2026-03-01T10:15:00"),
        (parse_timer("1d"), "2026-03-01T10:07:12", "2026-03-01T00:00:00"),
        (parse_timer("08:00"), "2026-03-02T07:59:59", None),
        (parse_timer("08:00"), "2026-03-02T08:00:00", "2026-03-02T08:00:00"),
        (parse_timer("08:00"), "2026-03-02T09:59:59", "2026-03-02T08:00:00"),
        (parse_timer("08:00"), "2026-03-02T10:00:00", None),
        (parse_timer("23:30"), "2026-03-02T00:30:00", "2026-03-01T23:30:00"),
        (parse_timer("08:00", zone="Europe/Berlin"), "2026-03-02T07:00:00", "2026-03-02T07:00:00"),
        # The clock is put forward on 29 March; at 02:30 local time there is no such minute.
        (parse_timer("08:00", zone="Europe/Berlin"), "2026-03-30T06:00:00", "2026-03-30T06:00:00"),
        (parse_timer("02:30", zone="Europe/Berlin"), "2026-03-29T01:40:00", "2026-03-29T01:30:00"),
        (parse_timer("08:00", days="mon-fri"), "2026-03-01T08:00:00", None),
        (parse_timer("08:00", days="mon-fri"), "2026-03-02T08:00:00", "2026-03-02T08:00:00"),
    ],
)
def test_timer_is_due(timer: Timer, now: str, due: str | None) -> None:
    """Intervals are aligned; a time of day is due for two hours, in its zone and on its days."""
    assert timer.due(at(now), UTC) == (at(due) if due else None)


def test_time_of_day_without_a_zone_is_in_that_of_the_server() -> None:
    """TIMEZONE counts, unless the handler names a zone."""
    assert parse_timer("08:00").due(at("2026-07-01T06:00:00"), BERLIN) == at("2026-07-01T06:00:00")


@pytest.mark.parametrize(
    ("when", "options", "words"),
    [
        ("8 o'clock", {}, "neither an interval nor a time of day; write an interval such as"),
        ("30s", {}, "shorter than a minute"),
        ("25:00", {}, "neither an interval nor a time of day"),
        ("15m", {"zone": "UTC"}, "has neither a zone nor days"),
        ("08:00", {"zone": "Europe"}, "'Europe' is not a time zone"),
        ("08:00", {"days": "moonday"}, "'moonday' is not a weekday"),
    ],
)
def test_mistakes_are_found_when_the_handler_is_registered(when: str, options: dict[str, str], words: str) -> None:
    """The error shows what is valid, before the server starts."""
    with pytest.raises(RegistrationError, match=words):
        Registry().every(when, **options)  # type: ignore[arg-type]


def test_each_time_is_one_event_on_all_machines(tmp_path: Path) -> None:
    """Two servers with one database add one event per time, also after a restart, and the job is planned once."""
    registry = Registry()
    registry.every("15m", name="tidy")(lambda: None)
    registry.every("08:00", name="morning")(lambda: None)
    inboxes = [Inbox.open(f"sqlite:///{tmp_path}/shared.sqlite3") for _ in range(2)]
    start = at("2026-03-02T07:50:00")
    clocks = [TimerClock(lambda box=box: box, registry.timers, UTC) for box in inboxes]  # type: ignore[misc]
    for second in range(0, 1800, 10):
        for clock in clocks:
            clock.tick(start + timedelta(seconds=second))
    TimerClock(lambda: inboxes[0], registry.timers, UTC).tick(start + timedelta(minutes=29))
    planner = Planner(Rules(), registry)
    while inboxes[1].events.plan(planner.jobs):
        pass
    records = inboxes[0].events.list(limit=50)
    found = sorted((str(record.event.resource_name), str(record.event.created_at)) for record in records)
    assert found == [
        ("morning", "2026-03-02T08:00:00Z"),
        ("tidy", "2026-03-02T07:45:00Z"),
        ("tidy", "2026-03-02T08:00:00Z"),
        ("tidy", "2026-03-02T08:15:00Z"),
    ]
    assert {record.event.event_type for record in records} == {TIMER_DUE}
    assert sorted(job.job.handler for record in records for job in record.jobs) == ["morning", "tidy", "tidy", "tidy"]
    for box in inboxes:
        box.close()


def test_timer_of_a_handler_that_is_gone_has_no_job(tmp_path: Path) -> None:
    """The event says why, and nothing is dead-lettered."""
    box = Inbox.open(f"sqlite:///{tmp_path}/inbox.sqlite3")
    TimerClock(lambda: box, {"tidy": parse_timer("15m")}, UTC).tick(at("2026-03-02T08:00:00"))
    (record,) = box.events.list(limit=5)
    (verdict,) = Planner(Rules(), Registry()).plan(record.event).verdicts
    assert (verdict.matched, verdict.reason) == (False, "no handler of this name has a timer any more")
    box.close()
