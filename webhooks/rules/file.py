"""Parse a rules file: its text becomes Rules, or all of its errors are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from webhooks.config.settings import VARIABLES
from webhooks.destinations import DEFAULT, ROUTES, CommonDestination
from webhooks.rules.access import NO_OPERATORS, Access
from webhooks.rules.actions import Actions
from webhooks.rules.destination_names import DestinationNames
from webhooks.rules.digest import DigestModel
from webhooks.rules.document import Document, Place
from webhooks.rules.errors import InvalidValue, RulesError, validate
from webhooks.rules.routes import Routes
from webhooks.rules.rule import Rule
from webhooks.rules.rule_table import RuleParser, with_defaults
from webhooks.rules.rules import Rules
from webhooks.rules.source import INCLUDE, RulesSource, include_problem, read_source
from webhooks.rules.syntax import TWO_BRACKETS
from webhooks.spelling import hint

T = TypeVar("T")

# The sections of an included file, and those that only the rules file may have.
SHARED_SECTIONS = ("rule", "watch", "defaults")
SECTIONS = (*SHARED_SECTIONS, "dead_letters", "digest", "access", "destinations", ROUTES, INCLUDE)


class DeadLettersModel(BaseModel):
    """The keys of `[dead_letters]`: the destinations to which dead letters are reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    notify: Annotated[
        tuple[CommonDestination, ...],
        BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
        AfterValidator(lambda destinations: tuple(dict.fromkeys(destinations))),
    ] = Field((DEFAULT,), description="destinations: one, or a list", examples=["slack:#bi"])


def load(path: Path, actions: Actions, max_attempts: int = 20) -> Rules:
    """Return the rules in the file at `path`; see `parse`. Raises RulesError also if the file cannot be read."""
    return parse(read_source(path), actions, max_attempts=max_attempts)


def parse(text: str | RulesSource, actions: Actions, source: str = "rules.toml", max_attempts: int = 20) -> Rules:
    """Return the rules in `text`, and in the files that it includes.

    `actions` holds the model of the parameters of each action that a rule may name; `max_attempts` applies to rules
    without their own. Raises RulesError that names every error, its place, and what is expected; `source` names the
    file in it, if `text` does not.
    """
    given = text if isinstance(text, RulesSource) else RulesSource(text, name=source)
    documents = [Document.read(given.text), *(Document.read(one, name) for name, one in given.included.items())]
    if unreadable := [document.error for document in documents if document.error]:
        raise RulesError(given.name, unreadable)
    parser = _Parser(actions, max_attempts, documents[0])
    rules = parser.parse(documents, given.missing)
    if parser.rules.errors:
        raise RulesError(given.name, parser.rules.errors, rules.warnings)
    return rules


