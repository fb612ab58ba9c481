"""`flask rules check --online`: look up the rules' destinations, the names in their conditions, and the webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import click

from tableau_rest import TableauError
from webhooks.cli.doctor.destinations import check_destinations
from webhooks.cli.doctor.names import NameChecks
from webhooks.cli.doctor.results import CheckResult, State, ok, run_check, show, skipped, warning
from webhooks.cli.support import application, terminal
from webhooks.destinations import delivery_warnings
from webhooks.event_types import EVENT_TYPES
from webhooks.inbox import Migrate
from webhooks.registration import is_ours
from webhooks.rules import Rules
from webhooks.services import Services
from webhooks.spelling import closest
from webhooks.text import count


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
    for text in services.token_problems(rules):
        yield warning("token", text, "Add it to POST_TOKENS, as NAME=VALUE.")
    yield from check_destinations(rules.destinations, services.notifiers)
    if missing := services.settings.missing():
        yield skipped("names", f"not set: {', '.join(missing)}")
        return
    yield from NameChecks(services, services.sites.all).check(rules)
    yield from _check_webhooks(rules, services)


def _check_webhooks(rules: Rules, services: Services) -> Iterator[CheckResult]:
    """Compare the event types that the rules and handlers need with this server's webhooks on each site."""
    label, sites = services.settings.webhook_label, services.sites.all
    for site in sites:
        place = f"{site.name}: " if len(sites) > 1 else ""
        try:
            ours = [webhook for webhook in services.client(site).webhooks() if is_ours(webhook, label)]
        except (TableauError, ValueError) as error:
            yield warning("webhooks", f"{place}cannot be compared: {error}", "")
            continue
        enabled = {webhook.event for webhook in ours if webhook.is_enabled}
        # One that is probably misspelt needs a correction, not a webhook.
        needed = [
            name
            for name in services.desired_event_types(site, rules)
            if name in EVENT_TYPES or closest(name, EVENT_TYPES) is None
        ]
        if lost := [name for name in needed if name not in enabled]:
            verb = "is" if len(lost) == 1 else "are"
            text = f"{place}{count(len(lost), 'webhook')} {verb} missing or disabled: {', '.join(lost)}"
            yield warning("webhooks", text, "flask webhooks sync creates and enables them.")
        else:
            yield ok("webhooks", f"{place}every event type that the rules need has a webhook")
