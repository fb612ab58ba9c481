"""What happened at Tableau's side, compared with the events that came: what was missed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from webhooks.event import RECONCILED, Event, build
from webhooks.event_types import RefreshOutcome, content_event_type, event_type, refresh_event_type
from webhooks.inbox import EventSummary, Resource

NEAR = timedelta(minutes=2)
"""The times of an event, a job and a change of content that belong together differ by no more."""


@dataclass(frozen=True, slots=True)
class MissedEvent:
    """Something that Tableau would have sent an event about."""

    event_type: str
    luid: str
    name: str
    at: datetime

    def event(self, site_luid: str) -> Event:
        """The event as Tableau would have sent it, and what it is."""
        return build(
            self.event_type,
            origin=RECONCILED,
            resource=str(event_type(self.event_type).resource),
            resource_name=self.name,
            site_luid=site_luid,
            resource_luid=self.luid,
            created_at=f"{self.at:%Y-%m-%dT%H:%M:%S}Z",
        )


@dataclass(frozen=True, slots=True)
class ListedContent:
    """A workbook or data source as it is now."""

    kind: str
    luid: str
    name: str
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndedRefresh:
    """A refresh that ended: how, when, and of what, as far as the list of jobs says. `kind` may be empty."""

    job_luid: str
    kind: str
    name: str
    succeeded: bool
    at: datetime

    @property
    def event_types(self) -> tuple[str, ...]:
        """What it may have been announced as."""
        kinds = (self.kind,) if self.kind else ("workbook", "datasource")
        return tuple(refresh_event_type(kind, self.outcome).name for kind in kinds)

    @property
    def outcome(self) -> RefreshOutcome:
        return "succeeded" if self.succeeded else "failed"


def was_received(happening: MissedEvent, arrivals: Iterable[EventSummary]) -> bool:
    """Whether the event about it came, or was made already."""
    return any(
        one.event_type == happening.event_type
        and str(one.resource_luid).lower() == happening.luid.lower()
        and (event_type(happening.event_type).happens_once or _near(one, happening.at))
        for one in arrivals
    )


def has_event(ended: EndedRefresh, arrivals: Iterable[EventSummary]) -> bool:
    """Whether an event about a refresh of that name came at its end: then nobody has to ask which content it was."""
    return any(
        one.event_type in ended.event_types and one.resource_name == ended.name and _near(one, ended.at)
        for one in arrivals
    )


def content_changes(
    seen: Iterable[ListedContent],
    known: dict[str, Resource],
    refreshed: Sequence[EndedRefresh],
    *,
    since: datetime,
    until: datetime,
) -> list[MissedEvent]:
    """What was created and updated from `since` on and before `until`. A refresh changes content too, and is none."""
    found = []
    for one in seen:
        if one.luid not in known and _between(one.created_at, since, until):
            found.append(
                MissedEvent(content_event_type(one.kind, "created").name, one.luid, one.name, one.created_at or until)
            )
        elif _between(one.updated_at, since, until) and not _explained(one, known, refreshed):
            found.append(
                MissedEvent(content_event_type(one.kind, "updated").name, one.luid, one.name, one.updated_at or until)
            )
    return found


def _explained(one: ListedContent, known: dict[str, Resource], refreshed: Sequence[EndedRefresh]) -> bool:
    at = one.updated_at
    assert at is not None
    before = known.get(one.luid)
    if before is not None and before.updated_at == at.timestamp():
        return True
    if one.created_at is not None and abs(at - one.created_at) <= NEAR:
        return True
    return any(job.name == one.name and job.kind in {"", one.kind} and abs(job.at - at) <= NEAR for job in refreshed)


def _between(at: datetime | None, since: datetime, until: datetime) -> bool:
    return at is not None and since <= at < until


def _near(one: EventSummary, at: datetime) -> bool:
    return one.happened_at is not None and abs(one.happened_at - at.timestamp()) <= NEAR.total_seconds()
