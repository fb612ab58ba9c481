"""Decide when an announcement of dead letters is due: the first at once, further ones at growing intervals. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

# Seconds from an announcement to the next, while jobs keep dying. After the last of them without any, it begins again.
INTERVALS = (300.0, 900.0, 3600.0)
# Seconds from an announcement to one that includes the first dead job of another cause.
NEW_CAUSE_INTERVAL = 60.0
# Causes in one run; further ones wait for the next summary.
MAX_CAUSES = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """The last announcement of a run: when it was due, in seconds, and how many there were before it.

    `causes` are the handlers whose jobs have died since the run began; `previous` is when the announcement before was
    due.
    """

    due_at: float
    number: int = 0
    causes: tuple[str, ...] = ()
    previous: float | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the pace that was stored as a JSON object."""
        return cls(**{**value, "causes": tuple(value.get("causes", ()))})


def next_announcement(now: float, last: Pace | None, cause: str = "") -> Pace:
    """Return the pace of the announcement that follows `last`; it collects the dead jobs until it is due.

    `cause` is the handler whose job has died. One that fails repeatedly is announced once, and then in summaries at
    growing intervals; the first job of another one is announced within a minute.
    """
    if last is None or now >= last.due_at + INTERVALS[-1]:
        return Pace(now, causes=(cause,))
    new_cause = _is_new(cause, last)
    interval = NEW_CAUSE_INTERVAL if new_cause else INTERVALS[min(last.number, len(INTERVALS) - 1)]
    causes = (*last.causes, cause) if new_cause else last.causes
    # A time further ahead comes from a clock that was wrong.
    due_at = min(max(now, last.due_at + interval), now + INTERVALS[-1])
    # An additional announcement for a new cause does not bring the summaries closer together, nor further apart.
    return Pace(due_at, last.number if new_cause else last.number + 1, causes, last.due_at)


def hasten(now: float, waiting: Pace, cause: str) -> Pace:
    """Return the pace of an announcement that waits, brought forward if it now includes the first job of a cause."""
    if not _is_new(cause, waiting):
        return waiting
    earliest = now if waiting.previous is None else max(now, waiting.previous + NEW_CAUSE_INTERVAL)
    return replace(waiting, due_at=min(waiting.due_at, earliest), causes=(*waiting.causes, cause))


def _is_new(cause: str, pace: Pace) -> bool:
    return cause not in pace.causes and len(pace.causes) < MAX_CAUSES
