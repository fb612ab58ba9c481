"""`flask rules check --online`: look up the rules' destinations and the names in their conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import click

from webhooks.cli.doctor.destinations import check_destinations
from webhooks.cli.doctor.names import NameChecks
from webhooks.cli.doctor.results import CheckResult, State, run_check, show, skipped, warning
from webhooks.cli.support import application, terminal
from webhooks.destinations import delivery_warnings
from webhooks.inbox import Migrate
from webhooks.rules import Rules


def show_online_checks(rules: Rules, *, strict: bool, as_json: bool) -> bool:
    """Print each result as `flask doctor` does; return whether a check failed or, if `strict`, has a warning."""
    # Signing in needs an inbox to share the session; a server's inbox is not migrated under it.
    application.services().migrate = Migrate.IF_EMPTY
    states = set()
    if not as_json:
        click.echo()
    for found in run_check("online", lambda: _checks(rules)):
        result = replace(found, text=application.redact(found.text), advice=application.redact(found.advice))
        states.add(result.state)
        if as_json:
            terminal.print_json(asdict(result))
        else:
            show(result)
    return State.FAILED in states or (strict and State.WARNING in states)


def _checks(rules: Rules) -> Iterator[CheckResult]:
    services = application.services()
    for text in delivery_warnings(rules.destinations, services.notifiers):
        yield warning("destination", text, "flask notify test NAME tries a notifier.")
    yield from check_destinations(rules.destinations, services.notifiers)
    if missing := services.settings.missing():
        yield skipped("names", f"not set: {', '.join(missing)}")
    else:
        yield from NameChecks(services, services.sites.all).check(rules)
