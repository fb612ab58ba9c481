"""The policy of a rule: which destinations are notified of an incident, when, and again when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from webhooks.incidents.incident import Incident
from webhooks.incidents.silences import Silence, WeeklyPeriod

# In the order in which notices are sent if not all can be sent at once.
Urgency = Literal["open", "escalation", "close", "acknowledge", "repeat", "count"]
URGENCIES: tuple[Urgency, ...] = ("open", "escalation", "close", "acknowledge", "repeat", "count")
# `message`: the one message of the incident at the destination, posted the first time and edited afterwards.
# `thread`: a reply to it, sent once.
Form = Literal["message", "thread"]


@dataclass(frozen=True, slots=True)
class DestinationPolicy:
    """A destination of a rule, and from when on it is notified.

    `failures`: only from that many failures in a row on. `after`: only if the incident has been open, and is not
    acknowledged, that long after its opening. `mention` is a person or group to mention in the first message.
    """

    to: str
    failures: int = 1
    after: timedelta = timedelta()
    mention: str = ""

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


@dataclass(frozen=True, slots=True)
class WantedNotice:
    """A message or a reply in its thread that a destination should show.

    `key` identifies it within the incident and the destination. It is up to date if the version that was sent last is
    `version`; compare with !=, because late evidence can also lower it. `text` is one sentence without Tableau's names.
    `due_at` is when it became due; `held_until` the end of the silence or quiet hours that hold it now, else None.
    `summary_at` is the end of those that held its opening: it is then part of one summary of that time instead of a
    message of its own. `visible`: people should see it in the channel, also if it is a reply in a thread.
    """

    destination: str
    key: str
    form: Form
    version: int
    urgency: Urgency
    text: str
    due_at: datetime
    held_until: datetime | None = None
    summary_at: datetime | None = None
    mention: str = ""
    visible: bool = True


def wanted_notices(
    incident: Incident, policy: Policy, now: datetime, silences: Sequence[Silence] = ()
) -> list[WantedNotice]:
    """Return what each destination of the policy should show of the incident, the most urgent first.

    A destination that is not notified yet has none. For each there is one notice of the form `message`; the other ones
    are replies in its thread.
    """
    raise NotImplementedError


def next_due(incident: Incident, policy: Policy, now: datetime, silences: Sequence[Silence] = ()) -> datetime | None:
    """Return the next time at which `wanted_notices` may change without new evidence or acts; None if there is none."""
    raise NotImplementedError
