"""What `flask events` shows to people: the list, one event, and why it was treated as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from webhooks.cli.events.explain import MATCHED, Part
from webhooks.cli.support import terminal
from webhooks.inbox import Attempt, EventRecord, JobRecord
from webhooks.views import formats, wording

Hide = Callable[[str], str]

OUTCOMES = {"done": "green", "dead": "bold red", "later": "yellow", "lost": "red", "skipped": "dim", "released": "dim"}


def listing(records: Sequence[EventRecord], now: datetime) -> RenderableType:
    """One event a line, newest first."""
    repeated = any(record.duplicates for record in records)
    headings = ["ID", "RECEIVED UTC", "EVENT", "RESOURCE", "STATE", *(["DUPLICATES"] if repeated else [])]
    rows = [_row(record, now)[: len(headings)] for record in records]
    return terminal.table(headings, rows, flexible=["RESOURCE"])


def _row(record: EventRecord, now: datetime) -> list[Text | str]:
    event = record.event
    return [
        str(event.id),
        terminal.short_time(event.received_at, now),
        terminal.styled_event_type(event.event_type),
        terminal.shortened(event.resource_name),
        state_of(record),
        f"+{record.duplicates}" if record.duplicates else "",
    ]


def state_of(record: EventRecord) -> Text:
    parts = [terminal.styled_state(word, text) for text, word in wording.summary(record)]
    return Text(", ").join(parts)


def headline(record: EventRecord, now: datetime) -> Text:
    event = record.event
    name = (terminal.shortened(event.resource_name), "bold")
    head = Text.assemble((str(event.id), "bold"), "  ", terminal.styled_event_type(event.event_type), "  ", name, "  ")
    return head.append(terminal.short_time(event.received_at, now) + "  ").append(_reception(record))


def _reception(record: EventRecord) -> Text:
    """What the event's own state means."""
    words = {
        "received": "accepted, not planned yet",
        "planned": "accepted",
        "ignored": "accepted, no rule or handler wanted it",
    }
    text = words[record.state]
    if record.duplicates:
        text += f", {formats.count(record.duplicates, 'duplicate')}"
    return Text(text, style=terminal.STYLES[record.state])


def event_page(record: EventRecord, now: datetime, hide: Hide) -> list[RenderableType]:
    """Everything about one event: what came in, word for word, and each try of each job."""
    event = record.event
    grid = Table.grid(padding=(0, 2))
    for name, value in event.payload.items():
        grid.add_row(Text(terminal.printable(name), style="dim"), Text(terminal.printable(value, "null")))
    received = f"{formats.date_time(event.received_at)} UTC"
    if event.received_at:
        received += f", {formats.ago(event.received_at, now)}"
    parts: list[RenderableType] = [headline(record, now), Padding(grid, (1, 0, 1, 2)), Text(f"  received {received}")]
    for job in record.jobs:
        parts += ["", *_job(job, now, hide)]
    return parts


def _job(record: JobRecord, now: datetime, hide: Hide) -> list[RenderableType]:
    job = record.job
    rule = f" ({terminal.printable(job.rule)})" if job.rule else ""
    head = Text.assemble(
        f"job {job.id}  ",
        (terminal.printable(wording.title(job)), "bold"),
        f"{rule}  ",
        terminal.styled_state(job.state.word),
        "  ",
        terminal.one_line(hide(wording.story(record, now))),
    )
    tries = Padding(_attempts(record.attempts_made, now, hide), (0, 0, 0, 4))
    return [Padding(head, (0, 0, 0, 2)), *([tries] if record.attempts_made else [])]


def _attempts(attempts: Iterable[Attempt], now: datetime, hide: Hide) -> Table:
    grid = Table.grid(padding=(0, 2))
    for attempt in attempts:
        took = (attempt.finished_at - attempt.started_at).total_seconds()
        grid.add_row(
            Text(f"attempt {attempt.number}", no_wrap=True),
            Text(terminal.short_time(attempt.started_at, now), no_wrap=True),
            Text(attempt.outcome, style=OUTCOMES.get(attempt.outcome, "")),
            Text(formats.duration(took), no_wrap=True),
            Text(terminal.one_line(hide(attempt.error or ""))),
        )
    return grid


def explanation(parts: Sequence[Part], now: datetime, hide: Hide, *, unmade: str) -> RenderableType:
    """What each rule and handler made of the event. `unmade` says what jobs are that nobody has made."""
    grid = Table.grid(padding=(0, 2))
    for part in parts:
        style = "bold" if part.word == MATCHED or part.jobs else "dim"
        reason = Text(terminal.one_line(part.reason), style="" if style == "bold" else "dim")
        grid.add_row(Text("  " + terminal.printable(part.name), style=style), terminal.styled_state(part.word), reason)
        for record in part.jobs:
            told = terminal.one_line(hide(wording.story(record, now)))
            grid.add_row(_step(wording.title(record.job)), terminal.styled_state(record.job.state.word), Text(told))
        for new in part.unmade:
            grid.add_row(_step(wording.title(new)), *_unmade(unmade))
    return grid


def _step(title: str) -> Text:
    return Text("    " + terminal.printable(title))


def _unmade(text: str) -> tuple[Text, Text]:
    word, _, rest = text.partition(": ")
    return terminal.styled_state(word), Text(rest)
