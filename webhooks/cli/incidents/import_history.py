"""`flask incidents import`: fill the history of incidents from Tableau's job list."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.progress import progress
from webhooks.clock import utc_now
from webhooks.config.site import Site
from webhooks.text import count

if TYPE_CHECKING:
    from tableau_rest import Tableau


@click.command("import", cls=Command)
@click.option(
    "--days", type=click.FloatRange(0, 3650, min_open=True), default=30.0, show_default=True, help="How far back."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86400, min_open=True),
    default=600.0,
    show_default=True,
    help="Stop after this many seconds; run the command again to continue.",
)
@tableau_access.site_option
@with_appcontext
def import_runs(days: float, timeout: float, site_name: str | None) -> None:
    """Import what Tableau's job list still has.

    A server does this by itself when it first starts with credentials. Incidents get their history, and what fails now
    is shown by flask status. No message is sent. An import that is repeated changes nothing.
    """
    from webhooks.monitor.history import import_history  # noqa: PLC0415 - the help page needs no database
    from webhooks.registration.job_list import memory_key  # noqa: PLC0415 - lists need no rules

    now, deadline = utc_now(), time.monotonic() + timeout
    kept = application.settings().run_retention_days
    since = now - timedelta(days=min(days, kept) if kept else days)
    # This may be the first command, before the first start of the server.
    application.inbox(create=True)
    application.record("import runs", "runs", f"since {since:%Y-%m-%d %H:%M} UTC")

    def import_site(site: Site, tableau: Tableau) -> None:
        minutes = int((now - since).total_seconds() // 60)
        label = tableau_access.prefix_site(site, "Importing refreshes")
        with progress(minutes, terminal.printable(label)) as advance:
            shown = 0

            def show(reached: datetime) -> None:
                nonlocal shown
                done = min(int((now - reached).total_seconds() // 60), minutes)
                advance(max(0, done - shown))
                shown = max(shown, done)

            box, key = application.inbox(), memory_key(site)
            found = import_history(box, tableau, since=since, now=now, deadline=deadline, key=key, on_progress=show)
        text = f"Imported {count(found.runs, 'run')} since {found.reached:%Y-%m-%d %H:%M} UTC."
        if found.unknown:
            text += f" {found.unknown} more are of content that is gone or whose name is not unique."
        click.echo(tableau_access.prefix_site(site, text))
        if not found.is_complete:
            click.secho("Not complete: the time is over. Run the command again to continue.", fg="yellow", err=True)

    tableau_access.for_each_site(site_name, import_site)
