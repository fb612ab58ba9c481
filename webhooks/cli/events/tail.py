"""`flask events tail`: events as they come in, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from threading import Event as Flag

import click
from flask.cli import with_appcontext
from rich.text import Text

from webhooks.cli.support import application, options, signals, terminal
from webhooks.cli.support.commands import Command
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.inbox import EventRecord, Inbox, JobRecord
from webhooks.job import JobState
from webhooks.views import formats, wording
from webhooks.views.json_objects import event_object

POLL_SECONDS = 0.5
LOOK_BACK = 50
"""Ids looked at again: PostgreSQL may commit a smaller id after a greater one, and jobs end after their event came."""
PAGE = 1000

CAME, IGNORED = "came", "ignored"
News = tuple[EventRecord, JobRecord | str]
"""An event that came in or was ignored, or one of its jobs of which an attempt has ended."""


class Following:
    """What is new in the inbox since the last look; `start` is the last id that is not."""

    def __init__(self, inbox: Inbox, filters: options.Filters, start: int) -> None:
        self._inbox, self._filters, self._start = inbox, filters, start
        self._newest = start
        self._known: dict[int, set[tuple[object, ...]]] = {}

    def look(self) -> Iterator[News]:
        """Each new event before the news of its jobs; events in the order of their ids."""
        after = max(self._start, self._newest - LOOK_BACK)
        for record in self._filters.after(self._inbox, after, PAGE):
            event_id = record.event.id or 0
            if event_id not in self._known:
                self._known[event_id] = set()
                self._newest = max(self._newest, event_id)
                yield record, CAME
            yield from self._news(record, self._known[event_id])
        self._known = {known: told for known, told in self._known.items() if known > self._newest - LOOK_BACK}

    def _news(self, record: EventRecord, told: set[tuple[object, ...]]) -> Iterator[News]:
        if record.state == IGNORED and (IGNORED,) not in told:
            told.add((IGNORED,))
            yield record, IGNORED
        for job in record.jobs:
            ending = (job.job.id, job.job.state, job.job.attempts, job.job.finished_at)
            open_still = job.job.state is JobState.RUNNING or (job.job.state is JobState.READY and not job.job.attempts)
            if not open_still and ending not in told:
                told.add(ending)
                yield record, job


@click.command(cls=Command)
@options.filters("event_type", "resource")
@click.option("--last", type=click.IntRange(0, PAGE), default=0, help="Begin with the last so many events.")
@options.as_json
@with_appcontext
def tail(filters: options.Filters, last: int, as_json: bool) -> None:
    """Show events as they come in.

    And what becomes of their jobs, until Ctrl-C. With --json one event a line, as it came in; what becomes of it:
    flask events show ID --json.
    """
    inbox = application.inbox()
    following = Following(inbox, filters, _start(inbox, filters, last))
    if terminal.is_terminal():
        click.secho("Waiting for events; Ctrl-C ends.", dim=True, err=True)
    with signals.stop_on_signals() as stop:
        _follow(following, stop, as_json=as_json)
    if terminal.is_terminal():
        click.echo(err=True)


def _start(inbox: Inbox, filters: options.Filters, last: int) -> int:
    newest = filters.newest(inbox, last) if last else inbox.events(limit=1)
    if not newest:
        return 0
    return (newest[-1].event.id or 0) - (1 if last else 0)


def _follow(following: Following, stop: Flag, *, as_json: bool) -> None:
    away = False
    while not stop.is_set() and not signals.output_closed():
        try:
            for record, news in following.look():
                _tell(record, news, as_json=as_json)
            away = False
        except StoreUnavailable as error:
            if not away:
                click.secho(f"The inbox does not answer, trying again: {error}", fg="yellow", err=True)
            away = True
        stop.wait(POLL_SECONDS)


def _tell(record: EventRecord, news: JobRecord | str, *, as_json: bool) -> None:
    if not as_json:
        terminal.show(_line(record, news))
    elif news == CAME:
        terminal.print_json(event_object(record, application.redact))


def _line(record: EventRecord, news: JobRecord | str) -> Text:
    if news == CAME:
        return _event_line(record)
    if isinstance(news, JobRecord):
        return _job_line(record, news, utc_now())
    return Text.assemble(*_margin(record, record.event.received_at), ("  ignored, no rule or handler wanted it", "dim"))


def _event_line(record: EventRecord) -> Text:
    event = record.event
    name = terminal.styled_event_type(event.event_type)
    name.pad_right(max(0, 28 - name.cell_len))
    return Text.assemble(
        *_margin(record, record.event.received_at), name, (terminal.printable(event.resource_name), "bold")
    )


def _job_line(record: EventRecord, job: JobRecord, now: datetime) -> Text:
    title = terminal.printable(wording.title(job.job))
    state = terminal.styled_state(job.job.state.word)
    state.pad_right(max(0, 9 - state.cell_len))
    told = terminal.one_line(application.redact(wording.story(job, now)))
    return Text.assemble(*_margin(record, job.job.finished_at), f"  {title}  ", state, told)


def _margin(record: EventRecord, at: datetime | None) -> tuple[tuple[str, str], str]:
    moment = formats.date_time(at)
    return (moment[11:] if terminal.is_terminal() else moment, "dim"), f"  {record.event.id:>5}  "
