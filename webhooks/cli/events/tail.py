"""`flask events tail`: follow events and their jobs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, options, signals, terminal
from webhooks.cli.support.commands import Command
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.job import JobState
from webhooks.views import formats, wording
from webhooks.views.json_objects import event_object

if TYPE_CHECKING:
    from rich.text import Text

    from webhooks.inbox import EventRecord, Inbox, JobRecord

    # An event that was received or ignored, or one of its jobs after an attempt has ended.
    Update = tuple[EventRecord, JobRecord | str]

POLL_SECONDS = 0.5
# Newest events that are read again: PostgreSQL may commit a smaller id after a greater one, and jobs end later.
LOOK_BACK = 50
# Most events that are read at a time.
PAGE = 1000
TYPE_WIDTH = 28
STATE_WIDTH = 10

RECEIVED, IGNORED = "received", "ignored"


class Follower:
    """Find what has happened in the inbox since the last poll; `start` is the last event id that is not reported."""

    def __init__(self, inbox: Inbox, filters: options.Filters, start: int) -> None:
        self._inbox, self._filters, self._start = inbox, filters, start
        self._newest = start
        self._reported: dict[int, set[tuple[object, ...]]] = {}

    def poll(self) -> Iterator[Update]:
        """Yield each new event before the updates of its jobs, in the order of the event ids."""
        after = max(self._start, self._newest - LOOK_BACK)
        for record in self._filters.after(self._inbox, after, PAGE):
            event_id = record.event.id or 0
            if event_id not in self._reported:
                self._reported[event_id] = set()
                self._newest = max(self._newest, event_id)
                yield record, RECEIVED
            reported = self._reported[event_id]
            if record.state == IGNORED and (IGNORED,) not in reported:
                reported.add((IGNORED,))
                yield record, IGNORED
            for job in record.jobs:
                ending = (job.job.id, job.job.state, job.job.attempts, job.job.finished_at)
                unattempted = job.job.state is JobState.READY and not job.job.attempts
                if job.job.state is not JobState.RUNNING and not unattempted and ending not in reported:
                    reported.add(ending)
                    yield record, job
        self._reported = {known: seen for known, seen in self._reported.items() if known > self._newest - LOOK_BACK}


@click.command(cls=Command)
@options.filters("event_types", "resources")
@click.option("--last", type=click.IntRange(0, PAGE), default=0, help="Start with this many past events.")
@options.as_json
@with_appcontext
def tail(filters: options.Filters, last: int, as_json: bool) -> None:
    """Follow events and their jobs until Ctrl-C.

    With --json, print one object per received event; use `flask events show ID --json` for its jobs.
    """
    inbox = application.inbox()
    filters.check(inbox)
    newest = list(filters.newest(inbox, last)) if last else inbox.events.list(limit=1)
    start = (newest[-1].event.id or 0) if newest else 0
    follower = Follower(inbox, filters, start - 1 if newest and last else start)
    if terminal.is_terminal():
        click.secho("Waiting for events; press Ctrl-C to stop.", dim=True, err=True)
    available = True
    with signals.stop_on_signals() as stopping:
        while not stopping.is_set() and not signals.output_closed():
            try:
                for record, update in follower.poll():
                    print_update(record, update, as_json=as_json)
                available = True
            except StoreUnavailable as error:
                if available:
                    click.secho(f"Inbox unavailable, retrying: {error}", fg="yellow", err=True)
                available = False
            stopping.wait(POLL_SECONDS)
    if terminal.is_terminal():
        click.echo(err=True)


def print_update(record: EventRecord, update: JobRecord | str, *, as_json: bool) -> None:
    """Print a line about the update; with `as_json`, an object for a received event, and nothing for its jobs."""
    if not as_json:
        terminal.show(update_row(record, update, utc_now()))
    elif update == RECEIVED:
        terminal.print_json(event_object(record, application.redact))


def update_row(record: EventRecord, update: JobRecord | str, now: datetime) -> Text:
    """Return the line about an update: time, event id, then the event or the outcome of a job."""
    from rich.text import Text  # noqa: PLC0415 - --json starts without it

    if not isinstance(update, str):
        at = update.job.finished_at
        state = terminal.styled_state(wording.job_state(update))
        state.pad_right(max(0, STATE_WIDTH - state.cell_len))
        title = terminal.printable(wording.job_title(update.job))
        outcome = terminal.one_line(application.redact(wording.job_outcome(update, now)))
        content = Text.assemble(f"  {title}  ", state, outcome)
    elif update == RECEIVED:
        at = record.event.received_at
        event_type = terminal.styled_event_type(record.event.event_type)
        event_type.pad_right(max(0, TYPE_WIDTH - event_type.cell_len))
        content = Text.assemble(event_type, (terminal.shortened(record.event.resource_name), "bold"))
    else:
        at = record.event.received_at
        content = Text("  ignored, no rule or handler matched", style="dim")
    moment = formats.clock_time(at) if terminal.is_terminal() else formats.date_time(at)
    return Text.assemble((moment, "dim"), f"  {record.event.id:>5}  ", content)
