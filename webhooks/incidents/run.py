"""Runs: one refresh of one workbook, data source or flow, merged from events and from Tableau's jobs. Pure.

A run is a function of the set of its evidence, so the order in which events and jobs arrive, their repetition and their
loss do not matter (docs/decisions/018-incidents-are-a-function.md). Every run keeps its evidence: merging is then
idempotent, commutative and associative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from itertools import groupby
from typing import Literal, TypeVar, cast

from webhooks.event import JOB_FIELD, REASON_FIELD, RECONCILED, ROUNDING, Event, happened_at
from webhooks.incidents.reasons import ReasonClass, classify
from webhooks.text import cut

Value = TypeVar("Value")

ResourceKind = Literal["workbook", "datasource", "flow"]
# `unknown`: the run has ended, because a later one has begun, but no evidence of its end was received.
RunOutcome = Literal["running", "succeeded", "failed", "cancelled", "unknown"]
# `reconciled`: an event that the server itself made, of what it found in Tableau's lists.
Source = Literal["webhook", "reconciled", "job list"]

# The end of a run in a webhook (created_at) and in Tableau's job list (completedAt) differ by seconds; reconciliation
# allows as much between an event and a job.
TOLERANCE = timedelta(minutes=2)
# A run that began earlier than this before an end is not the run that ended. Tableau ends a refresh after two hours
# unless an administrator has raised the limit.
MAX_RUN = timedelta(hours=24)
# New evidence can change only those runs of its resource whose times are this close to its own.
MERGE_WINDOW = MAX_RUN + TOLERANCE

MAX_REASON = 1000
MAX_NAME = 300
MAX_LUID = 100

KINDS: tuple[ResourceKind, ...] = ("workbook", "datasource", "flow")
_OUTCOMES: dict[str | None, RunOutcome] = {"started": "running", "succeeded": "succeeded", "failed": "failed"}
# The subjects of events about runs for which Tableau has no webhooks.
JOB_LIST_SUBJECTS = ("flow", "bridge")
# Where sources contradict each other, the later one in this order holds: a failure is not hidden by anything.
_RANK: tuple[RunOutcome, ...] = ("unknown", "running", "cancelled", "succeeded", "failed")


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


@dataclass(frozen=True, slots=True)
class Run:
    """One refresh of one workbook, data source or flow.

    `started_at` and `ended_at` are None where nothing is known of them; one of them is always known. `reason` is in
    Tableau's words, `reason_class` its class; both are empty unless the run failed and the reason is known (the class
    is then "unknown" for a failure without a known reason). `evidence` is everything that is known, sorted.
    """

    site_luid: str
    resource_luid: str
    resource_kind: ResourceKind
    resource_name: str
    started_at: datetime | None
    ended_at: datetime | None
    outcome: RunOutcome
    reason: str
    reason_class: ReasonClass | None
    job_luid: str | None
    sources: frozenset[Source]
    event_ids: tuple[int, ...]
    evidence: tuple[RunEvidence, ...]

    @property
    def at(self) -> datetime:
        """Return the end of the run, or its start while no end is known."""
        return cast("datetime", self.ended_at or self.started_at)

    @property
    def deciding(self) -> tuple[RunEvidence, ...]:
        """Return the evidence of the outcome.

        It is never evidence of another outcome later, while a start may turn out to belong to another run.
        """
        return tuple(one for one in self.evidence if one.outcome == self.outcome) or self.evidence

    @property
    def first_evidence(self) -> RunEvidence:
        """Return the evidence of the outcome that was recorded first."""
        return min(self.deciding, key=_recording_order)

    @property
    def keys(self) -> frozenset[str]:
        """Return the names of all its evidence; each of them names this run."""
        return frozenset(one.key for one in self.evidence)

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Return what runs are sorted by: the end; of two ends at the same time, a failure is the later one."""
        return self.at, _RANK.index(self.outcome), min(self.keys)


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


def merge(known: Iterable[Run], *new: RunEvidence) -> tuple[Run, ...]:
    """Return the runs of `known` together with new evidence.

    Pass all runs of the resource whose times are within MERGE_WINDOW of the new evidence; the result replaces them.
    """
    return runs([*(one for run in known for one in run.evidence), *new])


def runs(evidence: Iterable[RunEvidence]) -> tuple[Run, ...]:
    """Return the runs that the evidence is about, by resource and time. The order of evidence does not matter."""
    by_resource = sorted(evidence, key=lambda one: one.resource)
    return tuple(
        run for _, group in groupby(by_resource, key=lambda one: one.resource) for run in _runs_of_resource(list(group))
    )


def _runs_of_resource(pieces: Sequence[RunEvidence]) -> list[Run]:
    """Return the runs of one resource, sorted. Tableau runs one refresh of a resource at a time."""
    # A job is listed again and again, and knows more each time.
    by_key = groupby(sorted(pieces, key=lambda one: one.key), key=lambda one: one.key)
    pieces = sorted((reduce(_join, repeated) for _, repeated in by_key), key=_evidence_order)
    starts = _match([[one] for one in pieces if _is(one, "job list", ended=False)],
                    [one for one in pieces if _is(one, "webhook", "reconciled", ended=False)])  # fmt: skip
    ends = [[one] for one in pieces if _is(one, "job list", ended=True)]
    ends = _match(ends, [one for one in pieces if _is(one, "webhook", ended=True)])
    ends = _match(ends, [one for one in pieces if _is(one, "reconciled", ended=True)])
    found = [_run(group) for group in _with_starts(ends, starts)]
    found.sort(key=lambda run: run.order)
    last_start = max((run.started_at or run.at for run in found), default=None)
    return [
        replace(run, outcome="unknown") if run.outcome == "running" and last_start and run.at < last_start else run
        for run in found
    ]


