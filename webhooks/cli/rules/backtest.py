"""`flask rules backtest`: what a rules file would have done about the events that are kept, beside what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import click
from flask.cli import with_appcontext
from rich.text import Text

from webhooks import rules as rulebook
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Failure
from webhooks.clock import utc_now
from webhooks.event import Event
from webhooks.inbox import EventRecord, JobRecord
from webhooks.job import DEAD_LETTERS, PLANNING_FAILED, Job, JobState, NewJob
from webhooks.rules import RulesError
from webhooks.views import formats, wording

Matching = Callable[[Event], Sequence[NewJob]]
Line = tuple[str, str]
"""A rule (empty for a handler's own) and what it does."""

DEFAULT_DAYS = 7
NOT_OURS = {DEAD_LETTERS, PLANNING_FAILED}


@dataclass
class Tally:
    """Jobs counted by rule and step: made then, of these skipped by a condition, and made now."""

    made: Counter[Line] = field(default_factory=Counter)
    skipped: Counter[Line] = field(default_factory=Counter)
    would: Counter[Line] = field(default_factory=Counter)
    conditional: set[Line] = field(default_factory=set)
    events: int = 0

    def add(self, record: EventRecord, matching: Matching) -> None:
        self.events += 1
        for job in _made(record.jobs):
            self.made[_line(job)] += 1
            self.skipped[_line(job)] += job.state is JobState.SKIPPED
        for new in matching(record.event):
            self.would[_line(new)] += 1
            if new.where:
                self.conditional.add(_line(new))

    @property
    def steps(self) -> list[Line]:
        """Those that would be done, then those that were done and would be no more."""
        return list(dict.fromkeys([*self.would, *self.made]))


def _made(jobs: Iterable[JobRecord]) -> list[Job]:
    return [record.job for record in jobs if record.job.handler not in NOT_OURS]


def _line(job: Job | NewJob) -> Line:
    return job.rule or "", wording.job_title(job)


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@options.filters("since", "event_types", "resources")
@options.as_json
@with_appcontext
def backtest(file: Path | None, filters: options.Filters, as_json: bool) -> None:
    """Compare what FILE would have done with what was done.

    It looks at the events of the last 7 days, or --since. Nothing is run and Tableau is not asked: conditions on
    project, owner or tags count as fulfilled.
    """
    matching = _matching(file)
    since = filters.since or utc_now() - timedelta(days=DEFAULT_DAYS)
    chosen = replace(filters, since=since)
    inbox = application.inbox()
    chosen.check(inbox)
    tally = Tally()
    for record in chosen.oldest(inbox):
        tally.add(record, matching)
    _print(tally, since, as_json=as_json)


def _matching(file: Path | None) -> Matching:
    services, registry = application.services(), application.registry()
    try:
        read = rulebook.load(file or services.settings.rules_file, registry.actions, services.settings.max_attempts)
    except RulesError as error:
        raise Failure(str(error)) from None
    return services.planner_for(read).jobs


def _print(tally: Tally, since: datetime, *, as_json: bool) -> None:
    if as_json:
        for line in tally.steps:
            figures = {"made": tally.made[line], "skipped": tally.skipped[line], "would": tally.would[line]}
            terminal.print_json(
                {"rule": line[0] or None, "step": line[1], **figures, "at_most": line in tally.conditional}
            )
        return
    click.echo(f"{formats.count(tally.events, 'event')} since {formats.date_time(since)} UTC")
    if not tally.steps:
        click.echo("Nothing was done about them, and nothing would be.")
        return
    headings = ["RULE", "WHAT IS DONE", "THEN", "NOW", "CHANGE"]
    terminal.show("", terminal.table(headings, [_row(tally, line) for line in tally.steps], flexible=headings[:2]))
    if tally.conditional:
        click.echo("\n≤ at most: a condition on project, owner or tags is looked at by the job itself.")


def _row(tally: Tally, line: Line) -> list[Text | str]:
    made, skipped, would = tally.made[line], tally.skipped[line], tally.would[line]
    then = f"{made} ({skipped} skipped)" if skipped else str(made)
    change = would - made
    now = f"≤ {would}" if line in tally.conditional else str(would)
    style = "green" if change > 0 else "yellow" if change < 0 else "dim"
    rule = Text(terminal.printable(line[0])) if line[0] else Text("(handler)", style="dim")
    return [rule, terminal.printable(line[1]), then, now, Text(f"{change:+d}" if change else "=", style=style)]
