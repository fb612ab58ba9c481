"""Decide when an announcement of dead letters is due: the first at once, further ones at growing intervals. Pure."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds from an announcement to the next, while jobs keep dying. After the last of them without any, it begins again.
INTERVALS = (60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """The last announcement: when it was due, in seconds, and how many there were before it in this run."""

    due_at: float
    number: int = 0


def next_announcement(now: float, last: Pace | None) -> Pace:
    """Return the pace of the announcement that follows `last`; it collects the dead jobs until it is due."""
    if last is None or now >= last.due_at + INTERVALS[-1]:
        return Pace(now)
    interval = INTERVALS[min(last.number, len(INTERVALS) - 1)]
    # A time further ahead comes from a clock that was wrong.
    return Pace(min(max(now, last.due_at + interval), now + INTERVALS[-1]), last.number + 1)
