"""Runs: one refresh of one workbook, data source or flow, merged from all evidence about it. Pure.

A run is a function of the set of its evidence, so the order in which events and jobs arrive, their repetition and their
loss do not matter (docs/decisions/018-incidents-are-a-function.md). Every run keeps its evidence: merging is then
idempotent, commutative and associative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeVar, cast

from webhooks.event import ROUNDING
from webhooks.incidents.evidence import MAX_REASON, ResourceKind, RunEvidence, RunOutcome, Source
from webhooks.incidents.reasons import ReasonClass, classify
from webhooks.text import cut

Value = TypeVar("Value")

# The end of a run in a webhook (created_at) and in Tableau's job list (completedAt) differ by seconds; reconciliation
# allows as much between an event and a job.
TOLERANCE = timedelta(minutes=2)
# A run that began earlier than this before an end is not the run that ended. Tableau ends a refresh after two hours
# unless an administrator has raised the limit.
MAX_RUN = timedelta(hours=24)
# New evidence can change only those runs of its resource whose times are this close to its own.
MERGE_WINDOW = MAX_RUN + TOLERANCE

# Where sources contradict each other, the later one in this order holds: a failure is not hidden by anything.
_OUTCOMES: tuple[RunOutcome, ...] = ("unknown", "running", "cancelled", "succeeded", "failed")
_RANK = {outcome: rank for rank, outcome in enumerate(_OUTCOMES)}


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
        return self.at, _RANK[self.outcome], min(self.keys)


def merge(known: Iterable[Run], *new: RunEvidence) -> tuple[Run, ...]:
    """Return the runs of `known` together with new evidence.

    Pass all runs of the one resource whose times are within MERGE_WINDOW of the new evidence; the result replaces them.
    """
    return tuple(_runs_of_resource([*(one for run in known for one in run.evidence), *new]))


def runs(evidence: Iterable[RunEvidence]) -> tuple[Run, ...]:
    """Return the runs that the evidence is about, by resource and time. The order of evidence does not matter."""
    by_resource = sorted(evidence, key=lambda one: one.resource)
    return tuple(
        run for _, group in groupby(by_resource, key=lambda one: one.resource) for run in _runs_of_resource(list(group))
    )


def _runs_of_resource(pieces: Sequence[RunEvidence]) -> list[Run]:
    """Return the runs of one resource, sorted. Tableau runs one refresh of a resource at a time."""
    if len(pieces) == 1:
        return [_run([*pieces])]
    by_key: dict[str, RunEvidence] = {}
    for one in pieces:
        # A job is listed again and again, and knows more each time.
        same = by_key.get(one.key)
        by_key[one.key] = _join(same, one) if same else one
    pieces = sorted(by_key.values(), key=_evidence_order)
    if len(pieces) == 2 and _are_one_run(*pieces):
        return [_run(pieces)]
    begun: dict[Source, list[RunEvidence]] = {"job list": [], "webhook": [], "reconciled": []}
    ended: dict[Source, list[RunEvidence]] = {"job list": [], "webhook": [], "reconciled": []}
    for one in pieces:
        (ended if one.ended_at else begun)[one.source].append(one)
    events = sorted([*begun["webhook"], *begun["reconciled"]], key=_evidence_order)
    starts = _match([[one] for one in begun["job list"]], events)
    ends = _match(_match([[one] for one in ended["job list"]], ended["webhook"]), ended["reconciled"])
    found = [_run(group) for group in _with_starts(ends, starts)]
    if len(found) > 1:
        found.sort(key=lambda run: run.order)
    last_start = max((run.started_at or run.at for run in found), default=None)
    return [
        replace(run, outcome="unknown") if run.outcome == "running" and last_start and run.at < last_start else run
        for run in found
    ]


def _are_one_run(start: RunEvidence, end: RunEvidence) -> bool:
    """Return whether the evidence is a start and an end from two events: most runs are, and need no matching."""
    are_events = "job list" not in {start.source, end.source} and end.started_at is None
    return are_events and start.ended_at is None and end.ended_at is not None and start.at >= end.at - MAX_RUN


def _join(one: RunEvidence, other: RunEvidence) -> RunEvidence:
    return replace(
        one,
        outcome=max(one.outcome, other.outcome, key=_RANK.__getitem__),
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
    if not groups or not pieces:
        return [*groups, *([piece] for piece in pieces)]
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
    ordered = sorted(group, key=_evidence_order) if len(group) > 1 else group
    best = [one for one in ordered if one.source == "job list"] + [one for one in ordered if one.source != "job list"]
    latest = max(group, key=_recording_order) if len(group) > 1 else group[0]
    started_at = ended_at = job_luid = None
    name, outcome, event_ids = latest.resource_name, best[0].outcome, []
    for one in best:
        started_at, ended_at = started_at or one.started_at, ended_at or one.ended_at
        job_luid, name = job_luid or one.job_luid, name or one.resource_name
        if _RANK[one.outcome] > _RANK[outcome]:
            outcome = one.outcome
        if one.event_id is not None:
            event_ids.append(one.event_id)
    reason = next((one.reason for one in best if one.reason), "") if outcome in {"failed", "cancelled"} else ""
    return Run(
        site_luid=latest.site_luid,
        resource_luid=latest.resource_luid,
        resource_kind=latest.resource_kind,
        resource_name=name,
        started_at=started_at,
        ended_at=ended_at,
        outcome=outcome,
        reason=cut(reason, MAX_REASON),
        reason_class=classify(reason) if outcome == "failed" else None,
        job_luid=job_luid,
        sources=frozenset([one.source for one in group]),
        event_ids=tuple(sorted(event_ids)),
        evidence=tuple(ordered),
    )


def _evidence_order(one: RunEvidence) -> tuple[datetime, str]:
    return one.at, one.key


def _recording_order(one: RunEvidence) -> tuple[datetime, int, str]:
    return one.recorded_at, one.event_id or 0, one.key
