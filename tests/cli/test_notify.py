"""`flask notify` against the simulator over HTTP."""

from __future__ import annotations

import pytest

from tests.cli.conftest import objects
from tests.support.simulated_site import RunFlask, flask, make_flask, rules_file, settings, site

__all__ = ["flask", "make_flask", "rules_file", "settings", "site"]


def test_notify_list_shows_which_notifiers_are_configured(flask: RunFlask) -> None:
    """Every notifier is listed, as a table and as JSON."""
    found = {notifier["name"]: notifier["set_up"] for notifier in objects(flask("notify", "list", "--json").stdout)}
    assert found == {"slack": True, "twilio": True, "apprise": False, "console": True}
    assert "apprise  not configured" in flask("notify", "list").stdout


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
