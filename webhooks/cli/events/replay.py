"""`flask events replay`: events once more, one or many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.consent import require_consent
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.support.progress import progress
from webhooks.inbox import EventRecord, Inbox
from webhooks.job import JobState
from webhooks.views.formats import count
from webhooks.views.json_objects import event_object

MANY = 10
CAP = 1000
BATCH = 50
"""Rows to a transaction: what comes in meanwhile waits for one batch, not for all."""


@click.command(cls=Command)
@click.argument("event_ids", nargs=-1, type=int, metavar="[ID]...")
@click.option(
    "--dead", is_flag=True, help="Only jobs that are dead: of these events, or of any; --since: that died since then."
)
@options.filters()
@click.option("--limit", type=click.IntRange(1, options.MOST), default=CAP, show_default=True, help="Never more.")
@click.option("--yes", "-y", is_flag=True, help=f"Do not ask when it is more than {MANY}.")
@options.as_json
@with_appcontext
def replay(
    *, event_ids: tuple[int, ...], dead: bool, filters: options.Filters, limit: int, yes: bool, as_json: bool
) -> None:
    """Run events again, or dead jobs.

    Every ended job of the event runs anew, and jobs of rules that are new since then. What the jobs did before, they do
    again: messages are sent once more. With --dead only dead jobs run again.

    \b
    flask events replay 41 42
    flask events replay --dead 41
    flask events replay --dead --since 2h
    flask events replay --type WorkbookCreated --since 2026-01-31
    """
    _check_usage(event_ids, dead, filters)
    inbox = application.inbox()
    records: Iterable[EventRecord]
    if dead:
        chosen = [record.event.id or 0 for record in _chosen(event_ids)] if event_ids else None
        records, told = _replay_dead(inbox, filters.since, limit, chosen, yes=yes)
    else:
        filters.check(inbox)
        records = _chosen(event_ids) if event_ids else _matching(inbox, filters, limit)
        told = _replay(inbox, [record.event.id or 0 for record in records], yes=yes)
    click.echo(told, err=as_json)
    if as_json:
        for record in records:
            _write_again(record)


def _check_usage(event_ids: Sequence[int], dead: bool, filters: options.Filters) -> None:
    if event_ids and filters:
        raise click.UsageError("Give IDs or filters, not both.")
    if dead and (filters.event_type or filters.resource or filters.state):
        raise click.UsageError("--dead goes with --since only.")
    if not (event_ids or dead or filters):
        raise click.UsageError("Which events? Give IDs, --dead, or filters such as --type and --since.")


def _chosen(event_ids: Sequence[int]) -> list[EventRecord]:
    """The events of these ids; ends the command, before anything is done, if one is not there."""
    found = {event_id: application.find_event(event_id) for event_id in dict.fromkeys(event_ids)}
    missing = [str(event_id) for event_id, record in found.items() if record is None]
    if missing:
        raise Failure(f"There is no event {', '.join(missing)}; nothing was replayed.")
    return [record for record in found.values() if record]


def _matching(inbox: Inbox, filters: options.Filters, limit: int) -> list[EventRecord]:
    found = filters.oldest(inbox, limit + 1)
    if len(found) > limit:
        raise Failure(f"More than {limit} events match; nothing was replayed. Narrow it down, or raise --limit.")
    return found


def _replay(inbox: Inbox, event_ids: Sequence[int], *, yes: bool) -> str:
    what = count(len(event_ids), "event")
    _require_consent(len(event_ids), f"Run {what} again?", yes=yes)
    with progress(len(event_ids), "Replaying") as step:
        for start in range(0, len(event_ids), BATCH):
            step(inbox.replay(event_ids[start : start + BATCH]))
    return f"Replayed {what}." if event_ids else "No such events."


def _replay_dead(
    inbox: Inbox, since: datetime | None, limit: int, event_ids: list[int] | None, *, yes: bool
) -> tuple[Iterable[EventRecord], str]:
    """Revives dead jobs, the ones dead longest first; gives their events and a sentence."""
    deaths = [one for one in _deaths(inbox, since) if event_ids is None or one[1].event.id in event_ids]
    wanted = deaths[:limit]
    _require_consent(len(wanted), f"Run {count(len(wanted), 'dead job')} again?", yes=yes)
    done = 0
    with progress(len(wanted), "Replaying") as step:
        while done < len(wanted) and (revived := _revive(inbox, since, len(wanted) - done, event_ids)):
            done += revived
            step(revived)
    left = f"; {len(deaths) - done} are left, run it again for those" if len(deaths) > done else ""
    told = f"Replayed {count(done, 'dead job')}{left}." if deaths else "Nothing is dead."
    return {record.event.id: record for _, record in wanted}.values(), told


def _revive(inbox: Inbox, since: datetime | None, left: int, event_ids: list[int] | None) -> int:
    return inbox.replay_dead(since, min(BATCH, left), event_ids=event_ids)


def _deaths(inbox: Inbox, since: datetime | None) -> list[tuple[datetime, EventRecord]]:
    """Each dead job's end, with its event; those that ended at or after `since`, the earliest first."""
    records = options.Filters(state=JobState.DEAD.word).oldest(inbox, options.MOST)
    found = [
        (job.job.finished_at or job.job.due_at, record)
        for record in records
        for job in record.jobs
        if job.job.state is JobState.DEAD
    ]
    return sorted((one for one in found if since is None or one[0] >= since), key=lambda one: one[0])


def _require_consent(number: int, question: str, *, yes: bool) -> None:
    if number > MANY and not yes:
        require_consent(question)


def _write_again(record: EventRecord) -> None:
    """The event as it stands now."""
    if now := application.find_event(record.event.id or 0):
        terminal.print_json(event_object(now, application.redact))
