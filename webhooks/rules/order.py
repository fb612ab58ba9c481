"""Ask the rules of a file about an event, in their order: `stop`, `otherwise`, and quickly if there are many."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any

from webhooks.event import Event, happened_at
from webhooks.job import NewJob, Verdict
from webhooks.patterns import MAX_COMPARED, Patterns, divide, glob_expression, normalize
from webhooks.rules.conditions import select_type
from webhooks.rules.matching import CONTENT_TYPE, SITE, Match, describe_where
from webhooks.rules.mistakes import NONE
from webhooks.rules.rule import Rule
from webhooks.rules.times import DAY, HOUR, TIME_FIELDS, time_table
from webhooks.text import value_text

# The key of deferred conditions with those of the rules that go before, none of which may hold.
UNLESS = "unless"
# Event types for which the rules that select them are remembered; a sender may make up any number of types.
MAX_TYPES = 200
# Values of an event that `RuleIndex` compares; all other conditions count as met there.
TEXTS = ("resource_name", "resource_luid", "resource", CONTENT_TYPE)

Test = Callable[[Any], object]


def explain_rules(rules: Sequence[Rule], event: Event, zone: tzinfo = UTC) -> list[Verdict]:
    """Return a verdict per rule, in the order of the file; the times of conditions are in `zone`.

    Where it depends on Tableau whether a rule with `stop` matches, or any other rule before an `otherwise`, the
    conditions of that rule are added to the jobs of the rules behind it: they run unless those conditions hold.
    """
    matches = [rule.match(event, zone) for rule in rules]
    verdicts: dict[int, Verdict] = {}
    stopped, taken = _Before(), _Before()
    for number, (rule, match) in enumerate(zip(rules, matches, strict=True)):
        if rule.otherwise:
            continue
        verdicts[number] = _verdict(rule, match, stopped)
        if verdicts[number].matched:
            taken.add(rule, match)
            if rule.stop:
                stopped.add(rule, match)
    for number, (rule, match) in enumerate(zip(rules, matches, strict=True)):
        if rule.otherwise:
            verdicts[number] = _verdict(rule, match, taken)
    return [verdicts[number] for number in range(len(rules))]


@dataclass(slots=True)
class _Before:
    """The rules that go before another one: `certain` matches in any case, the others under conditions."""

    certain: Rule | None = None
    conditional: list[dict[str, Any]] = field(default_factory=list)

    def add(self, rule: Rule, match: Match) -> None:
        if not match.deferred:
            self.certain = self.certain or rule
        else:
            self.conditional.append({"rule": rule.name, "where": match.deferred})


def _verdict(rule: Rule, match: Match, before: _Before) -> Verdict:
    if match.matched and before.certain is not None:
        why = "takes this event" if rule.otherwise else "takes this event and has stop = true"
        match = Match(matched=False, reason=f'not asked: rule "{before.certain.name}" {why}')
    if not match.matched:
        return Verdict("rule", rule.name, matched=False, reason=match.reason)
    where, reason = match.deferred, match.reason
    if before.conditional:
        where = {**where, UNLESS: before.conditional}
        reason = "; ".join([reason, *(f"unless {describe_before(one)}" for one in before.conditional)])
    jobs = rule.jobs if where == rule.event_filter.where.tableau else rule.jobs_if(where)
    return Verdict("rule", rule.name, matched=True, reason=reason, jobs=jobs)


def describe_before(entry: Mapping[str, Any]) -> str:
    """Return an entry of `unless` in words."""
    return f'rule "{entry["rule"]}" takes it ({describe_where(entry["where"])})'


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rule that selects an event type, with a test for each of its conditions that can be compared at once.

    The jobs of a `plain` rule are the same for every event that passes the tests.
    """

    rule: Rule
    tests: tuple[tuple[str, Test], ...]
    plain: bool


class RuleIndex:
    """Finds the jobs of an event without asking every rule: most select other event types, or compare one value."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if rule.enabled]
        # One rule's matching depends on another's only then.
        self._in_order = any(rule.stop or rule.otherwise for rule in self._rules)
        conditions = [name for rule in self._rules for name in rule.event_filter.where.payload]
        self._needs_time = any(name in TIME_FIELDS for name in conditions)
        self._by_type: dict[str, list[_Candidate]] = {}

    def jobs(self, event: Event, zone: tzinfo = UTC) -> tuple[NewJob, ...]:
        """Return the jobs that `explain_rules` returns for all rules."""
        values = self._values(event, zone)
        jobs: list[NewJob] = []
        possible: list[Rule] = []
        for candidate in self._candidates(event.event_type):
            for name, test in candidate.tests:
                value = values[name]
                if value is None or not test(value):
                    break
            else:
                if self._in_order:
                    possible.append(candidate.rule)
                elif candidate.plain:
                    jobs += candidate.rule.jobs
                else:
                    match = candidate.rule.match(event, zone)
                    jobs += candidate.rule.jobs_if(match.deferred) if match.matched else ()
        if possible:
            jobs = [job for verdict in explain_rules(possible, event, zone) for job in verdict.jobs]
        return tuple(jobs)

    def _values(self, event: Event, zone: tzinfo) -> dict[str, Any]:
        """Return the values that the tests compare, None for one that is missing."""
        values: dict[str, Any] = {name: _comparable(getattr(event, name)) for name in TEXTS[:-1]}
        values[CONTENT_TYPE] = event.content_kind
        if self._needs_time:
            at = happened_at(event)
            local = at.astimezone(zone) if at else None
            values[DAY] = local.weekday() if local else None
            values[HOUR] = local.hour * 60 + local.minute if local else None
        return values

    def _candidates(self, event_type: str) -> list[_Candidate]:
        found = self._by_type.get(event_type)
        if found is None:
            selected = [rule for rule in self._rules if select_type(rule.event_filter.on, event_type).matched]
            found = list(map(_candidate, selected))
            if len(self._by_type) < MAX_TYPES:
                self._by_type[event_type] = found
        return found


def _candidate(rule: Rule) -> _Candidate:
    where = rule.event_filter.where
    tests = tuple(
        (name, _time_test(name, patterns) if name in TIME_FIELDS else _test(patterns))
        for name, patterns in where.payload.items()
        # Without a value, only (none) matches: such a condition is left to the rule itself.
        if name in TIME_FIELDS or (name in TEXTS and not any(one.removeprefix("!") == NONE for one in patterns))
    )
    plain = len(tests) == len(where.payload) and not where.any and SITE not in where.payload
    return _Candidate(rule, tests, plain)


def _test(patterns: Patterns) -> Test:
    """Return a function that is true for a normalized value that matches the patterns."""
    included, excluded = divide(patterns)
    if not excluded:
        return _any_of(included)
    refuse, accept = _any_of(excluded), _any_of(included) if included else bool
    return lambda value: not refuse(value) and (accept is bool or accept(value))


@lru_cache(maxsize=256)
def _time_test(name: str, patterns: Patterns) -> Test:
    return time_table(name, patterns).__getitem__


def _any_of(globs: Patterns) -> Test:
    return re.compile("|".join(glob_expression(glob) for glob in globs)).match


def _comparable(value: object) -> str | None:
    return None if value is None or value == "" else normalize(value_text(value, MAX_COMPARED))
