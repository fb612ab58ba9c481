"""Record what a watch has found: evidence of an incident, and an event whose jobs notify of it, in one transaction."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from webhooks.event import MAX_DISTANCE, MONITOR, RECONCILED, Event, build, watch_fingerprint
from webhooks.event_types import REFRESH_MISSED, REFRESH_RUNS_LONG, SCHEDULE_SUSPENDED, refresh_event_type
from webhooks.incidents import Finding, Incident, Run
from webhooks.incidents.incident import IncidentKind
from webhooks.incidents.wording import duration
from webhooks.monitor.missed import MissedEvent
from webhooks.watches.expectation import LEARNED, STRIKE_LIMIT, Expectation, ScheduledTask
from webhooks.watches.wording import NOT_COME, RUNNING, SUSPENDED, USUAL

if TYPE_CHECKING:
    from datetime import timedelta

    from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

EVENT_TYPES: dict[IncidentKind, str] = {
    "missed": REFRESH_MISSED,
    "long": REFRESH_RUNS_LONG,
    "suspended": SCHEDULE_SUSPENDED,
}


class Recorder:
    """Stores the findings about the content of one site; times in texts are in `zone`."""

    def __init__(self, inbox: Inbox, zone: tzinfo) -> None:
        self._inbox, self._zone = inbox, zone

    def missed(
        self, expected: Expectation, deadline: datetime, site_luid: str, name: str, *, queued_at: datetime | None = None
    ) -> None:
        """Record that a refresh did not come by its deadline; `queued_at` is since when it waits in Tableau's queue."""
        at, end = self._clock(expected.at, deadline), self._clock(deadline, deadline)
        if expected.is_declared:
            text = f"It was not up to date at {end}, as the watch {expected.watch} asks."
        elif expected.task.startswith(LEARNED):
            text = f"It usually begins by {at}, and had not come by {end}."
        else:
            text = NOT_COME.format(at, end)
        if queued_at is not None:
            text += f" It has been waiting in Tableau's queue since {self._clock(queued_at, deadline)}."
        finding = _finding(
            expected.resource_luid,
            expected.resource_kind,
            site_luid,
            name,
            at=deadline,
            key=f"{expected.task} {expected.at:%Y-%m-%dT%H:%M:%SZ}",
            text=text,
            since=expected.at,
            needs_success=expected.is_declared,
        )
        self._record("missed", finding, watch=expected.watch)

    def long(self, run: Run, limit: timedelta, name: str, *, usual: timedelta | None, watch: str = "") -> None:
        """Record that a run takes longer than its limit; `usual` is how long it takes at most on most days."""
        began = run.started_at or run.at
        at = began + limit
        text = RUNNING.format(self._clock(began, at))
        text += USUAL.format(duration(usual)) if usual else ""
        text += f" The watch {watch} allows {duration(limit)}." if watch else ""
        finding = _finding(
            run.resource_luid,
            run.resource_kind,
            run.site_luid,
            name,
            at=at,
            key=f"run {began:%Y-%m-%dT%H:%M:%SZ}",
            text=text,
            since=began,
        )
        self._record("long", finding, watch=watch)

    def suspended(self, task: ScheduledTask, site_luid: str, name: str, now: datetime) -> None:
        """Record that Tableau has suspended a task."""
        text = SUSPENDED.format(task.strikes)
        key = f"{task.luid} {now:%Y-%m-%dT%H:%M:%SZ}"
        finding = _finding(
            task.resource_luid, task.resource_kind, site_luid, name, at=now, key=key, text=text, needs_success=True,
            number=max(task.strikes, STRIKE_LIMIT),
        )  # fmt: skip
        self._record("suspended", finding)

    def last_failure(self, incident: Incident, now: datetime) -> None:
        """Add the event of a failure that is known from the job list alone, so that rules notify of its incident.

        It belongs to the same run, because their times agree. An event that is stored changes nothing.
        """
        at = incident.last_failure_at
        if at is None or now - at > MAX_DISTANCE or incident.resource_kind == "flow":
            return
        name = refresh_event_type(incident.resource_kind, "failed").name
        missed = MissedEvent(name, incident.resource_luid, incident.resource_name, at)
        self._inbox.synthetic_events.add(missed.as_event(incident.site_luid), RECONCILED, at)

    def unscheduled(self, luid: str, kind: str, site_luid: str, name: str, now: datetime) -> None:
        """Record that content has no schedule any more, so that none is missed or suspended."""
        kinds: tuple[IncidentKind, ...] = ("missed", "suspended")
        for incident in kinds:
            since = self._inbox.findings.open_since(incident, luid, site_luid=site_luid)
            if since is not None:
                key = f"no schedule {now:%Y-%m-%dT%H:%M:%SZ}"
                finding = _finding(luid, kind, site_luid, name, at=now, key=key, text="the schedule was removed")
                self._inbox.findings.record(incident, replace(finding, problem=False))

    def _record(self, kind: IncidentKind, finding: Finding, watch: str = "") -> None:
        event = _event(EVENT_TYPES[kind], finding, watch)
        receipt = self._inbox.findings.record(kind, finding, event)
        if receipt is not None and not receipt.duplicate:
            log.warning(
                "Watch: %s event=%s kind=%s luid=%s: %s",
                kind,
                receipt.id,
                finding.resource_kind,
                finding.resource_luid,
                finding.reason,
            )

    def _clock(self, at: datetime, near: datetime) -> str:
        """Return a time of day in words, with its date unless it is that of `near`."""
        local, other = at.astimezone(self._zone), near.astimezone(self._zone)
        return f"{local:%H:%M}" if local.date() == other.date() else f"{local:%Y-%m-%d %H:%M}"


def _finding(
    luid: str,
    kind: str,
    site_luid: str,
    name: str,
    *,
    at: datetime,
    key: str,
    text: str,
    since: datetime | None = None,
    needs_success: bool = False,
    number: int = 1,
) -> Finding:
    return Finding(
        site_luid=site_luid,
        resource_luid=luid,
        resource_kind=kind,
        resource_name=name,
        at=at,
        problem=True,
        names=frozenset({key}),
        first_name=key,
        recorded=(at, 0, key),
        reason=text,
        since=since,
        needs_success=needs_success,
        number=number,
    )


def _event(event_type: str, finding: Finding, watch: str) -> Event:
    """Return the event that notifies of a finding; the same finding has the same one."""
    created_at = f"{finding.at:%Y-%m-%dT%H:%M:%S}Z"
    event = build(
        event_type,
        origin=MONITOR,
        resource=finding.resource_kind.upper(),
        resource_name=finding.resource_name,
        site_luid=finding.site_luid,
        resource_luid=finding.resource_luid,
        created_at=created_at,
        reason=finding.reason,
        **({"watch": watch} if watch else {}),
    )
    identity = f"{finding.site_luid} {finding.resource_luid} {finding.first_name}"
    return replace(event, fingerprint=watch_fingerprint(event_type, identity, created_at))