class _Parser:
    """One pass over the rules file and those that it includes, which continues after an error and collects all."""

    def __init__(self, actions: Actions, max_attempts: int, main: Document) -> None:
        self._main = main
        self.rules = RuleParser(actions, max_attempts, DestinationNames())

    def parse(self, documents: Sequence[Document], missing: Sequence[str]) -> Rules:
        self.rules.names = self._section("destinations", DestinationNames.parse, DestinationNames())
        # Errors in the table are reported once, not at each rule that uses it.
        missing_routes = Routes() if ROUTES in self._main.tables else None
        names = self.rules.names
        self.rules.routes = self._section(ROUTES, lambda table: Routes.parse(table, names), missing_routes)
        self._check_includes(missing)
        defaults = self._defaults(self._main)
        self.rules.has_watches = any("watch" in document.tables for document in documents)
        rules = [rule for document in documents for rule in self._rules_of(document, defaults)]
        tables = [found for document in documents for found in self._tables(document, "watch")]
        watches = [watch for place, table in tables if (watch := self.rules.watch(place, table))]
        valid = [rule for rule in rules if rule]
        actions = [*(one.actions for one in valid), *(one.actions for one in watches)]
        is_used = any(ROUTES in action.params for of_one in actions for action in of_one)
        if ROUTES in self._main.tables and not self.rules.errors and not is_used:
            advice = f'no rule uses this table; write notify = "{ROUTES}" in a rule'
            self.rules.warnings.append(Place(self._main, ROUTES, (ROUTES,)).diagnostic(advice))
        warnings = [str(warning) for warning in self.rules.warnings]
        if not self.rules.errors and not any([*(one.enabled for one in valid), *(one.enabled for one in watches)]):
            reason = "all rules are disabled" if rules else "the file contains no rule"
            warnings.append(f"{reason}: events are stored, but no rule acts on them")
        default: tuple[str, ...] = (DEFAULT,)
        dead_letters = self._section(
            "dead_letters", lambda table: validate(DeadLettersModel, self._notified(table, "notify")).notify, default
        )
        access = self._section("access", lambda table: validate(Access, table), NO_OPERATORS)
        digest = self._section("digest", lambda table: validate(DigestModel, self._notified(table, "at")).digest, None)
        return Rules(tuple(valid), dead_letters, tuple(warnings), access, digest, tuple(watches))

    def _rules_of(self, document: Document, defaults: Mapping[str, Any]) -> list[Rule | None]:
        """Return the rules of one file, None for each that has an error."""
        known = SHARED_SECTIONS if document.name else SECTIONS
        for key in sorted(document.tables.keys() - set(known)):
            advice = f"{key} is not known here; {hint(key, known)}"
            if key.casefold() in VARIABLES:
                advice = f"{key} is a setting; write {key.upper()}=… in .env"
            if key in SECTIONS:
                advice = f"{key} belongs into the rules file itself, not into a file that it includes"
            self._error(Place(document, ""), advice, key)
        if document.name:
            defaults = with_defaults(self._defaults(document), defaults)
        return [self.rules.rule(place, table, defaults) for place, table in self._tables(document, "rule")]

    def _tables(self, document: Document, section: str) -> list[tuple[Place, Mapping[str, Any]]]:
        """Return the tables of a section such as `[[rule]]` with their places: `rule 2 "Finance" (line 14)`."""
        tables = document.tables.get(section, [])
        if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
            advice = TWO_BRACKETS.replace("[[rule]]", f"[[{section}]]")
            self._error(Place(document, ""), f"{advice}, above each {section}", section)
            return []
        names = [f' "{table["name"]}"' if table.get("name") else "" for table in tables]
        places = [
            Place(document, f"{section} {number}{name}", (section, number - 1)) for number, name in enumerate(names, 1)
        ]
        return [*zip(places, tables, strict=True)]

    def _defaults(self, document: Document) -> Mapping[str, Any]:
        if "defaults" not in document.tables:
            return {}
        return self.rules.defaults(Place(document, "defaults", ("defaults",)), document.tables["defaults"])

    def _check_includes(self, missing: Sequence[str]) -> None:
        value = self._main.tables.get(INCLUDE, [])
        place = Place(self._main, INCLUDE, (INCLUDE,))
        for number, pattern in enumerate(value if isinstance(value, list) else [value]):
            problem = include_problem(pattern)
            if not problem and pattern in missing and not set("*?[") & set(pattern):
                problem = f"there is no file {pattern!r} in the folder of the rules file"
            if problem:
                self._error(place, problem, number)
            elif pattern in missing:
                self.rules.warnings.append(place.diagnostic(f"{pattern!r} matches no file", (number,)))

    def _section(self, name: str, read: Callable[[Any], T], default: T) -> T:
        """Return what `read` makes of a section, or the default if it is missing or has an error."""
        if name not in self._main.tables:
            return default
        table = self._main.tables[name]
        if isinstance(table, list) and table and isinstance(table[0], Mapping):
            self._error(
                Place(self._main, name, (name,)), f"write [{name}], with one bracket on each side, and only once"
            )
            return default
        try:
            return read(table)
        except InvalidValue as error:
            place = Place(self._main, name, (name,))
            self.rules.errors += [place.diagnostic(one.text, one.path) for one in error.problems]
            return default

    def _notified(self, table: Any, main: str) -> Mapping[str, Any]:
        """Return a section with its named destinations replaced; a plain value is that of the key `main`."""
        whole = table if isinstance(table, Mapping) else {main: table}
        return {**whole, "notify": self.rules.names.flat(whole["notify"])} if "notify" in whole else whole

    def _error(self, place: Place, message: str, *path: str | int) -> None:
        self.rules.errors.append(place.diagnostic(message, path))
