"""Find the events that were missed: compare what happened in Tableau with the events that were received. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from webhooks.event import RECONCILED, Event, build
from webhooks.event_types import RefreshOutcome, content_event_type, event_type, refresh_event_type
from webhooks.inbox import EventSummary, Resource

# The times of an event, of a job and of a change of content that belong together differ by no more than this.
TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class MissedEvent:
    """An event that Tableau would have sent."""

    event_type: str
    luid: str
    name: str
    at: datetime

    def as_event(self, site_luid: str) -> Event:
        """Return the event as Tableau would have sent it, marked as reconciled."""
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
    """A workbook or data source as Tableau lists it."""

    kind: str
    luid: str
    name: str
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndedRefresh:
    """A refresh that has ended, as far as the list of jobs tells; `kind` is empty if it does not tell the kind."""

    job_luid: str
    kind: str
    name: str
    succeeded: bool
    at: datetime

    @property
    def outcome(self) -> RefreshOutcome:
        return "succeeded" if self.succeeded else "failed"

    @property
    def event_types(self) -> tuple[str, ...]:
        """The event types that may have reported it."""
        kinds = (self.kind,) if self.kind else ("workbook", "datasource")
        return tuple(refresh_event_type(kind, self.outcome).name for kind in kinds)


def was_received(missed: MissedEvent, arrivals: Iterable[EventSummary]) -> bool:
    """Return whether the event is among those received or reconciled before."""
    return any(
        arrival.event_type == missed.event_type
        and str(arrival.resource_luid).lower() == missed.luid.lower()
        and (event_type(missed.event_type).happens_once or _at_time(arrival, missed.at))
        for arrival in arrivals
    )


def has_event(refresh: EndedRefresh, arrivals: Iterable[EventSummary]) -> bool:
    """Return whether an event about a refresh of this name was received when it ended.

    If so, Tableau need not be asked which content was refreshed.
    """
    return any(
        arrival.event_type in refresh.event_types
        and arrival.resource_name == refresh.name
        and _at_time(arrival, refresh.at)
        for arrival in arrivals
    )


def content_changes(
    listed: Iterable[ListedContent],
    known: Mapping[str, Resource],
    refreshes: Sequence[EndedRefresh],
    *,
    since: datetime,
    until: datetime,
) -> list[MissedEvent]:
    """Return what was created or updated from `since` on and before `until`.

    `known` is the content as it was before, by LUID. A refresh changes the time of the content, but is not an update.
    """
    changes = []
    for content in listed:
        created, updated, before = content.created_at, content.updated_at, known.get(content.luid)
        if before is None and created and since <= created < until:
            created_type = content_event_type(content.kind, "created").name
            changes.append(MissedEvent(created_type, content.luid, content.name, created))
        elif updated and since <= updated < until:
            was_known = before is not None and before.updated_at == updated.timestamp()
            by_creation = created is not None and abs(updated - created) <= TOLERANCE
            by_refresh = any(
                refresh.name == content.name
                and refresh.kind in {"", content.kind}
                and abs(refresh.at - updated) <= TOLERANCE
                for refresh in refreshes
            )
            if not (was_known or by_creation or by_refresh):
                updated_type = content_event_type(content.kind, "updated").name
                changes.append(MissedEvent(updated_type, content.luid, content.name, updated))
    return changes


def _at_time(arrival: EventSummary, at: datetime) -> bool:
    if arrival.happened_at is None:
        return False
    return abs(arrival.happened_at - at.timestamp()) <= TOLERANCE.total_seconds()
