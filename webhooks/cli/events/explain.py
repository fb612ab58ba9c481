"""Why something happened to an event, or nothing: what each rule and handler made of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from webhooks.inbox import EventRecord, JobRecord
from webhooks.job import DEAD_LETTERS, PLANNING_FAILED, Job, NewJob, Verdict
from webhooks.planner import Plan

MATCHED, NO, GONE, TOLD, FAILED = "matched", "no", "gone", "told", "failed"


@dataclass(frozen=True, slots=True)
class Part:
    """A rule or an `@on` handler: whether the event is one of its own (`word`) and why, the jobs there are because of
    it, and the jobs that it would make now but did not when the event was planned."""

    kind: str
    name: str
    word: str
    reason: str
    jobs: tuple[JobRecord, ...] = ()
    unmade: tuple[NewJob, ...] = ()

    def as_object(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "verdict": self.word,
            "reason": self.reason,
            "jobs": [record.job.id for record in self.jobs],
            "unmade": [new.key for new in self.unmade],
        }


def explain(record: EventRecord, plan: Plan, looked: Mapping[int, str]) -> list[Part]:
    """Return the plan's verdicts with the event's jobs, then the jobs that the plan of now does not contain.

    `looked` holds, by the job's id, why conditions that only Tableau can answer were met.
    """
    parts = [_part(verdict, record.jobs) for verdict in plan.verdicts]
    explained = {job.job.id for part in parts for job in part.jobs}
    parts = [_with_looks(part, looked) for part in parts]
    asked = all(verdict.kind in {"rule", "handler"} for verdict in plan.verdicts)
    return parts + _left([job for job in record.jobs if job.job.id not in explained], asked=asked)


def foresee(plan: Plan) -> list[Part]:
    """Return the plan of an event that was not received: every job is one that would be created."""
    return [_part(verdict, ()) for verdict in plan.verdicts]


def _belongs(job: Job, verdict: Verdict) -> bool:
    """Return whether the verdict, or an earlier one of the same rule or handler, planned the job."""
    if verdict.kind == "rule":
        return job.rule == verdict.name
    if verdict.kind == "handler":
        return job.rule is None and job.handler == verdict.name
    return job.handler in {new.handler for new in verdict.jobs}


def _part(verdict: Verdict, records: Iterable[JobRecord]) -> Part:
    jobs = tuple(record for record in records if _belongs(record.job, verdict))
    made = {job.job.key for job in jobs}
    unmade = tuple(new for new in verdict.jobs if new.key not in made)
    word = FAILED if verdict.kind == "planning" else MATCHED if verdict.matched else NO
    part = Part(verdict.kind, verdict.name, word, verdict.reason, jobs, unmade)
    if jobs and not verdict.matched:
        return replace(part, reason=f"{verdict.reason}; it was otherwise when the event was planned")
    return part


def _with_looks(part: Part, looked: Mapping[int, str]) -> Part:
    """What was open when the event was planned (`if project ~ Finance*`) gives way to what a job found."""
    found = next((looked[job.job.id] for job in part.jobs if job.job.id in looked), None)
    if found is None:
        return part
    known = [reason for reason in part.reason.split("; ") if reason and not reason.startswith("if ")]
    return replace(part, reason="; ".join([*known, found]))


def _left(jobs: Iterable[JobRecord], *, asked: bool) -> list[Part]:
    """Return a part for each rule or handler of these jobs; `asked` is whether the plan asked rules and handlers."""
    groups: dict[Part, list[JobRecord]] = {}
    for record in jobs:
        groups.setdefault(_origin(record, asked=asked), []).append(record)
    return [replace(part, jobs=tuple(found)) for part, found in groups.items()]


def _origin(record: JobRecord, *, asked: bool) -> Part:
    job = record.job
    if job.handler == DEAD_LETTERS:
        return Part("announcement", job.rule or job.key, TOLD, "somebody, about jobs that died")
    if job.handler == PLANNING_FAILED:
        return Part("planning", PLANNING_FAILED, FAILED, str(job.params.get("error", "nobody knows why")))
    if not asked:
        return Part("rule" if job.rule else "handler", job.rule or job.handler, GONE, "planned by earlier settings")
    if job.rule:
        return Part("rule", job.rule, GONE, "no longer in the rules")
    return Part("handler", job.handler, GONE, "no longer there, or no longer for such events")
