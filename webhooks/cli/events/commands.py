"""`flask events`: what came in, what became of it, why, and once more."""

from __future__ import annotations

from collections.abc import Iterable

import click

from webhooks.cli.events import render
from webhooks.cli.events.explain import Part, explain
from webhooks.cli.events.replay import replay
from webhooks.cli.events.tail import tail
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Group
from webhooks.clock import utc_now
from webhooks.context import CONDITIONS
from webhooks.event import Event
from webhooks.inbox import MISSING, EventRecord
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.rules.conditions import Verdict
from webhooks.views.json_objects import event_object


@click.group(cls=Group)
def events() -> None:
    """What came in, and what became of it.

    All times are UTC, as Tableau's own. Needs no credentials of Tableau.
    """


events.add_command(replay)
events.add_command(tail)


@events.command("list")
@options.filters()
@click.option("--limit", type=click.IntRange(1, options.MOST), default=50, show_default=True, help="At most so many.")
@options.as_json
def list_events(filters: options.Filters, limit: int, as_json: bool) -> None:
    """List events, newest first.

    \b
    flask events list --type WorkbookRefreshFailed --since 7d
    flask events list --state dead --json | jq .id
    """
    inbox = application.inbox()
    filters.check(inbox)
    found = filters.newest(inbox, limit)
    if as_json:
        for record in found:
            terminal.print_json(event_object(record, application.redact))
    elif found:
        terminal.show(render.listing(found, utc_now()))
        _say_if_more(found, limit)
    else:
        click.echo("No such events." if filters else "No events yet. Try: flask trigger WorkbookCreated", err=True)


@events.command()
@click.argument("event_id", type=int, metavar="ID")
@options.as_json
def show(event_id: int, as_json: bool) -> None:
    """Show one event and every try of its jobs.

    What came in is shown word for word.
    """
    record = application.get_event(event_id)
    if as_json:
        terminal.print_json(event_object(record, application.redact))
    else:
        terminal.show(*render.event_page(record, utc_now(), application.redact))


@events.command("explain")
@click.argument("event_id", type=int, metavar="ID")
@options.as_json
def explain_event(event_id: int, as_json: bool) -> None:
    """Tell why an event led to what it did, or to nothing.

    Rules and handlers are asked as they are now; jobs are those that were made when the event was planned.
    """
    record = application.get_event(event_id)
    rules, handlers = verdicts(record.event)
    parts = explain(record, rules, handlers, looked(record))
    if as_json:
        terminal.print_json(
            event_object(record, application.redact) | {"explanation": [part.as_object() for part in parts]}
        )
        return
    now = utc_now()
    terminal.show(
        render.headline(record, now), render.explanation(parts, now, application.redact, unmade=_unmade(record))
    )
    _advise(record, parts)


def verdicts(event: Event) -> tuple[list[Verdict], list[Verdict]]:
    """What rules and handlers make of the event now. Where they cannot be read, a note on stderr and none."""
    services = application.services()
    event = services.sites.labelled(event)
    try:
        return services.rules.explain(event), services.registry.explain(event)
    except (RulesError, RegistrationError) as error:
        click.secho(f"The rules cannot be asked, so only jobs are shown. {error}\n", fg="yellow", err=True)
        return [], []


def looked(record: EventRecord) -> dict[int, str]:
    """Why conditions that only Tableau can answer were met, by the ids of the jobs that looked."""
    asked = [job.job for job in record.jobs if job.job.where]
    found = {job.id: application.inbox().recorded(job, CONDITIONS) for job in asked}
    return {job_id: application.redact(str(why)) for job_id, why in found.items() if why is not MISSING}


def _unmade(record: EventRecord) -> str:
    if record.state == "received":
        return "ready: will be made when a worker plans the event"
    return f"not made: was not so when the event was planned; flask events replay {record.event.id} makes it"


def _advise(record: EventRecord, parts: Iterable[Part]) -> None:
    """The next thing to do, for people only."""
    dead = any(job.job.state.word == "dead" for part in parts for job in part.jobs)
    if dead and terminal.is_terminal():
        click.secho(f"\nOnce the cause is mended: flask events replay {record.event.id}", dim=True)


def _say_if_more(found: list[EventRecord], limit: int) -> None:
    if len(found) == limit and terminal.is_terminal():
        click.secho(f"The newest {limit}; --limit shows more.", dim=True)
