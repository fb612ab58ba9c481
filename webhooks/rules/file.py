"""Parse a rules file: its text becomes Rules, or all of its errors are reported at once."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from webhooks.destinations import DEFAULT, Destination
from webhooks.rules.access import NO_OPERATORS, Access
from webhooks.rules.actions import Actions, parse_actions
from webhooks.rules.conditions import ConditionError, EventFilter, Where, parse_patterns
from webhooks.rules.digest import DigestModel
from webhooks.rules.errors import Diagnostic, InvalidValue, RulesError, validate
from webhooks.rules.policy import SHARED_KEYS, with_shared_keys
from webhooks.rules.rules import Rule, RuleAction, Rules
from webhooks.rules.source import RulesSource, read_source
from webhooks.spelling import hint

SECTIONS = ("rule", "dead_letters", "digest", "access")
# The action that sends messages.
NOTIFY = "notify"
HEADER = re.compile(r"^[ \t]*\[\[[ \t]*rule[ \t]*\]\]", re.MULTILINE)
AT_LINE = re.compile(r"at line (\d+)")
CURLY_QUOTES = re.compile("[\u201c\u201d\u201e\u2018\u2019]")
# A header of a rule with too few brackets: [rule], [[rule] or [rule]].
BROKEN_HEADER = re.compile(r"^[ \t]*(?!\[\[[ \t]*rule[ \t]*\]\])\[{1,2}[ \t]*rule[ \t]*\]{1,2}", re.MULTILINE)
TWO_BRACKETS = "write [[rule]], with two brackets on each side"
QUOTATION_MARKS = 'write text in straight quotation marks: "text"'


class RuleModel(BaseModel):
    """The keys of a `[[rule]]`, apart from its actions."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, strict=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    on: Annotated[tuple[str, ...], BeforeValidator(parse_patterns)]
    where: Annotated[Where, BeforeValidator(Where.parse)] = Where()
    enabled: bool = True
    max_attempts: int | None = Field(default=None, ge=1, le=100)
    # For all destinations of `notify`, with whose own keys they are checked.
    repeat: Any = None
    quiet: Any = None
    each: Any = None


class DeadLettersModel(BaseModel):
    """The keys of `[dead_letters]`: the destinations to which dead letters are reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    notify: Annotated[
        tuple[Destination, ...],
        BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
        AfterValidator(lambda destinations: tuple(dict.fromkeys(destinations))),
    ] = (DEFAULT,)


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a rule: its number and name, the line of its header (0 if unknown), and its lines."""

    label: str
    line: int = 0
    lines: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.label} (line {self.line})" if self.line else self.label

    def of(self, pattern: str) -> str:
        """Return the place with the line that contains the text `pattern`, or else the line of the header."""
        written = (f'"{pattern}"', f"'{pattern}'", json.dumps(pattern))
        for number, line in enumerate(self.lines if pattern else ()):
            if any(text in line for text in written):
                return str(replace(self, line=self.line + number))
        return str(self)


def load(path: Path, actions: Actions, max_attempts: int = 20) -> Rules:
    """Return the rules in the file at `path`; see `parse`. Raises RulesError also if the file cannot be read."""
    return parse(read_source(path), actions, max_attempts=max_attempts)


def parse(text: str | RulesSource, actions: Actions, source: str = "rules.toml", max_attempts: int = 20) -> Rules:
    """Return the rules in `text`, and in the files that it includes.

    `actions` holds the model of the parameters of each action that a rule may name; `max_attempts` applies to rules
    without their own. Raises RulesError that names every error, its place, and what is expected; `source` names the
    file in it, if `text` does not.
    """
    if isinstance(text, RulesSource):
        source, text = text.name, text.text
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = "; ".join(filter(None, (f"not TOML: {error}", _toml_advice(text, str(error)))))
        raise RulesError(source, [Diagnostic("", message)]) from None
    parser = _Parser(actions, max_attempts)
    rules = parser.parse(document, text)
    if parser.errors:
        raise RulesError(source, parser.errors, parser.warnings)
    return rules


def _toml_advice(text: str, error: str) -> str:
    """Return how to correct a syntax error of a person who does not know TOML, or an empty string."""
    if header := BROKEN_HEADER.search(text):
        return f"in line {text.count(chr(10), 0, header.start()) + 1}, {TWO_BRACKETS}"
    found = AT_LINE.search(error)
    lines = text.splitlines()[int(found[1]) - 1 : int(found[1])] if found else []
    # Word processors insert curly quotation marks.
    if lines and CURLY_QUOTES.search(lines[0]):
        return 'use straight quotation marks: "text"'
    if error.startswith("Unclosed array"):
        return "the list above it needs a closing ]"
    if error.startswith("Invalid value"):
        return QUOTATION_MARKS
    return ""


