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
from notifiers.errors import CannotEdit, CannotReply, NotifierError, PartlyDelivered, Undelivered
from notifiers.kinds import KINDS, Destination, Notifiers, UnknownKind, parse_destination
from notifiers.limits import Limit, Operation
from notifiers.message import (
    Button,
    IncidentRef,
    Mention,
    Message,
    Picture,
    Posted,
    Receipt,
    Severity,
    Unknown,
    map_texts,
    parse_mention,
)
from notifiers.notifier import AddressCheck, Capabilities, Notifier, Permission, Person, Upkeep
from notifiers.slack import SlackConfig
from notifiers.table import Table
from notifiers.twilio import TwilioConfig
from notifiers.values import Cell, Link, Timestamp

__all__ = [
    "KINDS",
    "AddressCheck",
    "AppriseConfig",
    "Button",
    "CannotEdit",
    "CannotReply",
    "Capabilities",
    "Cell",
    "Config",
    "ConsoleConfig",
    "Destination",
    "IncidentRef",
    "Limit",
    "Link",
    "Mention",
    "Message",
    "Notifier",
    "NotifierError",
    "Notifiers",
    "Operation",
    "PartlyDelivered",
    "Permission",
    "Person",
    "Picture",
    "Posted",
    "Receipt",
    "Severity",
    "SlackConfig",
    "Table",
    "Timestamp",
    "TwilioConfig",
    "Undelivered",
    "Unknown",
    "UnknownKind",
    "Upkeep",
    "Variable",
    "map_texts",
    "parse_destination",
    "parse_mention",
]
