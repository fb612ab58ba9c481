"""Compare what rules would have done for stored events with what was done: jobs by action, messages by destination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webhooks.destinations import DEFAULT, ROUTES
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


@dataclass(frozen=True, slots=True)
class _Step:
    """The action of a job, and the destination if it is a message; `each`: about each event, not each problem."""

    action: Action
    to: str | None
    each: bool


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
        # A planned job follows from its rule and its key.
        self._steps: dict[tuple[str | None, str], _Step] = {}
        self._problems: Counter[tuple[str, str]] = Counter()
        self._failing: set[tuple[str, str]] = set()
        # The destinations and events or problems whose messages are counted.
        self._counted_then: set[tuple[str, object]] = set()
        self._counted_now: set[tuple[str, object]] = set()

    def add(self, record: EventRecord) -> None:
        """Count the event's jobs, and those that the planner creates for it now."""
        self.events += 1
        event, steps, problem = record.event, self._steps, self._problem(record.event)
        known: dict[str, Job] = {}
        for job in (job.job for job in record.jobs if job.job.handler not in INTERNAL):
            known[job.key] = job
            step = _step(job)
            self.made[step.action] += 1
            if job.state is JobState.SKIPPED:
                self.skipped[step.action] += 1
            else:
                _count_message(self._counted_then, self.sent, step, (event.id, job.rule), problem)
        for new in self._planner.jobs(event):
            step = steps.get((new.rule, new.key)) or steps.setdefault((new.rule, new.key), _step(new))
            self.would[step.action] += 1
            old = known.get(new.key)
            if new.where:
                self.conditional.add(step.action)
                # The conditions of an unchanged rule were looked up then; stored ones have lists for tuples.
                if old is None or _listed(old.where) != _listed(new.where):
                    if step.to is not None:
                        self.uncertain.add(step.to)
                    old = None
            # Only the project decides whether a route has a second destination.
            if step.to is not None and step.to.startswith(f"{ROUTES} "):
                self.conditional.add(step.action)
                if old is None or _listed(old.params) != _listed(new.params):
                    self.uncertain.add(step.to)
                    old = None
            if old is None or old.state is not JobState.SKIPPED:
                _count_message(self._counted_now, self.to_send, step, (event.id, new.rule), problem)

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


def action_of(job: Job | NewJob) -> Action:
    """Return the rule of a job and what it does."""
    return job.rule or "", wording.job_title(job)


def _step(job: Job | NewJob) -> _Step:
    to = str(job.params.get("to", DEFAULT)) if job.handler == NOTIFY else None
    if to == ROUTES:
        # Which destination it is, only Tableau knows.
        to = wording.job_title(job).removeprefix(f"{NOTIFY} ")
    return _Step(action_of(job), to, bool(job.params.get("each")))


def _count_message(
    counted: set[tuple[str, object]], counter: Counter[str], step: _Step, event: object, problem: object
) -> None:
    """Count the first message of a destination about the problem, or about the event if it is about none."""
    if step.to is None:
        return
    message = (step.to, event if problem is None or step.each else problem)
    if message not in counted:
        counted.add(message)
        counter[step.to] += 1


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _listed(one) for name, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, list | tuple) else value