class _Parser:
    """One pass over a rules file that continues after an error and collects all of them."""

    def __init__(self, actions: Actions, max_attempts: int) -> None:
        self.errors: list[Diagnostic] = []
        self.warnings: list[str] = []
        self._actions, self._max_attempts = actions, max_attempts
        # The place of each name's first rule. Jobs refer to their rule by its name.
        self._names: dict[str, str] = {}

    def parse(self, document: Mapping[str, Any], text: str) -> Rules:
        for key in sorted(document.keys() - set(SECTIONS)):
            self._error("", f"{key} is not known here; {hint(key, SECTIONS)}")
        tables = document.get("rule", [])
        if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
            self._error("", f"{TWO_BRACKETS}, above each rule")
            tables = []
        # `rule 2 "Finance" (line 14)`; rules that are inline tables have no header, and so no known line.
        names = [f' "{table["name"]}"' if table.get("name") else "" for table in tables]
        labels = [f"rule {number}{name}" for number, name in enumerate(names, 1)]
        places = [Place(label) for label in labels]
        lines = [text.count("\n", 0, match.start()) + 1 for match in HEADER.finditer(text)]
        if lines and len(lines) == len(tables):
            ends = [*(line - 1 for line in lines[1:]), None]
            blocks = [text.split("\n")[line - 1 : end] for line, end in zip(lines, ends, strict=True)]
            places = [Place(*given) for given in zip(labels, lines, blocks, strict=True)]
        rules = [self._rule(place, table) for place, table in zip(places, tables, strict=True)]
        valid = [rule for rule in rules if rule]
        if not self.errors and not any(rule.enabled for rule in valid):
            reason = "all rules are disabled" if rules else "the file contains no rule"
            self.warnings.append(f"{reason}: events are stored, but no rule acts on them")
        try:
            table = document.get("dead_letters", {})
            # `dead_letters = "slack"` is short for its only key.
            dead_letters = validate(DeadLettersModel, table if isinstance(table, Mapping) else {"notify": table}).notify
        except InvalidValue as error:
            self._error("dead_letters", *error.messages)
            dead_letters = ()
        access = NO_OPERATORS
        try:
            access = validate(Access, document.get("access", {}))
        except InvalidValue as error:
            self._error("access", *error.messages)
        digest = None
        if "digest" in document:
            try:
                table = document["digest"]
                digest = validate(DigestModel, table if isinstance(table, Mapping) else {"at": table}).digest
            except InvalidValue as error:
                self._error("digest", *error.messages)
        return Rules(tuple(valid), dead_letters, tuple(self.warnings), access, digest)

    def _rule(self, at: Place, table: Mapping[str, Any]) -> Rule | None:
        """Return the rule, or None if it has an error."""
        before, place = len(self.errors), str(at)
        name = table.get("name")
        if isinstance(name, str) and (first := self._names.setdefault(name.strip(), place)) != place:
            self._error(place, f"{first} has the same name; give each rule its own")
        for key in sorted(table.keys() - RuleModel.model_fields.keys() - self._actions.keys()):
            self._error(place, f"{key} is not known; {hint(key, [*RuleModel.model_fields, *self._actions])}")
        model: RuleModel | None = None
        try:
            model = validate(RuleModel, {key: table[key] for key in RuleModel.model_fields if key in table})
        except InvalidValue as error:
            self._error(place, *error.messages)
        actions = self._rule_actions(place, table)
        event_filter = EventFilter(("*",))
        if model:
            event_filter = EventFilter(model.on, model.where)
        else:
            # A misspelt event type is reported also if other keys have errors.
            with suppress(KeyError, ConditionError):
                event_filter = EventFilter(parse_patterns(table["on"]))
        self.warnings += [f"{at.of(mistake.pattern)}: {mistake.text}" for mistake in event_filter.mistakes()]
        if model is None or len(self.errors) > before:
            return None
        return Rule(model.name, event_filter, actions, model.enabled, model.max_attempts or self._max_attempts)

    def _rule_actions(self, place: str, table: Mapping[str, Any]) -> tuple[RuleAction, ...]:
        names = [name for name in self._actions if name in table]
        if not names:
            self._error(place, f'has no action; add one ({", ".join(self._actions)}), for example notify = "slack"')
        shared = {key: table[key] for key in SHARED_KEYS if key in table}
        if shared and NOTIFY not in names:
            self._error(place, f"{next(iter(shared))} is about messages; add notify, or remove it")
        actions: list[RuleAction] = []
        for name in names:
            value = with_shared_keys(table[name], shared) if name == NOTIFY else table[name]
            try:
                actions += parse_actions(name, value, self._actions[name])
            except InvalidValue as error:
                self._error(place, *error.messages)
        for text, count in Counter(f"{action.action} {action.label}".rstrip() for action in actions).items():
            if count > 1:
                self._error(place, f"{text} is given {count} times; once is enough")
        return tuple(actions)

    def _error(self, place: str, *messages: str) -> None:
        self.errors += [Diagnostic(place, message) for message in messages]
