"""A rule, and the jobs that an event makes because of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

from webhooks.event import Event
from webhooks.job import NewJob
from webhooks.rules.conditions import EventFilter
from webhooks.rules.matching import Match


@dataclass(frozen=True, slots=True)
class RuleAction:
    """An action of a rule with its parameters; `label` distinguishes two of the same name, such as two destinations."""

    action: str
    label: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """An entry of the rules file: which events, under which conditions, lead to which actions.

    Rules after one with `stop` are not evaluated for an event that it matches; a rule with `otherwise` matches only
    what no other rule does. `jobs` has one job per action, the same for every event, except for the deferred
    conditions.
    """

    name: str
    event_filter: EventFilter
    actions: tuple[RuleAction, ...]
    enabled: bool
    max_attempts: int
    stop: bool = False
    otherwise: bool = False
    # Whether its destinations are notified of what watches find.
    watch: bool = True
    jobs: tuple[NewJob, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        jobs = tuple(
            NewJob(
                key="/".join(part for part in (self.name, action.action, action.label) if part),
                handler=action.action,
                rule=self.name,
                params=action.params,
                where=self.event_filter.where.tableau,
                max_attempts=self.max_attempts,
            )
            for action in self.actions
        )
        object.__setattr__(self, "jobs", jobs)

    def match(self, event: Event, zone: tzinfo = UTC) -> Match:
        """Return whether the rule by itself matches `event`, as far as the event tells, and why."""
        if not self.enabled:
            return Match(matched=False, reason="disabled (enabled = false)")
        return self.event_filter.match(event, zone)

    def jobs_if(self, where: Mapping[str, Any]) -> tuple[NewJob, ...]:
        """Return the jobs with these conditions to check before their handlers run."""
        return tuple(replace(job, where=where) for job in self.jobs)
