"""Rules, and which jobs an event makes because of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from webhooks.destinations import DEFAULT
from webhooks.event import Event
from webhooks.job import NewJob, Verdict
from webhooks.rules.conditions import EventFilter


@dataclass(frozen=True, slots=True)
class RuleAction:
    """One thing that a rule does: an action, and for whom or with what. `label` tells two of the same kind apart."""

    action: str
    label: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """An entry of the rules file: which events, under which conditions, lead to which steps."""

    name: str
    event_filter: EventFilter
    actions: tuple[RuleAction, ...]
    enabled: bool
    max_attempts: int

    @property
    def jobs(self) -> tuple[NewJob, ...]:
        """One job per step; the same for every event, so that keys can be checked when the file is read."""
        return tuple(
            NewJob(
                key="/".join(filter(None, (self.name, action.action, action.label))),
                handler=action.action,
                rule=self.name,
                params=action.params,
                where=self.event_filter.where.tableau,
                max_attempts=self.max_attempts,
            )
            for action in self.actions
        )

    def explain(self, event: Event) -> Verdict:
        """Whether the rule takes up `event`, why, and which jobs that makes."""
        if not self.enabled:
            return Verdict("rule", self.name, matched=False, reason="switched off (enabled = false)")
        finding = self.event_filter.match(event)
        where = self.event_filter.where.deferred(event)
        jobs = tuple(replace(job, where=where) for job in self.jobs) if finding.matched else ()
        return Verdict("rule", self.name, finding.matched, finding.reason, jobs)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a file, in its order. `dead_letters` are the destinations told about jobs that died."""

    rules: tuple[Rule, ...] = ()
    dead_letters: tuple[str, ...] = (DEFAULT,)
    warnings: tuple[str, ...] = ()

    @property
    def destinations(self) -> tuple[str, ...]:
        """Where enabled rules, and the announcements of dead jobs, send messages."""
        actions = [
            action for rule in self.rules if rule.enabled for action in rule.actions if action.action == "notify"
        ]
        return (*(str(action.params.get("to", DEFAULT)) for action in actions), *self.dead_letters)

    @property
    def event_filters(self) -> list[EventFilter]:
        """The event filters of all enabled rules."""
        return [rule.event_filter for rule in self.rules if rule.enabled]

    def matching(self, event: Event) -> list[NewJob]:
        """The jobs that `event` makes: one per rule, action and destination. Looks at the payload only."""
        return [job for verdict in self.explain(event) for job in verdict.jobs]

    def explain(self, event: Event) -> list[Verdict]:
        """For each rule, in the file's order: whether it matched, why, and which jobs that makes."""
        return [rule.explain(event) for rule in self.rules]
