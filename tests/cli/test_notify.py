"""`flask notify` against the simulator over HTTP."""

from __future__ import annotations

import json

import pytest

from notifiers import KINDS
from tests.cli.conftest import objects
from tests.support.simulated_site import RunFlask, flask, make_flask, rules_file, settings, site
from webhooks.config.settings import Settings

__all__ = ["flask", "make_flask", "rules_file", "settings", "site"]


def test_notify_list_shows_which_notifiers_are_configured(flask: RunFlask) -> None:
    """Every notifier is listed, as a table and as JSON."""
    found = {notifier["name"]: notifier["set_up"] for notifier in objects(flask("notify", "list", "--json").stdout)}
    assert {kind for kind, is_configured in found.items() if is_configured} == {"slack", "twilio", "console"}
    assert list(found) == list(KINDS)
    assert "apprise        not configured" in flask("notify", "list").stdout


def test_notify_test_sends_a_message(flask: RunFlask) -> None:
    """The credentials are checked, the message is delivered, and the destination is shown."""
    result = flask("notify", "test", "slack")
    assert result.exit_code == 0
    assert result.stdout.endswith("Sent to slack:#bi.\n")
    assert flask("notify", "test", "slack:#finance-data").stdout.endswith("Sent to slack:#finance-data.\n")
    accepted = flask("notify", "test", "twilio").stdout
    assert "Accepted by Twilio for +15550100; not yet confirmed as delivered." in accepted
    (sent,) = objects(flask("notify", "test", "twilio", "--to", "+15550123", "--json").stdout)
    assert (sent["to"], sent["channel"]) == ("twilio:+15550123", "+15550123")


def test_notify_test_json_separates_the_console_message(flask: RunFlask) -> None:
    """The message that the console notifier prints is on stderr, only the result on stdout."""
    result = flask("notify", "test", "console", "--json")
    assert objects(result.stdout)[0]["to"] == "console"
    assert "Test message from Tableau Webhooks" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("slack", "--to", "#nowhere"), 1, "channel_not_found"),
        (("apprise",), 1, "APPRISE_URLS"),
        (("slak",), 2, "did you mean slack?"),
        (("slack:#a", "--to", "#b"), 2, "--to cannot be used"),
        (("twilio", "--to", "nonsense"), 2, "nonsense"),
    ],
)
def test_notify_test_explains_errors(flask: RunFlask, words: tuple[str, ...], code: int, text: str) -> None:
    """A refusal by the service ends with 1, invalid usage with 2."""
    result = flask("notify", "test", *words)
    assert result.exit_code == code
    assert text in result.stderr


def test_manifest_has_the_scopes_and_the_address(flask: RunFlask) -> None:
    """Slack's manifest has every scope that the server can use and the address for buttons, without the token."""
    manifest = json.loads(flask("notify", "manifest", "slack", "--url", "hooks.example.org/webhook/token").stdout)
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert {"chat:write", "files:write", "users:read.email"} <= set(scopes)
    address = "https://hooks.example.org/slack/interactions"
    assert manifest["settings"]["interactivity"] == {"is_enabled": True, "request_url": address}


def test_manifest_without_an_address_has_no_buttons(flask: RunFlask) -> None:
    """The manifest is printed, and standard error says which variable is missing; other services have none."""
    result = flask("notify", "manifest", "slack")
    assert "interactivity" not in json.loads(result.stdout)["settings"]
    assert "PUBLIC_URL is not set" in result.stderr
    refused = flask("notify", "manifest", "twilio")
    assert (refused.exit_code, "Twilio creates no apps from manifests" in refused.stderr) == (2, True)


def test_manifest_for_socket_mode_has_no_address(flask: RunFlask) -> None:
    """Slack calls no address; standard error names the token that is needed, and --url is refused."""
    result = flask("notify", "manifest", "slack", "--socket-mode")
    settings = json.loads(result.stdout)["settings"]
    assert (settings["socket_mode_enabled"], settings["interactivity"]) == (True, {"is_enabled": True})
    assert "SLACK_APP_TOKEN" in result.stderr
    assert flask("notify", "manifest", "slack", "--socket-mode", "--url", "https://e.org").exit_code == 2


def test_token_of_another_kind_is_refused() -> None:
    """The bot's token in place of the app's is named at start, and not shown."""
    with pytest.raises(RuntimeError, match=r"SLACK_APP_TOKEN.*begins with xapp-") as caught:
        Settings.read(slack_app_token="xoxb-secret")
    assert "xoxb-secret" not in str(caught.value)
