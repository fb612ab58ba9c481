"""`flask webhooks sync`: create, update and delete webhooks until Tableau has those that the rules need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.consent import require_consent
from webhooks.cli.support.exit_codes import FAILED
from webhooks.cli.support.options import as_json
from webhooks.config.site import Site
from webhooks.registration import Change, ChangeKind, Outcome, apply_changes, compare, remember_registered
from webhooks.registration.job_list import describe_source
from webhooks.text import count

if TYPE_CHECKING:
    from rich.text import Text

    from tableau_rest import Tableau

STYLES = {
    ChangeKind.CREATE: "green",
    ChangeKind.UPDATE: "cyan",
    ChangeKind.ENABLE: "yellow",
    ChangeKind.DELETE: "red",
    ChangeKind.KEEP: "dim",
}
PAST = {
    ChangeKind.CREATE: "created",
    ChangeKind.UPDATE: "updated",
    ChangeKind.ENABLE: "enabled",
    ChangeKind.DELETE: "deleted",
}


@click.command(cls=Command)
@tableau_access.url_option
@click.option("--dry-run", is_flag=True, help="Show the changes without applying them.")
@click.option("--yes", "-y", is_flag=True, help="Delete and move webhooks without confirmation.")
@tableau_access.site_option
@as_json
@with_appcontext
def sync(url: str | None, dry_run: bool, yes: bool, site_name: str | None, as_json: bool) -> None:
    """Create, update and delete webhooks as the rules need.

    There is one webhook for each event type that a rule or handler needs, named "tableau-webhooks EVENT_TYPE"
    (WEBHOOK_LABEL). All other webhooks are left alone. Deleting webhooks, or moving them to another URL, requires
    confirmation, or --yes without a terminal. With several sites, each gets the webhooks that its rules need.

    \b
    flask webhooks sync --url https://hooks.example.org --dry-run
    flask webhooks sync --url https://hooks.example.org
    """
    target = tableau_access.required_webhook_url(url)
    application.rules()
    if not as_json:
        tableau_access.warn_unless_https(target)
    outcomes: list[Outcome] = []

    def sync_site(site: Site, tableau: Tableau) -> None:
        services = application.services()
        services.sites.luid(site)  # rules may name the site by its LUID
        label = application.settings().webhook_label
        planned = compare(tableau.webhooks(), services.desired_event_types(site), url=target, label=label)
        changes = [change for change in planned if change.kind is not ChangeKind.KEEP]
        if not as_json:
            _show(planned, tableau_access.prefix_site(site, f"Webhook URL: {application.redact_url(target)}"))
        if not dry_run and not yes:
            _confirm(changes)
        applied = [] if dry_run else _apply(site, planned, tableau, quiet=as_json)
        outcomes.extend(applied)
        if as_json:
            _write(site, planned, applied)
        else:
            _summarize(changes, applied, dry_run=dry_run)
            if from_jobs := services.desired_job_list_types(site):
                click.echo(describe_source(application.settings(), from_jobs))

    tableau_access.for_each_site(site_name, sync_site)
    if any(outcome.error for outcome in outcomes):
        raise click.exceptions.Exit(FAILED)


def _show(planned: Sequence[Change], title: str) -> None:
    click.echo(terminal.printable(title))
    if not planned:
        click.secho("No rule or handler needs a webhook.", fg="yellow", err=True)
        return
    order = list(STYLES)
    rows: list[list[Text | str]] = [
        [
            terminal.styled(change.kind, STYLES[change.kind]),
            terminal.styled_event_type(change.event_type),
            _reason(change),
        ]
        for change in sorted(planned, key=lambda change: (order.index(change.kind), change.event_type))
    ]
    terminal.show(terminal.table(["ACTION", "EVENT", "REASON"], rows, flexible=["REASON"]))


def _reason(change: Change) -> str:
    """Return why the webhook is changed, and which rules' incidents need it if no rule selects its events."""
    rules = application.rules().needed_by_incidents.get(change.event_type, ())
    needed = f"needed by incidents of {', '.join(map(repr, rules))}" if rules else ""
    return application.redact(terminal.one_line("; ".join(filter(None, [change.reason, needed]))))


def _confirm(changes: Sequence[Change]) -> None:
    """Ask before anything that takes events away from where they are sent now. A new token or name alone does not."""
    deleted = [change for change in changes if change.kind is ChangeKind.DELETE]
    moved = [change for change in changes if change.webhook and _place(change.webhook.url) != _place(change.url)]
    parts = [
        f"delete {count(len(deleted), 'webhook')}" if deleted else "",
        f"move {count(len(moved), 'webhook')} to another URL" if moved else "",
    ]
    if deleted or moved:
        question = " and ".join(filter(None, parts))
        require_consent(f"{question[0].upper()}{question[1:]}?")


def _place(url: str) -> tuple[str, str, str]:
    """Return the URL without its token: the last part of /webhook/<token>, or a parameter."""
    parts = urlsplit(url)
    path = "/webhook" if parts.path.startswith("/webhook/") else parts.path
    return parts.scheme, parts.netloc, path


def _apply(site: Site, planned: Sequence[Change], tableau: Tableau, *, quiet: bool) -> list[Outcome]:
    """Apply the changes, and remember which event types have a webhook on the site now."""
    outcomes = []
    for outcome in apply_changes(planned, tableau):
        outcomes.append(outcome)
        result = f"failed: {_error(outcome)}" if outcome.error else "done"
        application.record(f"{outcome.change.kind.value} webhook", f"webhook {outcome.change.event_type}", result)
        if outcome.error and not quiet:
            click.secho(f"{outcome.change.event_type}: {_error(outcome)}", fg="red", err=True)
    kept = {change.event_type for change in planned if change.kind is not ChangeKind.DELETE}
    failed = {outcome.change.event_type for outcome in outcomes if outcome.error}
    remember_registered(application.services().inbox, site, kept - failed)
    return outcomes


def _error(outcome: Outcome) -> str | None:
    return application.redact(terminal.one_line(str(outcome.error))) if outcome.error else None


def _summarize(changes: Sequence[Change], applied: Sequence[Outcome], *, dry_run: bool) -> None:
    if not changes:
        click.secho("Webhooks are up to date.", fg="green")
    elif dry_run:
        click.echo(f"{count(len(changes), 'change')} planned, none applied (--dry-run).")
    else:
        counts = Counter("failed" if outcome.error else PAST[outcome.change.kind] for outcome in applied)
        click.echo(f"Webhooks: {', '.join(f'{number} {word}' for word, number in counts.items())}.")


def _write(site: Site, planned: Sequence[Change], applied: Sequence[Outcome]) -> None:
    """Print one object for each webhook: the planned change, and its outcome."""
    outcomes = {id(outcome.change): outcome for outcome in applied}
    for change in planned:
        outcome = outcomes.get(id(change))
        terminal.print_json(
            {
                "action": change.kind.value,
                "event": change.event_type,
                "name": change.name,
                "url": application.redact_url(change.url),
                "why": _reason(change),
                "done": outcome is not None and outcome.error is None,
                "error": _error(outcome) if outcome else None,
                **tableau_access.site_field(site),
            }
        )
