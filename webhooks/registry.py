"""Where handlers announce themselves: @on("WorkbookCreated") for events, @action("notify") for rules to name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from webhooks.errors import Permanent
from webhooks.event import Event
from webhooks.job import NewJob
from webhooks.rules.conditions import EventFilter, Verdict, Where, parse_patterns
from webhooks.spelling import hint

ARGUMENTS = {
    "event": "what Tableau sent",
    "tableau": "the client of Tableau's REST API, signed in when first used",
    "notify": 'notify("slack:#bi", "text"): tells somebody, once per job',
    "log": "a logger that names the event and the job",
    "once": 'once("key", function): runs it once per job, whatever is retried',
    "params": "what the rule says, as the action's params model (actions only)",
    "job": "the job that runs: its rule, attempts and key",
    "context": "all of these in one",
    "settings": "every variable of the server",
}
"""What a handler may name among its arguments."""

Function = TypeVar("Function", bound=Callable[..., object])


class Params(BaseModel):
    """The base of an action's params model: frozen, and strict about names.

    A plain value in a rule stands for the first field: `notify = "slack"` is `notify = { to = "slack" }`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class RegistrationError(Exception):
    """A handler that could not work; found when it is registered, not when an event comes."""


class UnknownHandler(Permanent):
    """A job names a handler that is there no more."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A function with the name that jobs remember it by. For actions `event_filter` is None: rules decide."""

    name: str
    function: Callable[..., object]
    arguments: tuple[str, ...]
    event_filter: EventFilter | None = None
    params: type[BaseModel] = Params
    max_attempts: int | None = None
    in_rules: bool = False

    def job(self, event: Event, default_attempts: int) -> NewJob:
        """The job that an event of its own makes."""
        where = self.event_filter.where.deferred(event) if self.event_filter else {}
        return NewJob(self.name, self.name, where=where, max_attempts=self.max_attempts or default_attempts)


