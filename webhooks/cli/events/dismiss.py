"""`flask events dismiss`: cancel dead jobs that need not run any more."""

from __future__ import annotations

from datetime import datetime

import click
from flask.cli import with_appcontext

from webhooks.cli.events.replay import BATCH, MANY, dead_jobs, get_events
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.consent import require_consent
from webhooks.text import count
from webhooks.views.json_objects import event_object


@click.command(cls=Command)
@click.argument("event_ids", nargs=-1, type=int, metavar="[ID]...")
@click.option("--since", type=options.Time(), help="Only jobs that died since: 2h, 7d, or an ISO time in UTC.")
@click.option("--yes", "-y", is_flag=True, help=f"Do not ask, even about more than {MANY}.")
@options.as_json
@with_appcontext
def dismiss(*, event_ids: tuple[int, ...], since: datetime | None, yes: bool, as_json: bool) -> None:
    """Cancel dead jobs: they are no longer reported or listed.

    This is for deliveries that are of no use any more; once the cause is corrected, replay the others. A later replay
    of the event runs all of its jobs, also these.

    \b
    flask events dismiss 41
    flask events dismiss --since 1d
    """
    if not event_ids and since is None:
        raise click.UsageError("Which dead jobs? Give the IDs of events, or --since 1d.")
    inbox = application.inbox()
    dead = dead_jobs(inbox, since, get_events(event_ids) if event_ids else None)
    if len(dead) > MANY and not yes:
        require_consent(f"Dismiss {count(len(dead), 'dead job')}?")
    if dead:
        named = f" of events {', '.join(map(str, event_ids))}" if event_ids else ""
        application.record("dismiss", "dead letters", f"{count(len(dead), 'job')}{named}")
    dismissed = 0
    for start in range(0, len(dead), BATCH):
        dismissed += inbox.dead_letters.dismiss([job_id for _, job_id in dead[start : start + BATCH]])
    click.echo(f"Dismissed {count(dismissed, 'dead job')}." if dead else "There are no dead jobs.", err=as_json)
    for event_id in dict.fromkeys(record.event.id or 0 for record, _ in dead) if as_json else ():
        if current := application.find_event(event_id):
            terminal.print_json(event_object(current, application.redact))
