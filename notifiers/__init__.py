"""Deliver messages to people: by Slack, SMS, on the console, or by any service that Apprise knows.

    notifiers = Notifiers(slack=SlackConfig(token="xoxb-…", channel="#bi"))
    destination = parse_destination("slack:#finance-data")
    receipt = notifiers[destination.kind].send(Message("Refresh failed: Sales"), destination.to)

This package knows nothing of Tableau or of the application.
"""

from __future__ import annotations

from notifiers.apprise import AppriseConfig
from notifiers.config import Config, Variable
from notifiers.console import ConsoleConfig
from notifiers.errors import NotifierError, Undelivered
from notifiers.kinds import KINDS, Destination, Notifiers, parse_destination
from notifiers.message import Link, Message, Picture, Receipt, Severity
from notifiers.notifier import AddressCheck, Capabilities, Notifier
from notifiers.slack import SlackConfig
from notifiers.twilio import TwilioConfig

__all__ = [
    "KINDS",
    "AddressCheck",
    "AppriseConfig",
    "Capabilities",
    "Config",
    "ConsoleConfig",
    "Destination",
    "Link",
    "Message",
    "Notifier",
    "NotifierError",
    "Notifiers",
    "Picture",
    "Receipt",
    "Severity",
    "SlackConfig",
    "TwilioConfig",
    "Undelivered",
    "Variable",
    "parse_destination",
]