class Registry:
    """Handlers by their durable names. The module's own `registry` serves the decorators; tests make theirs."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def on(
        self,
        *event_types: str,
        where: Mapping[str, Any] | None = None,
        name: str | None = None,
        max_attempts: int | None = None,
    ) -> Callable[[Function], Function]:
        """Runs the function for each event of these types (patterns such as `*RefreshFailed` too) for which `where`
        holds, e.g. `where={"project": "Finance*"}`. Jobs remember it as `file.function`, or as `name`.

        Raises RegistrationError when something about it could not work.
        """
        if not event_types or not all(isinstance(one, str) for one in event_types):
            raise RegistrationError('@on needs event types: @on("WorkbookCreated", "WorkbookUpdated")')
        try:
            event_filter = EventFilter(parse_patterns(event_types), Where.parse(where or {}))
        except ValueError as error:
            raise RegistrationError(f"@on({', '.join(event_types)}): {error}") from None

        def register(function: Function) -> Function:
            known = name or _durable_name(function)
            arguments = _arguments(function, but={"params"})
            self._add(Handler(known, function, arguments, event_filter, max_attempts=max_attempts))
            return function

        return register

    def action(
        self,
        name: str,
        *,
        params: type[BaseModel] = Params,
        max_attempts: int | None = None,
        in_rules: bool = True,
    ) -> Callable[[Function], Function]:
        """Lets rules name the function: `name` is its key in a rule, `params` the model of what may stand there.
        With `in_rules=False` only the application makes jobs for it.

        Raises RegistrationError when something about it could not work.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise RegistrationError('@action needs a name of letters, digits and _: @action("open_ticket")')

        def register(function: Function) -> Function:
            arguments = _arguments(function)
            self._add(Handler(name, function, arguments, None, params, max_attempts, in_rules))
            return function

        return register

    def _add(self, handler: Handler) -> None:
        other = self._handlers.get(handler.name)
        if other:
            places = f"{_place(other.function)} and {_place(handler.function)}"
            raise RegistrationError(f"two handlers are called {handler.name}: {places}; give one of them another name")
        self._handlers[handler.name] = handler

    @property
    def actions(self) -> dict[str, type[BaseModel]]:
        """What rules may name, each with the model of its params."""
        return {one.name: one.params for one in self._handlers.values() if one.in_rules}

    def handler(self, name: str) -> Handler:
        """The handler of that name. Raises UnknownHandler, which is permanent."""
        try:
            return self._handlers[name]
        except KeyError:
            raise UnknownHandler(f"no handler is called {name}; {hint(name, self._handlers)}") from None

    def handlers_for(self, event: Event) -> list[Handler]:
        """The @on handlers that `event` concerns, as far as its payload can tell."""
        return [one for one in self.announced() if one.event_filter and one.event_filter.match(event).matched]

    def matching(self, event: Event, max_attempts: int = 20) -> list[NewJob]:
        """The jobs that `event` makes because of @on; `max_attempts` for those that say nothing themselves."""
        return [handler.job(event, max_attempts) for handler in self.handlers_for(event)]

    def explain(self, event: Event, max_attempts: int = 20) -> list[Verdict]:
        """For each @on handler, whether `event` concerns it and why."""
        return [_verdict(one, one.event_filter, event, max_attempts) for one in self.announced() if one.event_filter]

    def warnings(self) -> list[str]:
        """What is probably not meant, such as an event type that nobody knows."""
        return [
            f"{one.name}: {text}"
            for one in self.announced()
            if one.event_filter
            for text in one.event_filter.warnings()
        ]

    def load(self, package: str = "webhooks.handlers") -> None:
        """Imports every module of `package`, in the order of their names, so that each can announce its handlers.
        A file whose name begins with `_` is left alone.

        Raises RegistrationError naming the file that is broken, and how.
        """
        folder = importlib.import_module(package)
        for name in sorted(module.name for module in pkgutil.iter_modules(folder.__path__)):
            if not name.startswith("_"):
                self._import(f"{package}.{name}")

    def _import(self, module: str) -> None:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            self._forget(module)
            file = module.replace(".", "/") + ".py"
            raise RegistrationError(f"{file} cannot be loaded: {_cause(error, module)}") from error

    def _forget(self, module: str) -> None:
        """Drops what a module registered before it broke, so that it can be loaded again once mended."""
        kept = {name: one for name, one in self._handlers.items() if one.function.__module__ != module}
        self._handlers = kept

    @property
    def event_filters(self) -> list[EventFilter]:
        """The event filters of all @on handlers."""
        return [handler.event_filter for handler in self._handlers.values() if handler.event_filter]

    def announced(self) -> list[Handler]:
        """The handlers that announced themselves with @on."""
        return [handler for handler in self._handlers.values() if handler.event_filter]


def _verdict(handler: Handler, event_filter: EventFilter, event: Event, max_attempts: int) -> Verdict:
    finding = event_filter.match(event)
    jobs = (handler.job(event, max_attempts),) if finding.matched else ()
    return Verdict(handler.name, finding.matched, finding.reason, jobs)


def _durable_name(function: Callable[..., object]) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def _arguments(function: Callable[..., object], but: Collection[str] = ()) -> tuple[str, ...]:
    """The names that the function wants. An unknown one with a default of its own is left to that default."""
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise RegistrationError(f"{_place(function)}: a handler is a plain function, without async and yield")
    known = [name for name in ARGUMENTS if name not in but]
    wanted = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in known and parameter.kind is not parameter.POSITIONAL_ONLY:
            wanted.append(parameter.name)
        elif parameter.default is parameter.empty:
            raise RegistrationError(
                f"{_place(function)}: a handler cannot have {parameter}; {hint(parameter.name, known)}"
            )
    return tuple(wanted)


def _place(function: Callable[..., object]) -> str:
    code = getattr(function, "__code__", None)
    return f"{function.__module__}.{function.__name__}" + (f" (line {code.co_firstlineno})" if code else "")


def _cause(error: BaseException, module: str) -> str:
    """What went wrong, with the line of the module itself where it can be told."""
    if isinstance(error, RegistrationError):
        return str(error)
    line = error.lineno if isinstance(error, SyntaxError) else _line_in(error, module)
    where = f"line {line}: " if line else ""
    return f"{where}{type(error).__name__}: {error}"


def _line_in(error: BaseException, module: str) -> int | None:
    trace, line = error.__traceback__, None
    while trace:
        if trace.tb_frame.f_globals.get("__name__") == module:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


registry = Registry()
on = registry.on
action = registry.action
