"""Destinations, and the table of notifiers."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from notifiers import (
    KINDS,
    AppriseConfig,
    ConsoleConfig,
    Destination,
    Message,
    Notifier,
    NotifierError,
    Notifiers,
    SlackConfig,
    TwilioConfig,
    parse_destination,
)
from notifiers.kinds import secrets


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("slack", Destination("slack")),
        ("slack:#finance-data", Destination("slack", "#finance-data")),
        ("slack:#büro", Destination("slack", "#büro")),
        ("slack:C0123", Destination("slack", "C0123")),
        ("slack:ann@example.org", Destination("slack", "ann@example.org")),
        (" slack : #bi ", Destination("slack", "#bi")),
        ("twilio", Destination("twilio")),
        ("twilio:+15550100", Destination("twilio", "+15550100")),
        ("twilio:+1 (555) 0100", Destination("twilio", "+15550100")),
        ("apprise", Destination("apprise")),
        ("apprise:ops", Destination("apprise", "ops")),
        ("console", Destination("console")),
    ],
)
def test_parse_destination_knows_kind_and_address(text: str, destination: Destination) -> None:
    """A kind alone, or with an address; its text is parsed to the same destination."""
    assert parse_destination(text) == destination
    assert parse_destination(str(destination)) == destination


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", "one of: slack, slack_webhook, teams, email, twilio, pagerduty, post, apprise, console"),
        ("discord:#x", "one of: slack, slack_webhook"),
        ("#finance", 'Did you mean "slack:#finance"'),
        ("slack:", "Write slack for the default"),
        ("slack:finance", "Write #finance for the channel"),
        ("slack:#a b", "#channel"),
        ("slack:@ann", "e-mail address"),
        ("twilio:5550100", "country code"),
        ("twilio:+0123", "country code"),
        ("apprise:two words", "Tags are words"),
        ("teams:two words", "Write one of those in TEAMS_URLS, as in teams:finance"),
        ("console:x", "Write console"),
    ],
)
def test_parse_destination_shows_a_valid_one(text: str, right: str) -> None:
    """The error for a mistake in a rules file shows what is right."""
    with pytest.raises(ValueError, match=right):
        parse_destination(text)


def test_notifiers_has_every_kind_of_the_table() -> None:
    """Each kind is present, configured or not, and knows its own name."""
    notifiers = Notifiers()
    assert list(notifiers) == list(KINDS)
    assert len(notifiers) == len(KINDS)
    assert all(kind in notifiers and notifiers[kind].kind == kind for kind in notifiers)
    assert notifiers.configured == ("console",)


def test_configured_names_the_complete_kinds() -> None:
    """A kind is configured when none of its required variables is missing."""
    notifiers = Notifiers(
        slack=SlackConfig(token="xoxb-1"),
        twilio=TwilioConfig(account_sid="AC1", auth_token="x"),
        apprise=AppriseConfig("json://localhost"),
    )
    assert notifiers.configured == ("slack", "apprise", "console")


def test_default_address_is_needed_for_a_destination_without_one() -> None:
    """Credentials are not enough where neither rule nor settings name a channel or a number."""
    account = {"account_sid": "AC1", "auth_token": "x", "sender": "+15550100"}
    without = Notifiers(slack=SlackConfig(token="xoxb-1"), twilio=TwilioConfig(**account))
    assert without.with_default_address == ("console",)
    both = Notifiers(slack=SlackConfig("xoxb-1", "#a"), twilio=TwilioConfig(**account, to="+15550101"))
    assert both.with_default_address == ("slack", "twilio", "console")


def test_unknown_kind_is_a_permanent_error() -> None:
    """A stored job whose notifier no longer exists fails with a clear error."""
    with pytest.raises(NotifierError, match=r"Unknown notifier 'pager'\. Choose one of: slack") as caught:
        Notifiers().get("pager")
    assert caught.value.permanent


def test_console_is_always_available() -> None:
    """Without any setting messages can be printed."""
    stream = io.StringIO()
    Notifiers(console=ConsoleConfig(stream)).get("console").send(Message("Hello"), None)
    assert "Hello" in stream.getvalue()


def test_every_thread_gets_the_same_notifier() -> None:
    """Each notifier is made once."""
    notifiers = Notifiers(slack=SlackConfig(token="xoxb-1"))
    with ThreadPoolExecutor(8) as pool:
        assert len({id(one) for one in pool.map(lambda _: notifiers["slack"], range(64))}) == 1


def test_import_does_not_load_slack_sdk() -> None:
    """Commands that do not use Slack do not wait for its library, and Apprise is imported only on use."""
    code = (
        "import sys, notifiers; n = notifiers.Notifiers(slack=notifiers.SlackConfig(token='x')); n['slack'];"
        "print([name for name in ('slack_sdk', 'apprise') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_every_kind_declares_itself() -> None:
    """The table has everything about a kind: its name, an example, its variables and its default address."""
    for kind, notifier in KINDS.items():
        variables = {variable.name: variable for variable in notifier.config_class.variables()}
        assert (notifier.kind, notifier.example.partition(":")[0]) == (kind, kind)
        assert parse_destination(notifier.example)
        assert notifier.config_class.address_variable in {"", *variables}
        assert all(name.isupper() and variable.description for name, variable in variables.items())
        assert notifier.capabilities.edit is (notifier.edit is not Notifier.edit)
        assert notifier.capabilities.thread is (notifier.reply is not Notifier.reply)
        assert notifier.capabilities.picture is (notifier.attach is not Notifier.attach)
        assert notifier.capabilities.receipt is (notifier.is_delivered is not Notifier.is_delivered)


def test_variables_configure_the_notifiers() -> None:
    """The values of the variables reach the configs; empty ones are as unset."""
    values = {"SLACK_TOKEN": "xoxb-1", "SLACK_CHANNEL": "#a", "SLACK_API_URL": "", "TWILIO_TO": "+15550100"}
    notifiers = Notifiers.from_variables(values)
    assert notifiers.configured == ("slack", "console")
    assert notifiers.configs["slack"] == SlackConfig("xoxb-1", "#a", "https://slack.com/api/")
    assert notifiers.configs["twilio"].missing() == ["TWILIO_ACCOUNT_SID", "TWILIO_FROM", "TWILIO_AUTH_TOKEN"]
    assert secrets(values) == ["xoxb-1"]
