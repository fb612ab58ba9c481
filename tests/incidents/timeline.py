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
    group,
    merge,
    next_due,
    state,
    wanted_notices,
)
from webhooks.incidents.policy import MESSAGE

END = at("48:00")


@dataclass(frozen=True)
class Engine:
    """The functions of the core; a wrong engine replaces one of them."""

    merge: Callable[..., tuple[Run, ...]] = merge
    state: Callable[..., tuple[Incident, ...]] = state
    wanted: Callable[..., list[WantedNotice]] = wanted_notices
    deliveries: Callable[..., list[Delivery]] = deliveries
    group: Callable[..., object] = group


@dataclass
class Played:
    """The messages sent in the course of time, and those that the destinations show at the end."""

    sent: list[str] = field(default_factory=list)
    shown: dict[tuple[str, str, str], int] = field(default_factory=dict)
    posts: list[tuple[str, str]] = field(default_factory=list)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    pings: list[tuple[datetime, str]] = field(default_factory=list)
    incidents: tuple[Incident, ...] = ()


def play(
    steps: Iterable[tuple[datetime, RunEvidence | Act]],
    policy: Policy,
    silences: Sequence[Silence] = (),
    *,
    until: datetime = END,
    engine: Engine = Engine(),
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
            _send(played, incident, policy, silences=silences, now=now, engine=engine)
        due = [next_due(incident, policy, now, silences) for incident in played.incidents]
        if pending:
            due.append(max(pending[0][0], now))
        now = min((time for time in due if time), default=until.max.replace(tzinfo=until.tzinfo))
    return played


def _send(
    played: Played,
    incident: Incident,
    policy: Policy,
    *,
    silences: Sequence[Silence],
    now: datetime,
    engine: Engine,
) -> None:
    known = dict.fromkeys(incident.ids, incident.id)
    shown = {(to, key): version for (id_, to, key), version in played.shown.items() if id_ in known}
    for one in engine.deliveries(engine.wanted(incident, policy, now, silences), shown):
        to, key = one.notice.destination, one.notice.key
        played.shown[incident.id, to, key] = one.notice.version
        played.shown.update({(incident.id, to, covered): 1 for covered in one.covers})
        mark = "!" if one.action == "post" or (one.action == "reply" and one.notice.visible) else ""
        played.sent.append(f"{now:%H:%M} {to} {one.action}{mark}: {one.notice.text}")
        if mark:
            played.pings.append((now, to))
        if one.action == "post":
            played.posts.append((incident.id, to))
        if key == MESSAGE:
            played.texts[incident.id, to] = one.notice.text
