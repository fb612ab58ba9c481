"""Why something happened to an event, or nothing: what each rule and handler made of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from webhooks.inbox import EventRecord, JobRecord
from webhooks.job import NewJob
from webhooks.rules.conditions import Verdict
from webhooks.services import ANNOUNCE

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


def explain(
    record: EventRecord, rules: Sequence[Verdict], handlers: Sequence[Verdict], looked: Mapping[int, str]
) -> list[Part]:
    """Rules in their file's order, then handlers, then jobs whose rule or handler is there no more.

    `looked` holds, by the job's id, why conditions that only Tableau can answer were met.
    """
    parts = [_rule(verdict, record.jobs) for verdict in rules] + [
        _handler(verdict, record.jobs) for verdict in handlers
    ]
    explained = {job.job.id for part in parts for job in part.jobs}
    parts = [_with_looks(part, looked) for part in parts]
    return parts + _left([job for job in record.jobs if job.job.id not in explained])


def foresee(rules: Sequence[Verdict], handlers: Sequence[Verdict]) -> list[Part]:
    """The same for an event that never came in: every job is one that would be made."""
    return [_rule(verdict, ()) for verdict in rules] + [_handler(verdict, ()) for verdict in handlers]


def _rule(verdict: Verdict, jobs: Iterable[JobRecord]) -> Part:
    return _part("rule", verdict, tuple(job for job in jobs if job.job.rule == verdict.name))


def _handler(verdict: Verdict, jobs: Iterable[JobRecord]) -> Part:
    mine = tuple(job for job in jobs if job.job.rule is None and job.job.handler == verdict.name)
    return _part("handler", verdict, mine)


def _part(kind: str, verdict: Verdict, jobs: tuple[JobRecord, ...]) -> Part:
    made = {job.job.key for job in jobs}
    unmade = tuple(new for new in verdict.jobs if new.key not in made)
    part = Part(kind, verdict.name, MATCHED if verdict.matched else NO, verdict.reason, jobs, unmade)
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


def _left(jobs: Iterable[JobRecord]) -> list[Part]:
    """One part for each rule or handler that is gone; dead letters are told of without a rule."""
    groups: dict[Part, list[JobRecord]] = {}
    for record in jobs:
        groups.setdefault(_origin(record), []).append(record)
    return [replace(part, jobs=tuple(found)) for part, found in groups.items()]


def _origin(record: JobRecord) -> Part:
    job = record.job
    if job.handler == ANNOUNCE:
        return Part("announcement", job.rule or job.key, TOLD, "somebody, about jobs that died")
    if job.handler == "planning_failed":
        return Part("planning", "planning", FAILED, str(job.params.get("error", "nobody knows why")))
    if job.rule:
        return Part("rule", job.rule, GONE, "no longer in the rules")
    return Part("handler", job.handler, GONE, "no longer there, or no longer for such events")
