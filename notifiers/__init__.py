"""Says something to somebody: Slack, SMS, the console, or anything Apprise knows.

    notifiers = Notifiers(slack=SlackConfig(token="xoxb-…", channel="#bi"))
    destination = parse_destination("slack:#finance-data")
    receipt = notifiers[destination.kind].send(Message("Refresh failed: Sales"), destination.to)

This package knows messages and nothing of Tableau or of the application.
"""

from notifiers.apprise.notifier import AppriseConfig
from notifiers.console.notifier import ConsoleConfig
from notifiers.errors import NotifierError
from notifiers.kinds import KINDS, Destination, Notifiers, parse_destination
from notifiers.message import Link, Message, Notifier, Picture, Receipt, Severity, plain
from notifiers.slack import SlackConfig
from notifiers.twilio import TwilioConfig

__all__ = [
    "KINDS",
    "AppriseConfig",
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
    "parse_destination",
    "plain",
]
