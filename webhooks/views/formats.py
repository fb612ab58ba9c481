"""Format times, durations and counts for people and for JSON."""

from __future__ import annotations

from datetime import UTC, datetime, time, tzinfo

# Each unit of a long duration in seconds, with the smaller unit that is shown beside it.
UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
NEAR_DAYS = {-1: "yesterday", 0: "", 1: "tomorrow"}


def duration(seconds: float) -> str:
    """Return a duration in at most two units: `40 ms`, `3.4 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    seconds = max(seconds, 0.0)
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole_seconds = round(seconds)
    for size, unit, smaller_size, smaller_unit in UNITS:
        if whole_seconds >= size:
            whole, rest = divmod(whole_seconds, size)
            smaller = rest // smaller_size
            return f"{whole} {unit} {smaller} {smaller_unit}" if smaller else f"{whole} {unit}"
    return f"{whole_seconds} s"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago `moment` was: `2 min 5 s ago`, or `just now` within the last second."""
    passed = (now - moment).total_seconds()
    return f"{duration(round(passed))} ago" if passed >= 1 else "just now"


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds and a `Z`, the format of all times in JSON."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def date_time(moment: datetime | None) -> str:
    """Return date and time in UTC, as in Tableau's events, in the log and for `--since`: `2026-01-31 09:30:00`."""
    return "-" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def short_date_time(moment: datetime | None, now: datetime) -> str:
    """Return the time alone for today (UTC), else day and time: `09:30:00`, `30 Jan 09:30`, `30 Jan 2025 09:30`."""
    if moment is None:
        return "-"
    at, today = moment.astimezone(UTC), now.astimezone(UTC)
    if at.date() == today.date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%d %b %H:%M" if at.year == today.year else "%d %b %Y %H:%M")


def clock_time(moment: datetime | None) -> str:
    """Return the time of day in UTC: `09:30:00`."""
    return "-" if moment is None else moment.astimezone(UTC).strftime("%H:%M:%S")


def local_time(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """Return a time on the clocks of `zone`: `02:14` today, else `yesterday 23:10`, `tomorrow 08:00`, `24 Nov 23:10`.

    A time of another year has the year: `24 Nov 2025 23:10`.
    """
    at, today = moment.astimezone(zone), now.astimezone(zone)
    days = (at.date() - today.date()).days
    if days in NEAR_DAYS:
        return f"{NEAR_DAYS[days]} {at:%H:%M}".lstrip()
    return f"{at:%d %b %H:%M}" if at.year == today.year else f"{at:%d %b %Y %H:%M}"


def local_date_time(moment: datetime, zone: tzinfo) -> str:
    """Return date and time on the clocks of `zone`: `2026-01-31 09:30`."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def midnight(now: datetime, zone: tzinfo) -> datetime:
    """Return the beginning of the current day in `zone`."""
    return datetime.combine(now.astimezone(zone).date(), time(), zone)
