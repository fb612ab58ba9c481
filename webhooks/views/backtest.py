"""Compare what rules would have done for stored events with what was done: jobs by action, messages by destination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from webhooks.destinations import DEFAULT
from webhooks.event import Event
from webhooks.incidents import evidence
from webhooks.job import DEAD_LETTERS, INCIDENT_HANDLERS, PLANNING_FAILED, Job, JobState, NewJob
from webhooks.planner import Planner
from webhooks.views import wording

if TYPE_CHECKING:
    from webhooks.inbox import EventRecord

# A rule, empty for an `@on` handler, and what it does.
Action = tuple[str, str]

NOTIFY = "notify"
# Handlers whose jobs do not depend on the rules.
INTERNAL = {DEAD_LETTERS, PLANNING_FAILED, *INCIDENT_HANDLERS}


class Comparison:
    """Numbers of jobs and messages, then and now. Events must be added in the order of their ids.

    By action, `made` jobs were created, `skipped` of these by a condition, and `would` be created now; `conditional`
    are actions of which only Tableau knows how many run. By destination, `sent` are the first messages about each event
    or problem then, and `to_send` those of now. A failure that follows others of its content is about the same problem.
    """

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.events = 0
        self.made: Counter[Action] = Counter()
        self.skipped: Counter[Action] = Counter()
        self.would: Counter[Action] = Counter()
        self.conditional: set[Action] = set()
        self.sent: Counter[str] = Counter()
        self.to_send: Counter[str] = Counter()
        # Destinations for which only Tableau knows how many messages there are.
        self.uncertain: set[str] = set()
        self._problems: Counter[tuple[str, str]] = Counter()
        self._failing: set[tuple[str, str]] = set()
        self._counted: set[tuple[str, str, object]] = set()

    def add(self, record: EventRecord) -> None:
        """Count the event's jobs, and those that the planner creates for it now."""
        self.events += 1
        problem = self._problem(record.event)
        known: dict[str, Job] = {}
        for job in (job.job for job in record.jobs if job.job.handler not in INTERNAL):
            known[job.key] = job
            self.made[action_of(job)] += 1
            self.skipped[action_of(job)] += job.state is JobState.SKIPPED
            if job.state is not JobState.SKIPPED:
                self._count_message("then", self.sent, job, record.event, problem)
        for new in self._planner.jobs(record.event):
            self.would[action_of(new)] += 1
            old = known.get(new.key)
            # The conditions of an unchanged rule were looked up then; stored ones have lists for tuples.
            certain = not new.where or (old is not None and bool(_listed(old.where) == _listed(new.where)))
            if new.where:
                self.conditional.add(action_of(new))
            if certain and old is not None and old.state is JobState.SKIPPED:
                continue
            if not certain and new.handler == NOTIFY:
                self.uncertain.add(_destination(new))
            self._count_message("now", self.to_send, new, record.event, problem)

    @property
    def actions(self) -> list[Action]:
        """The actions that would run now, then those that ran and would not run any more."""
        return list(dict.fromkeys([*self.would, *self.made]))

    @property
    def destinations(self) -> list[str]:
        """The destinations of messages now, then those of before."""
        return list(dict.fromkeys([*self.to_send, *self.sent]))

    def _problem(self, event: Event) -> object:
        """Return what identifies the problem that a failure belongs to; None for other events."""
        piece = evidence(event)
        if piece is None or piece.outcome not in {"failed", "succeeded"}:
            return None
        if piece.outcome == "succeeded":
            self._failing.discard(piece.resource)
            return None
        if piece.resource not in self._failing:
            self._failing.add(piece.resource)
            self._problems[piece.resource] += 1
        return (*piece.resource, self._problems[piece.resource])

    def _count_message(
        self, when: str, counter: Counter[str], job: Job | NewJob, event: Event, problem: object
    ) -> None:
        if job.handler != NOTIFY:
            return
        to = _destination(job)
        about = (event.id, job.rule) if problem is None or job.params.get("each") else problem
        if (when, to, about) not in self._counted:
            self._counted.add((when, to, about))
            counter[to] += 1


def action_of(job: Job | NewJob) -> Action:
    """Return the rule of a job and what it does."""
    return job.rule or "", wording.job_title(job)


def _destination(job: Job | NewJob) -> str:
    return str(job.params.get("to", DEFAULT))


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _listed(one) for name, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, list | tuple) else value
