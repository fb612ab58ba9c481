"""How an event reads as a message: headline, reason, project, owner, link. Pure."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator

from notifiers import Link, Message
from webhooks.clock import parse_time
from webhooks.event import RECONCILED, Event
from webhooks.spelling import hint

FAR = timedelta(days=30)
"""A webhook comes within minutes, and what was missed is made up for within days: a time further off is a mistake."""

PLACEHOLDERS = {
    "name": "the name of the workbook, data source, view, user or site",
    "event_type": "Tableau's word for what happened",
    "project": "the project's path, such as Finance/Reports",
    "owner": "the owner",
    "reason": "why a refresh failed",
    "link": "the address in Tableau",
    "created_at": "when it happened",
}
"""What `title` and `text` of a rule may have in braces."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about an event beyond its payload. `problems` say what could not be found out, and why."""

    content: Any = None
    project: str = ""
    owner: str = ""
    reason: str = ""
    problems: tuple[str, ...] = ()


def compose(
    event: Event, known: Known = Known(), *, rule: str | None = None, title: str | None = None, text: str | None = None
) -> Message:
    """The message about `event`. `title` and `text` are a rule's own words, with PLACEHOLDERS."""
    values = _values(event, known)
    body = text.format_map(values) if text else known.reason
    return Message(
        title=title.format_map(values) if title else f"{event.type.headline}: {values['name']}",
        text="\n".join(filter(None, [body, *map(_sentence, known.problems)])),
        facts=tuple(_facts(event, known, values)),
        link=Link(values["link"], "Open in Tableau") if values["link"] else None,
        severity=event.type.severity,
        footer=" · ".join(
            filter(None, [rule, f"event {event.id}" if event.id else "", event.event_type, _lateness(event)])
        ),
    )


def person(user: Any) -> str:
    """`Ann Lee (ann@example.org)`, from what Tableau knows of a user."""
    name, address = user.full_name or user.name, user.email or user.name
    return f"{name} ({address})" if address and address != name else name


def happened_at(event: Event) -> datetime | None:
    """When it happened; when it was received where the payload gives no time, or one that cannot be right."""
    at, received = parse_time(event.created_at), event.received_at
    return received if at is None or (received and abs(received - at) > FAR) else at


def moment(created_at: object) -> str:
    """`2026-01-31 09:30 UTC`; what is no time stays as it is."""
    at = parse_time(created_at)
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else as_text(created_at)


def as_text(value: object) -> str:
    """A payload's value as people read it: a text as it is, nothing where there is none, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if value else ""


def check_template(text: str) -> str:
    """The text, if what it has in braces is known. Raises ValueError with what would be right."""
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ and }}}} for braces that are meant as such") from None
    for _, name, form, conversion in fields:
        if name is not None and name not in PLACEHOLDERS:
            raise ValueError(f"{{{name}}} is not known; {hint(name, PLACEHOLDERS)}")
        if form or conversion:
            raise ValueError(f"{{{name}}} takes nothing behind its name")
    return text


Template = Annotated[str, AfterValidator(check_template)]


def _lateness(event: Event) -> str:
    return "found later: reconciled" if event.origin == RECONCILED else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _values(event: Event, known: Known) -> dict[str, str]:
    content = known.content
    return {
        "name": _name(event, content),
        "event_type": event.event_type,
        "project": known.project,
        "owner": known.owner,
        "reason": known.reason,
        "link": getattr(content, "webpage_url", ""),
        "created_at": moment(event.created_at),
    }


def _name(event: Event, content: Any) -> str:
    """The name at the time of the event; for users what Tableau says, as the webhook may give anything there."""
    if event.content_kind == "user" and content is not None:
        return person(content)
    known = getattr(content, "name", "")
    return as_text(event.resource_name) or known or as_text(event.resource_luid) or "(no name)"


def _facts(event: Event, known: Known, values: Mapping[str, str]) -> list[tuple[str, str]]:
    owner = "Published by" if event.type.published else "Owner"
    facts = [
        ("Project", values["project"]),
        (owner, values["owner"]),
        ("Site role", getattr(known.content, "site_role", "")),
        ("When", values["created_at"]),
    ]
    return [(name, value) for name, value in facts if value]
