"""Which events a rule or an @on is about: patterns of event types, and conditions on what an event concerns. Pure."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from webhooks.event import Event
from webhooks.event_types import EVENT_TYPES, EventType
from webhooks.spelling import closest, hint

PAYLOAD_FIELDS = {
    "resource_name": "the name that the webhook gives",
    "resource_luid": "the LUID of the workbook, data source, view, user or site",
    "resource": "Tableau's word for the kind: WORKBOOK, DATASOURCE, EXTRACTS, VIEW, USER, SITE",
    "site_luid": "the site: its name in sites.toml, or its LUID",
}
"""What the webhook itself says: compared when the event is planned."""

SITE = "site_luid"
"""The one that also matches the name people gave to the site; the job looks at it where that is not known yet."""

TABLEAU_FIELDS = {
    "project": "the name of the project, or its whole path such as Finance/Reports",
    "owner": "the owner's name; on Tableau Cloud that is an e-mail address",
    "tags": "the tags; one that matches is enough",
    "certified": "true or false; data sources only",
}
"""What only Tableau knows: looked up by the job itself."""

ALIASES = {"name": "resource_name", "luid": "resource_luid", "site": "site_luid", "tag": "tags"}

Patterns = tuple[str, ...]
"""Globs, of which one has to fit; those with a leading `!` must not fit. Upper and lower case are the same."""


class ConditionError(ValueError):
    """A condition that nobody could mean; the message says what would have been right."""


@dataclass(frozen=True, slots=True)
class Match:
    """Whether something matches, and the reason in words."""

    matched: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions, all of which have to hold; apart by who can answer them: the payload, or only Tableau."""

    payload: Mapping[str, Patterns] = field(default_factory=dict)
    tableau: Mapping[str, Patterns] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Conditions as people write them: `{"project": "Finance*", "tags": ["gold", "!draft"]}`.

        Raises ConditionError naming every fault.
        """
        found: dict[str, Patterns] = {}
        faults = []
        for name, value in given.items():
            try:
                known, patterns = _field(name), _patterns(name, value)
            except ConditionError as error:
                faults.append(str(error))
                continue
            if known in found:
                faults.append(f"{known} stands twice")
            found[known] = patterns
        if faults:
            raise ConditionError("; ".join(faults))
        return cls(
            {name: patterns for name, patterns in found.items() if name in PAYLOAD_FIELDS},
            {name: patterns for name, patterns in found.items() if name in TABLEAU_FIELDS},
        )

    def match(self, event: Event) -> Match:
        """Whether the payload's part holds for `event`; what only Tableau knows is left open and named."""
        late = self.deferred(event)
        findings = [match_payload(name, event, patterns) for name, patterns in self.payload.items() if name not in late]
        unmet = [finding.reason for finding in findings if not finding.matched]
        if unmet:
            return Match(matched=False, reason="; ".join(unmet))
        open_ones = [f"if {name} ~ {describe_patterns(patterns)}" for name, patterns in late.items()]
        return Match(matched=True, reason="; ".join([*(finding.reason for finding in findings), *open_ones]))

    def deferred(self, event: Event) -> Mapping[str, Patterns]:
        """What the job has to look at before it runs."""
        if event.site is not None or SITE not in self.payload:
            return self.tableau
        return {SITE: self.payload[SITE], **self.tableau}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Event types and conditions together: what a rule and an @on have in common."""

    on: Patterns
    where: Where = field(default_factory=Where)

    def match(self, event: Event) -> Match:
        """Whether `event` is one of these, as far as its payload can tell, and why."""
        if not matches(self.on, [event.event_type]):
            return Match(matched=False, reason="not one of its events")
        finding = self.where.match(event)
        return finding if finding.reason else Match(matched=True, reason="one of its events")

    def warnings(self) -> list[str]:
        """What is probably not meant. Tableau's list of events grows, so an unknown one is no error."""
        return [*_unknown_types(self.on), *self._out_of_reach()]

    def _out_of_reach(self) -> list[str]:
        """Events for which a condition can never be looked at; of those that a `*` takes in only if it is all."""
        types = [one for one in EVENT_TYPES.values() if matches(self.on, [one.name])]
        why = {one.name: reason for one in types if (reason := _why_not(one))} if self.where.tableau else {}
        plain = {glob.casefold() for glob in self.on}
        named = [name for name in why if len(why) == len(types) or name.casefold() in plain]
        asked = " and ".join(self.where.tableau)
        return [f"{name}: {asked} cannot be looked up, {why[name]}" for name in named]


