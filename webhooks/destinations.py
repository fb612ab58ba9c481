"""Destinations of messages: those of the notifiers, and `default`, which the application resolves."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Annotated

from pydantic import AfterValidator

from notifiers import KINDS, Notifiers, parse_destination

DEFAULT = "default"
# Destinations that Tableau decides: the owner of the content, and that of its project, by e-mail address in Slack.
OWNER, PROJECT_OWNER = "owner", "project_owner"
FROM_TABLEAU = (OWNER, PROJECT_OWNER)


def normalize(text: str) -> str:
    """Return the destination in its canonical spelling, so that each destination is notified once.

    Raises ValueError that says what is expected.
    """
    if text.strip() in {DEFAULT, *FROM_TABLEAU}:
        return text.strip()
    try:
        return str(parse_destination(text))
    except ValueError as error:
        raise ValueError(f"{error}; or {DEFAULT}, {OWNER} or {PROJECT_OWNER}") from None


def resolve_default(text: str, with_default_address: Container[str]) -> str:
    """Return the destination that `default` means: Slack if it has a default channel, else the console.

    Other destinations are returned unchanged. `with_default_address` are the notifiers that need no address.
    """
    if text != DEFAULT:
        return text
    return "slack" if "slack" in with_default_address else "console"


def kind_of(text: str, with_default_address: Container[str]) -> str:
    """Return the kind of notifier that a destination needs, also one of which only the event decides the address."""
    if "{{" in text or "{%" in text:
        return text.partition(":")[0].strip()
    return parse_destination(resolve_default(text, with_default_address)).kind


def delivery_warnings(destinations: Iterable[str], notifiers: Notifiers) -> list[str]:
    """Return a sentence per destination that cannot be notified, or that is not where people expect it."""
    warnings = []
    for text in sorted(set(destinations)):
        if text in FROM_TABLEAU:
            if "slack" not in notifiers.configured:
                warnings.append(f"rules send messages to the {text.replace('_', ' ')}, but Slack is not configured")
            continue
        destination = parse_destination(resolve_default(text, notifiers.with_default_address))
        kind = destination.kind
        if kind not in notifiers.configured:
            warnings.append(f"rules send messages to {kind}, which is not configured")
        elif destination.to is None and kind not in notifiers.with_default_address:
            variable = KINDS[kind].config_class.address_variable
            warnings.append(f"rules send messages to {kind} without an address, but {variable} is not set")
        elif destination.to and (problem := notifiers.configs[kind].address_problem(destination.to)):
            warnings.append(f"rules send messages to {destination}: {problem}")
        elif text == DEFAULT and kind != "slack" and "slack" in notifiers.configured:
            variable = KINDS["slack"].config_class.address_variable
            warnings.append(f"{DEFAULT} means {kind}: SLACK_TOKEN is set, but {variable} is not")
    return list(dict.fromkeys(warnings))


Destination = Annotated[str, AfterValidator(normalize)]
