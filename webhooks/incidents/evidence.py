"""Evidence about runs: what one event, or one job of Tableau, says about a refresh. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from webhooks.event import JOB_FIELD, REASON_FIELD, RECONCILED, Event, happened_at
from webhooks.text import cut

ResourceKind = Literal["workbook", "datasource", "flow"]
# `unknown`: the run has ended, because a later one has begun, but no evidence of its end was received.
RunOutcome = Literal["running", "succeeded", "failed", "cancelled", "unknown"]
# `reconciled`: an event that the server itself made, of what it found in Tableau's lists.
Source = Literal["webhook", "reconciled", "job list"]

MAX_REASON = 1000
MAX_NAME = 300
MAX_LUID = 100

KINDS: tuple[ResourceKind, ...] = ("workbook", "datasource", "flow")
_OUTCOMES: dict[str | None, RunOutcome] = {"started": "running", "succeeded": "succeeded", "failed": "failed"}
# The subjects of events about runs for which Tableau has no webhooks.
JOB_LIST_SUBJECTS = ("flow", "bridge")


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """Facts about a run from one event or one job of Tableau.

    `recorded_at` is when the server learned of it; ids of incidents derive from the evidence that was recorded first.
    `outcome` is running if the run has only begun; then `ended_at` is None. Events give one of the two times, a job
    may give both. All times are aware and in UTC.
    """

    source: Source
    site_luid: str
    resource_luid: str
    resource_kind: ResourceKind
    outcome: RunOutcome
    recorded_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    resource_name: str = ""
    reason: str = ""
    event_id: int | None = None
    job_luid: str | None = None

    @property
    def key(self) -> str:
        """Return the name of this piece of evidence: the same event or job always has the same one."""
        if self.event_id is not None:
            return f"event {self.event_id}"
        if self.job_luid:
            return f"job {self.job_luid}"
        return f"{self.source} {self.outcome} {self.at.isoformat()}"

    @property
    def at(self) -> datetime:
        """Return the time that the evidence is about: the end of the run if it has ended, else its start."""
        return self.ended_at or self.started_at or self.recorded_at

    @property
    def resource(self) -> tuple[str, str]:
        """Return the site and the content."""
        return self.site_luid, self.resource_luid


def evidence(event: Event) -> RunEvidence | None:
    """Return what a stored event says about a run; None if it is not about a run of content with a LUID.

    Refreshes of workbooks and data sources, received or reconciled, and events about flows and Bridge refreshes, which
    the server finds in Tableau's job list, are about runs.
    """
    kind, luid, at = event.content_kind, event.resource_luid, happened_at(event)
    verb = event.type.verb if event.type.subject in JOB_LIST_SUBJECTS else None
    outcome = _OUTCOMES.get(event.type.refresh or verb)
    if outcome is None or kind not in KINDS or at is None or not isinstance(luid, str) or not luid.strip():
        return None
    return RunEvidence(
        source="reconciled" if event.origin == RECONCILED or event.type.from_job_list else "webhook",
        site_luid=_luid(event.site_luid),
        resource_luid=_luid(luid),
        resource_kind=kind,
        outcome=outcome,
        recorded_at=event.received_at or at,
        started_at=at if outcome == "running" else None,
        ended_at=None if outcome == "running" else at,
        resource_name=cut(event.resource_name, MAX_NAME) if isinstance(event.resource_name, str) else "",
        reason=_own_text(event, REASON_FIELD)[:MAX_REASON],
        event_id=event.id,
        job_luid=_own_text(event, JOB_FIELD)[:MAX_LUID] or None,
    )


def _own_text(event: Event, name: str) -> str:
    """Return a text that the server itself has put into an event; what others claim does not count."""
    value = event.payload.get(name) if event.origin == RECONCILED else None
    return value if isinstance(value, str) else ""


def _luid(value: object) -> str:
    return value.strip().lower()[:MAX_LUID] if isinstance(value, str) else ""
