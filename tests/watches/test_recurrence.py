"""Test when a schedule of Tableau runs next: every frequency, both changes of the clock, ends of months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from webhooks.watches.recurrence import Recurrence

BERLIN, NEW_YORK, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")
WEEK = [{"weekDay": day} for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")]


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    """Return a local time such as `2026-03-28 02:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("frequency", "times", "intervals", "after", "expected"),
    [
        ("Daily", ("06:30:00", ""), [], "2026-11-26 06:00", "2026-11-26 06:30"),
        ("Daily", ("06:30:00", ""), [], "2026-11-26 06:30", "2026-11-27 06:30"),
        ("Daily", ("06:30:00", ""), WEEK, "2026-11-27 07:00", "2026-11-30 06:30"),
        ("Daily", ("06:00:00", "18:00:00"), [{"hours": "6"}], "2026-11-26 06:00", "2026-11-26 12:00"),
        ("Daily", ("06:00:00", "18:00:00"), [{"hours": "6"}], "2026-11-26 18:00", "2026-11-27 06:00"),
        ("Daily", ("06:00:00", ""), [{"hours": "24"}, {"weekDay": "Monday"}], "2026-11-26 06:00", "2026-11-30 06:00"),
        ("Hourly", ("08:15:00", "17:15:00"), [{"hours": "1"}, *WEEK], "2026-11-27 17:15", "2026-11-30 08:15"),
        ("Hourly", ("08:15:00", "17:15:00"), [{"minutes": "15"}], "2026-11-27 08:15", "2026-11-27 08:30"),
        ("Hourly", ("00:00:00", "00:00:00"), [{"minutes": "60"}], "2026-11-27 22:30", "2026-11-27 23:00"),
        ("Hourly", ("00:00:00", ""), [], "2026-11-27 23:00", "2026-11-28 00:00"),
        ("Weekly", ("23:50:00", ""), [{"weekDay": "Sunday"}], "2026-11-26 00:00", "2026-11-29 23:50"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "1"}], "2026-12-31 12:00", "2027-01-01 02:00"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "LastDay"}], "2027-02-01 00:00", "2027-02-28 02:00"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "LastDay"}], "2028-02-01 00:00", "2028-02-29 02:00"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "31"}], "2026-11-26 00:00", "2026-12-31 02:00"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "31"}], "2027-01-31 02:00", "2027-03-31 02:00"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "15"}, {"monthDay": "1"}], "2026-11-02 00:00", "2026-11-15 02:00"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "Second"}, {"weekDay": "Tuesday"}],
         "2026-11-26 00:00", "2026-12-08 02:00"),
        ("Monthly", ("02:00:00", ""), [{"monthDay": "Last"}, {"weekDay": "Friday"}],
         "2026-11-28 00:00", "2026-12-25 02:00"),
        # The clock skips 02:30 on 29 March and repeats it on 25 October.
        ("Daily", ("02:30:00", ""), [], "2026-03-28 12:00", "2026-03-29 03:30"),
        ("Daily", ("02:30:00", ""), [], "2026-03-29 12:00", "2026-03-30 02:30"),
        ("Daily", ("06:00:00", ""), [], "2026-10-24 12:00", "2026-10-25 06:00"),
    ],
)  # fmt: skip
def test_next_run(
    frequency: str, times: tuple[str, str], intervals: list[dict[str, str]], after: str, expected: str
) -> None:
    """The next run is at the local time of the schedule, also when the clock changes."""
    schedule = Recurrence.of(frequency, *times, intervals, BERLIN)
    assert schedule is not None
    assert schedule.following(local(after)) == local(expected)


def test_the_repeated_hour_runs_once() -> None:
    """A daily schedule in the hour that the clock repeats has one run that night."""
    schedule = Recurrence.of("Daily", "02:30:00", "", [], BERLIN)
    assert schedule
    first = schedule.following(local("2026-10-24 12:00"))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert schedule.following(first) == local("2026-10-26 02:30")


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, KOLKATA])
@pytest.mark.parametrize("frequency", ["Daily", "Hourly", "Weekly", "Monthly"])
def test_runs_of_a_year_increase(zone: ZoneInfo, frequency: str) -> None:
    """Each run is later than the one before, for two years with a leap day, and none is outside the schedule's days."""
    intervals = [{"monthDay": "LastDay"}] if frequency == "Monthly" else [{"weekDay": "Sunday"}, {"hours": "4"}]
    schedule = Recurrence.of(frequency, "01:30:00", "21:30:00", intervals, zone)
    assert schedule
    at, seen = datetime(2027, 1, 1, tzinfo=UTC), 0
    while at < datetime(2029, 1, 1, tzinfo=UTC):
        following = schedule.following(at)
        assert following
        assert following > at
        day = following.astimezone(zone).date()
        assert (day + timedelta(days=1)).day == 1 if frequency == "Monthly" else day.weekday() == 6
        at, seen = following, seen + 1
    assert seen == {"Monthly": 25, "Weekly": 106}.get(frequency, seen)


@pytest.mark.parametrize(
    ("frequency", "start", "intervals"),
    [("", "06:00:00", []), ("Daily", "", []), ("Yearly", "06:00:00", []), ("Monthly", "06:00:00", []),
     ("Monthly", "06:00:00", [{"monthDay": "Last"}]), ("Daily", "25:00", [])],
)  # fmt: skip
def test_incomplete_description_is_no_schedule(frequency: str, start: str, intervals: list[dict[str, str]]) -> None:
    """A description that does not say when the schedule runs gives none."""
    assert Recurrence.of(frequency, start, "", intervals, UTC) is None


def test_a_day_that_does_not_exist_has_no_run() -> None:
    """A schedule for a day that no month has, has no next run."""
    schedule = Recurrence.of("Monthly", "06:00:00", "", [{"monthDay": "32"}], UTC)
    assert schedule
    assert schedule.following(datetime(2026, 1, 1, tzinfo=UTC)) is None
