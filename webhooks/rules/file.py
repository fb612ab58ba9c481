"""Reads a rules file: TOML -> Rules, or every fault in it at once."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from webhooks.destinations import DEFAULT, Destination
from webhooks.rules.actions import Actions, plan
from webhooks.rules.conditions import ConditionError, EventFilter, Where, parse_patterns
from webhooks.rules.errors import Diagnostic, InvalidValue, RulesError, checked
from webhooks.rules.rules import Rule, RuleAction, Rules
from webhooks.spelling import hint

HEADER = re.compile(r"^[ \t]*\[\[[ \t]*rule[ \t]*\]\]", re.MULTILINE)
AT_LINE = re.compile(r"at line (\d+)")
CURLY = re.compile("[\u201c\u201d\u201e\u2018\u2019]")


def _where(given: object) -> Where:
    if not isinstance(given, Mapping):
        raise ConditionError('should be a table, such as { project = "Finance*" }')
    return Where.parse(given)


class Entry(BaseModel):
    """What a `[[rule]]` may say besides its actions."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, strict=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    on: Annotated[tuple[str, ...], BeforeValidator(parse_patterns)]
    where: Annotated[Where, BeforeValidator(_where)] = Where()
    enabled: bool = True
    max_attempts: int | None = Field(default=None, ge=1, le=100)


class DeadLetters(BaseModel):
    """`[dead_letters]`: who is told about jobs that died."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    notify: Annotated[
        tuple[Destination, ...],
        BeforeValidator(lambda given: given if isinstance(given, list) else [given]),
        AfterValidator(lambda places: tuple(dict.fromkeys(places))),
    ] = (DEFAULT,)


def load(path: Path, actions: Actions, max_attempts: int = 20) -> Rules:
    """The rules in the file at `path`; as `parse`. A file that is not there or not UTF-8 is a fault like any other."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RulesError(str(path), [Diagnostic("", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; save the file as UTF-8"
        raise RulesError(str(path), [Diagnostic("", message)]) from None
    return parse(text, actions, source=str(path), max_attempts=max_attempts)


def parse(text: str, actions: Actions, source: str = "rules.toml", max_attempts: int = 20) -> Rules:
    """The rules in `text`. `actions` holds the params model of each action that a rule may name; `max_attempts` is for
    rules that say nothing themselves.

    Raises RulesError, which names every fault, where it is, and what would have been right.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(source, [Diagnostic("", f"not TOML: {error}{_advice(text, str(error))}")]) from None
    reading = Reading(actions, max_attempts)
    rules = reading.document(document, text)
    if reading.faults:
        raise RulesError(source, reading.faults, reading.warnings)
    return rules


@dataclass
class Reading:
    """One pass over a rules file that goes on where something is wrong, and collects it."""

    actions: Actions
    max_attempts: int
    faults: list[Diagnostic] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)

    def document(self, document: Mapping[str, Any], text: str) -> Rules:
        for key in sorted(document.keys() - {"rule", "dead_letters"}):
            self._fault("", f"{key} is not known here; {hint(key, ['rule', 'dead_letters'])}")
        rules = [rule for place, entry in self._entries(document, text) if (rule := self._rule(place, entry))]
        if not self.faults and not any(rule.enabled for rule in rules):
            what = "every rule is switched off" if rules else "there is no rule in the file"
            self.warnings.append(f"{what}: events are kept, and no rule tells anybody of them")
        told = self._dead_letters(document.get("dead_letters", {}))
        return Rules(tuple(rules), told, tuple(self.warnings))

    def _entries(self, document: Mapping[str, Any], text: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Each `[[rule]]` with its place."""
        entries = document.get("rule", [])
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            self._fault("", "write [[rule]], with two brackets on each side, above each rule")
            return []
        return list(zip(_places(entries, text), entries, strict=True))

    def _rule(self, place: str, given: Mapping[str, Any]) -> Rule | None:
        """The rule, or None where something is wrong with it."""
        before = len(self.faults)
        self._name(place, given.get("name"))
        entry = self._entry(place, given)
        steps = self._steps(place, given)
        event_filter = EventFilter(entry.on, entry.where) if entry else _only_on(given)
        self.warnings += [f"{place}: {warning}" for warning in event_filter.warnings()]
        if entry is None or len(self.faults) > before:
            return None
        return Rule(entry.name, event_filter, steps, entry.enabled, entry.max_attempts or self.max_attempts)

    def _name(self, place: str, name: object) -> None:
        """Jobs are remembered by it."""
        if isinstance(name, str) and (first := self.named.setdefault(name.strip(), place)) != place:
            self._fault(place, f"{first} has the same name; each rule needs one of its own")

    def _entry(self, place: str, given: Mapping[str, Any]) -> Entry | None:
        for key in sorted(given.keys() - Entry.model_fields.keys() - self.actions.keys()):
            self._fault(place, f"{key} is not known; {hint(key, [*Entry.model_fields, *self.actions])}")
        try:
            return checked(Entry, {key: given[key] for key in Entry.model_fields if key in given})
        except InvalidValue as fault:
            self._fault(place, *fault.messages)
            return None

    def _steps(self, place: str, given: Mapping[str, Any]) -> tuple[RuleAction, ...]:
        named = [action for action in self.actions if action in given]
        if not named:
            self._fault(
                place, f'does nothing; add what to do ({", ".join(self.actions)}), for example notify = "slack"'
            )
        steps: list[RuleAction] = []
        for action in named:
            try:
                steps += plan(action, given[action], self.actions[action])
            except InvalidValue as fault:
                self._fault(place, *fault.messages)
        for what, count in Counter(f"{step.action} {step.label}" for step in steps).items():
            if count > 1:
                self._fault(place, f"{count} times: {what}; each may stand once")
        return tuple(steps)

    def _dead_letters(self, given: object) -> tuple[str, ...]:
        try:
            return checked(DeadLetters, given if isinstance(given, Mapping) else {"notify": given}).notify
        except InvalidValue as fault:
            self._fault("dead_letters", *fault.messages)
            return ()

    def _fault(self, place: str, *messages: str) -> None:
        self.faults += [Diagnostic(place, message) for message in messages]


def _only_on(given: Mapping[str, Any]) -> EventFilter:
    """What a rule with faults elsewhere is about, so that a slip there is told at once as well."""
    try:
        return EventFilter(parse_patterns(given["on"]))
    except (KeyError, ConditionError):
        return EventFilter(("*",))


def _places(entries: list[Mapping[str, Any]], text: str) -> list[str]:
    """`rule 2 "Finance" (line 14)`; without lines where the rules are not written with `[[rule]]`."""
    lines = [text.count("\n", 0, match.start()) + 1 for match in HEADER.finditer(text)]
    named = [f'rule {number} "{entry.get("name", "")}"' for number, entry in enumerate(entries, 1)]
    if len(lines) != len(entries):
        return named
    return [f"{name} (line {line})" for name, line in zip(named, lines, strict=True)]


def _advice(text: str, error: str) -> str:
    """What often lies behind a line that is not TOML: quotation marks as word processors make them."""
    found = AT_LINE.search(error)
    line = text.splitlines()[int(found[1]) - 1 : int(found[1])] if found else []
    return '; use straight quotation marks: "text"' if line and CURLY.search(line[0]) else ""
