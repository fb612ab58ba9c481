"""Where messages go, and what is said where they could not go there."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from notifiers import Notifiers, SlackConfig, TwilioConfig
from webhooks.config.settings import Settings
from webhooks.destinations import delivery_warnings, normalize
from webhooks.services import Services

RULES = """
[[rule]]
name = "On"
on = "*"
notify = "slack"

[[rule]]
name = "Off"
on = "*"
notify = "twilio"
enabled = false
"""


@pytest.mark.parametrize(
    ("written", "checked"),
    [
        (" default ", "default"),
        ("slack: #bi", "slack:#bi"),
        (" console", "console"),
        ("twilio:+1 (555) 010-0", "twilio:+15550100"),
    ],
)
def test_destination_has_one_spelling(written: str, checked: str) -> None:
    """The same place is the same text, so that nobody is told twice."""
    assert normalize(written) == checked


def test_troubles_say_what_is_not_set() -> None:
    """What is not set up, what needs an address, and where the default goes instead."""
    sms = TwilioConfig(account_sid="AC1", auth_token="x", sender="+15550100")
    notifiers = Notifiers(slack=SlackConfig("xoxb-1"), twilio=sms)
    assert delivery_warnings(["slack:#a", "console"], notifiers) == []
    assert delivery_warnings(["default", "slack", "twilio", "apprise"], notifiers) == [
        "rules tell people by apprise, which is not set up",
        "default goes to the console: SLACK_TOKEN is set, and SLACK_CHANNEL is not",
        "rules tell people by slack without an address, and SLACK_CHANNEL is not set",
        "rules tell people by twilio without an address, and TWILIO_TO is not set",
    ]
    assert delivery_warnings(["default", "slack"], Notifiers(slack=SlackConfig("xoxb-1", "#a"))) == []
    assert delivery_warnings(["default"], Notifiers()) == []


def test_start_warns_of_places_that_cannot_be_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not only the first message finds out; rules that are switched off do not count."""
    (tmp_path / "rules.toml").write_text(RULES)
    services = Services(
        Settings(
            _env_file=None,
            database_url=f"sqlite:///{tmp_path / 'inbox.sqlite3'}",
            rules_file=tmp_path / "rules.toml",
            slack_token="xoxb-1",
            slack_channel="",
        )
    )
    with caplog.at_level(logging.WARNING, "webhooks"):
        services.worker(1)
    services.stop()
    assert "slack without an address, and SLACK_CHANNEL is not set" in caplog.text
    assert "default goes to the console" in caplog.text
    assert "twilio" not in caplog.text