def _join(one: RunEvidence, other: RunEvidence) -> RunEvidence:
    return replace(
        one,
        outcome=max(one.outcome, other.outcome, key=_RANK.index),
        recorded_at=min(one.recorded_at, other.recorded_at),
        started_at=_known(min, one.started_at, other.started_at),
        ended_at=_known(max, one.ended_at, other.ended_at),
        resource_name=max(one.resource_name, other.resource_name),
        reason=max(one.reason, other.reason, key=lambda text: (len(text), text)),
        job_luid=_known(min, one.job_luid, other.job_luid),
    )


def _known(choose: Callable[..., Value], *values: Value | None) -> Value | None:
    """Return the chosen one of the values that are not None."""
    present = [value for value in values if value is not None]
    return choose(present) if present else None


def _match(groups: list[list[RunEvidence]], pieces: list[RunEvidence]) -> list[list[RunEvidence]]:
    """Add each piece to the group that is about the same run, the closest first; others begin a group.

    Two pieces from one source are two runs, however close they are: an event or a job that is repeated is the same one.
    """
    distances = sorted(
        (abs(group[0].at - piece.at), group[0].key, piece.key, number, index)
        for number, group in enumerate(groups)
        for index, piece in enumerate(pieces)
        if abs(group[0].at - piece.at) <= TOLERANCE and _compatible(group[0], piece)
    )
    matched: dict[int, int] = {}
    for *_, number, index in distances:
        if index not in matched and number not in matched.values():
            matched[index] = number
    joined = [[*group] for group in groups]
    for index, piece in enumerate(pieces):
        if index in matched:
            joined[matched[index]].append(piece)
        else:
            joined.append([piece])
    return joined


def _compatible(one: RunEvidence, other: RunEvidence) -> bool:
    """Return whether both may be about one run; whether Tableau reports a cancelled job as failed is not documented."""
    if one.job_luid and other.job_luid:
        return one.job_luid == other.job_luid
    return one.outcome == other.outcome or {one.outcome, other.outcome} == {"failed", "cancelled"}


def _with_starts(ends: list[list[RunEvidence]], starts: list[list[RunEvidence]]) -> list[list[RunEvidence]]:
    """Add to each end the last start between the previous end and it; starts that remain are runs without an end."""
    remaining = sorted(starts, key=lambda group: (group[0].at, group[0].key))
    complete = []
    previous: datetime | None = None
    for group in sorted(ends, key=lambda group: (group[0].at, group[0].key)):
        end, begun = group[0].at, next((one.started_at for one in group if one.started_at), None)
        earliest = begun - TOLERANCE if begun else max(previous or end - MAX_RUN, end - MAX_RUN)
        latest = begun + TOLERANCE if begun else end + ROUNDING
        fitting = [
            start
            for start in remaining
            if earliest <= start[0].at <= min(latest, end + ROUNDING) and not (begun and start[0].job_luid)
        ]
        for start in fitting[-1:]:
            remaining.remove(start)
            complete.append([*group, *start])
        if not fitting:
            complete.append(group)
        previous = end
    return complete + remaining


def _run(group: list[RunEvidence]) -> Run:
    """Return the run that this evidence is about; where sources differ, Tableau's job knows better than an event."""
    best = sorted(group, key=lambda one: (one.source != "job list", _evidence_order(one)))
    latest = max(group, key=_recording_order)
    outcome = max((one.outcome for one in group), key=_RANK.index)
    reason = next((one.reason for one in best if one.reason), "") if outcome in {"failed", "cancelled"} else ""
    return Run(
        site_luid=latest.site_luid,
        resource_luid=latest.resource_luid,
        resource_kind=latest.resource_kind,
        resource_name=latest.resource_name or next((one.resource_name for one in best if one.resource_name), ""),
        started_at=next((one.started_at for one in best if one.started_at), None),
        ended_at=next((one.ended_at for one in best if one.ended_at), None),
        outcome=outcome,
        reason=cut(reason, MAX_REASON),
        reason_class=classify(reason) if outcome == "failed" else None,
        job_luid=next((one.job_luid for one in best if one.job_luid), None),
        sources=frozenset(one.source for one in group),
        event_ids=tuple(sorted(one.event_id for one in group if one.event_id is not None)),
        evidence=tuple(sorted(group, key=_evidence_order)),
    )


def _is(one: RunEvidence, *sources: Source, ended: bool) -> bool:
    return one.source in sources and (one.ended_at is not None) == ended


def _evidence_order(one: RunEvidence) -> tuple[datetime, str]:
    return one.at, one.key


def _recording_order(one: RunEvidence) -> tuple[datetime, int, str]:
    return one.recorded_at, one.event_id or 0, one.key


def _own_text(event: Event, name: str) -> str:
    """Return a text that the server itself has put into an event; what others claim does not count."""
    value = event.payload.get(name) if event.origin == RECONCILED else None
    return value if isinstance(value, str) else ""


def _luid(value: object) -> str:
    return value.strip().lower()[:MAX_LUID] if isinstance(value, str) else ""
