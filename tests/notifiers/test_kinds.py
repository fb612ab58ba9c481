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
    NotifierError,
    Notifiers,
    SlackConfig,
    TwilioConfig,
    parse_destination,
)


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
    """A kind alone, or with an address; what it prints parses to the same."""
    assert parse_destination(text) == destination
    assert parse_destination(str(destination)) == destination


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", "one of slack, twilio, apprise, console"),
        ("teams:#x", "one of slack, twilio, apprise, console"),
        ("#finance", "one of slack"),
        ("slack:", "write slack alone"),
        ("slack:finance", "#channel"),
        ("slack:#a b", "#channel"),
        ("slack:@ann", "e-mail address"),
        ("twilio:5550100", "country code"),
        ("twilio:+0123", "country code"),
        ("apprise:two words", "tags are words"),
        ("console:x", "write console"),
    ],
)
def test_parse_destination_says_what_would_be_right(text: str, right: str) -> None:
    """A typing error in a rules file gets an answer that helps."""
    with pytest.raises(ValueError, match=right):
        parse_destination(text)


def test_notifiers_has_every_kind_of_the_table() -> None:
    """Each kind is there, set up or not, and says of itself what it is."""
    notifiers = Notifiers()
    assert list(notifiers) == list(KINDS)
    assert len(notifiers) == len(KINDS)
    assert all(kind in notifiers and notifiers[kind].kind == kind for kind in notifiers)
    assert notifiers.configured == ("console",)


def test_configured_names_what_is_set_up() -> None:
    """A kind is set up when nothing it needs is missing."""
    notifiers = Notifiers(
        slack=SlackConfig(token="xoxb-1"),
        twilio=TwilioConfig(account_sid="AC1", auth_token="x"),
        apprise=AppriseConfig("json://localhost"),
    )
    assert notifiers.configured == ("slack", "apprise", "console")


def test_addressed_names_what_needs_no_address() -> None:
    """A token is not enough where nobody says which channel, or which number."""
    account = {"account_sid": "AC1", "auth_token": "x", "sender": "+15550100"}
    without = Notifiers(slack=SlackConfig(token="xoxb-1"), twilio=TwilioConfig(**account))
    assert without.with_default_address == ("console",)
    both = Notifiers(slack=SlackConfig("xoxb-1", "#a"), twilio=TwilioConfig(**account, to="+15550101"))
    assert both.with_default_address == ("slack", "twilio", "console")


def test_unknown_kind_is_a_permanent_error() -> None:
    """A job kept from before, whose notifier is gone, ends with a clear word."""
    with pytest.raises(NotifierError, match="no notifier 'pager'; there are slack") as caught:
        Notifiers().get("pager")
    assert caught.value.permanent


def test_console_is_always_there() -> None:
    """Without any setting something can be told to somebody."""
    stream = io.StringIO()
    Notifiers(console=ConsoleConfig(stream)).get("console").send(Message("Hello"), None)
    assert "Hello" in stream.getvalue()


def test_get_gives_every_thread_the_same() -> None:
    """Each notifier is made once."""
    notifiers = Notifiers(slack=SlackConfig(token="xoxb-1"))
    with ThreadPoolExecutor(8) as pool:
        assert len({id(one) for one in pool.map(lambda _: notifiers["slack"], range(64))}) == 1


def test_import_does_not_load_slack_sdk() -> None:
    """Who does not use Slack does not wait for it, and Apprise is loaded only where it is used."""
    code = (
        "import sys, notifiers; n = notifiers.Notifiers(slack=notifiers.SlackConfig(token='x')); n['slack'];"
        "print([name for name in ('slack_sdk', 'apprise') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
