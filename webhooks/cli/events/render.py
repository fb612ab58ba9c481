"""Lay out events for people: the list, one event with its jobs and attempts, and the explanation of an event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from webhooks.cli.support import terminal
from webhooks.job import Job, NewJob
from webhooks.views import formats, wording
from webhooks.views.explanation import Decision

if TYPE_CHECKING:
    from webhooks.inbox import Attempt, EventRecord, JobRecord

Hide = Callable[[str], str]

# The word and the style for each outcome of an attempt.
OUTCOMES = {
    "done": ("done", "green"),
    "dead": ("dead", "bold red"),
    "later": ("failed", "yellow"),
    "lost": ("lost", "red"),
    "skipped": ("skipped", "dim"),
    "waiting": ("waits", "dim"),
    "released": ("released", "dim"),
}


def event_list(records: Sequence[EventRecord], now: datetime) -> RenderableType:
    """Return a table with one event per line."""
    repeated = any(record.duplicates for record in records)
    headings = ["ID", "RECEIVED UTC", "EVENT", "RESOURCE", "STATE", *(["DUP."] if repeated else [])]
    rows = [event_row(record, now)[: len(headings)] for record in records]
    return terminal.table(headings, rows, flexible=["RESOURCE"])


def event_row(record: EventRecord, now: datetime) -> list[Text | str]:
    """Return the cells of an event in the list."""
    event = record.event
    states = [terminal.styled_state(state, text) for text, state in wording.event_summary(record, now)]
    return [
        str(event.id),
        terminal.short_time(event.received_at, now),
        terminal.styled_event_type(event.event_type),
        terminal.shortened(event.defect or event.resource_name),
        Text(", ").join(states),
        f"+{record.duplicates}" if record.duplicates else "",
    ]


def headline(record: EventRecord, now: datetime) -> Text:
    """Return the event in one line: id, type, name, time of receipt, state."""
    event = record.event
    return Text.assemble(
        (str(event.id), "bold"),
        "  ",
        terminal.styled_event_type(event.event_type),
        "  ",
        (terminal.shortened(event.resource_name), "bold"),
        "  ",
        terminal.short_time(event.received_at, now),
        "  ",
        (wording.reception(record), terminal.STYLES[record.state]),
    )


def event_page(record: EventRecord, now: datetime, hide: Hide) -> list[RenderableType]:
    """Return everything about one event: the payload as received, then each job with its attempts."""
    event = record.event
    grid = Table.grid(padding=(0, 2))
    for name, value in event.payload.items():
        text = Text(terminal.printable(value, "null"), overflow="fold")
        grid.add_row(Text(terminal.printable(name), style="dim"), text)
    received = f"  received {formats.date_time(event.received_at)} UTC"
    if event.received_at:
        received += f", {formats.ago(event.received_at, now)}"
    if event.defect:
        grid.add_row(Text(terminal.one_line(event.defect), style="bold red", overflow="fold"))
    parts: list[RenderableType] = [headline(record, now), Padding(grid, (1, 0, 1, 2)), Text(received)]
    for job in record.jobs:
        parts += ["", Padding(job_headline(job, now, hide), (0, 0, 0, 2))]
        if job.attempts_made:
            parts.append(Padding(attempt_grid(job.attempts_made, now, hide), (0, 0, 0, 4)))
    return parts


def job_headline(record: JobRecord, now: datetime, hide: Hide) -> Text:
    """Return a job in one line: id, what it does, its rule, its state and outcome."""
    job = record.job
    return Text.assemble(
        f"job {job.id}  ",
        (terminal.printable(wording.job_title(job)), "bold"),
        f" ({terminal.printable(job.rule)})  " if job.rule else "  ",
        terminal.styled_state(wording.job_state(record)),
        "  ",
        terminal.one_line(hide(wording.job_outcome(record, now))),
    )


def attempt_grid(attempts: Sequence[Attempt], now: datetime, hide: Hide) -> Table:
    """Return one line per attempt; a line before each replay, because attempts then count from 1 again."""
    grid = Table.grid(padding=(0, 2))
    for replays, part in enumerate(wording.attempts_by_replay(attempts)):
        if replays:
            grid.add_row(Text("replayed", style="dim", no_wrap=True))
        for attempt in part:
            grid.add_row(
                Text(f"attempt {attempt.number}", no_wrap=True),
                Text(terminal.short_time(attempt.started_at, now), no_wrap=True),
                Text(*OUTCOMES.get(attempt.outcome, (attempt.outcome, ""))),
                Text(wording.attempt_duration(attempt), no_wrap=True),
                Text(terminal.one_line(hide(attempt.error or "")), overflow="fold"),
            )
    return grid


def explanation(decisions: Sequence[Decision], now: datetime, hide: Hide, *, unmade: str) -> RenderableType:
    """Return the decision of each rule and handler, with its jobs.

    `unmade` is the state of jobs that do not exist, with a text after a colon.
    """
    grid = Table.grid(padding=(0, 2))
    state, _, text = unmade.partition(": ")
    for decision in decisions:
        style = "bold" if decision.matched or decision.jobs else "dim"
        name = Text(terminal.printable(decision.name), style=style, overflow="fold")
        reason = Text(terminal.one_line(decision.reason), style="" if style == "bold" else "dim", overflow="fold")
        grid.add_row(Padding(name, (0, 0, 0, 2)), terminal.styled_state(decision.verdict), reason)
        jobs = decision.jobs if decision.kind != "incident" else wording.unfinished_or_last(decision.jobs)
        for record in jobs:
            outcome = Text(terminal.one_line(hide(wording.job_outcome(record, now))), overflow="fold")
            grid.add_row(_action(record.job), terminal.styled_state(wording.job_state(record)), outcome)
        for new in decision.unmade:
            grid.add_row(_action(new), terminal.styled_state(state), Text(text))
    return grid


def _action(job: Job | NewJob) -> Padding:
    return Padding(Text(terminal.printable(wording.job_title(job)), overflow="fold"), (0, 0, 0, 4))
