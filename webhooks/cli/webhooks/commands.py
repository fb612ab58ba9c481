"""`flask webhooks`: list, create, test, enable and delete webhooks in Tableau; secrets in URLs are masked."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from tableau_rest.models import Webhook
from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.consent import require_consent
from webhooks.cli.support.options import EventType, as_json
from webhooks.cli.webhooks.sync import sync
from webhooks.cli.webhooks.test import test
from webhooks.config.site import Site
from webhooks.event_types import JOB_LIST_EVENT_TYPES
from webhooks.registration import is_ours, registered_event_types, remember_registered

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from tableau_rest import Tableau

# Columns of a terminal in which the 36 characters of a LUID fit beside the rest.
WIDE_TERMINAL = 140


@click.group(cls=Group)
def webhooks() -> None:
    """List, create, test and delete the webhooks in Tableau.

    Requires a site administrator's credentials. Secrets in URLs are masked. WEBHOOK is a LUID or a name.
    """


webhooks.add_command(sync)
webhooks.add_command(test)


@webhooks.command("list")
@tableau_access.site_option
@as_json
def list_webhooks(site_name: str | None, as_json: bool) -> None:
    """List all webhooks of the site.

    This includes those of other programs; `flask webhooks list --json` says which ones are ours.
    """

    def list_site(site: Site, tableau: Tableau) -> None:
        found = sorted(tableau.webhooks(), key=lambda webhook: (webhook.event, webhook.name))
        if as_json:
            for webhook in found:
                terminal.print_json(_object(site, webhook))
            return
        if application.services().sites.several:
            click.secho(terminal.printable(site.name), bold=True)
        if found:
            _show(found)
        else:
            click.echo("The site has no webhooks.", err=True)

    tableau_access.for_each_site(site_name, list_site)


def _show(webhooks: list[Webhook]) -> None:
    """Print a table in which EVENT and ENABLED stay whole on every terminal.

    On a narrow one there are no LUIDs, and our names, which end with the event type, are shortened by it. People read
    what all webhooks have in common once, above the table; programs always get every column.
    """
    wide = not terminal.is_terminal() or shutil.get_terminal_size().columns >= WIDE_TERMINAL
    label = application.settings().webhook_label
    label = application.settings().webhook_label
    names = [f"{label} …" if not wide and is_ours(webhook, label) else webhook.name for webhook in webhooks]
    columns: dict[str, list[Text | str]] = {
        "EVENT": [terminal.styled_event_type(webhook.event) for webhook in webhooks],
        "ENABLED": [
            terminal.styled_state("done", "yes") if webhook.is_enabled else terminal.styled_state("dead", "no")
            for webhook in webhooks
        ],
        "NAME": [terminal.printable(name) for name in names],
        "URL": [terminal.printable(application.redact_url(webhook.url)) for webhook in webhooks],
    }
    if not all(webhook.is_enabled for webhook in webhooks):
        columns["REASON"] = [terminal.one_line(webhook.reason) for webhook in webhooks]
    if wide:
        columns["LUID"] = [webhook.luid for webhook in webhooks]
    common: list[RenderableType] = []
    if terminal.is_terminal() and len(webhooks) > 1:
        if all(is_ours(webhook, label) for webhook in webhooks):
            common.append(f"Name: {terminal.printable(label)} EVENT")
            del columns["NAME"]
        if len(set(columns["URL"])) == 1:
            common.append(f"URL:  {columns.pop('URL')[0]}")
    rows = list(zip(*columns.values(), strict=True))
    terminal.show(
        *common, *([""] if common else []), terminal.table(list(columns), rows, flexible=["REASON", "NAME", "URL"])
    )


@webhooks.command()
@click.argument("event_type", type=EventType())
@tableau_access.url_option
@click.option("--name", help="Default: tableau-webhooks EVENT_TYPE.")
@tableau_access.site_option
@as_json
def create(event_type: str, url: str | None, name: str | None, site_name: str | None, as_json: bool) -> None:
    """Create a webhook for one EVENT_TYPE.

    The next sync deletes it if no rule needs this event type, unless it has another --name.
    """
    if event_type in JOB_LIST_EVENT_TYPES:
        message = f"Tableau has no webhook for {event_type}; the server finds these events in Tableau's job list."
        raise click.BadParameter(message, param_hint="EVENT_TYPE")
    target = tableau_access.required_webhook_url(url)
    tableau_access.warn_unless_https(target)
    site = tableau_access.select_site(site_name)
    with tableau_access.client_for(site) as tableau:
        name = name or f"{application.settings().webhook_label} {event_type}"
        created = tableau.create_webhook(name, event_type, target)
        _remember(site, tableau)
    _report("Created", site, created, as_json=as_json)


@webhooks.command()
@click.argument("webhook")
@click.option("--yes", "-y", is_flag=True, help="Delete another program's webhook without confirmation.")
@tableau_access.site_option
@as_json
def delete(webhook: str, yes: bool, site_name: str | None, as_json: bool) -> None:
    """Delete a webhook.

    A webhook that this server did not create is deleted after confirmation only.
    """
    site, found = tableau_access.find_webhook(site_name, webhook)
    with tableau_access.client_for(site) as tableau:
        if not is_ours(found, application.settings().webhook_label) and not yes:
            require_consent(f"{found.name!r} was not created by this server. Delete it?")
        tableau.delete_webhook(found)
        _remember(site, tableau)
    _report("Deleted", site, found, as_json=as_json)


@webhooks.command()
@click.argument("webhook")
@tableau_access.site_option
@as_json
def enable(webhook: str, site_name: str | None, as_json: bool) -> None:
    """Enable a webhook that was disabled.

    Tableau disables webhooks that fail repeatedly; `flask webhooks list` shows the reason.
    """
    site, found = tableau_access.find_webhook(site_name, webhook)
    with tableau_access.client_for(site) as tableau:
        enabled = tableau.update_webhook(found, is_enabled=True)
    _report("Enabled", site, enabled, as_json=as_json)


def _remember(site: Site, tableau: Tableau) -> None:
    """Store which event types have a webhook, for `flask rules check` and the start of the server."""
    event_types = registered_event_types(tableau.webhooks(), application.settings().webhook_label)
    remember_registered(application.inbox(create=True), site, event_types)


def _report(verb: str, site: Site, webhook: Webhook, *, as_json: bool) -> None:
    application.inbox(create=True)
    application.record(f"{verb.lower()[:-1]} webhook", f"webhook {webhook.event}", f"{webhook.name} {webhook.luid}")
    if as_json:
        terminal.print_json(_object(site, webhook))
        return
    name = terminal.printable(tableau_access.prefix_site(site, webhook.name))
    click.echo(f"{verb} {name} ({webhook.event}), URL {application.redact_url(webhook.url)}")


def _object(site: Site, webhook: Webhook) -> dict[str, Any]:
    return {
        "luid": webhook.luid,
        "name": webhook.name,
        "event": webhook.event,
        "url": application.redact_url(webhook.url),
        "is_enabled": webhook.is_enabled,
        "reason": webhook.reason,
        "owner": webhook.owner.name,
        "ours": is_ours(webhook, application.settings().webhook_label),
        **tableau_access.site_field(site),
    }
