"""`flask doctor`: run every check, one line each, with advice."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

import click
from flask.cli import with_appcontext

from webhooks.cli.doctor.results import Check, State, run_check, show
from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.demo_settings import is_demo
from webhooks.cli.support.exit_codes import FAILED, Unavailable
from webhooks.cli.support.options import as_json
from webhooks.config.site import Site


@click.command(cls=Command)
@click.option("--url", help="This server's public URL, to be tested from here. [WEBHOOK_URL]")
@tableau_access.site_option
@as_json
@with_appcontext
def doctor(url: str | None, site_name: str | None, as_json: bool) -> None:
    """Check the configuration and everything it depends on.

    Checks settings, inbox, disk, rules, backlog and dead letters; Tableau, its clock, the user's role, this server's
    webhooks and, if rules need it, the job list; the names in conditions of rules; each configured notifier, and
    whether the channels and people in Slack exist; the public URL and its certificate. Each check prints one line, with
    advice if something is wrong; checks of what is not configured are skipped.

    No message is sent and nothing is changed in Tableau. The exit code is 1 if a check failed, not for warnings.
    """
    results = []
    for site, name, check in _checks(url, site_name):
        for found in run_check(name, check):
            text = tableau_access.prefix_site(site, found.text) if site else found.text
            result = replace(found, text=application.redact(text), advice=application.redact(found.advice))
            results.append(result)
            if as_json:
                terminal.print_json(asdict(result))
            else:
                show(result)
    counts = Counter(result.state for result in results)
    if not as_json:
        plural = {State.WARNING: "warnings"} if counts[State.WARNING] > 1 else {}
        click.echo(", ".join(f"{counts[state]} {plural.get(state, state)}" for state in State if counts[state]))
    if counts[State.FAILED]:
        raise click.exceptions.Exit(FAILED)


def _checks(url: str | None, site_name: str | None) -> list[tuple[Site | None, str, Check]]:
    """Return all checks with their sites, in the order in which one explains the next."""
    # The help page needs none of them, and they import all clients.
    from webhooks.cli.doctor.local_checks import LocalChecks  # noqa: PLC0415
    from webhooks.cli.doctor.remote_checks import RemoteChecks, server_url  # noqa: PLC0415
    from webhooks.cli.doctor.single_sign_on import check_single_sign_on  # noqa: PLC0415 - help needs no transport
    from webhooks.inbox import Migrate  # noqa: PLC0415

    services = application.services()
    # Signing in needs an inbox to share the session; a server's inbox is not migrated under it.
    services.migrate = Migrate.IF_EMPTY
    try:
        address = server_url(services, url)
    except ValueError as error:
        if not url:
            raise Unavailable(f"WEBHOOK_URL: {error}.") from None
        raise click.BadParameter(str(error), param_hint="--url") from None
    local, remote = LocalChecks(services, demo=is_demo(services.settings)), RemoteChecks(services, address)
    sites = services.sites.all if site_name is None else tableau_access.select_sites(site_name)
    return [
        (None, "settings", local.settings),
        (None, "database", local.database),
        (None, "disk", local.disk),
        (None, "rules", local.rules),
        (None, "worker", local.backlog),
        *((site, name, check) for site in sites for name, check in RemoteChecks(services, address, site).of_site()),
        (None, "names", lambda: remote.names(sites)),
        (None, "single sign-on", lambda: check_single_sign_on(services)),
        (None, "notifiers", remote.notifiers),
        (None, "buttons", local.socket_mode),
        (None, "events", local.bodies),
        (None, "destination", remote.destinations),
        (None, "address", remote.public_url),
    ]
