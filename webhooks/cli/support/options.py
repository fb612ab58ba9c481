"""Parameters that several commands share: times, event types, states, `--json`, and the filters for events."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from webhooks.clock import parse_time, utc_now
from webhooks.event_types import MONITOR_EVENT_TYPES, RULE_EVENT_TYPES
from webhooks.job import STATES
from webhooks.spelling import closest

if TYPE_CHECKING:
    from webhooks.inbox import EventRecord, Inbox

F = TypeVar("F", bound=Callable[..., Any])

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(r"(?:\d{1,9}[smhdw])+")
# Most events that one command changes or reads into memory.
MOST = 10_000
# Events that are read at a time.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters for events that a command was given; of several values, one has to match."""

    event_types: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    since: datetime | None = None

    def __bool__(self) -> bool:
        return any((self.event_types, self.resources, self.states, self.since))

    def newest(self, inbox: Inbox, limit: int = 0) -> Iterator[EventRecord]:
        """Yield at most `limit` events, newest first; 0 means all."""
        return self._pages(inbox, "before", None, limit)

    def oldest(self, inbox: Inbox, limit: int = 0) -> Iterator[EventRecord]:
        """Yield at most `limit` events, oldest first; 0 means all."""
        return self._pages(inbox, "after", 0, limit)

    def after(self, inbox: Inbox, event_id: int, limit: int) -> list[EventRecord]:
        """Return at most `limit` events with a greater id, oldest first."""
        return self._list(inbox, after=event_id, limit=limit)

    def check(self, inbox: Inbox) -> None:
        """Raise a usage error for an event type that is neither known nor in the inbox."""
        for event_type in self.event_types:
            is_known = event_type in RULE_EVENT_TYPES or event_type in MONITOR_EVENT_TYPES
            if not is_known and not inbox.events.list(event_types=[event_type], limit=1):
                message = unknown("event type", event_type, RULE_EVENT_TYPES)
                raise click.BadParameter(f"{message} No such event has been received either.", param_hint="--type")

    def _pages(self, inbox: Inbox, direction: str, event_id: int | None, limit: int) -> Iterator[EventRecord]:
        """Yield events before or after that id, read page by page; at most `limit`, 0 means all."""
        found = 0
        while records := self._list(inbox, limit=min(limit - found, PAGE) if limit else PAGE, **{direction: event_id}):
            yield from records
            event_id, found = records[-1].event.id, found + len(records)
            if found == limit:
                return

    def _list(self, inbox: Inbox, **page: Any) -> list[EventRecord]:
        return inbox.events.list(
            event_types=self.event_types, resources=self.resources, states=self.states, since=self.since, **page
        )


def unknown(kind: str, value: str, options: Iterable[str]) -> str:
    """Return the sentences for a value that is not among the options."""
    return f"Unknown {kind} {value!r}. {suggestion(value, options)}"


def suggestion(value: str, options: Iterable[str]) -> str:
    """Return the question for the option that resembles the value, or else the list of all options."""
    options = sorted(options)
    nearest = closest(value, options)
    return f"Did you mean {nearest}?" if nearest else f"Choose one of: {', '.join(options)}."


def past_time(text: str, now: datetime) -> datetime:
    """Return the time meant by `2h`, `1d12h` (before `now`), `2026-01-31` or `2026-01-31T09:30`, in UTC without a zone.

    Raises ValueError with examples of what is accepted.
    """
    given = text.strip()
    moment: datetime | None = None
    if DURATION.fullmatch(given.lower()):
        parts = re.findall(r"(\d+)([smhdw])", given.lower())
        with suppress(OverflowError):
            moment = now - sum((timedelta(**{UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    else:
        moment = parse_time(given)
    if moment is None:
        raise ValueError(
            f"{text!r} is not a time. Give a duration before now (30m, 2h, 7d) or a date (2026-01-31, 2026-01-31T09:30)"
        )
    return moment


class Time(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A time in the past, as an aware datetime."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return past_time(str(value), utc_now())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Name(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """One of `names`, which a shell completes in any case."""

    names: Collection[str]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.names:
            self.fail(unknown(self.name, str(value), self.names), param, ctx)
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        start = incomplete.casefold()
        return [CompletionItem(name) for name in self.names if name.casefold().startswith(start)]


class EventType(Name):
    """The name of an event type. Tableau's list grows, so each command decides about unknown ones."""

    name = "event_type"
    names = RULE_EVENT_TYPES

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - click's signature
        ctx: click.Context | None,  # noqa: ARG002 - click's signature
    ) -> str:
        return str(value)


class State(Name):
    """The state of an event or of one of its jobs."""

    name = "state"
    names = STATES


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line, and nothing else.")
since = click.option(
    "--since", type=Time(), help="Start of the period: a duration before now (30m, 2h, 7d) or an ISO time in UTC."
)

FILTERS = {
    "event_types": click.option(
        "--type",
        "event_types",
        type=EventType(),
        multiple=True,
        help="Event type, such as WorkbookCreated; repeatable.",
    ),
    "resources": click.option(
        "--resource",
        "resources",
        metavar="NAME",
        multiple=True,
        help="LUID, or name with * and ? (case is ignored); repeatable.",
    ),
    "states": click.option(
        "--state",
        "states",
        type=State(),
        multiple=True,
        help=f"State of the event or of one of its jobs: {', '.join(STATES)}; repeatable.",
    ),
    "since": since,
}


def filters(*names: str) -> Callable[[F], F]:
    """Add these of FILTERS to a command, all of them by default; they arrive as one argument `filters`."""
    chosen = names or tuple(FILTERS)

    def decorate(command: F) -> F:
        @wraps(command)
        def collected(*args: Any, **given: Any) -> Any:
            return command(*args, filters=Filters(**{name: given.pop(name) for name in chosen}), **given)

        wrapped: Any = collected
        for name in reversed(chosen):
            wrapped = FILTERS[name](wrapped)
        return wrapped  # type: ignore[no-any-return]

    return decorate
