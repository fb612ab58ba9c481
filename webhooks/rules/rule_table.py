"""Parse one `[[rule]]`: its keys with those of `[defaults]`, its conditions and its actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from webhooks.destinations import ROUTES
from webhooks.rules.actions import Actions, parse_actions
from webhooks.rules.conditions import (
    ALIASES,
    PAYLOAD_FIELDS,
    TABLEAU_FIELDS,
    ConditionError,
    EventFilter,
    Where,
    parse_patterns,
)
from webhooks.rules.destination_names import DestinationNames
from webhooks.rules.document import Place
from webhooks.rules.errors import Diagnostic, InvalidValue, Problem, validate
from webhooks.rules.mistakes import find_mistakes, find_useless_actions
from webhooks.rules.policy import SHARED_KEYS, with_shared_keys, without_effect
from webhooks.rules.routes import EXAMPLE, Routes
from webhooks.rules.rule import Rule, RuleAction
from webhooks.rules.watches import WATCH_KEYS, Watch, WatchModel, check_watch, check_where
from webhooks.spelling import hint

# The action that sends messages.
NOTIFY = "notify"
# Keys that say what a single rule is, so that no default makes sense.
NO_DEFAULT = ("name", "stop", "otherwise")
# The conditions, which belong into `where`.
CONDITIONS = {*PAYLOAD_FIELDS, *TABLEAU_FIELDS, *ALIASES} - {"failures", "tag"}
# What people write for a key with another name.
OTHER_NAMES = {
    **dict.fromkeys(("event", "events", "type", "event_type"), "on"),
    **dict.fromkeys(("send", "channel", "destination"), NOTIFY),
    **dict.fromkeys(("if", "when", "filter", "condition", "conditions"), "where"),
}


class RuleModel(BaseModel):
    """The keys of a `[[rule]]`, apart from its actions."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, strict=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(
        description="shown below each message; unique in the file"
    )
    on: Annotated[tuple[str, ...], BeforeValidator(parse_patterns)] = Field(
        description="event types: one, or a list; with `*` and `?` as patterns", examples=["*RefreshFailed"]
    )
    where: Annotated[Where, BeforeValidator(Where.parse)] = Field(
        Where(),
        description="conditions, all of which must hold; without any, all events of these types match",
        examples=[{"project": "Finance*"}],
    )
    enabled: bool = Field(default=True, description="`false` switches the rule off")
    stop: bool = Field(default=False, description="rules below are not evaluated for events that this one matches")
    otherwise: bool = Field(default=False, description="only for events that no other rule matches")
    watch: bool = Field(default=True, description="its destinations are also notified of problems that watches find")
    max_attempts: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="attempts of each job before it is dead-lettered; without it, `MAX_ATTEMPTS`",
    )
    # For all destinations of `notify`, with whose own keys they are checked and described.
    repeat: Any = None
    quiet: Any = None
    each: Any = None
    mention: Any = None
    picture: Any = None
    title: Any = None
    text: Any = None


