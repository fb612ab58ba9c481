"""Engines with one mistake each, which the properties must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from tests.incidents.building import MIDNIGHT
from tests.incidents.properties import check_arrival, check_silence, random_history, random_silence, with_repetitions
from tests.incidents.timeline import Engine
from webhooks.incidents import (
    Act,
    Delivery,
    Grouping,
    Incident,
    Opening,
    Run,
    RunEvidence,
    WantedNotice,
    deliveries,
    group,
    merge,
    state,
)

Check = Callable[[Random, Any], None]


def reopens_by_an_old_event() -> Engine:
    """The event that arrived last decides, not the one that happened last."""

    def by_arrival(runs: Iterable[Run], acts: Iterable[Act], now: datetime) -> tuple[Incident, ...]:
        runs = list(runs)
        found = state(runs, acts, now)
        latest = max(runs, key=lambda run: run.first_evidence.recorded_at, default=None)
        if found and found[-1].closed_at and latest and latest.outcome == "failed":
            return (*found[:-1], replace(found[-1], state="open", closed_at=None))
        return found

    return Engine(state=by_arrival)


def counts_duplicates() -> Engine:
    """Every arrival is a new event."""
    numbers = count(1000)

    def count_all(known: Iterable[Run], new: RunEvidence) -> tuple[Run, ...]:
        return merge(known, replace(new, event_id=next(numbers)))

    return Engine(merge=count_all)


def acknowledge_races_close() -> Engine:
    """An acknowledgement sets the state, also after the closing."""

    def acknowledge(runs: Iterable[Run], acts: Iterable[Act], now: datetime) -> tuple[Incident, ...]:
        found = []
        for incident in state(runs, acts, now):
            late = [act for act in incident.acts if act.kind == "acknowledge" and act.at >= (incident.closed_at or now)]
            found.append(replace(incident, state="acknowledged", closed_at=None) if late else incident)
        return tuple(found)

    return Engine(state=acknowledge)


def edits_out_of_order() -> Engine:
    """Edits are queued, and the queue is one behind."""
    before: dict[tuple[str, frozenset[str]], WantedNotice] = {}

    def delayed(wanted: Iterable[WantedNotice], shown: Mapping[tuple[str, str], int]) -> list[Delivery]:
        found = []
        for one in deliveries(wanted, shown):
            key = (one.notice.destination, frozenset(to for to, _ in shown))
            if one.action == "edit" and key in before:
                found.append(replace(one, notice=replace(one.notice, text=before[key].text)))
            else:
                found.append(one)
            before[key] = one.notice
        return found

    return Engine(deliveries=delayed)


def silence_swallows_the_end() -> Engine:
    """Notices that a silence holds count as sent."""

    def drop(wanted: Iterable[WantedNotice], shown: Mapping[tuple[str, str], int]) -> list[Delivery]:
        wanted = list(wanted)
        held = [Delivery(one, "drop", one.urgency) for one in wanted if one.held_until]  # type: ignore[arg-type]
        return [*deliveries(wanted, shown), *held]

    return Engine(deliveries=drop)


def group_loses_a_line() -> Callable[..., Grouping]:
    """A group is cut when it is long."""

    def cut(openings: Iterable[Opening], now: datetime) -> Grouping:
        found = group(openings, now)
        return replace(found, groups=tuple(replace(one, members=one.members[:8]) for one in found.groups))

    return cut


def check_arrival_of(random: Random, engine: Engine) -> None:
    """Check the order of arrival with a random history."""
    items = random_history(random, random.randrange(1, 9))
    check_arrival(items, with_repetitions(random, items), engine)


def check_silence_of(random: Random, engine: Engine) -> None:
    """Check a random silence with a random history."""
    check_silence(random_history(random, random.randrange(1, 9)), random_silence(random), engine)


def random_openings(random: Random) -> list[Opening]:
    """Return openings at one destination within some minutes, some of them held until the end of a silence."""
    openings, seconds = [], 0
    for number in range(random.randrange(30)):
        seconds += random.choice((0, 1, 5, 14, 59, 60, 61, 700))
        held = MIDNIGHT + timedelta(seconds=seconds) if random.random() < 0.2 else None
        openings.append(Opening(f"i{number:02}", MIDNIGHT + timedelta(seconds=seconds), held))
    return openings


def check_grouping(random: Random, engine: Callable[..., Grouping] | Engine) -> None:
    """Check that every opening is shown, alone or in one group, in every order, and stays where it is."""
    find = group if isinstance(engine, Engine) else engine
    openings = random_openings(random)
    times = sorted({one.at + timedelta(seconds=wait) for one in openings for wait in (0, 30, 60)})
    before: dict[str, set[str]] = {}
    for now in times:
        found = find(random.sample(openings, len(openings)), now)
        members = [member for one in found.groups for member in one.members]
        assert len(members) == len(set(members))
        shown = {*members, *found.single}
        begun = {one.incident for one in openings if one.at <= now}
        waiting = begun - shown
        assert shown <= begun
        assert bool(waiting) == (found.next_at is not None and found.next_at > now)
        for one in found.groups:
            assert before.get(one.id, set()) <= set(one.members)
            before[one.id] = set(one.members)
    if times:
        assert not waiting
        assert sum(len(group_members) for group_members in before.values()) == len(members)


WRONG: dict[str, tuple[Callable[[], Any], Check]] = {
    "reopens by an old event": (reopens_by_an_old_event, check_arrival_of),
    "counts duplicates": (counts_duplicates, check_arrival_of),
    "acknowledge races close": (acknowledge_races_close, check_arrival_of),
    "edits out of order": (edits_out_of_order, check_arrival_of),
    "silence swallows the end": (silence_swallows_the_end, check_silence_of),
    "group loses a line": (group_loses_a_line, check_grouping),
}
