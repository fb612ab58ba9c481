"""Register handlers: @on("WorkbookCreated") runs a function for events, @action("notify") lets rules name one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from webhooks.errors import Permanent
from webhooks.event import Event
from webhooks.job import NewJob, Verdict
from webhooks.rules.conditions import EventFilter, Where, parse_patterns
from webhooks.rules.timer import Timer, parse_timer
from webhooks.spelling import hint

# The package of the modules in HANDLERS_DIR.
OWN_PACKAGE = "own_handlers"
# The arguments that a handler may name.
ARGUMENTS = {
    "event": "the event that Tableau sent",
    "tableau": "the client of Tableau's REST API, signed in when first used",
    "notify": 'notify("slack:#bi", "text"): sends a message, once per job',
    "log": "a logger that names the event and the job",
    "once": 'once("key", function): runs the function once per job and repeats its result on retries',
    "params": "the rule's settings for the action, as the action's params model (actions only)",
    "job": "the running job: its rule, attempts and key",
    "context": "all of these in one",
    "settings": "every variable of the server",
}

Function = TypeVar("Function", bound=Callable[..., object])


class Params(BaseModel):
    """The base of an action's params model: frozen, and strict about names.

    A plain value in a rule is the value of the first field: `notify = "slack"` is `notify = { to = "slack" }`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class RegistrationError(Exception):
    """A handler that cannot work. It is found when the handler is registered, before an event arrives."""


class UnknownHandler(Permanent):
    """A job names a handler that no longer exists."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A function with the name under which jobs store it. Actions have no `event_filter`: rules decide about them."""

    name: str
    function: Callable[..., object]
    arguments: tuple[str, ...]
    event_filter: EventFilter | None = None
    params: type[BaseModel] = Params
    max_attempts: int | None = None
    in_rules: bool = False
    # When it runs without an event of Tableau.
    timer: Timer | None = None
    # Events about one resource are handled one after the other, in the order in which they were received.
    in_order: bool = False


