"""`flask rules backtest`: compare what a rules file would have done for stored events with what was done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from webhooks.cli.rules.read import valid_rules
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.progress import progress
from webhooks.clock import utc_now
from webhooks.text import count
from webhooks.views import formats
from webhooks.views.backtest import Action, Comparison

if TYPE_CHECKING:
    from rich.text import Text

DEFAULT_DAYS = 7
# Events between two steps of the progress bar.
STEP = 500


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@options.filters("since", "event_types", "resources")
@options.as_json
@with_appcontext
def backtest(file: Path | None, filters: options.Filters, as_json: bool) -> None:
    """Compare what FILE would have done with what was done.

    The events of the last 7 days are used, or those since --since. No action runs and Tableau is not asked, so that
    conditions on project, owner, tags or the reason count as met, unless a rule has the same conditions as then.
    Messages are counted by destination: one for each problem, and one for each event that is not about one.
    """
    comparison = Comparison(application.services().planner_for(valid_rules(file)))
    since = filters.since or utc_now() - timedelta(days=DEFAULT_DAYS)
    filters = replace(filters, since=since)
    inbox = application.inbox()
    filters.check(inbox)
    with progress(inbox.events.count_since(since), "Events") as advance:
        for record in filters.oldest(inbox):
            comparison.add(record)
            if comparison.events % STEP == 0:
                advance(STEP)
    if as_json:
        for action in comparison.actions:
            terminal.print_json(comparison_object(comparison, action))
        for to in comparison.destinations:
            terminal.print_json(message_object(comparison, to))
        return
    click.echo(f"{count(comparison.events, 'event')} since {formats.date_time(since)} UTC")
    if not comparison.actions:
        click.echo("No jobs were created for them, and none would be.")
        return
    headings = ["RULE", "ACTION", "THEN", "NOW", "CHANGE"]
    rows = [comparison_row(comparison, action) for action in comparison.actions]
    terminal.show("", terminal.table(headings, rows, flexible=headings[:2]))
    if comparison.destinations:
        headings = ["MESSAGES TO", "THEN", "NOW", "CHANGE"]
        messages = [message_row(comparison, to) for to in comparison.destinations]
        terminal.show("", terminal.table(headings, messages, flexible=headings[:1]))
    if comparison.conditional:
        click.echo("\n≤ upper limit: only Tableau knows project, owner, tags and reason.")


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
    rule, title = action
    return [
        terminal.printable(rule) if rule else terminal.styled("(handler)", "dim"),
        terminal.printable(title),
        f"{made} ({skipped} skipped)" if skipped else str(made),
        f"≤ {would}" if action in comparison.conditional else str(would),
        _change(would - made),
    ]


def message_object(comparison: Comparison, to: str) -> dict[str, object]:
    """Return the numbers of messages to a destination as a JSON object."""
    then, now = comparison.sent[to], comparison.to_send[to]
    numbers = {"made": then, "skipped": 0, "would": now, "at_most": to in comparison.uncertain}
    return {"rule": None, "step": f"messages to {to}", "messages_to": to, **numbers}


def message_row(comparison: Comparison, to: str) -> list[Text | str]:
    """Return the cells of a destination in the table."""
    then, now = comparison.sent[to], comparison.to_send[to]
    limit = f"≤ {now}" if to in comparison.uncertain else str(now)
    return [terminal.printable(to), str(then), limit, _change(now - then)]


def _change(number: int) -> Text:
    style = "green" if number > 0 else "yellow" if number < 0 else "dim"
    return terminal.styled(f"{number:+d}" if number else "=", style)
