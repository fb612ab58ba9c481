"""`flask webhooks test`: let Tableau call webhooks, and explain the responses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from tableau_rest import ConnectionFailed, TableauError
from tableau_rest.models import Webhook
from webhooks.cli.support import application, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import FAILED, Failure
from webhooks.cli.support.options import as_json
from webhooks.config.site import Site
from webhooks.registration import is_ours

if TYPE_CHECKING:
    from tableau_rest import Tableau

ADVICE = {
    401: "The token in the URL is not the server's WEBHOOK_TOKEN. flask webhooks sync corrects the URL.",
    404: "A server responds at that address, but it has no webhook at that path.",
    408: "Tableau reports 408 if it cannot reach the URL within seconds. Is the address public, is the server running,"
    " is a proxy or firewall in between? Tableau Server does not use its forward proxy for webhooks.",
    503: "The server could not store an event. flask doctor explains why.",
}
# The response of ngrok and similar tunnels, whatever their status.
TUNNEL_ADVICE = "'agent not found' is the response of a tunnel (such as ngrok) that is not running. Start it again."


@dataclass(frozen=True)
class CallResult:
    """The outcome of one test.

    `call_status` is Tableau's own response; `status` and `body` are the receiver's, None if it was not called.
    """

    call_status: int | None
    status: int | None
    body: str
    ok: bool

    @property
    def advice(self) -> str:
        if self.ok:
            return ""
        if self.status is None:
            return "This is Tableau's response; the webhook was not called."
        if "agent not found" in self.body.casefold():
            return TUNNEL_ADVICE
        return ADVICE.get(self.status, "The receiver refused the test; see its log.")


@click.command(cls=Command)
@click.argument("webhook", required=False)
@tableau_access.site_option
@as_json
@with_appcontext
def test(webhook: str | None, site_name: str | None, as_json: bool) -> None:
    """Let Tableau call a webhook and show the response.

    Without WEBHOOK, all webhooks of this server are tested. Either Tableau refuses to run the test, or the receiver
    does not respond with 200; the output says which.
    """
    results: list[CallResult] = []
    advice_given: set[str] = set()

    def test_site(site: Site, tableau: Tableau) -> None:
        label = application.settings().webhook_label
        selected = [
            found
            for found in tableau.webhooks()
            if (webhook in {found.luid, found.name} if webhook else is_ours(found, label))
        ]
        if not selected and not webhook:
            text = "This server has no webhooks on the site. Create them: flask webhooks sync --url https://…"
            raise Failure(tableau_access.prefix_site(site, text))
        # Printed one by one: a receiver that cannot be reached takes seconds.
        for found in selected:
            result = call_webhook(tableau, found)
            results.append(result)
            if as_json:
                site_field = tableau_access.site_field(site)
                terminal.print_json({"name": found.name, **asdict(result), "advice": result.advice, **site_field})
            else:
                _show(tableau_access.prefix_site(site, found.name), result, advice_given)

    if webhook:
        site_name = tableau_access.find_webhook(site_name, webhook)[0].key
    tableau_access.for_each_site(site_name, test_site)
    if not all(result.ok for result in results):
        raise click.exceptions.Exit(FAILED)


def call_webhook(tableau: Tableau, webhook: Webhook) -> CallResult:
    """Return the result of the test; a refusal by Tableau is a result, too. Raise ConnectionFailed."""
    try:
        result = tableau.test_webhook(webhook)
    except ConnectionFailed:
        raise
    except TableauError as error:
        return CallResult(error.status, None, application.redact(str(error)), ok=False)
    return CallResult(result.call_status, result.status, application.redact(result.body), result.ok)


def _show(name: str, result: CallResult, advice_given: set[str]) -> None:
    """Print the result; advice that another webhook already caused is not repeated."""
    if result.status is None:
        summary = f"Tableau did not run the test ({result.call_status})"
    else:
        summary = f"the receiver responded {result.status}"
    text = f"{terminal.printable(name)}: {summary} {terminal.one_line(result.body)}".rstrip()
    click.secho(text, fg="green" if result.ok else "red")
    if result.advice and result.advice not in advice_given:
        click.echo(result.advice, err=True)
    advice_given.add(result.advice)
