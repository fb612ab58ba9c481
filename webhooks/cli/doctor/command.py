"""`flask doctor`: run every check, one line each, with advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import click
from flask.cli import with_appcontext
from rich.table import Table
from rich.text import Text

from webhooks.cli.doctor.local_checks import LocalChecks
from webhooks.cli.doctor.remote_checks import RemoteChecks, server_url
from webhooks.cli.doctor.results import Check, CheckResult, State, run_check
from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import FAILED
from webhooks.cli.support.options import as_json
from webhooks.config.site import Site
from webhooks.inbox import Migrate

STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red", State.SKIPPED: "dim"}


@click.command(cls=Command)
@click.option("--url", help="This server's public URL, to be tested from here. [WEBHOOK_URL]")
@tableau_access.site_option
@as_json
@with_appcontext
def doctor(url: str | None, site_name: str | None, as_json: bool) -> None:
    """Check the configuration and everything it depends on.

    Checks settings, inbox, disk, rules, backlog and dead letters; Tableau, its clock, the user's role and this
    server's webhooks; each configured notifier; the public URL and its certificate. Each check prints one line, with
    advice if something is wrong; checks of what is not configured are skipped.

    No message is sent and nothing is changed in Tableau. The exit code is 1 if a check failed; a warning is no failure.
    """
    results = []
    for name, check in _checks(url, site_name):
        for result in run_check(name, check):
            results.append(result)
            if as_json:
                _write(result)
            else:
                _show(result)
    counts = Counter(result.state for result in results)
    if not as_json:
        click.echo(", ".join(f"{counts[state]} {state}" for state in State if counts[state]))
    if counts[State.FAILED]:
        raise click.exceptions.Exit(FAILED)


def _checks(url: str | None, site_name: str | None) -> list[tuple[str, Check]]:
    """Return all checks, in the order in which one explains the next."""
    services = application.services()
    # Signing in needs an inbox to share the session; a server's inbox is not migrated under it.
    services.migrate = Migrate.IF_EMPTY
    try:
        address = server_url(services, url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None
    sites = services.sites.all if site_name is None else tableau_access.select_sites(site_name)
    local, remote = LocalChecks(services), RemoteChecks(services, address)
    of_sites: list[tuple[str, Check]] = []
    for site in sites:
        at_site = RemoteChecks(services, address, site)
        for name, check in (("tableau", at_site.tableau), ("sign-in", at_site.sign_in), ("webhooks", at_site.webhooks)):
            of_sites.append((name, partial(_prefixed, site, name, check)))
    return [
        ("settings", local.settings),
        ("database", local.database),
        ("disk", local.disk),
        ("rules", local.rules),
        ("worker", local.backlog),
        *of_sites,
        ("notifiers", remote.notifiers),
        ("address", remote.public_url),
    ]


def _prefixed(site: Site, name: str, check: Check) -> Iterator[CheckResult]:
    for result in run_check(name, check):
        yield replace(result, text=tableau_access.prefix_site(site, result.text))


def _show(result: CheckResult) -> None:
    """Print the check's line and its advice; on a terminal both are wrapped within their column."""
    text = Text(application.redact(terminal.one_line(result.text)))
    if result.advice:
        text.append(f"\n{application.redact(result.advice)}", style="dim")
    row = Table.grid(padding=(0, 1))
    row.add_column(width=8)
    row.add_column(width=12)
    row.add_column(overflow="fold")
    row.add_row(Text(result.state, style=STYLES[result.state]), result.check, text)
    terminal.show(row)


def _write(result: CheckResult) -> None:
    terminal.print_json(
        {
            "check": result.check,
            "state": result.state.value,
            "text": application.redact(result.text),
            "advice": application.redact(result.advice),
        }
    )
