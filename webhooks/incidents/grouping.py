"""Grouping: many incidents that open at one destination within a minute share one message. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice, takewhile
from typing import Literal

from webhooks.incidents.incident import VERSION_BYTES, Incident

# This many openings within the window are a group.
GROUP_SIZE = 5
WINDOW = timedelta(seconds=60)
# An opening that follows another one in the window, and one at the end of a silence, waits this long for others. So a
# storm makes one message for its first incident and one for the group, and an incident of its own is late by seconds.
GATHERING = timedelta(seconds=10)
# A group that nothing has joined for this long is complete. Joining edits the message and alerts no one, so an incident
# that opens later must have a message of its own.
CALM = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Opening:
    """An incident whose first message at one destination can be sent from `at` on.

    `summary_at` is the end of the silence or quiet hours that held it, as in WantedNotice.
    """

    incident: str
    at: datetime
    summary_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Incidents that share one message at a destination: a storm, or the summary at the end of a silence.

    `id` is the id of its first member. A first member that has its own message already is listed as well.
    """

    id: str
    kind: Literal["storm", "summary"]
    at: datetime
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of one destination, the incidents that get a message of their own now, and the next time to look."""

    groups: tuple[Group, ...]
    single: tuple[str, ...]
    next_at: datetime | None


def group(openings: Iterable[Opening], now: datetime) -> Grouping:
    """Return which openings at one destination share a message. The order of `openings` does not matter.

    Pass at least those of the last hour, also those that were sent, so that a group keeps its members.
    """
    ordered = sorted((one for one in openings if one.at <= now), key=lambda one: (one.at, one.incident))
    summaries, alone = _summaries([one for one in ordered if one.summary_at])
    ordered = [one for one in ordered if one.summary_at is None]
    storms = _storms(ordered)
    grouped = {member for one in storms for member in one.members}
    first_members = {one.id for one in storms}
    single = [one.incident for one in alone if now - one.at >= GATHERING]
    waiting = [one.at + GATHERING for one in alone if now - one.at < GATHERING]
    previous: datetime | None = None
    for one in ordered:
        follows = previous is not None and one.at - previous < WINDOW
        previous = one.at
        if one.incident in grouped:
            single += [one.incident] if one.incident in first_members and not follows else []
        elif follows and now - one.at < GATHERING:
            waiting.append(one.at + GATHERING)
        else:
            single.append(one.incident)
    return Grouping((*summaries, *storms), tuple(single), min(waiting, default=None))


def group_version(members: Iterable[Incident]) -> int:
    """Return a number that changes with everything that the group's message shows; compare with !=."""
    shown = repr(sorted((one.id, one.version) for one in members))
    return int.from_bytes(hashlib.sha256(shown.encode()).digest()[:VERSION_BYTES])


def describe_group(members: Iterable[Incident]) -> str:
    """Return the states of the members, such as `5 open, 1 acknowledged, 2 closed`."""
    states = Counter(one.state for one in members)
    return ", ".join(
        f"{states[state]} {state}" for state in ("open", "acknowledged", "snoozed", "closed") if states[state]
    )


def _summaries(openings: Sequence[Opening]) -> tuple[list[Group], list[Opening]]:
    """Return a group for each end of a silence, and the incidents that are alone at theirs."""
    groups, alone = [], []
    for end, held in groupby(
        sorted(openings, key=lambda one: (str(one.summary_at), one.at)), lambda one: one.summary_at
    ):
        members = list(held)
        if len(members) > 1 and end:
            groups.append(Group(members[0].incident, "summary", end, tuple(one.incident for one in members)))
        else:
            alone += members
    return groups, alone


def _storms(openings: Sequence[Opening]) -> list[Group]:
    """Return the groups among openings that are sorted by time."""
    groups, start = [], 0
    while start < len(openings):
        first = openings[start]
        size = sum(1 for _ in takewhile(lambda one: one.at - first.at < WINDOW, islice(openings, start, None)))  # noqa: B023 - used at once
        if size < GROUP_SIZE:
            start += 1
            continue
        end = start + size
        while end < len(openings) and openings[end].at - openings[end - 1].at <= CALM:
            end += 1
        members = tuple(one.incident for one in openings[start:end])
        groups.append(Group(first.incident, "storm", first.at, members))
        start = end
    return groups
