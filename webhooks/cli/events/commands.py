"""`flask events`: list, show and explain events; `replay`, `dismiss` and `tail` are separate modules."""

from __future__ import annotations

import click

from webhooks.cli.events.dismiss import dismiss
from webhooks.cli.events.replay import replay
from webhooks.cli.events.tail import tail
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Group
from webhooks.clock import utc_now
from webhooks.views.json_objects import event_object


@click.group(cls=Group)
def events() -> None:
    """List, follow, explain and replay events.

    All times are UTC, as in Tableau's events. No Tableau credentials are needed.
    """


events.add_command(replay)
events.add_command(dismiss)
events.add_command(tail)


@events.command("list")
@options.filters()
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="Maximum number of events; 0 means all."
)
@options.as_json
def list_events(filters: options.Filters, limit: int, as_json: bool) -> None:
    """List events, newest first.

    \b
    flask events list --type WorkbookRefreshFailed --resource "Sales*" --since 7d
    flask events list --state dead --json | jq .id
    """
    inbox = application.inbox()
    filters.check(inbox)
    if as_json:
        for record in filters.newest(inbox, limit):
            terminal.print_json(event_object(record, application.redact))
        return
    from webhooks.cli.events import render  # noqa: PLC0415 - it imports rich

    records = list(filters.newest(inbox, limit))
    if records:
        terminal.show(render.event_list(records, utc_now()))
        if len(records) == limit and terminal.is_terminal():
            click.secho(f"The newest {limit}; --limit 0 lists all.", dim=True)
    else:
        click.echo("No such events." if filters else "No events yet. Try: flask trigger WorkbookCreated", err=True)


@events.command()
@click.argument("event_id", type=int, metavar="ID")
@options.as_json
def show(event_id: int, as_json: bool) -> None:
    """Show one event with its payload, jobs and attempts."""
    record = application.get_event(event_id)
    if as_json:
        terminal.print_json(event_object(record, application.redact))
    else:
        from webhooks.cli.events import render  # noqa: PLC0415 - it imports rich

        terminal.show(*render.event_page(record, utc_now(), application.redact))


@events.command()
@click.argument("event_id", type=int, metavar="ID")
@options.as_json
def explain(event_id: int, as_json: bool) -> None:
    """Explain why an event led to its jobs, or to none.

    Rules and handlers are evaluated as they are now; jobs were created when the event was planned.
    """
    from webhooks.cli.events.explain import print_explanation  # noqa: PLC0415 - it imports rules and handlers

    print_explanation(application.get_event(event_id), as_json=as_json)
