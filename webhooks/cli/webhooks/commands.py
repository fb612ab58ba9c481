"""`flask webhooks`: the webhooks on Tableau's side. The secret in their URLs is never shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import click

from tableau_rest import ConnectionFailed, TableauError
from tableau_rest.models import Webhook, WebhookTest
from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.consent import require_consent
from webhooks.cli.support.exit_codes import FAILED, Failure
from webhooks.cli.support.options import EventType, as_json
from webhooks.cli.webhooks.sync import sync
from webhooks.config.site import Site
from webhooks.registration import is_ours

if TYPE_CHECKING:
    from tableau_rest import Tableau

ADVICE = {
    401: "The token in the URL is not the server's WEBHOOK_TOKEN: flask webhooks sync puts the right one in.",
    404: "There is a server at that address, but no hook at that path.",
    408: "408 is Tableau's own word for: could not reach the URL within seconds. Is the address public, is the server"
    " running, and does a proxy or firewall stand between? Tableau Server sends webhooks past its forward proxy.",
    503: "The server could not keep an event: flask doctor says more.",
}
NO_AGENT = "'agent not found' is the word of a tunnel (ngrok and the like) that is not running: start it again."


@click.group(cls=Group)
def webhooks() -> None:
    """The webhooks on Tableau's side.

    Needs an administrator's credentials. A secret in a URL is masked. WEBHOOK is a LUID or a name.
    """


webhooks.add_command(sync)


@webhooks.command("list")
@tableau_access.SITE
@as_json
def list_webhooks(site_name: str | None, as_json: bool) -> None:
    """List the webhooks of the site, those of other people too."""

    def show(site: Site, tableau: Tableau) -> None:
        found = sorted(tableau.webhooks(), key=lambda one: (one.event, one.name))
        if as_json:
            for webhook in found:
                terminal.print_json(_object(site, webhook))
            return
        _title(site)
        if found:
            rows = [_row(webhook) for webhook in found]
            terminal.show(terminal.table(["NAME", "EVENT", "ENABLED", "URL", "LUID"], rows, flexible=["NAME", "URL"]))
        else:
            click.echo("The site has no webhooks.", err=True)

    tableau_access.over(site_name, show)


def _title(site: Site) -> None:
    if application.services().sites.several:
        click.secho(terminal.printable(site.name), bold=True)


@webhooks.command()
@click.argument("event_type", type=EventType())
@click.option("--url", help="Our address as Tableau sees it; without a path /webhook/<token> is added. [WEBHOOK_URL]")
@click.option("--name", help="Default: tableau-webhooks EVENT_TYPE.")
@tableau_access.SITE
@as_json
def create(event_type: str, url: str | None, name: str | None, site_name: str | None, as_json: bool) -> None:
    """Have Tableau send one EVENT_TYPE, beside what sync makes."""
    target = tableau_access.our_url(url)
    tableau_access.warn_of(target)
    site = tableau_access.one(site_name)
    with tableau_access.asking(site) as tableau:
        made = tableau.create_webhook(
            name or f"{application.settings().webhook_label} {event_type}", event_type, target
        )
    _tell("Created", site, made, as_json=as_json)


@webhooks.command()
@click.argument("webhook")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, also about one that is not ours.")
@tableau_access.SITE
@as_json
def delete(webhook: str, yes: bool, site_name: str | None, as_json: bool) -> None:
    """Delete a webhook.

    One that this server did not make is asked about."""
    site, found = tableau_access.find(site_name, webhook)
    with tableau_access.asking(site) as tableau:
        if not _ours(found) and not yes:
            require_consent(f"{found.name!r} is not one of ours. Delete it?")
        tableau.delete_webhook(found)
    _tell("Deleted", site, found, as_json=as_json)


@webhooks.command()
@click.argument("webhook")
@tableau_access.SITE
@as_json
def enable(webhook: str, site_name: str | None, as_json: bool) -> None:
    """Switch a webhook on again.

    Tableau, or somebody, has switched it off; flask webhooks list says why.
    """
    site, found = tableau_access.find(site_name, webhook)
    with tableau_access.asking(site) as tableau:
        changed = tableau.update_webhook(found, is_enabled=True)
    _tell("Enabled", site, changed, as_json=as_json)


@webhooks.command()
@click.argument("webhook", required=False)
@tableau_access.SITE
@as_json
def test(webhook: str | None, site_name: str | None, as_json: bool) -> None:
    """Have Tableau call a webhook, and tell what came back.

    Without WEBHOOK it calls each of ours. A test can fail in two places: Tableau refuses to make it, or the receiver
    does not answer with 200. Both are told.
    """
    good: list[bool] = []
    said: set[str] = set()

    def call(site: Site, tableau: Tableau) -> None:
        chosen = [one for one in tableau.webhooks() if (webhook in {one.luid, one.name} if webhook else _ours(one))]
        if not chosen and not webhook:
            none = "None of the site's webhooks is ours. flask webhooks sync --url https://… makes them."
            raise Failure(tableau_access.of_site(site, none))
        # Written as they come: one that cannot be reached takes seconds.
        for one in chosen:
            result = _test(tableau, one)
            good.append(_write_test(site, one, result) if as_json else _tell_test(site, one, result, said))

    if webhook:
        site_name = tableau_access.find(site_name, webhook)[0].key
    tableau_access.over(site_name, call)
    if not all(good):
        raise click.exceptions.Exit(FAILED)


def _test(tableau: Any, webhook: Webhook) -> WebhookTest | TableauError:
    """What came of the test; a refusal by Tableau itself is a result, too. Raises ConnectionFailed."""
    try:
        result: WebhookTest = tableau.test_webhook(webhook)
    except ConnectionFailed:
        raise
    except TableauError as error:
        return error
    return result


@dataclass(frozen=True)
class Outcome:
    """What came of a test: Tableau's answer, then the receiver's, which is None where Tableau did not call it."""

    call_status: int | None
    status: int | None
    body: str
    ok: bool

    @classmethod
    def of(cls, result: WebhookTest | TableauError) -> Self:
        if isinstance(result, TableauError):
            return cls(result.status, None, application.redact(str(result)), ok=False)
        return cls(result.call_status, result.status, application.redact(result.body), result.ok)

    @property
    def advice(self) -> str:
        return "" if self.ok else _advice(self.status, self.body)


def _write_test(site: Site, webhook: Webhook, result: WebhookTest | TableauError) -> bool:
    came = Outcome.of(result)
    terminal.print_json({"name": webhook.name, **asdict(came), "advice": came.advice, **_named(site)})
    return came.ok


def _tell_test(site: Site, webhook: Webhook, result: WebhookTest | TableauError, said: set[str]) -> bool:
    """Advice that was `said` about another webhook is not said again."""
    came = Outcome.of(result)
    refused = f"Tableau did not make the test ({came.call_status})"
    who = refused if came.status is None else f"the receiver answered {came.status}"
    text = f"{_place(site, webhook.name)}: {who} {terminal.one_line(came.body)}".rstrip()
    click.secho(text, fg="green" if came.ok else "red")
    if came.advice and came.advice not in said:
        click.echo(came.advice, err=True)
    said.add(came.advice)
    return came.ok


def _advice(status: int | None, body: str) -> str:
    if status is None:
        return "The answer is Tableau's, not the receiver's: the webhook was not called."
    if "agent not found" in body.casefold():
        return NO_AGENT
    return ADVICE.get(status, "The receiver refused the test; its log says why.")


def _ours(webhook: Webhook) -> bool:
    return is_ours(webhook, application.settings().webhook_label)


def _tell(verb: str, site: Site, webhook: Webhook, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(_object(site, webhook))
    else:
        click.echo(f"{verb} {_place(site, webhook.name)} ({webhook.event}) to {application.redact_url(webhook.url)}")


def _row(webhook: Webhook) -> list[Any]:
    state = (
        terminal.styled_state("done", "yes")
        if webhook.is_enabled
        else terminal.styled_state("dead", f"no: {webhook.reason}")
    )
    name, url = terminal.printable(webhook.name), terminal.printable(application.redact_url(webhook.url))
    return [name, terminal.styled_event_type(webhook.event), state, url, webhook.luid]


def _place(site: Site, name: str) -> str:
    return terminal.printable(tableau_access.of_site(site, name))


def _named(site: Site) -> dict[str, str]:
    """What JSON says of the site, where the sites have names."""
    return {"site": site.name} if site.name else {}


def _object(site: Site, webhook: Webhook) -> dict[str, Any]:
    return {
        "luid": webhook.luid,
        "name": webhook.name,
        "event": webhook.event,
        "url": application.redact_url(webhook.url),
        "is_enabled": webhook.is_enabled,
        "reason": webhook.reason,
        "owner": webhook.owner.name,
        "ours": _ours(webhook),
        **_named(site),
    }
