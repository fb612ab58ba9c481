"""`flask rules`: is the file right, what does it make of an event, what would it have made of the last days."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from webhooks import rules as rulebook
from webhooks.cli.events import render
from webhooks.cli.events.explain import Part, foresee
from webhooks.cli.rules import backtest
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import FAILED, Failure
from webhooks.cli.trigger.sample import customize, encode, sample
from webhooks.clock import utc_now
from webhooks.event import Event, Malformed, Unprocessable, parse
from webhooks.event_types import EVENT_TYPES
from webhooks.rules import Rule, Rules, RulesError
from webhooks.rules.conditions import describe_patterns
from webhooks.spelling import hint
from webhooks.views import formats, wording

FILE = click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True), metavar="[FILE]")


@click.group(cls=Group)
def rules() -> None:
    """Check the rules file, and ask what it makes of an event.

    FILE is RULES_FILE where none is given. Needs no credentials of Tableau, and runs nothing.
    """


rules.add_command(backtest.backtest)


@rules.command()
@FILE
@options.as_json
def check(file: Path | None, as_json: bool) -> None:
    """Check the rules, and name every fault.

    If it finds none it sums the rules up; otherwise it ends with 1. What is probably not meant, also in the handlers,
    is told on stderr.
    """
    try:
        read = read_rules(file)
    except RulesError as error:
        if as_json:
            for fault in error.errors:
                terminal.print_json({"place": fault.place, "message": fault.message})
        raise Failure(str(error)) from None
    warnings = [*read.warnings, *(f"handler {warning}" for warning in application.registry().warnings())]
    for warning in warnings:
        click.secho(warning, fg="yellow", err=True)
    if as_json:
        for rule in read.rules:
            terminal.print_json(_rule_object(rule))
    else:
        _summarize(read, file, formats.count(len(warnings), "warning") if warnings else "all well")


@rules.command()
@click.argument("event", metavar="EVENT")
@click.option("--rules", "file", type=click.Path(path_type=Path, allow_dash=True), help="Another rules file.")
@click.option("--name", help="The name of the content, where EVENT is an event type.")
@click.option("--expect", multiple=True, metavar="TEXT", help='Fail unless this would be done: "notify slack:#bi".')
@options.as_json
def test(event: str, file: Path | None, name: str | None, expect: tuple[str, ...], as_json: bool) -> None:
    """Tell what would happen for EVENT; nothing is run.

    EVENT is a JSON file, - for stdin, the ID of a kept event, or an event type.

    \b
    flask rules test WorkbookRefreshFailed --name Sales
    flask rules test event.json --expect "notify slack:#finance-data"
    """
    given = _event(event, name)
    known = application.rules() if file is None else _checked(file)
    parts = foresee(application.services().planner_for(known).plan(given))
    if as_json:
        for part in parts:
            terminal.print_json(part.as_object())
    else:
        _foretell(given, parts)
    _compare(expect, parts)


def read_rules(file: Path | None) -> Rules:
    """The rules in `file`, in RULES_FILE, or on stdin. Raises RulesError."""
    settings, actions = application.settings(), application.registry().actions
    if file is not None and str(file) == "-":
        return rulebook.parse(sys.stdin.read(), actions, source="stdin", max_attempts=settings.max_attempts)
    return rulebook.load(file or settings.rules_file, actions, settings.max_attempts)


def _checked(file: Path) -> Rules:
    try:
        return read_rules(file)
    except RulesError as error:
        raise Failure(str(error)) from None


def _summarize(read: Rules, file: Path | None, verdict: str) -> None:
    source = "stdin" if str(file) == "-" else file or application.settings().rules_file
    on = [rule for rule in read.rules if rule.enabled]
    off = f", {len(read.rules) - len(on)} switched off" if len(on) < len(read.rules) else ""
    click.echo(f"{source}: {formats.count(len(read.rules), 'rule')}{off}, {verdict}.")
    if read.rules:
        headings = ["RULE", "EVENTS", "WHAT IS DONE", "WHERE"]
        shown = headings if any(_where(rule) for rule in read.rules) else headings[:3]
        rows = [_row(rule)[: len(shown)] for rule in read.rules]
        terminal.show("", terminal.table(shown, rows, flexible=shown))
    told = ", ".join(read.dead_letters) or "nobody"
    handlers = list(application.registry().on_handlers)
    terminal.show("", f"Dead jobs are told to {told}.", f"Handlers besides rules: {', '.join(handlers) or 'none'}.")


def _row(rule: Rule) -> list[Text | str]:
    style = "" if rule.enabled else "dim"
    where = ", ".join(f"{name} {describe_patterns(patterns)}" for name, patterns in _where(rule).items())
    cells = (rule.name, describe_patterns(rule.event_filter.on), ", ".join(_steps(rule)), where)
    return [Text(terminal.printable(cell), style=style) for cell in cells]


def _steps(rule: Rule) -> list[str]:
    return [f"{action.action} {action.label}".strip() for action in rule.actions]


def _where(rule: Rule) -> dict[str, Any]:
    return {**rule.event_filter.where.payload, **rule.event_filter.where.tableau}


def _rule_object(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "on": list(rule.event_filter.on),
        "where": {name: list(patterns) for name, patterns in _where(rule).items()},
        "enabled": rule.enabled,
        "max_attempts": rule.max_attempts,
        "steps": [
            {"action": action.action, "label": action.label, "params": dict(action.params)} for action in rule.actions
        ],
    }


def _event(given: str, name: str | None) -> Event:
    """The event that the argument means; ends the command where it means none."""
    if given == "-":
        return _parsed(sys.stdin.buffer.read(), "stdin")
    if Path(given).is_file():
        return _parsed(Path(given).read_bytes(), given)
    if given.isdecimal():
        return application.get_event(int(given)).event
    if given in EVENT_TYPES:
        return _parsed(encode(customize(sample(given), at=utc_now(), name=name)), given)
    raise click.BadParameter(
        f"{given!r} is no file, no ID and no event type; {hint(given, EVENT_TYPES)}", param_hint="EVENT"
    )


def _parsed(body: bytes, source: str) -> Event:
    try:
        event = parse(body)
    except (Malformed, Unprocessable) as error:
        raise Failure(f"{source} is no event: {error}") from None
    if event is None:
        raise Failure(f"{source} is a test request: it is answered, and nothing is run.")
    return event


def _foretell(event: Event, parts: list[Part]) -> None:
    head = Text.assemble(
        terminal.styled_event_type(event.event_type), "  ", (terminal.printable(event.resource_name), "bold")
    )
    body = render.explanation(parts, utc_now(), application.redact, unmade="would run: ")
    made = sum(len(part.unmade) for part in parts)
    terminal.show(head, body, "", f"{formats.count(made, 'job')} would be made." if made else "It would be ignored.")


def _compare(expected: tuple[str, ...], parts: list[Part]) -> None:
    would = [wording.job_title(new) for part in parts for new in part.unmade]
    missing = [text for text in expected if text not in would]
    if missing:
        click.echo(f"Expected, but would not be done: {', '.join(missing)}", err=True)
        raise click.exceptions.Exit(FAILED)
