"""All rules of a file, and what the server needs to know of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from webhooks.destinations import DEFAULT, destinations_of
from webhooks.event import WATCH_FIELD, Event
from webhooks.event_types import EVENT_TYPES, FLOW_RUN_FAILED, RefreshOutcome, event_type, refresh_event_type
from webhooks.job import NewJob, Verdict
from webhooks.messages.request_template import secrets_of
from webhooks.messages.templates import is_jinja
from webhooks.rules.access import NO_OPERATORS, Access
from webhooks.rules.conditions import EventFilter, select_type
from webhooks.rules.digest import Digest
from webhooks.rules.order import RuleIndex, explain_rules
from webhooks.rules.rule import Rule

if TYPE_CHECKING:
    from webhooks.rules.watches import Watch

# The action that sends messages, and those of its parameters that are about failures only.
NOTIFY = "notify"
ABOUT_FAILURES = ("title", "text", "picture", "each")


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
    watches: tuple[Watch, ...] = ()
    index: RuleIndex = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", RuleIndex(self.rules))

    @property
    def destinations(self) -> tuple[str, ...]:
        """The destinations of all enabled rules and watches, and those of dead letters and of the digest."""
        enabled = [action for rule in self.rules if rule.enabled for action in rule.actions]
        enabled += [action for watch in self.watches if watch.enabled for action in watch.actions]
        notified = [to for action in enabled if action.action == "notify" for to in destinations_of(action.params)]
        # Of a template, only an event decides which destination it is.
        notified = [to for to in notified if not is_jinja(to)]
        return (*notified, *self.dead_letters, *(self.digest.notify if self.digest else ()))

    @property
    def tokens(self) -> tuple[str, ...]:
        """The names of the tokens in the requests of all enabled rules."""
        enabled = [action for rule in self.rules if rule.enabled for action in rule.actions]
        requests = [action.params.get("headers", {}) for action in enabled if action.action == "post"]
        return tuple(name for headers in requests for name in secrets_of(headers))

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

    def explain(self, event: Event, zone: tzinfo = UTC) -> list[Verdict]:
        """Return a verdict per rule, in the order of the file; the times of conditions are in `zone`."""
        return explain_rules(self.rules, event, zone)

    def jobs(self, event: Event, zone: tzinfo = UTC) -> tuple[NewJob, ...]:
        """Return only the jobs in the verdicts, without the reasons of rules that cannot match."""
        return self.index.jobs(event, zone)

    def explain_finding(self, event: Event, zone: tzinfo = UTC) -> list[Verdict]:
        """Return a verdict per rule for what a watch has found about content.

        The destinations are those that would be notified if its refresh failed, and those of watches about all that is
        found. A watch that declared what was not so notifies alone, unless it names no destination.
        """
        kind = event.content_kind or ""
        failure = FLOW_RUN_FAILED if kind == "flow" else refresh_event_type(kind, "failed").name
        payload = {**event.payload, "event_type": failure, "resource": event_type(failure).resource}
        failed = replace(event, event_type=failure, payload=payload)
        declaring = [one for one in self.watches if one.name == event.payload.get(WATCH_FIELD)]
        if declaring and declaring[0].actions:
            return [declaring[0].explain(event, zone)]
        others = [one for one in self.watches if one.actions and one.fresh_by is None and one.longer_than is None]
        silent = {rule.name for rule in self.rules if not rule.watch}
        verdicts = [_of_finding(verdict, silent) for verdict in explain_rules(self.rules, failed, zone)]
        return [*verdicts, *(one.explain(event, zone) for one in others)]


def _incident_filter(rule: Rule) -> EventFilter | None:
    """Return the filter for the starts and successes of refreshes whose failures the rule notifies of as incidents."""
    if not any(action.action == "notify" and not action.params.get("each") for action in rule.actions):
        return None
    failures = [one for one in EVENT_TYPES.values() if one.refresh == "failed"]
    subjects = [one.subject for one in failures if select_type(rule.event_filter.on, one.name).matched]
    outcomes: tuple[RefreshOutcome, ...] = ("started", "succeeded")
    names = tuple(refresh_event_type(subject, outcome).name for subject in subjects for outcome in outcomes)
    return EventFilter(names, rule.event_filter.where) if names else None


def _of_finding(verdict: Verdict, silent: Collection[str]) -> Verdict:
    """Return the verdict on a failure, in whose place a watch has found something: it is only notified of.

    `silent` are the names of the rules whose destinations are not.
    """
    if verdict.matched and verdict.name in silent:
        return replace(verdict, matched=False, reason="not notified by watches (watch = false)", jobs=())
    jobs = [
        replace(job, params={name: value for name, value in job.params.items() if name not in ABOUT_FAILURES})
        for job in verdict.jobs
        if job.handler == NOTIFY
    ]
    if verdict.matched and not jobs:
        return replace(verdict, matched=False, reason="has no notify", jobs=())
    return replace(verdict, jobs=tuple(jobs))
