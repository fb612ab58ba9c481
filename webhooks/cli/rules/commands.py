"""`flask rules`: check the rules file, and test it with an event; `backtest` is a separate module."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webhooks.cli.rules.backtest import backtest
from webhooks.cli.rules.given_event import given_event
from webhooks.cli.rules.history import history
from webhooks.cli.rules.preview import preview
from webhooks.cli.rules.read import read_rules, valid_rules
from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import FAILED, Failure
from webhooks.clock import utc_now
from webhooks.rules import Rule, Rules, RulesError, read_source
from webhooks.rules.digest import Digest
from webhooks.rules.matching import describe_patterns, describe_where
from webhooks.rules.policy import WEEKDAYS
from webhooks.text import count
from webhooks.views import explanation, wording

if TYPE_CHECKING:
    from rich.text import Text

FILE = click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True), metavar="[FILE]")


@click.group(cls=Group)
def rules() -> None:
    """Check the rules file and preview what it does.

    FILE defaults to RULES_FILE. No Tableau credentials are needed, and no action runs.
    """


rules.add_command(backtest)
rules.add_command(history)
rules.add_command(preview)


@rules.command()
@FILE
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--online", is_flag=True, help="Also look up destinations in Slack, and names and webhooks in Tableau.")
@options.as_json
def check(file: Path | None, strict: bool, online: bool, as_json: bool) -> None:
    """Check the rules and print every error.

    If there is none, a summary of the rules is printed; else the exit code is 1. Probable mistakes, also those of
    handlers, are printed as warnings on stderr.

    With --online, Slack is asked whether the channels and people exist and whether the app may post there, and Tableau
    whether the projects, tags, owners, content and sites in conditions exist, and the webhooks that the rules need. No
    message is sent. A name that Tableau does not know is a warning, as it may be created later; a destination that
    cannot be reached is an error.
    """
    try:
        found = read_rules(file)
    except RulesError as error:
        if as_json:
            for diagnostic in error.errors:
                terminal.print_json(asdict(diagnostic))
        raise Failure(str(error)) from None
    warnings = print_remarks(found, with_destinations=not online)
    if as_json:
        for rule in found.rules:
            terminal.print_json(rule_object(rule))
    else:
        source = "stdin" if str(file) == "-" else file or application.settings().rules_file
        print_summary(found, source, warnings)
    failed = strict and warnings > 0
    if online:
        from webhooks.cli.rules.online import show_online_checks  # noqa: PLC0415 - imports clients of other services

        failed = show_online_checks(found, strict=strict, as_json=as_json) or failed
    if failed:
        raise click.exceptions.Exit(FAILED)


@rules.command()
@click.argument("event", metavar="EVENT")
@click.option("--rules", "file", type=click.Path(path_type=Path, allow_dash=True), help="Test this file instead.")
@click.option("--name", help="Name of the content, if EVENT is an event type.")
@click.option("--expect", multiple=True, metavar="TEXT", help='Fail unless this would run, such as "notify slack:#bi".')
@options.as_json
def test(event: str, file: Path | None, name: str | None, expect: tuple[str, ...], as_json: bool) -> None:
    """Print what would happen for EVENT.

    EVENT is a JSON file, - for stdin, the ID of a stored event, or an event type. No action runs.

    \b
    flask rules test WorkbookRefreshFailed --name Sales
    flask rules test event.json --expect "notify slack:#finance-data"
    """
    given = given_event(event, name)
    planner = application.services().planner_for(valid_rules(file))
    decisions = explanation.preview(planner.plan(given))
    jobs = [new for decision in decisions for new in decision.unmade]
    if as_json:
        for decision in decisions:
            terminal.print_json(decision.as_object())
    else:
        from webhooks.cli.events import render  # noqa: PLC0415 - it imports rich

        name_of_resource = terminal.styled(terminal.printable(given.resource_name), "bold")
        head = terminal.styled_event_type(given.event_type).append("  ").append_text(name_of_resource)
        body = render.explanation(decisions, utc_now(), application.redact, unmade="would run: ")
        result = f"{count(len(jobs), 'job')} would be created." if jobs else "The event would be ignored."
        terminal.show(head, body, "", result)
    missing = [text for text in expect if text not in map(wording.job_title, jobs)]
    if missing:
        click.echo(f"Expected, but would not run: {', '.join(missing)}", err=True)
        raise click.exceptions.Exit(FAILED)


@rules.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def activate(file: Path | None) -> None:
    """Put FILE into force for all servers of this inbox.

    Servers activate their rules file when they start, if it has changed. This is for a file that was not activated,
    because a server with other rules started later. FILE defaults to RULES_FILE.
    """
    path = file or application.settings().rules_file
    valid_rules(file)
    active = application.services().active_rules
    source, versions = read_source(path), application.inbox().rule_versions
    version = versions.activate(source.text, f"{active.source} (activate)", force=True, included=source.included)
    application.record("activate rules", f"version {version.id}", str(path))
    click.echo(f"Version {version.id} of the rules is in force; servers use it within seconds.")


def print_remarks(rules: Rules, *, with_destinations: bool) -> int:
    """Print probable mistakes as warnings, and return their number; print notes about what may be missing here only."""
    warnings = [*rules.warnings, *(f"handler {warning}" for warning in application.registry().warnings())]
    notes = [*application.missing_webhooks(rules), *application.job_list_notes(rules)]
    if with_destinations:
        # A pipeline may lack the settings of a notifier.
        unknown, unconfigured = application.delivery_problems(rules)
        warnings, notes = [*warnings, *unknown], [*notes, *unconfigured]
    for kind, texts in (("warning", warnings), ("note", notes)):
        for text in texts:
            terminal.warn(f"{kind}: {application.redact(text)}")
    return len(warnings)


def print_summary(rules: Rules, source: Path | str, warnings: int) -> None:
    """Print the rules as a table, where dead letters are reported, and the handlers beside the rules."""
    disabled = sum(not rule.enabled for rule in rules.rules)
    subject = f"{source}: {count(len(rules.rules), 'rule')}{f', {disabled} disabled' if disabled else ''}"
    click.echo(f"{subject}, {count(warnings, 'warning') if warnings else 'no errors'}.")
    if rules.rules:
        headings = ["RULE", "EVENTS", "ACTIONS", "CONDITIONS"]
        if not any(
            _conditions(rule) or rule.event_filter.where.any or rule.stop or rule.otherwise for rule in rules.rules
        ):
            headings.pop()
        rows = [rule_row(rule)[: len(headings)] for rule in rules.rules]
        terminal.show("", terminal.table(headings, rows, flexible=headings))
    destinations = ", ".join(rules.dead_letters) or "no destination"
    handlers = ", ".join(application.registry().on_handlers) or "none"
    digest = [_digest_sentence(rules.digest)] if rules.digest else []
    terminal.show("", f"Dead letters are reported to {destinations}.", *digest, f"Handlers with @on: {handlers}.")


def _digest_sentence(digest: Digest) -> str:
    """Return when the digest is sent, and where."""
    days = ", ".join(name for number, name in enumerate(WEEKDAYS) if number in digest.days)
    on = "every day" if len(digest.days) == len(WEEKDAYS) else f"on {days}"
    at = f"{digest.at:%H:%M} ({application.settings().timezone}) {on}"
    return f"The digest is sent at {at} to {', '.join(digest.notify)}."


def rule_row(rule: Rule) -> list[Text | str]:
    """Return the cells of a rule in the table, dimmed if it is disabled."""
    conditions = [f"{name} {describe_patterns(patterns)}" for name, patterns in _conditions(rule).items()]
    if alternatives := rule.event_filter.where.any:
        conditions.append(" or ".join(describe_where(one.as_dict()) for one in alternatives))
    conditions += [word for word, given in (("otherwise", rule.otherwise), ("then stop", rule.stop)) if given]
    actions = (f"{action.action} {action.label}".strip() for action in rule.actions)
    cells = (rule.name, describe_patterns(rule.event_filter.on), ", ".join(actions), ", ".join(conditions))
    style = "" if rule.enabled else "dim"
    return [terminal.styled(terminal.printable(cell) if cell else "", style) for cell in cells]


def rule_object(rule: Rule) -> dict[str, Any]:
    """Return the rule as a JSON object."""
    return {
        "name": rule.name,
        "on": list(rule.event_filter.on),
        "where": rule.event_filter.where.as_dict(),
        "enabled": rule.enabled,
        "stop": rule.stop,
        "otherwise": rule.otherwise,
        "max_attempts": rule.max_attempts,
        "steps": [
            {"action": action.action, "label": action.label, "params": dict(action.params)} for action in rule.actions
        ],
    }


def _conditions(rule: Rule) -> dict[str, Any]:
    return {**rule.event_filter.where.payload, **rule.event_filter.where.tableau}
