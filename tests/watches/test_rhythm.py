"""Test what is learned from the runs of the past: only what is very regular is expected to go on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from webhooks.watches.rhythm import learn_rhythm

BERLIN = ZoneInfo("Europe/Berlin")
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def nightly(
    first: str, days: int, zone: ZoneInfo = BERLIN, jitter: int = 10, *, weekdays: str = "0123456"
) -> list[datetime]:
    """Return runs at about the local time of `first` on some weekdays."""
    start, random = datetime.fromisoformat(first).replace(tzinfo=zone), Random(7)
    found = []
    for number in range(days):
        at = start + number * DAY
        if str(at.weekday()) in weekdays:
            found.append(at.astimezone(UTC) + random.randrange(jitter + 1) * MINUTE)
    return found


def test_daily_rhythm_follows_the_local_time() -> None:
    """Runs at half past two are expected at half past two, also after the clock has changed."""
    runs = nightly("2026-03-01 02:10", 28)
    rhythm = learn_rhythm(runs, runs[-1] + HOUR, BERLIN)
    assert rhythm
    expected = rhythm.following(runs[-1] + HOUR)
    assert datetime(2026, 3, 29, 3, 10, tzinfo=BERLIN) <= expected <= datetime(2026, 3, 29, 3, 20, tzinfo=BERLIN)
    following = rhythm.following(expected)
    assert datetime(2026, 3, 30, 2, 10, tzinfo=BERLIN) <= following <= datetime(2026, 3, 30, 2, 20, tzinfo=BERLIN)


def test_working_days_have_no_run_on_saturday() -> None:
    """Content that is refreshed from Monday to Friday is expected on Monday after a Friday."""
    runs = nightly("2026-11-02 05:00", 26, weekdays="01234")
    rhythm = learn_rhythm(runs, runs[-1] + HOUR, BERLIN)
    assert rhythm
    assert rhythm.following(runs[-1] + HOUR).astimezone(BERLIN).weekday() == 0


def test_rhythm_around_midnight() -> None:
    """Runs a little before and after midnight are one rhythm, expected at the latest usual time of the right day."""
    runs = nightly("2026-11-01 23:50", 26, jitter=20, weekdays="01234")
    rhythm = learn_rhythm(runs, runs[-1] + HOUR, BERLIN)
    assert rhythm
    expected = rhythm.following(datetime(2026, 11, 27, 22, tzinfo=BERLIN)).astimezone(BERLIN)
    assert expected == datetime(2026, 11, 28, 0, 10, tzinfo=BERLIN)
    assert rhythm.following(expected).astimezone(BERLIN).date() == date(2026, 12, 1)


def test_regular_interval() -> None:
    """Runs every two hours are expected after the longest pause that there was."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    runs = [start + number * 2 * HOUR + (number % 3) * MINUTE for number in range(150)]
    rhythm = learn_rhythm(runs, runs[-1] + HOUR, BERLIN)
    assert rhythm
    assert rhythm.following(runs[-1]) == runs[-1] + 2 * HOUR + MINUTE
    assert rhythm.period == 2 * HOUR + MINUTE


def test_irregular_runs_have_no_rhythm() -> None:
    """Few runs, a short history, many runs by hand, changing times, missing days, an interval that ended: no rhythm."""
    runs = nightly("2026-11-01 05:00", 30)
    now = runs[-1] + HOUR
    random = Random(3)
    assert learn_rhythm(runs, now, BERLIN)
    assert learn_rhythm(runs[-11:], now, BERLIN) is None
    assert learn_rhythm(runs[-13:], now, BERLIN) is None
    assert learn_rhythm([], now, BERLIN) is None
    by_hand = [at - 9 * HOUR for at in runs[::7]]
    assert learn_rhythm([*runs, *by_hand], now, BERLIN) is None
    assert learn_rhythm([at + random.randrange(90) * MINUTE for at in runs], now, BERLIN) is None
    assert learn_rhythm([at for at in runs if random.random() < 0.7], now, BERLIN) is None
    hourly = [runs[0] + number * HOUR for number in range(600)]
    assert learn_rhythm(hourly, hourly[-1] + HOUR, BERLIN)
    assert learn_rhythm(hourly, hourly[-1] + 9 * HOUR, BERLIN) is None
    assert learn_rhythm([at for at in hourly if random.random() < 0.9], hourly[-1], BERLIN) is None


def test_a_late_run_and_one_by_hand_do_not_end_a_rhythm() -> None:
    """Content with a night that was missed, one that came late and one by hand is expected at its time again."""
    runs = nightly("2026-10-01 22:20", 56)
    del runs[30]
    runs[20] += 6 * HOUR
    runs.append(runs[12] + 14 * HOUR)
    now = max(runs) + HOUR
    rhythm = learn_rhythm(runs, now, BERLIN)
    assert rhythm
    assert rhythm.weekdays == frozenset(range(7))
    expected = rhythm.following(now).astimezone(BERLIN)
    assert (expected.hour, 20 <= expected.minute <= 30) == (22, True)
