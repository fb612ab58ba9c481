"""Where a message goes: the notifiers' own destinations, and `default`, which the application resolves."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Annotated

from pydantic import AfterValidator

from notifiers import Notifiers, parse_destination

DEFAULT = "default"
ADDRESSES = {"slack": "SLACK_CHANNEL", "twilio": "TWILIO_TO"}
"""The variables that say where a message without an address goes."""


def normalize(text: str) -> str:
    """The destination, written in its one way, so that the same place is told once.

    Raises ValueError with what would be right.
    """
    if text.strip() == DEFAULT:
        return DEFAULT
    try:
        return str(parse_destination(text))
    except ValueError as error:
        raise ValueError(f"{error}; or {DEFAULT}") from None


def resolve_default(text: str, addressed: Container[str]) -> str:
    """`default` is Slack's default channel where Slack has one, and the console where it has none."""
    if text != DEFAULT:
        return text
    return "slack" if "slack" in addressed else "console"


def delivery_warnings(texts: Iterable[str], notifiers: Notifiers) -> list[str]:
    """Why messages to these destinations cannot go out, or do not go where they are expected; a sentence each."""
    found = [_trouble(text, notifiers) for text in sorted(set(texts))]
    return list(dict.fromkeys(filter(None, found)))


def _trouble(text: str, notifiers: Notifiers) -> str:
    kind, to = (one := parse_destination(resolve_default(text, notifiers.with_default_address))).kind, one.to
    if kind not in notifiers.configured:
        return f"rules tell people by {kind}, which is not set up"
    if to is None and kind not in notifiers.with_default_address:
        return f"rules tell people by {kind} without an address, and {ADDRESSES[kind]} is not set"
    if text == DEFAULT and kind != "slack" and "slack" in notifiers.configured:
        return f"{DEFAULT} goes to the {kind}: SLACK_TOKEN is set, and {ADDRESSES['slack']} is not"
    return ""


Destination = Annotated[str, AfterValidator(normalize)]