@dataclass
class RuleParser:
    """Parses the rules of all files one after the other, and collects their errors and warnings."""

    actions: Actions
    max_attempts: int
    names: DestinationNames
    # None if the file has no such table.
    routes: Routes | None = None
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    # Whether there are watches: what they find is one problem also in rules with `each`.
    has_watches: bool = False
    # The place of each name's first rule. Jobs refer to their rule by its name.
    _first: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> Sequence[str]:
        """The keys that a rule may have."""
        return [*RuleModel.model_fields, *self.actions]

    def defaults(self, place: Place, table: object) -> Mapping[str, Any]:
        """Return the valid keys of a `[defaults]`; what is wrong with the others is added to the errors."""
        if not isinstance(table, Mapping):
            self._error(place, Problem('should be a table: [defaults], and below it for example notify = "slack:#bi"'))
            return {}
        known = [key for key in self.keys if key not in NO_DEFAULT]
        valid = {}
        for key, value in table.items():
            before = len(self.errors)
            if key not in known:
                self._error(place, Problem(f"{key} is not known here; {hint(key, known)}", (key,)))
            elif key in self.actions:
                self._actions_of(place, {key: value}, {})
            elif key in SHARED_KEYS:
                self._actions_of(place, {NOTIFY: "console", key: value}, {key: value})
            else:
                with_others = {"name": "defaults", "on": "*", key: value}
                self._model(place, with_others)
            if len(self.errors) == before:
                valid[key] = value
        return valid

    def rule(self, at: Place, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Rule | None:
        """Return the rule, or None if it has an error."""
        before = len(self.errors)
        name = given.get("name")
        place = at.diagnostic("").place
        if isinstance(name, str) and (first := self._first.setdefault(name.strip(), place)) != place:
            self._error(at, Problem(f"{first} has the same name; give each rule its own", ("name",)))
        for key in sorted(given.keys() - set(self.keys)):
            self._error(at, Problem(f"{key} is not known; {self._advice(key)}", (key,)))
        table = with_defaults(given, defaults)
        model = self._model(at, {key: table[key] for key in RuleModel.model_fields if key in table})
        actions = self._actions_of(at, table, {key: table[key] for key in SHARED_KEYS if key in table})
        event_filter = EventFilter(("*",))
        if model:
            event_filter = EventFilter(model.on, model.where)
        else:
            # A misspelt event type is reported also if other keys have errors.
            with suppress(KeyError, ConditionError):
                event_filter = EventFilter(parse_patterns(table["on"]))
        for mistake in event_filter.mistakes():
            path = at.find(given, mistake.pattern) if mistake.pattern else ()
            self.warnings.append(at.diagnostic(mistake.text, path))
        acts = [name for name in self.actions if table.get(name)]
        for name, text in find_useless_actions(event_filter.on, acts):
            self.warnings.append(at.diagnostic(text, (name,)))
        if not (self.has_watches and model and model.watch):
            for path in without_effect(given):
                text = f"{path[-1]} has no effect with each = true: each failure has its own message, sent at once"
                self.warnings.append(at.diagnostic(text, path))
        if model is None or len(self.errors) > before:
            return None
        attempts = model.max_attempts or self.max_attempts
        order = (model.stop, model.otherwise)
        return Rule(model.name, event_filter, actions, model.enabled, attempts, *order, watch=model.watch)

    def watch(self, at: Place, table: Mapping[str, Any]) -> Watch | None:
        """Return a `[[watch]]`, or None if it has an error."""
        before, name = len(self.errors), table.get("name")
        place = at.diagnostic("").place
        if isinstance(name, str) and (first := self._first.setdefault(f"watch {name.strip()}", place)) != place:
            self._error(at, Problem(f"{first} has the same name; give each watch its own", ("name",)))
        for key in sorted(table.keys() - set(WATCH_KEYS)):
            self._error(at, Problem(f"{key} is not known; {hint(key, WATCH_KEYS)}", (key,)))
        model = None
        try:
            check_watch(table)
            model = validate(WatchModel, {key: table[key] for key in WatchModel.model_fields if key in table})
            check_where(model.where)
        except InvalidValue as error:
            self._error(at, *error.problems)
        actions: tuple[RuleAction, ...] = ()
        if NOTIFY in table:
            shared = {key: table[key] for key in SHARED_KEYS if key in table}
            actions = self._actions_of(at, {NOTIFY: table[NOTIFY]}, shared)
        if model is None or len(self.errors) > before:
            return None
        for mistake in find_mistakes((), model.where.all):
            path = at.find(table, mistake.pattern) if mistake.pattern else ()
            self.warnings.append(at.diagnostic(mistake.text, path))
        return model.watch(actions, self.max_attempts)

    def _advice(self, key: str) -> str:
        """Return how a key that a rule does not have is corrected."""
        name = key.casefold()
        if name in CONDITIONS:
            return f'conditions are in where = {{ {name} = "…" }}'
        model = self.actions.get(NOTIFY)
        if model and name in model.model_fields:
            return f'write notify = {{ to = "slack:#bi", {name} = … }}'
        meant = OTHER_NAMES.get(name)
        return f"did you mean {meant}?" if meant else hint(key, self.keys)

    def _model(self, at: Place, table: Mapping[str, Any]) -> RuleModel | None:
        try:
            return validate(RuleModel, table)
        except InvalidValue as error:
            self._error(at, *map(self._misplaced, error.problems))
            return None

    def _misplaced(self, problem: Problem) -> Problem:
        """Return the problem, worded for a key of the rule that was written below `[rule.where]`."""
        if len(problem.path) != 2 or problem.path[0] != "where" or problem.path[1] not in self.keys:
            return problem
        key = problem.path[1]
        if key in CONDITIONS:
            return problem
        return Problem(f"where: {key} is a key of the rule; write it above [rule.where]", problem.path)

    def _actions_of(self, at: Place, table: Mapping[str, Any], shared: Mapping[str, Any]) -> tuple[RuleAction, ...]:
        names = [name for name in self.actions if name in table]
        if not names:
            example = 'for example notify = "slack"'
            self._error(at, Problem(f"has no action; add one ({', '.join(sorted(self.actions))}), {example}"))
        if shared and NOTIFY not in names:
            key = next(iter(shared))
            self._error(at, Problem(f"{key} is about messages; add notify, or remove it", (key,)))
        actions: list[RuleAction] = []
        for name in names:
            value = table[name]
            if name == NOTIFY:
                value = with_shared_keys(self.names.resolve(value), shared)
            try:
                for action in parse_actions(name, value, self.actions[name]):
                    actions += self._routed(action) if name == NOTIFY else [action]
            except InvalidValue as error:
                self._error(at, *(_of_shared_key(at, one, shared) for one in error.problems))
        for text, count in Counter(f"{action.action} {action.label}".rstrip() for action in actions).items():
            if count > 1:
                path = (text.partition(" ")[0],)
                self._error(at, Problem(f"{text} is given {count} times; once is enough", path))
        return tuple(actions)

    def _routed(self, action: RuleAction) -> list[RuleAction]:
        """Return the action, or one per destination of a route. Raises InvalidValue."""
        if "routes" in action.params:
            raise InvalidValue(Problem(f"routes is not known here; write a table [{ROUTES}]", (NOTIFY,)))
        if action.params.get("to") != ROUTES:
            return [action]
        if self.routes is None:
            advice = f"{ROUTES} needs a table [{ROUTES}], and below it for example {EXAMPLE}"
            raise InvalidValue(Problem(f"{NOTIFY}: {advice}", (NOTIFY,)))
        return self.routes.expand(action)

    def _error(self, place: Place, *problems: Problem) -> None:
        self.errors += [place.diagnostic(one.text, one.path) for one in problems]


def with_defaults(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keys of a rule, and the defaults for the others; conditions are inherited one by one."""
    whole = {**defaults, **table}
    if isinstance(table.get("where"), Mapping) and isinstance(defaults.get("where"), Mapping):
        whole["where"] = {**defaults["where"], **table["where"]}
    if NOTIFY not in whole:
        # Those of the rule itself are reported: without notify they have no effect.
        inherited = [key for key in SHARED_KEYS if key in defaults and key not in table]
        whole = {key: value for key, value in whole.items() if key not in inherited}
    return whole


def _of_shared_key(at: Place, problem: Problem, shared: Mapping[str, Any]) -> Problem:
    """Return a problem with a key that the rule gives for all destinations with the place of that key."""
    key = problem.path[-1] if problem.path else ""
    own = at.document.has((*at.path, *problem.path))
    return problem if own or key not in shared else Problem(problem.text, (key,))
