"""`flask events replay`: queue the actions of events to run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.consent import require_consent
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.support.progress import progress
from webhooks.job import JobState
from webhooks.text import count
from webhooks.views.json_objects import event_object

if TYPE_CHECKING:
    from webhooks.inbox import EventRecord, Inbox

# More than this are replayed only with consent.
MANY = 10
DEFAULT_LIMIT = 1000
# Rows per transaction: an event that is received meanwhile waits for one batch, not for all.
BATCH = 50


@click.command(cls=Command)
@click.argument("event_ids", nargs=-1, type=int, metavar="[ID]...")
@click.option(
    "--dead", is_flag=True, help="Queue only dead jobs, of these events or of all; with --since, dead since then."
)
@options.filters()
@click.option(
    "--limit",
    type=click.IntRange(1, options.MOST),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Maximum number of events, or of dead jobs.",
)
@click.option("--yes", "-y", is_flag=True, help=f"Do not ask, even about more than {MANY}.")
@options.as_json
@with_appcontext
def replay(
    *, event_ids: tuple[int, ...], dead: bool, filters: options.Filters, limit: int, yes: bool, as_json: bool
) -> None:
    """Run the actions of events again.

    All ended jobs of the events are queued again, and so are the jobs of rules that were added since. Messages are sent
    again, and actions such as refresh act in Tableau again. The event itself is not repeated: replaying a failed
    refresh does not refresh the content. With --dead, only dead jobs are queued.

    \b
    flask events replay 41 42
    flask events replay --dead 41
    flask events replay --dead --since 2h
    flask events replay --type WorkbookCreated --since 2026-01-31
    """
    if event_ids and filters:
        raise click.UsageError("Give IDs or filters, not both.")
    if dead and (filters.event_types or filters.resources or filters.states):
        raise click.UsageError("--dead can be combined with IDs or --since, not with other filters.")
    if not (event_ids or dead or filters):
        raise click.UsageError("Which events? Give IDs, --dead, or filters such as --type and --since.")
    inbox = application.inbox()
    if dead:
        named = get_events(event_ids) if event_ids else None
        records, summary = _replay_dead(inbox, filters.since, limit, named, yes=yes)
    else:
        filters.check(inbox)
        records = get_events(event_ids) if event_ids else list(filters.oldest(inbox, limit + 1))
        if not event_ids and len(records) > limit:
            raise Failure(f"More than {limit} events match; nothing was replayed. Narrow the filters or raise --limit.")
        summary = _replay_events(inbox, [record.event.id or 0 for record in records], yes=yes)
    click.echo(summary, err=as_json)
    if as_json:
        for record in records:
            if current := application.find_event(record.event.id or 0):
                terminal.print_json(event_object(current, application.redact))
    elif records and terminal.is_terminal():
        click.secho("See what happens: flask events tail", dim=True)


def get_events(event_ids: Sequence[int]) -> list[EventRecord]:
    """Return the events with these ids. Raises Failure if one of them does not exist."""
    found = {event_id: application.find_event(event_id) for event_id in dict.fromkeys(event_ids)}
    missing = [str(event_id) for event_id, record in found.items() if record is None]
    if missing:
        raise Failure(f"Event {', '.join(missing)} not found; nothing was changed.")
    return [record for record in found.values() if record]


def dead_jobs(
    inbox: Inbox, since: datetime | None, events: Sequence[EventRecord] | None
) -> list[tuple[EventRecord, int]]:
    """Return the ids of dead jobs with their events, those that died first come first.

    Only jobs that died at or after `since` count, and only jobs of `events` if those are given.
    """
    dead = sorted(
        (
            (job.job.finished_at or job.job.due_at, record, job.job.id)
            for record in events or options.Filters(states=(JobState.DEAD.word,)).oldest(inbox)
            for job in record.jobs
            if job.job.state is JobState.DEAD
        ),
        key=lambda death: death[0],
    )
    return [(record, job_id) for at, record, job_id in dead if since is None or at >= since]


def _replay_events(inbox: Inbox, event_ids: Sequence[int], *, yes: bool) -> str:
    """Queue all jobs of the events and return a sentence about it."""
    events = count(len(event_ids), "event")
    if len(event_ids) > MANY and not yes:
        require_consent(f"Run the actions of {events} again?")
    with progress(len(event_ids), "Queueing") as advance:
        for start in range(0, len(event_ids), BATCH):
            batch = event_ids[start : start + BATCH]
            application.record("replay", "events", ", ".join(map(str, batch)))
            advance(inbox.events.replay(batch))
    return f"Queued {events} to run again." if event_ids else "No such events."


def _replay_dead(
    inbox: Inbox, since: datetime | None, limit: int, events: Sequence[EventRecord] | None, *, yes: bool
) -> tuple[list[EventRecord], str]:
    """Queue dead jobs, those that died first, and return their events with a sentence about it."""
    dead = dead_jobs(inbox, since, events)
    number = min(len(dead), limit)
    if number > MANY and not yes:
        require_consent(f"Run {count(number, 'dead job')} again?")
    event_ids = [record.event.id or 0 for record in events] if events else None
    if number:
        of_events = f" of events {', '.join(map(str, event_ids))}" if event_ids else ""
        application.record("replay", "dead letters", f"{count(number, 'job')}{of_events}")
    queued = 0
    with progress(number, "Queueing") as advance:
        while queued < number and (
            batch := inbox.dead_letters.requeue(since, min(BATCH, number - queued), event_ids=event_ids)
        ):
            queued += batch
            advance(batch)
    records = {record.event.id: record for record, _ in dead[:number]}
    if not dead:
        return [], "There are no dead jobs."
    left = f" {len(dead) - queued} more are dead; run the command again for those." if len(dead) > queued else ""
    return list(records.values()), f"Queued {count(queued, 'dead job')} to run again.{left}"
