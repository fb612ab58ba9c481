"""The third step of `flask setup`: the Slack app, its token, the default channel, and the secret of its buttons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

import click

from notifiers import KINDS, Message, Notifier, NotifierError, Notifiers
from webhooks.cli.setup.questions import ask, done, heading
from webhooks.cli.support.application import services
from webhooks.cli.support.demo_settings import without_demo
from webhooks.webhook_url import INTERACTIONS_PATH, join_path

# https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_json="
TEST_MESSAGE = Message(
    "Tableau Webhooks is connected",
    "Messages about this Tableau site appear here.",
    severity="good",
    footer="flask setup",
)


def ask_token(known: Mapping[str, str], address: str) -> dict[str, str]:
    """Return the variables of a token that works and of a channel that a message has reached; empty if skipped.

    With the public address of this server, the app has buttons, whose presses Slack signs with a secret.
    """
    heading("3. Slack")
    manifest = KINDS["slack"].manifest(join_path(address, INTERACTIONS_PATH) if address else "")
    click.echo("  This address creates the app with the right scopes; then install it and copy its bot token:\n")
    click.echo(f"{NEW_APP}{quote(json.dumps(manifest, separators=(',', ':')))}\n")
    click.echo("  Press Enter without a token to skip this.")
    # A demo that runs beside this command has a Slack of its own.
    settings = without_demo(services().settings)

    def notifier(token: str) -> Notifier:
        variables = settings.notifier_variables() | {"SLACK_TOKEN": token}
        return Notifiers.from_variables(variables, ca_bundle=str(settings.ca_bundle or ""))["slack"]

    def check_token(token: str) -> str:
        if token:
            try:
                done(notifier(token).check())
            except NotifierError as error:
                raise ValueError(str(error)) from None
        return token

    token = ask("Bot token (xoxb-…)", check_token, default=known.get("SLACK_TOKEN", ""), secret=True)
    if not token:
        click.echo("  Skipped: messages are printed in the server's log. `flask notify list` shows all notifiers.")
        return {}

    def send(channel: str) -> str:
        try:
            notifier(token).send(TEST_MESSAGE, channel)
        except (NotifierError, ValueError) as error:
            raise ValueError(str(error)) from None
        done(f"A message was sent to {channel}")
        return channel

    channel = ask("Channel for messages", send, default=known.get("SLACK_CHANNEL", "#bi"))
    return {"SLACK_TOKEN": token, "SLACK_CHANNEL": channel, **(_ask_signing_secret(known) if address else {})}


def _ask_signing_secret(known: Mapping[str, str]) -> dict[str, str]:
    click.echo("  For buttons: its signing secret (Basic Information, App Credentials). Press Enter to skip this.")
    secret = ask("Signing secret", str, default=known.get("SLACK_SIGNING_SECRET", ""), secret=True)
    return {"SLACK_SIGNING_SECRET": secret} if secret else {}
