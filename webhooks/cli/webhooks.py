"""`flask webhooks`: the webhooks on Tableau's side. The secret in their URLs is never shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from tableau_rest import NoAnswer, TableauError
from tableau_rest.models import Webhook
from webhooks.cli import access, lines, screen
from webhooks.cli.exits import FAILED, Failure, Unavailable
from webhooks.cli.group import Group
from webhooks.cli.options import EventType, as_json
from webhooks.cli.post import hook_url, masked

if TYPE_CHECKING:
    from tableau_rest import Tableau

OURS = "tableau-webhooks "
"""What the names of webhooks that we made begin with."""
ADVICE = {
    408: "Tableau could not reach the URL in time: is it public, and does a proxy or firewall stand between?",
    401: "The token in the URL is not the server's WEBHOOK_TOKEN.",
    404: "Nothing is at that URL; 'agent not found' is a tunnel that does not run.",
}


@click.group(cls=Group)
def webhooks() -> None:
    """The webhooks on Tableau's side.

    Needs an administrator's credentials. A secret in a URL is masked. WEBHOOK is a LUID or a name.
    """


@webhooks.command("list")
@as_json
def list_webhooks(as_json: bool) -> None:
    """List the webhooks of the site, those of other people too."""
    with asking() as tableau:
        found = sorted(tableau.webhooks(), key=lambda one: (one.event, one.name))
    if as_json:
        for webhook in found:
            lines.write(_object(webhook))
    elif found:
        rows = [_row(webhook) for webhook in found]
        screen.show(screen.table(["NAME", "EVENT", "ENABLED", "URL", "LUID"], rows, flexible=["NAME", "URL"]))
    else:
        click.echo("The site has no webhooks.", err=True)


@webhooks.command()
@click.argument("event_type", type=EventType())
@click.option("--url", required=True, help="Our address as Tableau sees it; without a path /webhook/<token> is added.")
@click.option("--name", help="Default: tableau-webhooks EVENT_TYPE.")
@as_json
def create(event_type: str, url: str, name: str | None, as_json: bool) -> None:
    """Have Tableau send EVENT_TYPE to this server."""
    token = next(iter(access.settings().webhook_tokens()), "")
    try:
        target = hook_url(url, token, explicit=False)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None
    if not target.startswith("https://"):
        click.secho("Tableau asks for https with a certificate that it trusts.", fg="yellow", err=True)
    with asking() as tableau:
        made = tableau.create_webhook(name or f"{OURS}{event_type}", event_type, target)
    _tell("Created", made, as_json=as_json)


@webhooks.command()
@click.argument("webhook")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, also about one that is not ours.")
@as_json
def delete(webhook: str, yes: bool, as_json: bool) -> None:
    """Delete a webhook. One that this server did not make is asked about."""
    with asking() as tableau:
        found = _find(tableau, webhook)
        if not found.name.startswith(OURS) and not yes:
            _ask(found)
        tableau.delete_webhook(found)
    _tell("Deleted", found, as_json=as_json)


@webhooks.command()
@click.argument("webhook")
@as_json
def enable(webhook: str, as_json: bool) -> None:
    """Switch a webhook on again that Tableau, or somebody, has switched off."""
    with asking() as tableau:
        changed = tableau.update_webhook(_find(tableau, webhook), is_enabled=True)
    _tell("Enabled", changed, as_json=as_json)


@webhooks.command()
@click.argument("webhook")
@as_json
def test(webhook: str, as_json: bool) -> None:
    """Have Tableau send a test to a webhook's URL, and tell what came back."""
    with asking() as tableau:
        found = _find(tableau, webhook)
        result = tableau.test_webhook(found)
    if as_json:
        lines.write({"name": found.name, "status": result.status, "body": access.hide(result.body), "ok": result.ok})
    else:
        said = access.hide(screen.one_line(result.body))
        click.secho(f"{found.name}: {result.status} {said}", fg="green" if result.ok else "red")
    if not result.ok:
        click.echo(ADVICE.get(result.status, "The receiver refused the test."), err=True)
        raise click.exceptions.Exit(FAILED)


@contextmanager
def asking() -> Iterator[Tableau]:
    """Tableau, signed in when first asked. Ends the command where something is missing or Tableau refuses."""
    access.inbox()
    try:
        yield access.services().tableau
    except (TableauError, ValueError) as error:
        end = Unavailable if isinstance(error, NoAnswer) else Failure
        raise end(access.hide(str(error))) from None
    except RuntimeError as error:
        if isinstance(error, click.exceptions.Exit | click.Abort):
            raise
        raise Unavailable(str(error)) from None


def _find(tableau: Tableau, webhook: str) -> Webhook:
    """The webhook of that LUID or name; ends the command where there is not exactly one."""
    found = [one for one in tableau.webhooks() if webhook in {one.luid, one.name}]
    if not found:
        raise Failure(f"There is no webhook {webhook!r}. flask webhooks list shows those there are.")
    if len(found) > 1:
        raise Failure(
            f"{len(found)} webhooks are called {webhook!r}; give the LUID: {', '.join(one.luid for one in found)}"
        )
    return found[0]


def _ask(found: Webhook) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{found.name!r} is not one of ours; add --yes if you mean it.")
    click.confirm(f"{found.name!r} is not one of ours. Delete it?", abort=True, err=True)


def _tell(verb: str, webhook: Webhook, *, as_json: bool) -> None:
    if as_json:
        lines.write(_object(webhook))
    else:
        click.echo(f"{verb} {screen.clean(webhook.name)} ({webhook.event}) to {masked(webhook.url)}")


def _row(webhook: Webhook) -> list[Any]:
    state = screen.state("done", "yes") if webhook.is_enabled else screen.state("dead", f"no: {webhook.reason}")
    name, url = screen.clean(webhook.name), screen.clean(masked(webhook.url))
    return [name, screen.event_type(webhook.event), state, url, webhook.luid]


def _object(webhook: Webhook) -> dict[str, Any]:
    return {
        "luid": webhook.luid,
        "name": webhook.name,
        "event": webhook.event,
        "url": masked(webhook.url),
        "is_enabled": webhook.is_enabled,
        "reason": webhook.reason,
        "owner": webhook.owner.name,
        "ours": webhook.name.startswith(OURS),
    }
