"""Select events, as rules and @on handlers do: patterns of event types, and conditions on the content. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from webhooks.event import Event
from webhooks.event_types import MONITOR_EVENT_TYPES, RULE_EVENT_TYPES, event_type
from webhooks.patterns import MAX_COMPARED, Patterns, divide, is_glob, matches
from webhooks.rules.errors import InvalidValue, Problem
from webhooks.rules.mistakes import NONE, Mistake, find_mistakes
from webhooks.spelling import closest, hint
from webhooks.text import cut, value_text

# Fields of the payload: compared when the event is planned.
PAYLOAD_FIELDS = ("resource_name", "resource_luid", "resource", "site_luid")
# This one also matches the site's name in sites.toml. If it is not yet known which site has the LUID, the job compares.
SITE = "site_luid"
# What only Tableau knows: looked up by the job before its handler runs.
TABLEAU_FIELDS = ("project", "owner", "tags", "certified")
ALIASES = {"name": "resource_name", "luid": "resource_luid", "site": "site_luid", "tag": "tags"}

# Characters of a value in a reason.
MAX_SHOWN = 300


class ConditionError(InvalidValue):
    """Conditions that are invalid; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Match:
    """The result of a comparison, and the reason in words."""

    matched: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions, all of which must hold; divided into those on the payload and those that only Tableau can answer."""

    payload: Mapping[str, Patterns] = field(default_factory=dict)
    tableau: Mapping[str, Patterns] = field(default_factory=dict)

    @classmethod
    def parse(cls, table: object) -> Self:
        """Return the conditions of a table such as `{"project": "Finance*", "tags": ["gold", "!draft"]}`.

        Raises ConditionError that names every error.
        """
        if not isinstance(table, Mapping):
            raise ConditionError('should be a table, such as { project = "Finance*" }')
        conditions: dict[str, Patterns] = {}
        errors: list[Problem] = []
        for key, value in table.items():
            try:
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
        )

    def match(self, event: Event) -> Match:
        """Return whether the payload meets the conditions; the deferred ones are only named in the reason."""
        deferred = self.deferred(event)
        results = [
            match_payload(name, event, patterns) for name, patterns in self.payload.items() if name not in deferred
        ]
        failed = [result.reason for result in results if not result.matched]
        if failed:
            return Match(matched=False, reason="; ".join(failed))
        pending = [f"if {name} ~ {describe_patterns(patterns)}" for name, patterns in deferred.items()]
        return Match(matched=True, reason="; ".join([*(result.reason for result in results), *pending]))

    def deferred(self, event: Event) -> Mapping[str, Patterns]:
        """Return the conditions that the job checks before its handler runs."""
        if event.site is not None or SITE not in self.payload:
            return self.tableau
        return {SITE: self.payload[SITE], **self.tableau}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Event types and conditions, as rules and @on handlers have them."""

    on: Patterns
    where: Where = field(default_factory=Where)

    def names(self, event_type: str) -> bool:
        """Return whether the event type is written in full, not as a pattern."""
        return event_type.casefold() in {pattern.casefold() for pattern in self.on}

    def match(self, event: Event) -> Match:
        """Return whether `event` passes, as far as its payload tells, and why."""
        selected = select_type(self.on, event.event_type)
        if not selected.matched:
            return selected
        result = self.where.match(event)
        return result if result.reason else Match(matched=True, reason="event type matches")

    def warnings(self) -> list[str]:
        """Return what is probably a mistake: unknown event types, and conditions that can never hold."""
        return [mistake.text for mistake in self.mistakes()]

    def mistakes(self) -> list[Mistake]:
        """Return the warnings, each with the pattern that it is about."""
        found = list(find_mistakes(self.on, {**self.where.payload, **self.where.tableau}))
        named = {mistake.pattern for mistake in found}
        for written in self.on:
            pattern = written.removeprefix("!")
            if written in named or any(matches((pattern,), [name]) for name in RULE_EVENT_TYPES):
                continue
            if pattern.casefold() in {name.casefold() for name in MONITOR_EVENT_TYPES}:
                continue
            if is_glob(pattern):
                found.append(Mistake(f"{pattern} matches no known event type", written))
            else:
                meant = closest(pattern, RULE_EVENT_TYPES)
                advice = f"; did you mean {meant}?" if meant else ""
                found.append(Mistake(f"{pattern} is not a known event type{advice}", written))
        return [*found, *map(Mistake, self._unanswerable())]

    def _unanswerable(self) -> list[str]:
        """Return a warning per event type for which Tableau cannot answer the conditions.

        A type that only a `*` selects is not worth one, unless no type that it selects can be answered.
        """
        if not self.where.tableau:
            return []
        selected = [one for one in RULE_EVENT_TYPES.values() if select_type(self.on, one.name).matched]
        reasons = {}
        for one in selected:
            if one.content_gone:
                reasons[one.name] = "because the content no longer exists"
            elif not one.has_owner_and_project:
                reasons[one.name] = "because these events have none"
        in_full = {pattern.casefold() for pattern in self.on}
        names = " and ".join(self.where.tableau)
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


def match_values(
    name: str, patterns: Patterns, values: Sequence[object], *, shown: str = "", known_empty: bool = False
) -> Match:
    """Return whether the values of a field match, with a reason that names both.

    The reason is `project Finance ~ Finance*` or `project is Sales, not Finance*`; `shown` replaces the values in it.
    Without a value, only the pattern `(none)` matches: a pattern that excludes needs a value to hold, unless the list
    of values is `known_empty`, as that of tags is.
    """
    known = [value_text(value, MAX_COMPARED) for value in values if value is not None and value != ""]
    included, excluded = divide(patterns)
    shown = cut(shown or ", ".join(known) or ("none" if known_empty else "unknown"), MAX_SHOWN)
    if known:
        matched = matches(patterns, known)
    else:
        matched = NONE not in excluded and (NONE in included or (known_empty and not included))
    if matched:
        return Match(matched=True, reason=f"{name} {shown} ~ {describe_patterns(patterns)}")
    if included and not matches(included, known):
        return Match(matched=False, reason=f"{name} is {shown}, not {describe_patterns(included)}")
    excluding = [f"!{pattern}" for pattern in excluded if matches((pattern,), known) or (not known and pattern == NONE)]
    if not excluding:
        hint = f'without a value, {describe_patterns(patterns)} does not hold; "{NONE}" would match'
        return Match(matched=False, reason=f"{name} is {shown}: {hint}")
    return Match(matched=False, reason=f"{name} is {shown}, excluded by {' and '.join(excluding)}")


def match_payload(name: str, event: Event, patterns: Patterns) -> Match:
    """Return whether a field of the payload matches; a site matches by its name or its LUID."""
    if name != SITE or not event.site:
        return match_values(name, patterns, [getattr(event, name)])
    return match_values("site", patterns, [event.site, event.site_luid], shown=event.site)


def describe_patterns(patterns: Patterns) -> str:
    """Return the patterns in words, such as `*Created, not Site* nor View*`."""
    included, excluded = divide(patterns)
    parts = [" or ".join(included), f"not {' nor '.join(excluded)}" if excluded else ""]
    return ", ".join(part for part in parts if part)


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
        raise ConditionError(f"{name} is not a condition; {hint(name, [*PAYLOAD_FIELDS, *TABLEAU_FIELDS, *ALIASES])}")
    if field_name == "certified":
        if not isinstance(value, bool):
            raise ConditionError("certified: should be true or false, without quotes")
        return field_name, (str(value).lower(),)
    try:
        return field_name, parse_patterns(value)
    except ConditionError as error:
        raise ConditionError(*error.within(name).problems) from None
