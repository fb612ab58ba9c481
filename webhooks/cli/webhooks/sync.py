"""`flask webhooks sync`: makes Tableau's side what the rules and handlers need; shows beforehand what it will do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from flask.cli import with_appcontext
from rich.text import Text

from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.consent import require_consent
from webhooks.cli.support.exit_codes import FAILED
from webhooks.cli.support.options import as_json
from webhooks.config.site import Site
from webhooks.registration import Change, ChangeKind, Outcome, apply_changes, compare
from webhooks.views import formats

if TYPE_CHECKING:
    from tableau_rest import Tableau

STYLES = {
    ChangeKind.CREATE: "green",
    ChangeKind.UPDATE: "cyan",
    ChangeKind.ENABLE: "yellow",
    ChangeKind.DELETE: "red",
    ChangeKind.KEEP: "dim",
}
DONE = {
    ChangeKind.CREATE: "created",
    ChangeKind.UPDATE: "updated",
    ChangeKind.ENABLE: "enabled",
    ChangeKind.DELETE: "deleted",
}


@click.command(cls=Command)
@click.option("--url", help="Our address as Tableau sees it; without a path /webhook/<token> is added. [WEBHOOK_URL]")
@click.option("--dry-run", is_flag=True, help="Show the plan and do nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, also on a terminal.")
@tableau_access.SITE
@as_json
@with_appcontext
def sync(url: str | None, dry_run: bool, yes: bool, site_name: str | None, as_json: bool) -> None:
    """Have Tableau send what rules and handlers need.

    Creates, changes, switches on and deletes webhooks, and shows beforehand what it is going to do. There is one
    webhook for each event type; ours are called "tableau-webhooks EVENT_TYPE" (WEBHOOK_LABEL). Those of other people
    are left alone. A second run changes nothing. With several sites each one gets what the rules want of it.

    \b
    flask webhooks sync --url https://hooks.example.org --dry-run
    flask webhooks sync --url https://hooks.example.org
    """
    target = tableau_access.our_url(url)
    application.rules()
    if not as_json:
        tableau_access.warn_of(target)
    one = _One(target, dry_run=dry_run, yes=yes, as_json=as_json)
    tableau_access.over(site_name, one.sync)
    if one.failed:
        raise click.exceptions.Exit(FAILED)


class _One:
    """The command for one site after the other; `failed` once a step of any of them did."""

    def __init__(self, target: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
        self._target, self._dry_run, self._yes, self._as_json = target, dry_run, yes, as_json
        self.failed = False

    def sync(self, site: Site, tableau: Tableau) -> None:
        services = application.services()
        services.sites.luid(site)  # what rules want of the site may be said by its LUID
        there = tableau.webhooks()
        steps = compare(there, services.wanted(site), url=self._target, label=application.settings().webhook_label)
        if not self._as_json:
            _show(steps, tableau_access.of_site(site, f"Events go to {application.redact_url(self._target)}"))
        changes = [step for step in steps if step.kind is not ChangeKind.KEEP]
        if not self._dry_run and changes and not self._yes:
            _require_consent(changes)
        outcomes = [] if self._dry_run else _apply(changes, tableau, quiet=self._as_json)
        if self._as_json:
            _write(site, steps, outcomes, dry_run=self._dry_run)
        else:
            _conclude(changes, outcomes, dry_run=self._dry_run)
        self.failed = self.failed or any(one.error for one in outcomes)


def _show(steps: Sequence[Change], title: str) -> None:
    click.echo(terminal.printable(title))
    if not steps:
        click.secho("No rule and no handler needs an event.", fg="yellow", err=True)
        return
    rows: list[list[Text | str]] = [
        [Text(step.kind, style=STYLES[step.kind]), terminal.styled_event_type(step.event_type), _why(step)]
        for step in steps
    ]
    terminal.show(terminal.table(["", "EVENT", ""], rows))


def _why(step: Change) -> str:
    return application.redact(terminal.one_line(step.reason))


def _require_consent(changes: Sequence[Change]) -> None:
    """On a terminal, before anything that takes events away from where they go now."""
    if sys.stdin.isatty() and any(step.kind is ChangeKind.DELETE or _moves(step) for step in changes):
        require_consent("Go ahead?")


def _moves(step: Change) -> bool:
    return step.webhook is not None and urlsplit(step.webhook.url).netloc != urlsplit(step.url).netloc


def _apply(changes: Sequence[Change], tableau: Tableau, *, quiet: bool) -> list[Outcome]:
    outcomes = []
    for one in apply_changes(changes, tableau):
        outcomes.append(one)
        if one.error and not quiet:
            click.secho(f"{one.change.event_type}: {_error(one)}", fg="red", err=True)
    return outcomes


def _error(one: Outcome) -> str | None:
    return application.redact(terminal.one_line(str(one.error))) if one.error else None


def _conclude(changes: Sequence[Change], outcomes: Sequence[Outcome], *, dry_run: bool) -> None:
    if not changes:
        click.secho("All is as it should be; nothing was changed.", fg="green")
    elif dry_run:
        click.echo(f"{formats.count(len(changes), 'change')} to make; nothing was done (--dry-run).")
    else:
        counts = Counter("failed" if one.error else DONE[one.change.kind] for one in outcomes)
        click.echo(", ".join(f"{number} {word}" for word, number in counts.items()))


def _write(site: Site, steps: Sequence[Change], outcomes: Sequence[Outcome], *, dry_run: bool) -> None:
    """One object a webhook: what is planned, and what became of it."""
    became = {id(one.change): one for one in outcomes}
    for step in steps:
        named = {"site": site.name} if site.name else {}
        terminal.print_json({**_object(step, became.get(id(step)), dry_run=dry_run), **named})


def _object(step: Change, one: Outcome | None, *, dry_run: bool) -> dict[str, Any]:
    done = step.kind is not ChangeKind.KEEP and not dry_run and one is not None and one.error is None
    return {
        "action": step.kind.value,
        "event": step.event_type,
        "name": step.name,
        "url": application.redact_url(step.url),
        "why": _why(step),
        "done": done,
        "error": _error(one) if one else None,
    }
