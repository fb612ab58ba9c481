"""`flask status`: what is broken now, since when, and who knows."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import FAILED
from webhooks.cli.support.options import as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.views.outages import unavailable_services
from webhooks.views.server_health import read_webhook_health
from webhooks.views.status import read_status, status_object

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
        webhooks=read_webhook_health(application.services(), show.now),
        unavailable=unavailable_services(application.services()),
        dead_letters=inbox.dead_letters.total(),
        site_name=application.site_name,
        limit=None if as_json else MOST,
    )
    if as_json:
        terminal.print_json(status_object(found, application.redact))
    else:
        from webhooks.cli.status.render import status_page  # noqa: PLC0415 - it imports rich

        terminal.show(*status_page(found, show))
    if found.open:
        raise click.exceptions.Exit(FAILED)