class Registry:
    """Handlers by their stored names. The decorators use this module's `registry`; tests create their own."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def on(
        self,
        *event_types: str,
        where: Mapping[str, Any] | None = None,
        name: str | None = None,
        max_attempts: int | None = None,
        in_order: bool = False,
    ) -> Callable[[Function], Function]:
        """Run the function for each event of these types for which `where` holds.

        Event types may be patterns such as `*RefreshFailed`; `where` is written as in rules, for example
        `{"project": "Finance*"}`. Jobs store the handler as `file.function`, or as `name`. With `in_order`, events
        about one resource are handled one after the other. Raises RegistrationError if the handler cannot work.
        """
        if not event_types or not all(isinstance(one, str) for one in event_types):
            raise RegistrationError('@on needs event types: @on("WorkbookCreated", "WorkbookUpdated")')
        try:
            event_filter = EventFilter(parse_patterns(event_types), Where.parse(where or {}))
        except ValueError as error:
            raise RegistrationError(f"@on({', '.join(event_types)}): {error}") from None

        def register(function: Function) -> Function:
            stored = name or f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
            arguments = _arguments(function, without={"params"})
            self._add(Handler(stored, function, arguments, event_filter, max_attempts=max_attempts, in_order=in_order))
            return function

        return register

    def every(
        self,
        when: str,
        *,
        zone: str | None = None,
        days: str | None = None,
        name: str | None = None,
        max_attempts: int | None = None,
    ) -> Callable[[Function], Function]:
        """Run the function at intervals ("15m"), or at a time of day ("08:00"), once on all machines together.

        `zone` is a name such as Europe/Berlin, else TIMEZONE; `days` are weekdays such as `mon-fri`. The event that the
        function gets has the time in `created_at`. Raises RegistrationError if the timer or the function cannot work.
        """
        try:
            timer = parse_timer(when, zone=zone, days=days)
        except (ValueError, AttributeError, TypeError) as error:
            raise RegistrationError(f"@every({when!r}): {error}") from None

        def register(function: Function) -> Function:
            stored = name or f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
            arguments = _arguments(function, without={"params"})
            self._add(Handler(stored, function, arguments, max_attempts=max_attempts, timer=timer))
            return function

        return register

    def action(
        self,
        name: str,
        *,
        params: type[BaseModel] = Params,
        in_rules: bool = True,
    ) -> Callable[[Function], Function]:
        """Let rules name the function: `name` is its key in a rule, `params` the model of the value.

        With `in_rules=False` only the server plans jobs for it. Raises RegistrationError if the action cannot work.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise RegistrationError('@action needs a name of letters, digits and _: @action("open_ticket")')

        def register(function: Function) -> Function:
            self._add(Handler(name, function, _arguments(function), None, params, in_rules=in_rules))
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
        """Return the actions that rules may name, each with its params model."""
        return {one.name: one.params for one in self._handlers.values() if one.in_rules}

    @property
    def on_handlers(self) -> dict[str, EventFilter]:
        """Return the filters of the `@on` handlers, by the handlers' names."""
        return {one.name: one.event_filter for one in self._handlers.values() if one.event_filter}

    @property
    def timers(self) -> dict[str, Timer]:
        """Return the timers of the `@every` handlers, by the handlers' names."""
        return {one.name: one.timer for one in self._handlers.values() if one.timer}

    @property
    def event_filters(self) -> list[EventFilter]:
        """Return the event filters of all `@on` handlers."""
        return list(self.on_handlers.values())

    def handler(self, name: str) -> Handler:
        """Return the handler of that name. Raises UnknownHandler, which is permanent."""
        try:
            return self._handlers[name]
        except KeyError:
            raise UnknownHandler(f"no handler is called {name}; {hint(name, self._handlers)}") from None

    def name_of(self, function: Callable[..., object]) -> str | None:
        """Return the name under which jobs store the function; None if it is no handler."""
        return next((one.name for one in self._handlers.values() if one.function is function), None)

    def explain(self, event: Event, max_attempts: int = 20, zone: tzinfo = UTC) -> list[Verdict]:
        """Return the verdict of each `@on` handler. `max_attempts` is for handlers without a number of their own."""
        verdicts = []
        for name, event_filter in self.on_handlers.items():
            finding = event_filter.match(event, zone)
            attempts = self._handlers[name].max_attempts or max_attempts
            job = NewJob(name, name, where=finding.deferred, max_attempts=attempts)
            jobs = (job,) if finding.matched else ()
            verdicts.append(Verdict("handler", name, finding.matched, finding.reason, jobs))
        return verdicts

    def explain_timer(self, event: Event, max_attempts: int = 20) -> Verdict:
        """Return the verdict of the `@every` handler whose time has come."""
        name = str(event.resource_name)
        handler = self._handlers.get(name)
        if handler is None or handler.timer is None:
            return Verdict("handler", name, matched=False, reason="no handler of this name has a timer any more")
        job = NewJob(name, name, max_attempts=handler.max_attempts or max_attempts)
        return Verdict("handler", name, matched=True, reason="its time has come", jobs=(job,))

    def warnings(self) -> list[str]:
        """Return what is probably a mistake, such as an event type that Tableau does not document."""
        return [f"{name}: {text}" for name, one in self.on_handlers.items() for text in one.warnings()]

    def load(self, package: str = "webhooks.handlers") -> None:
        """Import every module of `package` in alphabetical order, except those whose names begin with `_`.

        Raises RegistrationError naming the file that is broken, and how.
        """
        folder = importlib.import_module(package)
        for name in sorted(module.name for module in pkgutil.iter_modules(folder.__path__)):
            if name.startswith("_"):
                continue
            module = f"{package}.{name}"
            self._import(module, module.replace(".", "/") + ".py")

    def load_folder(self, path: Path) -> None:
        """Import every module of a folder outside of the server like `load`, as the package `own_handlers`.

        What was loaded from a folder before is removed. Raises RegistrationError.
        """
        for module in [name for name in sys.modules if name.partition(".")[0] == OWN_PACKAGE]:
            self.remove(module)
            del sys.modules[module]
        package = ModuleType(OWN_PACKAGE)
        package.__path__ = [str(path)]
        sys.modules[OWN_PACKAGE] = package
        importlib.invalidate_caches()
        for name in sorted(module.name for module in pkgutil.iter_modules([str(path)])):
            if not name.startswith("_"):
                self._import(f"{OWN_PACKAGE}.{name}", str(path / f"{name}.py"))

    def _import(self, module: str, file: str) -> None:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            # So that the module can be loaded again once it is repaired.
            self.remove(module)
            raise RegistrationError(f"{file} cannot be loaded: {_cause(error, module)}") from error

    def remove(self, module: str) -> None:
        """Remove all handlers of a module."""
        self._handlers = {name: one for name, one in self._handlers.items() if one.function.__module__ != module}


def _arguments(function: Callable[..., object], without: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of the arguments to pass; one that is unknown and has a default keeps its default."""
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise RegistrationError(f"{_place(function)}: a handler is a plain function, without async and yield")
    known = [name for name in ARGUMENTS if name not in without]
    arguments = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in known and parameter.kind is not parameter.POSITIONAL_ONLY:
            arguments.append(parameter.name)
        elif parameter.default is parameter.empty:
            place, advice = _place(function), hint(parameter.name, known)
            raise RegistrationError(f"{place}: a handler cannot have the argument {parameter}; {advice}")
    return tuple(arguments)


def _place(function: Callable[..., object]) -> str:
    code = getattr(function, "__code__", None)
    return f"{function.__module__}.{function.__name__}" + (f" (line {code.co_firstlineno})" if code else "")


def _cause(error: BaseException, module: str) -> str:
    """Return the error with the last line of the module itself that it passed through, if any."""
    if isinstance(error, RegistrationError):
        return str(error)
    if isinstance(error, SyntaxError):
        line = error.lineno
    else:
        frames = traceback.walk_tb(error.__traceback__)
        lines = [number for frame, number in frames if frame.f_globals.get("__name__") == module]
        line = lines[-1] if lines else None
    return f"{f'line {line}: ' if line else ''}{type(error).__name__}: {error}"


registry = Registry()
on = registry.on
every = registry.every
action = registry.action
