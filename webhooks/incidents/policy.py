"""The policy of a rule: which destinations are notified of an incident, when, and again when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from webhooks.incidents.silences import WeeklyPeriod

# In the order in which notices are sent if not all can be sent at once.
Urgency = Literal["open", "escalation", "close", "acknowledge", "repeat", "count"]
URGENCIES: tuple[Urgency, ...] = ("open", "escalation", "close", "acknowledge", "repeat", "count")


@dataclass(frozen=True, slots=True)
class DestinationPolicy:
    """A destination of a rule, and from when on it is notified.

    `failures`: only from that many failures in a row on. `after`: only if the incident has been open, and is not
    acknowledged, that long after its opening. `grace`: then only from a further failure on, or if it is still open that
    much later. `mention` is a person or group to mention in the first message.
    """

    to: str
    failures: int = 1
    after: timedelta = timedelta()
    mention: str = ""
    grace: timedelta = timedelta()

    @property
    def is_escalation(self) -> bool:
        """Return whether the destination is notified only if the incident gets worse or is not acknowledged."""
        return self.failures > 1 or self.after > timedelta()


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one rule.

    `repeat`: notify again in this interval while the incident is open and not acknowledged. `quiet`: hours in which
    nothing is sent. With `each`, every failure is a message of its own, sent by the rule's notify jobs: no incident
    notices are wanted.
    """

    rule: str
    destinations: tuple[DestinationPolicy, ...]
    repeat: timedelta | None = None
    quiet: WeeklyPeriod | None = None
    each: bool = False
