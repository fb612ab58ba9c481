"""Grouping: many incidents that open at one destination within a minute share one message. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from webhooks.incidents.incident import Incident, version_of

# This many openings within the window are a group. With one more, a destination would get four messages about a storm.
GROUP_SIZE = 3
WINDOW = timedelta(seconds=60)
# As many whose content reads the same database are a group also if they are slower: refreshes are spread over hours.
UPSTREAM_WINDOW = timedelta(minutes=15)
# An opening that follows another one in the window, and one at the end of a silence, waits this long for others. So a
# storm makes one message for its first incident and one for the group, and an incident of its own is late by seconds.
GATHERING = timedelta(seconds=10)
# A group that nothing has joined for this long is complete. Joining edits the message and alerts no one, so an incident
# that opens later must have a message of its own, unless its content reads the database that all others read.
CALM = timedelta(minutes=5)

# Classes of reasons that have nothing to do with a database that other content reads, too.
OWN_REASONS = frozenset({"schema change", "disk or quota", "cancelled", "licence"})

GroupKind = Literal["storm", "upstream", "summary"]


@dataclass(frozen=True, slots=True)
class Manner:
    """The properties of a notice that a shared message would lose, so that incidents share one only if they agree.

    The rule's own `title` and `text`, the person or group that is mentioned, whether it is an escalation, and whether
    it is about this server.
    """

    title: str = ""
    text: str = ""
    mention: str = ""
    is_escalation: bool = False
    of_server: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """An incident whose first message at one destination can be sent from `at` on.

    `summary_at` is the end of the silence or quiet hours that held it, as in WantedNotice. `upstream` are the databases
    that its content reads; empty if they are unknown.
    """

    incident: str
    at: datetime
    summary_at: datetime | None = None
    upstream: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PersonalMessage:
    """A message that has alerted a person: about one incident, or about those of a group.

    `joined_at` is when the last of its incidents opened, `upstream` are the databases that the content of all reads.
    `has_open`: one of them is open, and not acknowledged or snoozed.
    """

    id: str
    joined_at: datetime
    manner: Manner
    has_open: bool
    upstream: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """Incidents that share one message at a destination: a storm, one database, or the summary at a silence's end.

    `id` is the id of its first member. A first member that has its own message already is listed as well.
    """

    id: str
    kind: GroupKind
    at: datetime
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of one destination, the incidents that get a message of their own now, and the next time to look."""

    groups: tuple[Group, ...]
    single: tuple[str, ...]
    next_at: datetime | None

    def members_with(self, incident: str) -> tuple[str, ...]:
        """Return the members of the group that the incident belongs to; none if it belongs to none."""
        return next((one.members for one in self.groups if incident in one.members), ())


def group(openings: Iterable[Opening], now: datetime) -> Grouping:
    """Return which openings at one destination share a message. The order of `openings` does not matter.

    Pass at least those of the last hour, also those that were sent, so that a group keeps its members.
    """
    ordered = sorted((one for one in openings if one.at <= now), key=lambda one: (one.at, one.incident))
    summaries, alone = _summaries([one for one in ordered if one.summary_at])
    ordered = [one for one in ordered if one.summary_at is None]
    groups = _groups(ordered)
    # Those that open before a group is formed may have a message of their own already.
    first_members = {member for one in groups for member in one.members[: GROUP_SIZE - 1]}
    later_members = {member for one in groups for member in one.members} - first_members
    single = [one.incident for one in alone if now - one.at >= GATHERING]
    waiting = [one.at + GATHERING for one in alone if now - one.at < GATHERING]
    previous: datetime | None = None
    for one in ordered:
        follows = previous is not None and one.at - previous < WINDOW
        previous = one.at
        if one.incident in later_members or (one.incident in first_members and follows):
            continue
        if follows and now - one.at < GATHERING:
            waiting.append(one.at + GATHERING)
        else:
            single.append(one.incident)
    return Grouping((*summaries, *groups), tuple(single), min(waiting, default=None))


def may_join(kind: GroupKind, joined_at: datetime, shared: frozenset[str], opening: Opening) -> bool:
    """Return whether an opening belongs to a group that something joined last at `joined_at`.

    `shared` are the databases that the content of all its members reads.
    """
    pause = opening.at - joined_at
    return (kind == "storm" and pause <= CALM) or (pause <= UPSTREAM_WINDOW and bool(shared & opening.upstream))


def message_to_join(messages: Iterable[PersonalMessage], opening: Opening, manner: Manner) -> PersonalMessage | None:
    """Return the message that shows an opening at a person's destination by an edit; None if it alerts the person.

    It joins if they were alerted within CALM, or within UPSTREAM_WINDOW because of the same database, and have not
    acknowledged all of that message: what no one takes care of must not appear where a person has finished.
    """
    fitting = [
        one
        for one in messages
        if one.has_open and one.manner == manner and may_join("storm", one.joined_at, one.upstream, opening)
    ]
    return max(fitting, key=lambda one: (one.joined_at, one.id), default=None)


def shared_upstream(members: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return the databases that the content of all members reads, as far as that is known."""
    known = [upstream for upstream in members if upstream]
    return frozenset.intersection(*known) if known else frozenset()


def group_version(members: Iterable[Incident], looked_up: int = 0) -> int:
    """Return a number that changes with everything that the group's message shows; compare with !=.

    `looked_up` changes with what it shows beside the incidents.
    """
    ordered = sorted(members, key=lambda one: one.id)
    acts = [(one.id, one.state, one.quiet_by) for one in ordered if one.state in {"acknowledged", "snoozed"}]
    return version_of(acts, ([(one.id, one.version) for one in ordered], looked_up))


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


def _groups(openings: Sequence[Opening]) -> list[Group]:
    """Return the groups among openings that are sorted by time, as they arise one after the other."""
    found: list[tuple[GroupKind, list[Opening]]] = []
    free: list[Opening] = []
    for one in openings:
        free = [other for other in free if one.at - other.at < UPSTREAM_WINDOW]
        running = (
            members
            for kind, members in reversed(found)
            if may_join(kind, members[-1].at, shared_upstream(member.upstream for member in members), one)
        )
        if (joined := next(running, None)) is not None:
            joined.append(one)
            continue
        free.append(one)
        if formed := _new_group(free, one):
            found.append(formed)
            free = [other for other in free if other not in formed[1]]
    return [Group(each[0].incident, kind, each[0].at, tuple(one.incident for one in each)) for kind, each in found]


def _new_group(free: Sequence[Opening], newest: Opening) -> tuple[GroupKind, list[Opening]] | None:
    """Return the group that the newest one of the openings without a group completes; None if there is none."""
    within = [one for one in free if newest.at - one.at < WINDOW]
    if len(within) >= GROUP_SIZE:
        return "storm", within
    for database in sorted(newest.upstream):
        readers = [one for one in free if database in one.upstream]
        if len(readers) >= GROUP_SIZE:
            return "upstream", readers
    return None
