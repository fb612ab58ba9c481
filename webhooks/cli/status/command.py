"""`flask status`: what is broken now, since when, and who knows."""

from __future__ import annotations

from datetime import timedelta

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import FAILED
from webhooks.cli.support.options import as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.clock import utc_now
from webhooks.views.status import read_status, status_object
from webhooks.views.webhook_health import WebhookHealth, webhook_health

# Open incidents on one screen.
MOST = 50


@click.command(cls=Command)
@as_json
@with_appcontext
def status(as_json: bool) -> None:
    """Show what is broken now, since when, and who was notified.

    Exits with 0 if no incident is open, and with 1 if one is, also if it is acknowledged or snoozed. Everything comes
    from the inbox: nothing is asked in Tableau, and no credentials are needed. Times are in TIMEZONE.

    \b
    flask status || mail -s "Refreshes are failing" bi@example.org
    flask status --json | jq ".incidents[].resource_name"
    """
    inbox, show = application.inbox(), Presentation()
    found = read_status(
        inbox,
        now=show.now,
        zone=show.zone,
        webhooks=health_of_webhooks(),
        limit=None if as_json else MOST,
    )
    if as_json:
        terminal.print_json(status_object(found, application.redact))
    else:
        from webhooks.cli.status.render import status_page  # noqa: PLC0415 - it imports rich

        terminal.show(*status_page(found, show))
    if found.open:
        raise click.exceptions.Exit(FAILED)


def health_of_webhooks() -> WebhookHealth:
    """Return the health of the webhooks of all sites, as the monitor last saw them."""
    from webhooks.inbox.webhook_checks import last_webhook_check  # noqa: PLC0415 - the help page needs no database

    sites = application.services().sites.all
    state = application.inbox().state
    # The monitor remembers nothing but this suffix of a site: see registration.job_list.memory_key.
    checks = [last_webhook_check(state, f" {site.key}" if site.name else "") for site in sites]
    interval = timedelta(minutes=application.settings().watch_minutes)
    return webhook_health(checks, interval, utc_now())
