"""`flask incidents`: list and show incidents; the acts are in a module of their own."""

from __future__ import annotations

import click

from webhooks.cli.incidents import options
from webhooks.cli.incidents.acts import ack, close, note, snooze
from webhooks.cli.incidents.import_history import import_runs
from webhooks.cli.support import application, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.options import as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.incidents import IncidentFilter
from webhooks.views.incident_objects import incident_object


@click.group(cls=Group)
def incidents() -> None:
    """List, explain, acknowledge, snooze and close incidents.

    An incident is the time from the first failure of a refresh to its recovery. Times are in TIMEZONE. Only
    import needs Tableau credentials.
    """


for command in (ack, snooze, close, note, import_runs):
    incidents.add_command(command)


@incidents.command("list")
@options.filters
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="Maximum number of incidents; 0 means all."
)
@as_json
def list_incidents(filters: IncidentFilter, limit: int, as_json: bool) -> None:
    """List incidents, open ones first, then the newest.

    \b
    flask incidents list --state open --project "Finance*"
    flask incidents list --since 7d --json | jq .resource_name
    """
    records = application.inbox().incidents.list(filters, limit=min(limit, application.LARGEST_ID) or None)
    show = Presentation()
    silences = application.silences_of(records, show.now)
    if as_json:
        for record in records:
            terminal.print_json(incident_object(record, application.redact, silences.get(record.id)))
        return
    if not records:
        click.echo("No such incidents." if filters else "No incidents.", err=True)
        return
    from webhooks.cli.incidents.render import incident_list  # noqa: PLC0415 - it imports rich

    terminal.show(incident_list(records, silences, show))
    if len(records) == limit and terminal.is_terminal():
        click.secho(f"The first {limit}; --limit 0 lists all.", dim=True)


@incidents.command()
@options.one_incident
@as_json
def show(incident_id: int, as_json: bool) -> None:
    """Show one incident with everything that happened.

    Runs, messages, acts and silences are listed by their time, and below them the destinations that were not notified,
    with the reason.
    """
    from webhooks.views.incident_story import read_story, story_object  # noqa: PLC0415 - the help page needs no database

    shown = Presentation()
    record = application.get_incident(incident_id)
    site = application.site_name(record.incident.site_luid)
    story = read_story(application.inbox(), record, site=site, now=shown.now, when=shown.when, address=shown.address)
    if as_json:
        terminal.print_json(story_object(story, application.redact))
    else:
        from webhooks.cli.incidents.render import incident_page  # noqa: PLC0415 - it imports rich

        terminal.show(*incident_page(story, shown))
