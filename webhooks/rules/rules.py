"""Rules, and the jobs that an event makes because of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from webhooks.destinations import DEFAULT
from webhooks.event import Event
from webhooks.event_types import EVENT_TYPES, FLOW_RUN_FAILED, RefreshOutcome, event_type, refresh_event_type
from webhooks.job import NewJob, Verdict
from webhooks.rules.access import NO_OPERATORS, Access
from webhooks.rules.conditions import EventFilter, select_type
from webhooks.rules.digest import Digest

# The action that sends messages, and those of its parameters that are about failures only.
NOTIFY = "notify"
ABOUT_FAILURES = ("title", "text", "picture", "each")


@dataclass(frozen=True, slots=True)
class RuleAction:
    """An action of a rule with its parameters; `label` distinguishes two of the same name, such as two destinations."""

    action: str
    label: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """An entry of the rules file: which events, under which conditions, lead to which actions."""

    name: str
    event_filter: EventFilter
    actions: tuple[RuleAction, ...]
    enabled: bool
    max_attempts: int

    @property
    def jobs(self) -> tuple[NewJob, ...]:
        """One job per action; the same for every event, except for the conditions that are deferred."""
        return tuple(
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

    def explain(self, event: Event) -> Verdict:
        """Return whether the rule matches `event`, why, and the jobs that this makes."""
        if not self.enabled:
            return Verdict("rule", self.name, matched=False, reason="disabled (enabled = false)")
        match = self.event_filter.match(event)
        where = self.event_filter.where.deferred(event)
        jobs = tuple(replace(job, where=where) for job in self.jobs) if match.matched else ()
        return Verdict("rule", self.name, match.matched, match.reason, jobs)

    def explain_finding(self, failed: Event) -> Verdict:
        """Return whether the rule notifies of the failure `failed`, in whose place a watch has found something."""
        verdict = self.explain(failed)
        jobs = [
            replace(job, params={name: value for name, value in job.params.items() if name not in ABOUT_FAILURES})
            for job in verdict.jobs
            if job.handler == NOTIFY
        ]
        if verdict.matched and not jobs:
            return replace(verdict, matched=False, reason="has no notify", jobs=())
        return replace(verdict, jobs=tuple(jobs))


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a file, in its order; `dead_letters` are the destinations to which dead letters are reported.

    `digest` is the summary that is sent daily; None if there is none.
    """

    rules: tuple[Rule, ...] = ()
    dead_letters: tuple[str, ...] = (DEFAULT,)
    warnings: tuple[str, ...] = ()
    access: Access = NO_OPERATORS
    digest: Digest | None = None

    @property
    def destinations(self) -> tuple[str, ...]:
        """The destinations of all enabled rules, and those of dead letters and of the digest."""
        enabled = [action for rule in self.rules if rule.enabled for action in rule.actions]
        notified = [str(action.params.get("to", DEFAULT)) for action in enabled if action.action == "notify"]
        return (*notified, *self.dead_letters, *(self.digest.notify if self.digest else ()))

    @property
    def event_filters(self) -> list[EventFilter]:
        """The event filters of all enabled rules, and of the other refresh events that their incidents need."""
        enabled = [rule for rule in self.rules if rule.enabled]
        return [*(rule.event_filter for rule in enabled), *filter(None, map(_incident_filter, enabled))]

    @property
    def needed_by_incidents(self) -> dict[str, list[str]]:
        """Return, for each event type that only incidents need, the names of the rules that notify of them."""
        enabled = [rule for rule in self.rules if rule.enabled]
        found: dict[str, list[str]] = {}
        for rule in enabled:
            event_filter = _incident_filter(rule)
            for name in event_filter.on if event_filter else ():
                if not any(select_type(one.event_filter.on, name).matched for one in enabled):
                    found.setdefault(name, []).append(rule.name)
        return found

    def explain(self, event: Event) -> list[Verdict]:
        """Return a verdict per rule, in the order of the file."""
        return [rule.explain(event) for rule in self.rules]

    def explain_finding(self, event: Event) -> list[Verdict]:
        """Return a verdict per rule for what a watch has found about content.

        The destinations are those that would be notified if its refresh failed.
        """
        kind = event.content_kind or ""
        failure = FLOW_RUN_FAILED if kind == "flow" else refresh_event_type(kind, "failed").name
        payload = {**event.payload, "event_type": failure, "resource": event_type(failure).resource}
        failed = replace(event, event_type=failure, payload=payload)
        return [rule.explain_finding(failed) for rule in self.rules]


def _incident_filter(rule: Rule) -> EventFilter | None:
    """Return the filter for the starts and successes of refreshes whose failures the rule notifies of as incidents."""
    if not any(action.action == "notify" and not action.params.get("each") for action in rule.actions):
        return None
    failures = [one for one in EVENT_TYPES.values() if one.refresh == "failed"]
    subjects = [one.subject for one in failures if select_type(rule.event_filter.on, one.name).matched]
    outcomes: tuple[RefreshOutcome, ...] = ("started", "succeeded")
    names = tuple(refresh_event_type(subject, outcome).name for subject in subjects for outcome in outcomes)
    return EventFilter(names, rule.event_filter.where) if names else None
