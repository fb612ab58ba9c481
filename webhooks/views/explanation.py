"""Explain an event: the decision of each rule and handler, the jobs it led to, and those it would lead to now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from webhooks.job import (
    DEAD_LETTERS,
    HANDLER_WORDS,
    INCIDENT_HANDLERS,
    JOINT_ACT,
    PLANNING_FAILED,
    REFRESH_INCIDENT,
    SLACK_GROUP_PRESS,
    SLACK_PRESS,
    SMS_REPLY,
    Job,
    JobState,
    NewJob,
    Verdict,
)

if TYPE_CHECKING:
    from webhooks.inbox import EventRecord, JobRecord
    from webhooks.planner import Plan

# Verdicts on rules and handlers. A removed one is not part of the plan of now; a replaced event was created by
# reconciliation before it arrived.
MATCHED, NO, REMOVED, REPLACED = "matched", "no", "removed", "replaced"
# Verdicts on a report of dead jobs.
NOTIFIED, PENDING, FAILED = "notified", "pending", "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of one rule or handler about an event.

    `verdict` and `reason` say whether it matches and why. `jobs` exist because of it; `unmade` would be created now,
    but were not when the event was planned.
    """

    kind: str
    name: str
    verdict: str
    reason: str
    jobs: tuple[JobRecord, ...] = ()
    unmade: tuple[NewJob, ...] = ()

    @property
    def matched(self) -> bool:
        """Return whether the rule or handler matches the event."""
        return self.verdict == MATCHED

    def as_object(self) -> dict[str, Any]:
        """Return the decision as a JSON object."""
        return {
            "kind": self.kind,
            "name": self.name,
            "verdict": self.verdict,
            "reason": self.reason,
            "jobs": [record.job.id for record in self.jobs],
            "unmade": [new.key for new in self.unmade],
        }


PRESSED = Decision("incident", "Button", MATCHED, "a person pressed it in Slack, and gets an answer")
# The decisions behind the jobs of what people asked for.
BY_PEOPLE = {
    SLACK_PRESS: PRESSED,
    SLACK_GROUP_PRESS: PRESSED,
    JOINT_ACT: Decision(
        "incident", "Link or PagerDuty", MATCHED, "a person used a link of a message, or acted in PagerDuty"
    ),
    REFRESH_INCIDENT: Decision("incident", "Refresh again", MATCHED, "a person asked for it on a page"),
    SMS_REPLY: Decision("incident", "Reply", MATCHED, "a person replied to a text message, and gets an answer"),
}


def explain(
    record: EventRecord,
    plan: Plan,
    conditions: Mapping[int, str],
    announced: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
    *,
    only_matching: bool = False,
) -> list[Decision]:
    """Return the decisions of the plan of now with the event's jobs, then those about jobs that it does not contain.

    `conditions` has, by the id of a job, why the conditions that only Tableau can answer were met, and `announced` the
    destinations that an announcement of dead letters reached ("notified") and those that it did not ("failed"). With
    `only_matching`, decisions without effect are left out, and so is what a rule asks for: both name other content.
    """
    decisions = [_decision(verdict, record.jobs, conditions) for verdict in plan.verdicts]
    explained = {job.job.id for decision in decisions for job in decision.jobs}
    by_origin: dict[Decision, list[JobRecord]] = {}
    evaluated = all(verdict.kind in {"rule", "handler"} for verdict in plan.verdicts)
    for job in record.jobs:
        if job.job.id not in explained:
            by_origin.setdefault(_origin(job.job, announced, evaluated=evaluated), []).append(job)
    decisions += [replace(origin, jobs=tuple(jobs)) for origin, jobs in by_origin.items()]
    if only_matching:
        return [_without_conditions(decision) for decision in decisions if decision.matched or decision.jobs]
    return decisions


def preview(plan: Plan) -> list[Decision]:
    """Return the decisions of the plan of an event that was not received: no job exists, and each would be created."""
    return [_decision(verdict, (), {}) for verdict in plan.verdicts]


def _decision(verdict: Verdict, records: Iterable[JobRecord], conditions: Mapping[int, str]) -> Decision:
    """Return the verdict with the jobs that it, or an earlier one of the same rule or handler, led to."""
    handlers = {new.handler for new in verdict.jobs}
    jobs = []
    for record in records:
        job = record.job
        if job.handler in INCIDENT_HANDLERS:
            # It updates a message that an earlier event of the incident led to.
            belongs = False
        elif verdict.kind == "rule":
            belongs = job.rule == verdict.name
        elif verdict.kind == "handler":
            belongs = job.rule is None and job.handler == verdict.name
        else:
            belongs = job.handler in handlers
        if belongs:
            jobs.append(record)
    reason = verdict.reason
    if jobs and not verdict.matched:
        reason = f"{reason}; this was different when the event was planned"
    answer = next((conditions[record.job.id] for record in jobs if record.job.id in conditions), None)
    if answer is not None:
        # The condition was open when the event was planned, such as "if project ~ Finance*".
        known = [part for part in reason.split("; ") if part and not part.startswith("if ")]
        reason = "; ".join([*known, answer])
    word = {"planning": FAILED, "reconciled": REPLACED}.get(verdict.kind, MATCHED if verdict.matched else NO)
    keys = {record.job.key for record in jobs}
    unmade = tuple(new for new in verdict.jobs if new.key not in keys)
    return Decision(verdict.kind, verdict.name, word, reason, tuple(jobs), unmade)


def _without_conditions(decision: Decision) -> Decision:
    parts = [part for part in decision.reason.split("; ") if not part.startswith("if ")]
    return replace(decision, reason="; ".join(parts) if decision.matched else "")


def _origin(job: Job, announced: Mapping[int, Mapping[str, Any]], *, evaluated: bool) -> Decision:
    """Return the decision that led to a job that is not in the plan of now.

    `evaluated` is whether the plan of now depends on rules and handlers.
    """
    if job.handler == DEAD_LETTERS:
        verdict = {JobState.DONE: NOTIFIED, JobState.SKIPPED: NOTIFIED, JobState.DEAD: FAILED}.get(job.state, PENDING)
        reason = "report of dead jobs"
        if job.state is JobState.SKIPPED:
            reason += "; included in another report"
        for outcome, destinations in announced.get(job.id, {}).items():
            if destinations:
                listed = (
                    destinations.items() if isinstance(destinations, Mapping) else ((to, "") for to in destinations)
                )
                reason += f"; {outcome}: " + ", ".join(f"{to} ({why})" if why else to for to, why in listed)
        return Decision("announcement", job.rule or job.key, verdict, reason)
    if job.handler == PLANNING_FAILED:
        error = str(job.params.get("error", "unknown reason"))
        return Decision("planning", HANDLER_WORDS[PLANNING_FAILED], FAILED, error)
    if job.handler in BY_PEOPLE:
        return BY_PEOPLE[job.handler]
    if job.handler in INCIDENT_HANDLERS:
        return Decision("incident", "Incident", MATCHED, "it changed; its messages are brought up to date")
    if not evaluated:
        reason = "planned with earlier settings"
    elif job.rule:
        reason = "no longer in the rules"
    else:
        reason = "no longer a handler of such events"
    return Decision("rule" if job.rule else "handler", job.rule or job.handler, REMOVED, reason)
