"""Select events, as rules and @on handlers do: patterns of event types, and conditions on the content. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Self

from webhooks.event import Event
from webhooks.event_types import MONITOR_EVENT_TYPES, RULE_EVENT_TYPES, WATCH_EVENT_TYPES, event_type, meant_types
from webhooks.patterns import Patterns, is_glob, matches
from webhooks.rules.errors import InvalidValue, Problem
from webhooks.rules.matching import CONTENT_TYPE, FAILURES, SITE, Match, check_count, describe_where, match_payload
from webhooks.rules.mistakes import Mistake, find_mistakes
from webhooks.rules.times import DAY, HOUR, TIME_FIELDS, check_time
from webhooks.spelling import hint

# Values of the event: compared when it is planned.
PAYLOAD_FIELDS = ("resource_name", "resource_luid", "resource", SITE, CONTENT_TYPE, DAY, HOUR)
# What only Tableau knows about the content, and what is known about the run: compared by the job before its handler.
CONTENT_FIELDS = ("project", "owner", "tags", "certified")
RUN_FIELDS = ("reason", "reason_class", FAILURES)
TABLEAU_FIELDS = (*CONTENT_FIELDS, *RUN_FIELDS)
ALIASES = {"name": "resource_name", "luid": "resource_luid", "site": SITE, "tag": "tags"}
# What people write for a condition with another name.
OTHER_NAMES = {
    **dict.fromkeys(("workbook", "datasource", "view", "title"), "name"),
    **dict.fromkeys(("weekday", "weekdays"), "day"),
    **dict.fromkeys(("time", "at"), "hour"),
    **dict.fromkeys(("user", "email"), "owner"),
    "folder": "project",
}
# The key with alternatives, one of which has to hold.
ANY = "any"


class ConditionError(InvalidValue):
    """Conditions that are invalid; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions, all of which must hold, and alternatives (`any`), one of which must.

    Those on the payload are separate from those that the job has to look up.
    """

    payload: Mapping[str, Patterns] = field(default_factory=dict)
    tableau: Mapping[str, Patterns] = field(default_factory=dict)
    any: tuple[Where, ...] = ()

    @classmethod
    def parse(cls, table: object) -> Self:
        """Return the conditions of a table such as `{"project": "Finance*", "tags": ["gold", "!draft"]}`.

        Raises ConditionError that names every error.
        """
        if not isinstance(table, Mapping):
            raise ConditionError('should be a table, such as { project = "Finance*" }')
        conditions: dict[str, Patterns] = {}
        alternatives: tuple[Where, ...] = ()
        errors: list[Problem] = []
        for key, value in table.items():
            try:
                if key == ANY:
                    alternatives = _parse_alternatives(value)
                    continue
                name, patterns = _parse_condition(key, value)
            except ConditionError as error:
                errors += [Problem(one.text, (key, *one.path)) for one in error.problems]
                continue
            if name in conditions:
                errors.append(Problem(f"{name} is given twice", (key,)))
            conditions[name] = patterns
        if errors:
            raise ConditionError(*errors)
        return cls(
            {name: patterns for name, patterns in conditions.items() if name in PAYLOAD_FIELDS},
            {name: patterns for name, patterns in conditions.items() if name in TABLEAU_FIELDS},
            alternatives,
        )

    @property
    def all(self) -> list[tuple[str, Patterns]]:
        """Every condition with its patterns, those of the alternatives included."""
        own = [*self.payload.items(), *self.tableau.items()]
        return [*own, *(one for alternative in self.any for one in alternative.all)]

    def as_dict(self) -> dict[str, Any]:
        """Return the conditions as deferred ones are written: patterns by field, and alternatives."""
        whole: dict[str, Any] = {**self.payload, **self.tableau}
        return {**whole, ANY: [one.as_dict() for one in self.any]} if self.any else whole

    def match(self, event: Event, zone: tzinfo = UTC) -> Match:
        """Return whether the payload meets the conditions; those that the job checks are only named in the reason."""
        deferred: dict[str, Any] = dict(self.tableau)
        if SITE in self.payload and event.site is None:
            deferred = {SITE: self.payload[SITE], **deferred}
        results = [
            match_payload(name, event, patterns, zone)
            for name, patterns in self.payload.items()
            if name not in deferred
        ]
        if self.any:
            found = self._match_any(event, zone)
            results.append(found)
            deferred.update(found.deferred)
        failed = [result.reason for result in results if not result.matched]
        if failed:
            return Match(matched=False, reason="; ".join(failed))
        pending = [f"if {describe_where({name: patterns})}" for name, patterns in deferred.items()]
        reasons = [result.reason for result in results if result.reason]
        return Match(matched=True, reason="; ".join([*reasons, *pending]), deferred=deferred)

    def _match_any(self, event: Event, zone: tzinfo) -> Match:
        """Return whether an alternative holds, or may hold: then those that the job has to check are deferred."""
        results = [alternative.match(event, zone) for alternative in self.any]
        holding = [result for result in results if result.matched]
        if not holding:
            reasons = "; or ".join(result.reason for result in results)
            return Match(matched=False, reason=f"no alternative holds: {reasons}")
        certain = next((result for result in holding if not result.deferred), None)
        if certain is not None:
            return Match(matched=True, reason=certain.reason)
        return Match(matched=True, reason="", deferred={ANY: [result.deferred for result in holding]})


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Event types and conditions, as rules and @on handlers have them."""

    on: Patterns
    where: Where = field(default_factory=Where)

    def names(self, event_type: str) -> bool:
        """Return whether the event type is written in full, not as a pattern."""
        return event_type.casefold() in {pattern.casefold() for pattern in self.on}

    def match(self, event: Event, zone: tzinfo = UTC) -> Match:
        """Return whether `event` passes, as far as its payload tells, and why; times are in `zone`."""
        selected = select_type(self.on, event.event_type)
        if not selected.matched:
            return selected
        result = self.where.match(event, zone)
        return result if result.reason else Match(matched=True, reason="event type matches")

    def warnings(self) -> list[str]:
        """Return what is probably a mistake: unknown event types, and conditions that can never hold."""
        return [mistake.text for mistake in self.mistakes()]

    def mistakes(self) -> list[Mistake]:
        """Return the warnings, each with the pattern that it is about."""
        found = list(find_mistakes(self.on, self.where.all))
        named = {mistake.pattern for mistake in found}
        for written in self.on:
            pattern = written.removeprefix("!")
            if written in named or any(matches((pattern,), [name]) for name in RULE_EVENT_TYPES):
                continue
            if pattern.casefold() in {name.casefold() for name in (*MONITOR_EVENT_TYPES, *WATCH_EVENT_TYPES)}:
                continue
            if is_glob(pattern):
                found.append(Mistake(f"{pattern} matches no known event type", written))
            else:
                meant = meant_types(pattern)
                # Several types have this end, and `*` before it selects them all.
                end = sum(letter.isalnum() for letter in pattern)
                one = meant[0] if len(meant) == 1 else f"*{meant[0][-end:]}" if meant else ""
                advice = f"; did you mean {one}?" if one else ""
                found.append(Mistake(f"{pattern} is not a known event type{advice}", written))
        return [*found, *map(Mistake, self._unanswerable())]

    def _unanswerable(self) -> list[str]:
        """Return a warning per event type for which Tableau cannot answer the conditions.

        A type that only a `*` selects is not worth one, unless no type that it selects can be answered.
        """
        names = " and ".join(dict.fromkeys(name for name, _ in self.where.all if name in CONTENT_FIELDS))
        if not names:
            return []
        selected = [one for one in RULE_EVENT_TYPES.values() if select_type(self.on, one.name).matched]
        reasons = {}
        for one in selected:
            if one.content_gone:
                reasons[one.name] = "because the content no longer exists"
            elif not one.has_owner_and_project:
                reasons[one.name] = "because these events have none"
        in_full = {pattern.casefold() for pattern in self.on}
        return [
            f"{event_type}: {names} cannot be looked up, {reason}"
            for event_type, reason in reasons.items()
            if len(reasons) == len(selected) or event_type.casefold() in in_full
        ]


