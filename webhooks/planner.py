"""Decide which jobs an event leads to, and why. The worker, `explain`, `rules test` and `backtest` all ask here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import partial

from webhooks.errors import StoreUnavailable
from webhooks.event import MONITOR, RECONCILED, Event
from webhooks.event_types import DIGEST_DUE, HEARTBEAT_DUE, TIMER_DUE
from webhooks.job import (
    DEAD_LETTERS,
    DIGEST,
    HEARTBEAT,
    MONITOR_ALERT,
    PLANNING_FAILED,
    NewJob,
    Verdict,
    planning_failure,
)
from webhooks.registry import Registry
from webhooks.rules import Rules
from webhooks.rules.digest import Digest
from webhooks.rules.order import explain_rules

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """The consequences of an event: a verdict for each rule and handler, with the jobs it leads to."""

    verdicts: tuple[Verdict, ...] = ()

    @property
    def jobs(self) -> tuple[NewJob, ...]:
        """Return all jobs, in the order of the verdicts."""
        return tuple(job for verdict in self.verdicts for job in verdict.jobs)


def no_twin(event: Event) -> int | None:  # noqa: ARG001 - the default look-up
    """Return None: there are no synthetic events."""
    return None


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans events by the rules and the `@on` handlers; uses the event and the look-ups, nothing else.

    `with_site` fills in the event's site as far as it is known. `find_twin` returns the id of the synthetic event that
    was created because this one had not arrived, or None. `max_attempts` is for handlers that do not say themselves.
    `redact` masks secrets in the error of a failed plan; the times of conditions are in `zone`.
    """

    rules: Rules
    registry: Registry
    with_site: Callable[[Event], Event] = lambda event: event
    find_twin: Callable[[Event], int | None] = no_twin
    max_attempts: int = 20
    redact: Callable[[str], str] = str
    zone: tzinfo = UTC

    def plan(self, event: Event) -> Plan:
        """Return the event's jobs and the reasons. If a rule or handler fails, one job reports that.

        The same is done for an event that cannot be read from the inbox. Raises StoreUnavailable if a look-up cannot
        read the inbox; the event can be planned later.
        """
        if event.defect:
            log.error("Planning failed: event=%s: %s", event.id, event.defect)
            return _failed_plan(event.defect)
        try:
            event = self.with_site(event)
            special = self._special_verdicts(event)
            if special is not None:
                return Plan(special)
            rules = self.rules.explain(event, self.zone)
            return Plan((*rules, *self.registry.explain(event, self.max_attempts, self.zone)))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("Planning failed: event=%s", event.id)
            return failed_plan(error, self.redact)

    def jobs(self, event: Event) -> tuple[NewJob, ...]:
        """Return only the jobs of the plan; with many rules this takes less time."""
        if event.defect:
            return self.plan(event).jobs
        try:
            located = self.with_site(event)
            if self._special_verdicts(located) is None:
                handlers = self.registry.explain(located, self.max_attempts, self.zone)
                found = self.rules.jobs(located, self.zone)
                return (*found, *(job for verdict in handlers for job in verdict.jobs))
        except StoreUnavailable:
            raise
        except Exception:
            log.debug("The jobs of an event cannot be found: event=%s", event.id, exc_info=True)
        return self.plan(event).jobs

    def _special_verdicts(self, event: Event) -> tuple[Verdict, ...] | None:
        """Return the verdicts on an event that rules do not decide about; None for any other."""
        if event.origin == MONITOR:
            return self._own_verdicts(event)
        twin = None if event.id is None or event.origin == RECONCILED else self.find_twin(event)
        # A twin that was created after this event was stored does not count: this event has run already by then, and
        # what was planned once must not be explained in another way later.
        if twin is not None and event.id is not None and twin < event.id:
            reason = f"reconciliation found it missing and created event {twin} in its place before it arrived"
            return (Verdict("reconciled", f"event {twin}", matched=False, reason=reason),)
        return None

    def _own_verdicts(self, event: Event) -> tuple[Verdict, ...]:
        """Return the verdicts on an event of the server itself: a time that has come, a finding, or an alert."""
        if event.event_type == DIGEST_DUE:
            return (_digest_verdict(self.rules.digest),)
        if event.event_type == TIMER_DUE:
            return (self.registry.explain_timer(event, self.max_attempts),)
        if event.event_type == HEARTBEAT_DUE:
            # A call that fails is skipped; the other attempts are for a process that is killed meanwhile.
            job = NewJob(HEARTBEAT, HEARTBEAT, rule=HEARTBEAT, max_attempts=3)
            return (Verdict("monitor", HEARTBEAT, matched=True, reason="the time of the heartbeat", jobs=(job,)),)
        if event.type.from_watch:
            return self._finding_verdicts(event)
        return self._alert_verdicts(event)

    def _finding_verdicts(self, event: Event) -> tuple[Verdict, ...]:
        """Return the verdicts on what a watch has found: whom it notifies, and rules that name the type in full."""
        named = {one.name: one for one in self._named_rules(event) if one.matched}
        found = [one for one in self.rules.explain_finding(event, self.zone) if one.name not in named]
        return (*found, *named.values())

    def _named_rules(self, event: Event) -> list[Verdict]:
        """Return the verdicts of the rules that name the event's type in full."""
        rules = [one for one in self.rules.rules if one.event_filter.names(event.event_type)]
        return explain_rules(rules, event, self.zone)

    def _alert_verdicts(self, event: Event) -> tuple[Verdict, ...]:
        """Send an alert to the destinations of dead letters, and to rules and handlers that name its type in full.

        A pattern does not select it, so that `on = "*"` stays about Tableau's events.
        """
        named = [
            *self._named_rules(event),
            *(
                one
                for one in self.registry.explain(event, self.max_attempts, self.zone)
                if self.registry.on_handlers[one.name].names(event.event_type)
            ),
        ]
        destinations = self.rules.dead_letters
        if not destinations:
            reason = "an alert of the monitor, but [dead_letters] names no destination"
            return (Verdict("monitor", "monitor", matched=False, reason=reason), *named)
        new = partial(NewJob, handler=MONITOR_ALERT, rule="monitor")
        jobs = tuple(new(f"monitor/{to}", params={"to": to}) for to in destinations)
        return (Verdict("monitor", "monitor", matched=True, reason="an alert of the monitor", jobs=jobs), *named)


def _digest_verdict(digest: Digest | None) -> Verdict:
    if digest is None:
        return Verdict("monitor", DIGEST, matched=False, reason="the rules in force have no [digest]")
    jobs = tuple(NewJob(f"digest/{to}", DIGEST, rule=DIGEST, params={"to": to}) for to in digest.notify)
    return Verdict("monitor", DIGEST, matched=True, reason="the time of the digest", jobs=jobs)


def failed_plan(error: Exception, redact: Callable[[str], str] = str) -> Plan:
    """Return the plan of an event that could not be planned: one job that dead-letters with the error."""
    return _failed_plan(redact(f"{type(error).__name__}: {error}"))


def _failed_plan(reason: str) -> Plan:
    jobs = (planning_failure(reason),)
    return Plan((Verdict("planning", PLANNING_FAILED, matched=True, reason=reason, jobs=jobs),))


def plan_announcements(destinations: tuple[str, ...]) -> tuple[NewJob, ...]:
    """Return the jobs that announce dead letters: one for all destinations, so that none depends on another."""
    if not destinations:
        return ()
    return (NewJob("dead letters", DEAD_LETTERS, rule="dead letters", params={"to": destinations}),)
