"""Write the message about an event: headline, reason, project, owner, link. Pure."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator

from notifiers import Link, Message
from webhooks.clock import parse_time
from webhooks.event import RECONCILED, Event
from webhooks.spelling import hint
from webhooks.text import cut, value_text

# Characters of a value from outside in a message; Tableau's names have at most 255.
MAX_VALUE = 1000

# The names that `title` and `text` of a rule may have in braces.
PLACEHOLDERS = {
    "name": "the name of the workbook, data source, flow, view, user or site, or a subscription's subject",
    "event_type": "Tableau's name of the event type",
    "project": "the project's path, such as Finance/Reports",
    "owner": "the owner",
    "reason": "why a refresh, flow run or subscription failed",
    "link": "the address in Tableau",
    "created_at": "the time of the event",
}


@dataclass(frozen=True, slots=True)
class Details:
    """Facts about an event beyond its payload. `problems` are sentences on those that could not be found."""

    content: Any = None
    project: str = ""
    owner: str = ""
    reason: str = ""
    problems: tuple[str, ...] = ()


def event_message(
    event: Event,
    details: Details = Details(),
    *,
    rule: str | None = None,
    title: str | None = None,
    text: str | None = None,
    zone: tzinfo = UTC,
) -> Message:
    """Return the message about `event`. `title` and `text` are a rule's own, with PLACEHOLDERS; times are in `zone`."""
    values = placeholder_values(event, details, zone)
    body = text.format_map(values) if text else "\n".join(filter(None, [details.reason, event.type.advice]))
    owner_label = "Published by" if event.type.published else "Owner"
    if event.type.subject == "subscription":
        owner_label = "Recipient"
    facts = [
        ("Project", details.project),
        (owner_label, details.owner),
        ("Content", getattr(details.content, "content_name", "")),
        ("Site role", getattr(details.content, "site_role", "")),
        ("When", values["created_at"]),
    ]
    headline = title.format_map(values) if title else f"{event.type.headline}: {values['name']}"
    event_id = f"event {event.id}" if event.id else ""
    origin = "missed webhook, found by reconciliation" if event.origin == RECONCILED else ""
    if origin and event.type.from_job_list:
        origin = "from Tableau's job list"
    return Message(
        # An event of `flask trigger` may reach people who must not act on it.
        title=f"[Test] {headline}" if event.is_test else headline,
        text="\n".join(filter(None, [body, as_sentences(*details.problems)])),
        facts=tuple(fact for fact in facts if fact[1]),
        link=Link(values["link"], "Open in Tableau") if values["link"] else None,
        severity=event.type.severity,
        footer=" · ".join(filter(None, [rule, event_id, values["event_type"], origin])),
    )


def placeholder_values(event: Event, details: Details, zone: tzinfo = UTC) -> dict[str, str]:
    """Return the value of each of PLACEHOLDERS; an empty text if it is unknown."""
    content = details.content
    if event.content_kind == "user" and content is not None:
        # The webhook's name of a user may be anything.
        name = format_user(content)
    else:
        # The name at the time of the event.
        name = as_text(event.resource_name) or getattr(content, "name", "") or as_text(event.resource_luid)
    return {
        "name": name or "(no name)",
        "event_type": as_text(event.event_type),
        "project": details.project,
        "owner": details.owner,
        "reason": details.reason,
        "link": getattr(content, "webpage_url", ""),
        "created_at": format_time(event.created_at, zone),
    }


def as_sentences(*problems: str) -> str:
    """Return the problems that are not empty as sentences, one a line."""
    return "\n".join(f"{problem[:1].upper()}{problem[1:].rstrip('.')}." for problem in problems if problem)


def format_user(user: Any) -> str:
    """Return a user of Tableau as `Ann Lee (ann@example.org)`."""
    name, address = user.full_name or user.name, user.email or user.name
    return f"{name} ({address})" if address and address != name else name


def format_time(created_at: object, zone: tzinfo = UTC) -> str:
    """Return a payload's time in `zone`, as `2026-01-31 09:30 UTC`, and any other value as it is."""
    at = parse_time(created_at)
    try:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}" if at else as_text(created_at)
    except OverflowError:
        return as_text(created_at)


def as_text(value: object) -> str:
    """Return a payload's value as text: a string as it is, an empty or missing value as "", others as JSON.

    A long one is cut.
    """
    return cut(value_text(value, MAX_VALUE + 1), MAX_VALUE) if value else ""


def check_template(text: str) -> str:
    """Return the text if all its placeholders are known. Raises ValueError with a suggestion."""
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ and }}}} for literal braces") from None
    for _, name, form, conversion in fields:
        if name is not None and name not in PLACEHOLDERS:
            raise ValueError(f"unknown placeholder {{{name}}}; {hint(name, PLACEHOLDERS)}")
        if form or conversion:
            raise ValueError(f"{{{name}}} does not accept a format or conversion")
    return text


Template = Annotated[str, AfterValidator(check_template)]
