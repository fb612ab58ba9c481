"""Destinations: their canonical spelling, and warnings about those that cannot be notified."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from notifiers import Notifiers, SlackConfig, TwilioConfig
from notifiers.teams import TeamsConfig
from webhooks.config.settings import Settings
from webhooks.destinations import delivery_warnings, kind_of, normalize
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
    ("text", "canonical"),
    [
        (" default ", "default"),
        ("slack: #bi", "slack:#bi"),
        (" console", "console"),
        ("twilio:+1 (555) 010-0", "twilio:+15550100"),
        (" owner", "owner"),
        ("slack: project_owner", "project_owner"),
        ("email: owner", "email:owner"),
    ],
)
def test_each_destination_has_one_spelling(text: str, canonical: str) -> None:
    """Two spellings of a destination become the same text, so that it is not notified twice."""
    assert normalize(text) == canonical


def test_unreachable_destinations_are_warnings() -> None:
    """The warnings say what is not configured, what needs an address, and where `default` sends instead."""
    twilio = TwilioConfig(account_sid="AC1", auth_token="x", sender="+15550100")
    notifiers = Notifiers(slack=SlackConfig("xoxb-1"), twilio=twilio)
    assert delivery_warnings(["slack:#a", "console"], notifiers) == []
    assert delivery_warnings(["default", "slack", "twilio", "apprise"], notifiers) == [
        "rules send messages to apprise, which is not configured",
        "default means console: SLACK_TOKEN is set, but SLACK_CHANNEL is not",
        "rules send messages to slack without an address, but SLACK_CHANNEL is not set",
        "rules send messages to twilio without an address, but TWILIO_TO is not set",
    ]
    assert delivery_warnings(["default", "slack"], Notifiers(slack=SlackConfig("xoxb-1", "#a"))) == []
    assert delivery_warnings(["default"], Notifiers()) == []
    assert delivery_warnings(["owner", "email:project_owner"], Notifiers()) == [
        "rules send messages to the project owner, but E-mail is not configured",
        "rules send messages to the owner, but Slack is not configured",
    ]
    assert [kind_of(to, ()) for to in ("owner", "email:owner", "default")] == ["slack", "email", "console"]


def test_names_that_the_settings_lack_are_warnings() -> None:
    """A destination names one of the addresses in a variable; one that is not there is found at start."""
    notifiers = Notifiers(teams=TeamsConfig("bi=https://flow.example/1?sig=secret"))
    assert delivery_warnings(["teams", "teams:bi"], notifiers) == []
    assert delivery_warnings(["teams:fin"], notifiers) == [
        "rules send messages to teams:fin: No value of TEAMS_URLS has the name fin. Names: bi"
    ]


def test_worker_warns_of_unreachable_destinations(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The warnings are logged at start, not with the first message; disabled rules do not count."""
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
    assert "slack without an address, but SLACK_CHANNEL is not set" in caplog.text
    assert "default means console" in caplog.text
    assert "twilio" not in caplog.text
