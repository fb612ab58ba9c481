"""`flask notify`: list the notifiers, send a test message with one of them, print the manifest of an app."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING

import click

from notifiers import KINDS, Destination, Message, NotifierError, parse_destination
from webhooks.cli.support import application, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import Failure, Unavailable
from webhooks.cli.support.options import as_json
from webhooks.errors import StoreUnavailable
from webhooks.spelling import hint
from webhooks.webhook_url import INTERACTIONS_PATH, join_path

if TYPE_CHECKING:
    from rich.text import Text

TEST_MESSAGE = Message(
    "Test message from Tableau Webhooks",
    "Notifications to this destination work.",
    severity="good",
    footer="Sent by flask notify test",
)


@click.group(cls=Group)
def notify() -> None:
    """List the notifiers, send test messages, and print manifests."""


@notify.command("list")
@as_json
def list_notifiers(as_json: bool) -> None:
    """List the notifiers and whether each is configured."""
    configured = application.services().notifiers.configured
    if as_json:
        for kind in KINDS:
            terminal.print_json({"name": kind, "set_up": kind in configured})
        return
    rows: list[list[str | Text]] = [
        [
            kind,
            terminal.styled_state("done", "configured")
            if kind in configured
            else terminal.styled_state("no", "not configured"),
        ]
        for kind in KINDS
    ]
    terminal.show(terminal.table(["NAME", "STATE"], rows))


@notify.command()
@click.argument("name")
@click.option("--to", help="Recipient. Default: the notifier's own, such as SLACK_CHANNEL.")
@as_json
def test(name: str, to: str | None, as_json: bool) -> None:
    """Check credentials and send a test message.

    NAME is a kind of destination, such as slack or teams, or a destination as in rules.

    \b
    flask notify test slack
    flask notify test slack:#finance-data
    flask notify test twilio --to +15550100
    """
    destination = _destination(name, to)
    notifier = application.services().notifiers[destination.kind]
    # The console notifier prints the message, which is not part of the result.
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        try:
            checked = application.redact(notifier.check())
            click.echo(checked, err=as_json)
            receipt = notifier.send(TEST_MESSAGE, destination.to)
        except NotifierError as error:
            raise Failure(application.redact(str(error))) from None
    # It is no longer one of the destinations at which the last announcement of dead letters failed.
    with suppress(StoreUnavailable, Unavailable):
        dead_letters = application.inbox().dead_letters
        dead_letters.undeliverable = [other for other in dead_letters.undeliverable if other != str(destination)]
    if as_json:
        terminal.print_json({"to": str(destination), "checked": checked, **receipt.as_dict()})
    elif notifier.capabilities.receipt:
        click.secho(f"Accepted by {notifier.label} for {receipt.channel}; not yet confirmed as delivered.", fg="green")
    else:
        address = destination.to or notifier.config.default_address
        click.secho(f"Sent to {Destination(destination.kind, address)}.", fg="green")


@notify.command()
@click.argument("name")
@click.option("--url", help="Public address of this server. Default: PUBLIC_URL, or that of WEBHOOK_URL.")
@click.option("--socket-mode", is_flag=True, help="For a server without a public address.")
def manifest(name: str, url: str | None, socket_mode: bool) -> None:
    """Print the manifest from which Slack creates the app.

    NAME is slack. The manifest has the scopes that this server can use, and the address that receives the presses of
    buttons. Create the app at https://api.slack.com/apps, "From a manifest".

    \b
    flask notify manifest slack
    flask notify manifest slack --url https://webhooks.example.org
    flask notify manifest slack --socket-mode
    """
    if socket_mode and url:
        raise click.UsageError("With --socket-mode Slack calls no address, so --url cannot be used.")
    kind = _destination(name, None).kind
    settings = application.services().settings
    address = url or settings.public_url or settings.webhook_url
    try:
        interactions_url = join_path(address, INTERACTIONS_PATH) if address else ""
        if settings.public_url and not url:
            # A proxy may serve all of it under a path.
            interactions_url = f"{settings.public_url}{INTERACTIONS_PATH}"
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None
    document = KINDS[kind].manifest(interactions_url, socket_mode=socket_mode)
    if document is None:
        raise click.BadParameter(f"{KINDS[kind].label} creates no apps from manifests.", param_hint="NAME")
    if socket_mode:
        click.echo("Create a token with the scope connections:write for SLACK_APP_TOKEN.", err=True)
    elif not interactions_url:
        click.echo("PUBLIC_URL is not set, so the manifest has no address for buttons; give --url.", err=True)
    click.echo(json.dumps(document, indent=2))


def _destination(name: str, to: str | None) -> Destination:
    kind = name.partition(":")[0]
    if kind not in KINDS:
        raise click.BadParameter(f"Unknown notifier {kind!r}; {hint(kind, KINDS)}", param_hint="NAME")
    if to and ":" in name:
        raise click.UsageError(f"{name!r} already contains a recipient, so --to cannot be used.")
    try:
        return parse_destination(f"{kind}:{to}" if to else name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to" if to else "NAME") from None
