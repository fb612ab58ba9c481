"""`flask events`: list, show and explain events; `replay` and `tail` have modules of their own."""

from __future__ import annotations

import click

from webhooks.cli.events import render
from webhooks.cli.events.replay import replay
from webhooks.cli.events.tail import tail
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Group
from webhooks.clock import utc_now
from webhooks.context import CONDITIONS
from webhooks.event import Event
from webhooks.inbox import MISSING, EventRecord
from webhooks.job import JobState
from webhooks.planner import Plan
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.views.explanation import explain
from webhooks.views.json_objects import event_object


@click.group(cls=Group)
def events() -> None:
    """List, follow, explain and replay events.

    All times are UTC, as in Tableau's events. No Tableau credentials are needed.
    """


events.add_command(replay)
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
        terminal.show(*render.event_page(record, utc_now(), application.redact))


@events.command("explain")
@click.argument("event_id", type=int, metavar="ID")
@options.as_json
def explain_event(event_id: int, as_json: bool) -> None:
    """Explain why an event led to its jobs, or to none.

    Rules and handlers are evaluated as they are now; jobs were created when the event was planned.
    """
    record = application.get_event(event_id)
    decisions = explain(record, current_plan(record.event), checked_conditions(record))
    if as_json:
        explanation = [decision.as_object() for decision in decisions]
        terminal.print_json(event_object(record, application.redact) | {"explanation": explanation})
        return
    now = utc_now()
    unmade = f"not made: did not match when the event was planned; flask events replay {event_id} creates it"
    if record.state == "received":
        unmade = "ready: created when a worker plans the event"
    terminal.show(render.headline(record, now), render.explanation(decisions, now, application.redact, unmade=unmade))
    dead = any(job.job.state is JobState.DEAD for job in record.jobs)
    if dead and terminal.is_terminal():
        click.secho(f"\nOnce the cause is fixed: flask events replay --dead {event_id}", dim=True)


def current_plan(event: Event) -> Plan:
    """Return the event's plan by the rules of now; an empty one, with a warning, if they cannot be read."""
    services = application.services()
    try:
        return services.planner.plan(event)
    except (RulesError, RegistrationError) as error:
        click.secho(f"Cannot evaluate the rules, so only jobs are shown. {error}\n", fg="yellow", err=True)
        return Plan()


def checked_conditions(record: EventRecord) -> dict[int, str]:
    """Return why conditions that only Tableau can answer were met, by the ids of the jobs that asked."""
    conditional = [job.job for job in record.jobs if job.job.where]
    found = {job.id: application.inbox().checkpoints.get(job, CONDITIONS) for job in conditional}
    return {job_id: application.redact(str(reason)) for job_id, reason in found.items() if reason is not MISSING}