def select_type(patterns: Patterns, name: str) -> Match:
    """Return whether the patterns of `on` select events of the type `name`, and why."""
    if not matches(patterns, [name]):
        return Match(matched=False, reason="event type does not match")
    meaning = event_type(name)
    other = meaning.also_reported_as
    if other and matches(patterns, [other]):
        return Match(matched=False, reason=f"reported as {other}, which is selected too")
    if meaning.only_by_subject:
        named = tuple(pattern for pattern in patterns if pattern.casefold().startswith(meaning.subject))
        if not any(matches((pattern,), [name]) for pattern in named):
            return Match(matched=False, reason=f"only a pattern such as {meaning.subject.title()}* selects {name}")
    return Match(matched=True, reason="event type matches")


def parse_patterns(value: object) -> Patterns:
    """Return the patterns of one text or a list of texts. Raises ConditionError."""
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise ConditionError("an empty list matches nothing; remove it, or add a value")
    problems = []
    for number, item in enumerate(items):
        path = (number,) if isinstance(value, list | tuple) else ()
        if not isinstance(item, str):
            problems.append(Problem(f"{item!r} should be text in quotes", path))
        elif not item.removeprefix("!").strip():
            problems.append(Problem("an empty text matches nothing; remove it, or add a value", path))
    if problems:
        raise ConditionError(*problems)
    return tuple(items)


