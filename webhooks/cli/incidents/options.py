"""Parameters of the commands about incidents: the filters, with the names that a shell completes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar, get_args

import click
from click.shell_completion import CompletionItem
from flask.cli import ScriptInfo

from webhooks.cli.support import application, options, terminal
from webhooks.incidents import IncidentFilter
from webhooks.incidents.incident import IncidentKind, IncidentState
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.views.incident_wording import name

F = TypeVar("F", bound=Callable[..., Any])


class State(options.Name):
    """The state of an incident."""

    name = "state"
    names = get_args(IncidentState)


class Kind(options.Name):
    """The kind of an incident."""

    name = "kind"
    names = get_args(IncidentKind)


class IncidentId(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """The number of an incident; a shell completes those of the open ones."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is not the number of an incident.", param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        # Nothing must be printed into the command line.
        with suppress(Exception), ctx.ensure_object(ScriptInfo).load_app().app_context():
            found = application.inbox().incidents.list(IncidentFilter(states=OPEN_STATES))
            return [
                CompletionItem(str(record.id), help=terminal.shortened(name(record.incident)))
                for record in found
                if str(record.id).startswith(incomplete)
            ]
        return []


incident_ids = click.argument("ids", nargs=-1, required=True, type=IncidentId(), metavar="ID...")
one_incident = click.argument("incident_id", type=IncidentId(), metavar="ID")


def filters(command: F) -> F:
    """Add the filters to a command; they arrive as one argument `filters`."""

    @wraps(command)
    def collected(*args: Any, **given: Any) -> Any:
        return command(*args, filters=IncidentFilter(**{name: given.pop(name) for name in FILTERS}), **given)

    wrapped: Any = collected
    for option in reversed(FILTERS.values()):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


FILTERS = {
    "states": click.option(
        "--state", "states", type=State(), multiple=True, help=f"{', '.join(State.names)}; repeatable."
    ),
    "kinds": click.option("--kind", "kinds", type=Kind(), multiple=True, help=f"{', '.join(Kind.names)}; repeatable."),
    "resources": options.FILTERS["resources"],
    "projects": click.option(
        "--project", "projects", metavar="NAME", multiple=True, help="Project or its path, with * and ?; repeatable."
    ),
    "owners": click.option(
        "--owner", "owners", metavar="NAME", multiple=True, help="Name or e-mail address, with * and ?; repeatable."
    ),
    "since": click.option(
        "--since",
        type=options.Time(),
        help="Leave out what was closed before: a duration before now (30m, 2h, 7d) or an ISO time in UTC.",
    ),
}
