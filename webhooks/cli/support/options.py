"""What several commands take: times, event types, states, `--json`, and the filters for events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from itertools import islice
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from webhooks.clock import parse_time, utc_now
from webhooks.event_types import EVENT_TYPES
from webhooks.inbox import STATES, EventRecord, Inbox
from webhooks.spelling import hint

F = TypeVar("F", bound=Callable[..., Any])

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(r"(?:\d{1,9}[smhdw])+")
MOST = 10_000
"""Events that one command lists; more is what a script with --since is for."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events are meant."""

    event_type: str | None = None
    resource: str | None = None
    state: str | None = None
    since: datetime | None = None

    def __bool__(self) -> bool:
        return any((self.event_type, self.resource, self.state, self.since))

    def newest(self, inbox: Inbox, limit: int) -> list[EventRecord]:
        return inbox.events(**self._wanted(), limit=limit)

    def after(self, inbox: Inbox, event_id: int, limit: int) -> list[EventRecord]:
        """Those with a greater id, oldest first."""
        return inbox.events(**self._wanted(), after=event_id, limit=limit)

    def each(self, inbox: Inbox, page: int = 200) -> Iterator[EventRecord]:
        """All of them, oldest first, fetched page by page."""
        last = 0
        while records := self.after(inbox, last, page):
            yield from records
            last = records[-1].event.id or 0

    def oldest(self, inbox: Inbox, limit: int) -> list[EventRecord]:
        return list(islice(self.each(inbox), limit))

    def check(self, inbox: Inbox) -> None:
        """Raises a usage error for an event type that nobody knows and the inbox does not hold either."""
        if self.event_type and self.event_type not in EVENT_TYPES:
            held = inbox.events(event_type=self.event_type, limit=1)
            if not held:
                raise click.BadParameter(
                    f"{self.event_type!r} is no event type, and no such event has come in; "
                    f"{hint(self.event_type, EVENT_TYPES)}",
                    param_hint="--type",
                )

    def _wanted(self) -> dict[str, Any]:
        return {
            "event_type": self.event_type,
            "resource": self.resource,
            "state": self.state,
            "since": self.since,
        }


def instant(text: str, now: datetime) -> datetime:
    """The time that people mean by `2h`, `1d12h`, `2026-01-31` or `2026-01-31T09:30`; without a zone it is UTC.

    Raises ValueError with what would be right.
    """
    short = text.strip().lower()
    try:
        if DURATION.fullmatch(short):
            return now - _duration(short)
    except OverflowError:
        parsed = None
    else:
        parsed = parse_time(text.strip())
    if parsed is None:
        raise ValueError(
            f"{text!r} is no time; write how long ago (30m, 2h, 7d) or when (2026-01-31, 2026-01-31T09:30)"
        )
    return parsed


def _duration(text: str) -> timedelta:
    parts = re.findall(r"(\d+)([smhdw])", text)
    return sum((timedelta(**{UNITS[unit]: int(count)}) for count, unit in parts), timedelta())


class When(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A time in the past, as an aware datetime."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return instant(str(value), utc_now())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class EventType(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """The name of an event type. Tableau's list grows, so an unknown one is for the command to judge."""

    name = "event_type"

    def shell_complete(  # click hands over more than is needed
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        start = incomplete.casefold()
        return [CompletionItem(name) for name in EVENT_TYPES if name.casefold().startswith(start)]


class State(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """The state of an event or of one of its jobs."""

    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in STATES:
            self.fail(f"{value!r} is no state; {hint(str(value), STATES)}", param, ctx)
        return str(value)

    def shell_complete(  # click hands over more than is needed
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        return [CompletionItem(state) for state in STATES if state.startswith(incomplete)]


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, and nothing else.")
since = click.option("--since", type=When(), help="Not before: how long ago (30m, 2h, 7d) or an ISO time, UTC.")


FILTERS = {
    "event_type": click.option("--type", "event_type", type=EventType(), help="An event type, e.g. WorkbookCreated."),
    "resource": click.option("--resource", metavar="NAME", help="A LUID, or a name with * and ?; case is ignored."),
    "state": click.option("--state", type=State(), help=f"{', '.join(STATES)}: an event's own or one of its jobs'."),
    "since": since,
}


def filters(*names: str) -> Callable[[F], F]:
    """Adds these of FILTERS to a command (all, if none is named); they arrive as one argument `filters`."""
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