def _parse_condition(name: str, value: object) -> tuple[str, Patterns]:
    """Return the field that the condition is about, and its patterns. Raises ConditionError."""
    field_name = ALIASES.get(name, name)
    if field_name not in PAYLOAD_FIELDS and field_name not in TABLEAU_FIELDS:
        known = [*PAYLOAD_FIELDS, *TABLEAU_FIELDS, *ALIASES, ANY]
        meant = OTHER_NAMES.get(name.casefold())
        advice = f"did you mean {meant}?" if meant else hint(name, known)
        raise ConditionError(f"{name} is not a condition; {advice}")
    if field_name == "certified":
        if not isinstance(value, bool):
            raise ConditionError("certified: should be true or false, without quotes")
        return field_name, (str(value).lower(),)
    try:
        return field_name, _field_patterns(field_name, value)
    except ConditionError as error:
        raise ConditionError(*error.within(name).problems) from None


def _field_patterns(field_name: str, value: object) -> Patterns:
    """Return the patterns of a field, with those of times and numbers checked. Raises ConditionError."""
    if field_name in {FAILURES, HOUR}:
        # A number of failures means so many or more, as the key `failures` of a destination does.
        value = _as_texts(value, "+" if field_name == FAILURES else "")
    patterns = parse_patterns(value)
    problems = []
    for number, pattern in enumerate(patterns):
        try:
            if field_name in TIME_FIELDS:
                check_time(field_name, pattern)
            elif field_name == FAILURES:
                check_count(pattern)
        except ValueError as error:
            problems.append(Problem(str(error), (number,) if isinstance(value, list | tuple) else ()))
    if problems:
        raise ConditionError(*problems)
    return patterns


def _as_texts(value: object, suffix: str) -> object:
    """Return a value with whole numbers in it as texts."""
    if isinstance(value, list | tuple):
        return [_as_texts(one, suffix) for one in value]
    return f"{value}{suffix}" if isinstance(value, int) and not isinstance(value, bool) else value


def _parse_alternatives(value: object) -> tuple[Where, ...]:
    """Return the alternatives of a list of tables. Raises ConditionError."""
    if not isinstance(value, list | tuple) or not value:
        raise ConditionError('any: should be a list of tables, such as [{ project = "Finance*" }, { tags = "gold" }]')
    found: list[Where] = []
    problems: list[Problem] = []
    for number, table in enumerate(value):
        try:
            found.append(Where.parse(table))
        except ConditionError as error:
            problems += error.within(ANY, number).problems
        if table == {}:
            problems.append(Problem("any: an empty table always holds; remove it, or add a condition", (number,)))
    if problems:
        raise ConditionError(*problems)
    return tuple(found)
