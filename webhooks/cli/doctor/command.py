"""`flask doctor`: checks everything that can be checked, a line each, and says what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import click
from flask.cli import with_appcontext
from rich.text import Text

from webhooks.cli.doctor.finding import Check, Finding, State, examine
from webhooks.cli.doctor.local_checks import Inside
from webhooks.cli.doctor.remote_checks import Outside, our_address
from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import FAILED
from webhooks.cli.support.options import as_json
from webhooks.config.site import Site
from webhooks.services import Services

MARKS = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red", State.SKIPPED: "dim"}


@click.command(cls=Command)
@click.option("--url", help="Our address as Tableau sees it, to be tried from here. [WEBHOOK_URL]")
@tableau_access.SITE
@as_json
@with_appcontext
def doctor(url: str | None, site_name: str | None, as_json: bool) -> None:
    """Check everything that can be checked.

    Settings, inbox, disk, rules, backlog and dead letters; then Tableau, its clock, our rights and our webhooks there,
    each notifier that is set up, and with --url or WEBHOOK_URL our own address and its certificate. What is not set up
    is skipped. Nothing is changed and nobody is told anything.

    Ends with 1 if something is wrong; a warning is not.
    """
    findings = []
    for name, check in _checks(url, site_name):
        for finding in examine(name, check):
            findings.append(finding)
            (_write if as_json else _show)(finding)
    counts = Counter(finding.state for finding in findings)
    if not as_json:
        click.echo(", ".join(f"{counts[state]} {state}" for state in State if counts[state]))
    if counts[State.FAILED]:
        raise click.exceptions.Exit(FAILED)


def _checks(url: str | None, site_name: str | None) -> list[tuple[str, Check]]:
    """All checks, in the order in which one explains the next."""
    services = application.services()
    try:
        address = our_address(services, url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None
    sites = services.sites.all if site_name is None else tableau_access.chosen(site_name)
    inside, own = Inside(services), Outside(services, address)
    return [
        ("settings", inside.settings),
        ("database", inside.database),
        ("disk", inside.disk),
        ("rules", inside.rules),
        ("worker", inside.backlog),
        *(check for site in sites for check in _of_site(services, address, site)),
        ("notifiers", own.notifiers),
        ("address", own.address),
    ]


def _of_site(services: Services, address: str, site: Site) -> Iterator[tuple[str, Check]]:
    """What is asked of Tableau, with the site's name before each text where there are several."""
    outside = Outside(services, address, site)
    for name, check in (("tableau", outside.tableau), ("sign-in", outside.sign_in), ("webhooks", outside.webhooks)):
        yield name, partial(_named, site, name, check)


def _named(site: Site, name: str, check: Check) -> Iterator[Finding]:
    for finding in examine(name, check):
        yield replace(finding, text=tableau_access.of_site(site, finding.text))


def _show(finding: Finding) -> None:
    text = application.redact(terminal.one_line(finding.text))
    terminal.show(Text.assemble((f"{finding.state:<8}", MARKS[finding.state]), f" {finding.check:<12} {text}"))
    if finding.advice:
        terminal.show(Text(f"{'':21} {application.redact(finding.advice)}", style="dim"))


def _write(finding: Finding) -> None:
    terminal.print_json(
        {
            "check": finding.check,
            "state": finding.state.value,
            "text": application.redact(finding.text),
            "advice": application.redact(finding.advice),
        }
    )