def matches(patterns: Patterns, values: Iterable[object]) -> bool:
    """Whether one of `values` matches one of the globs, and none of them matches a glob with `!`."""
    texts = [_fold(str(value)) for value in values if value is not None]
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    refused = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return (not wanted or _any(wanted, texts)) and not _any(refused, texts)


def match_values(name: str, patterns: Patterns, values: Sequence[object], *, shown: str = "") -> Match:
    """Whether the field's values fit, in words: `project Finance ~ Finance*`, `project is Sales, not Finance*`."""
    known = [str(value) for value in values if value is not None and value != ""]
    shown = shown or ", ".join(known) or "unknown"
    if matches(patterns, known):
        return Match(matched=True, reason=f"{name} {shown} ~ {describe_patterns(patterns)}")
    wanted = tuple(pattern for pattern in patterns if not pattern.startswith("!"))
    if wanted and not matches(wanted, known):
        return Match(matched=False, reason=f"{name} is {shown}, not {describe_patterns(wanted)}")
    refusing = [pattern for pattern in patterns if not matches((pattern,), known) and pattern not in wanted]
    return Match(matched=False, reason=f"{name} is {shown}, which {' or '.join(refusing)} refuses")


def match_payload(name: str, event: Event, patterns: Patterns) -> Match:
    """Whether a field of the payload matches; a site by its name or by its LUID."""
    if name != SITE or not event.site:
        return match_values(name, patterns, [getattr(event, name)])
    return match_values("site", patterns, [event.site, event.site_luid], shown=event.site)


def describe_patterns(patterns: Patterns) -> str:
    """`*Created, not Site* nor View*`."""
    wanted = " or ".join(pattern for pattern in patterns if not pattern.startswith("!"))
    refused = " nor ".join(pattern[1:] for pattern in patterns if pattern.startswith("!"))
    return ", ".join(filter(None, [wanted, refused and f"not {refused}"]))


def parse_patterns(value: object) -> Patterns:
    """One glob or a list of globs. Raises ConditionError."""
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise ConditionError("an empty list matches nothing; leave it out, or name something")
    for item in items:
        if not isinstance(item, str):
            raise ConditionError(f"{item!r} should be text in quotes")
        if not item.removeprefix("!").strip():
            raise ConditionError("an empty text matches nothing; leave it out, or name something")
    return tuple(items)


def _field(name: str) -> str:
    known = ALIASES.get(name, name)
    if known not in PAYLOAD_FIELDS and known not in TABLEAU_FIELDS:
        raise ConditionError(f"{name} is not a condition; {hint(name, [*PAYLOAD_FIELDS, *TABLEAU_FIELDS, *ALIASES])}")
    return known


def _patterns(name: str, value: object) -> Patterns:
    if name == "certified":
        if not isinstance(value, bool):
            raise ConditionError("certified is true or false, without quotes")
        return (str(value).lower(),)
    try:
        return parse_patterns(value)
    except ConditionError as error:
        raise ConditionError(f"{name}: {error}") from None


def _unknown_types(patterns: Patterns) -> list[str]:
    """Event types that are in no catalogue, with what may have been meant."""
    return [_unknown_type(glob) for glob in (p.removeprefix("!") for p in patterns) if not _known(glob)]


def _known(glob: str) -> bool:
    return any(matches((glob,), [name]) for name in EVENT_TYPES)


def _unknown_type(glob: str) -> str:
    if "*" in glob or "?" in glob:
        return f"{glob} matches none of the event types known so far"
    meant = closest(glob, EVENT_TYPES)
    return f"{glob} is not an event type known so far" + (f"; did you mean {meant}?" if meant else "")


def _why_not(event_type: EventType) -> str:
    """Why Tableau cannot say more about what such an event concerns; empty if it can."""
    if event_type.content_gone:
        return "it is gone by then"
    return "" if event_type.has_owner_and_project else "it has none"


def _any(globs: Iterable[str], texts: Sequence[str]) -> bool:
    return any(_glob(pattern).match(text) for pattern in globs for text in texts)


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    # Only * and ? are special: names such as "Sales [EU]" are meant as they stand.
    return re.compile(fnmatch.translate(_fold(pattern).replace("[", "[[]")))


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
