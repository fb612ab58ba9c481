"""Play a timeline against the whole core: evidence and acts arrive, time passes, and destinations show messages.

It wakes up when something arrives and when `next_due` says so, as the server does, and never in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.incidents.building import at
from webhooks.incidents import (
    Act,
    Delivery,
    Incident,
    Policy,
    Run,
    RunEvidence,
    Silence,
    WantedNotice,
    deliveries,
    merge,
    next_due,
    state,
    wanted_notices,
)
from webhooks.incidents.notices import MESSAGE
from webhooks.incidents.silences import FOREVER

END = at("48:00")


@dataclass(frozen=True)
class Engine:
    """The functions of the core; a wrong engine replaces one of them."""

    merge: Callable[..., tuple[Run, ...]] = merge
    state: Callable[..., tuple[Incident, ...]] = state
    wanted: Callable[..., list[WantedNotice]] = wanted_notices
    deliveries: Callable[..., list[Delivery]] = deliveries


RIGHT = Engine()


@dataclass(frozen=True)
class Ping:
    """A message or visible reply, which alerts people."""

    at: datetime
    destination: str
    incident: str


@dataclass
class Played:
    """The messages sent in the course of time, and those that the destinations show at the end.

    A message is named by the id that its incident had when it was posted, and its destination. `opened` has the ids of
    the incidents that were open at a time at which something was computed.
    """

    sent: list[str] = field(default_factory=list)
    sent_at: list[datetime] = field(default_factory=list)
    shown: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    pings: list[Ping] = field(default_factory=list)
    incidents: tuple[Incident, ...] = ()
    opened: set[str] = field(default_factory=set)


def play(
    steps: Iterable[tuple[datetime, RunEvidence | Act]],
    policy: Policy,
    silences: Sequence[Silence] = (),
    *,
    until: datetime = END,
    engine: Engine = RIGHT,
) -> Played:
    """Return what is sent if these pieces of evidence and acts arrive at these times, in this order."""
    played, pending = Played(), list(steps)
    runs: tuple[Run, ...] = ()
    acts: list[Act] = []
    now = pending[0][0] if pending else until
    while now <= until:
        while pending and pending[0][0] <= now:
            _, arrived = pending.pop(0)
            if isinstance(arrived, Act):
                acts.append(arrived)
            else:
                runs = engine.merge(runs, replace(arrived, recorded_at=now))
        played.incidents = engine.state(runs, acts, now)
        for incident in played.incidents:
            played.opened |= incident.ids if incident.is_open else set()
            # Incidents that turned out to be one may have several messages.
            for posted in {id_ for id_, _ in played.shown} & incident.ids or {incident.id}:
                notified = [to for id_, to in played.texts if id_ == posted]
                wanted = engine.wanted(incident, policy, now, silences, notified=notified)
                _send(played, posted, wanted, now, engine)
        due = [next_due(incident, policy, now, silences) for incident in played.incidents]
        if pending:
            due.append(max(pending[0][0], now))
        now = min((time for time in due if time), default=FOREVER)
    played.incidents = engine.state(runs, acts, until)
    return played


def _send(played: Played, posted: str, wanted: list[WantedNotice], now: datetime, engine: Engine) -> None:
    shown = {
        (to, key): version for (id_, to), keys in played.shown.items() if id_ == posted for key, version in keys.items()
    }
    for one in engine.deliveries(wanted, shown):
        notice, message = one.notice, (posted, one.notice.destination)
        versions = played.shown.setdefault(message, {})
        versions[notice.key] = notice.version
        versions.update(dict.fromkeys(one.covers, 1))
        if one.action == "drop":
            continue
        mark = "!" if one.action == "post" or (one.action == "reply" and notice.visible) else ""
        played.sent.append(f"{now:%H:%M} {notice.destination} {one.action}{mark}: {notice.text}")
        played.sent_at.append(now)
        if mark:
            played.pings.append(Ping(now, notice.destination, posted))
        if notice.key == MESSAGE:
            played.texts[message] = notice.text
