"""`flask rules backtest`: compare what a rules file would have done for stored events with what was done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from webhooks.cli.rules.read import valid_rules
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Command
from webhooks.clock import utc_now
from webhooks.job import DEAD_LETTERS, PLANNING_FAILED, Job, JobState, NewJob
from webhooks.planner import Planner
from webhooks.views import formats, wording

if TYPE_CHECKING:
    from rich.text import Text

    from webhooks.inbox import EventRecord

# A rule, empty for an `@on` handler, and what it does.
Action = tuple[str, str]

DEFAULT_DAYS = 7
# Handlers whose jobs do not depend on the rules.
INTERNAL = {DEAD_LETTERS, PLANNING_FAILED}


@dataclass
class Comparison:
    """Numbers of jobs by action: `made` were created, `skipped` of these by a condition, and `would` be created now."""

    made: Counter[Action] = field(default_factory=Counter)
    skipped: Counter[Action] = field(default_factory=Counter)
    would: Counter[Action] = field(default_factory=Counter)
    conditional: set[Action] = field(default_factory=set)
    events: int = 0

    def add(self, record: EventRecord, planner: Planner) -> None:
        """Count the event's jobs, and those that the planner creates for it now."""
        self.events += 1
        for job in (job.job for job in record.jobs if job.job.handler not in INTERNAL):
            self.made[_action(job)] += 1
            self.skipped[_action(job)] += job.state is JobState.SKIPPED
        for new in planner.jobs(record.event):
            self.would[_action(new)] += 1
            if new.where:
                self.conditional.add(_action(new))

    @property
    def actions(self) -> list[Action]:
        """The actions that would run now, then those that ran and would not run any more."""
        return list(dict.fromkeys([*self.would, *self.made]))


def _action(job: Job | NewJob) -> Action:
    return job.rule or "", wording.job_title(job)


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@options.filters("since", "event_types", "resources")
@options.as_json
@with_appcontext
def backtest(file: Path | None, filters: options.Filters, as_json: bool) -> None:
    """Compare what FILE would have done with what was done.

    The events of the last 7 days are used, or those since --since. No action runs and Tableau is not asked, so that
    conditions on project, owner or tags count as met.
    """
    planner = application.services().planner_for(valid_rules(file))
    filters = replace(filters, since=filters.since or utc_now() - timedelta(days=DEFAULT_DAYS))
    inbox = application.inbox()
    filters.check(inbox)
    comparison = Comparison()
    for record in filters.oldest(inbox):
        comparison.add(record, planner)
    if as_json:
        for action in comparison.actions:
            terminal.print_json(comparison_object(comparison, action))
        return
    click.echo(f"{formats.count(comparison.events, 'event')} since {formats.date_time(filters.since)} UTC")
    if not comparison.actions:
        click.echo("No jobs were created for them, and none would be.")
        return
    headings = ["RULE", "ACTION", "THEN", "NOW", "CHANGE"]
    rows = [comparison_row(comparison, action) for action in comparison.actions]
    terminal.show("", terminal.table(headings, rows, flexible=headings[:2]))
    if comparison.conditional:
        click.echo("\n≤ upper limit: only Tableau knows project, owner and tags.")


def comparison_object(comparison: Comparison, action: Action) -> dict[str, object]:
    """Return the numbers of an action as a JSON object."""
    rule, title = action
    return {
        "rule": rule or None,
        "step": title,
        "made": comparison.made[action],
        "skipped": comparison.skipped[action],
        "would": comparison.would[action],
        "at_most": action in comparison.conditional,
    }


def comparison_row(comparison: Comparison, action: Action) -> list[Text | str]:
    """Return the cells of an action in the table."""
    made, skipped, would = comparison.made[action], comparison.skipped[action], comparison.would[action]
    change = would - made
    style = "green" if change > 0 else "yellow" if change < 0 else "dim"
    rule, title = action
    return [
        terminal.printable(rule) if rule else terminal.styled("(handler)", "dim"),
        terminal.printable(title),
        f"{made} ({skipped} skipped)" if skipped else str(made),
        f"≤ {would}" if action in comparison.conditional else str(would),
        terminal.styled(f"{change:+d}" if change else "=", style),
    ]
