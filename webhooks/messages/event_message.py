"""Write the message about an event: headline, reason, project, owner, link. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from notifiers import Link, Message
from webhooks.clock import parse_time
from webhooks.event import RECONCILED, Event
from webhooks.incidents.reasons import classify
from webhooks.messages.templates import FIELDS, render_or_standard
from webhooks.text import cut, value_text

# Characters of a value from outside in a message; Tableau's names have at most 255.
MAX_VALUE = 1000


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
    """Return the message about `event`. `title` and `text` are a rule's own templates; times are in `zone`.

    In place of a template that fails, the standard title or text is used, with a sentence about it.
    """
    values = event_values(event, details, zone)
    standard = "\n".join(filter(None, [details.reason, event.type.advice]))
    body, text_problem = render_or_standard("text", text or "", values, standard)
    facts = [
        ("Project", details.project),
        (_owner_label(event), details.owner),
        ("Content", getattr(details.content, "content_name", "")),
        ("Site role", getattr(details.content, "site_role", "")),
        ("When", values["created_at"]),
    ]
    headline, title_problem = render_or_standard(
        "title", title or "", values, f"{event.type.headline}: {values['name']}"
    )
    event_id = f"event {event.id}" if event.id else ""
    origin = "missed webhook, found by reconciliation" if event.origin == RECONCILED else ""
    if origin and event.type.from_job_list:
        origin = "from Tableau's job list"
    return Message(
        # An event of `flask trigger` may reach people who must not act on it.
        title=f"[Test] {headline}" if event.is_test else headline,
        text="\n".join(filter(None, [body, as_sentences(*details.problems, title_problem, text_problem)])),
        facts=tuple(fact for fact in facts if fact[1]),
        link=Link(values["link"], "Open in Tableau") if values["link"] else None,
        severity=event.type.severity,
        footer=" · ".join(filter(None, [rule, event_id, values["event_type"], origin])),
    )


def _owner_label(event: Event) -> str:
    if event.type.subject == "subscription":
        return "Recipient"
    return "Published by" if event.type.published else "Owner"


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


def event_values(event: Event, details: Details, zone: tzinfo = UTC) -> dict[str, Any]:
    """Return the values that the templates of a rule know: those of PLACEHOLDERS and of FIELDS."""
    plain = placeholder_values(event, details, zone)
    content = details.content
    about_event = {
        "id": event.id or 0,
        "type": plain["event_type"],
        "headline": event.type.headline,
        "created_at": plain["created_at"],
        "advice": event.type.advice,
        "test": event.is_test,
    }
    resource = {
        **{name: plain[name] for name in ("name", "project", "owner", "link")},
        "kind": event.content_kind or "",
        "luid": as_text(event.resource_luid),
        "tags": tuple(getattr(content, "tags", ())),
        "site_luid": as_text(event.site_luid),
    }
    run = {**FIELDS["run"], "reason": details.reason}
    if event.type.verb == "failed":
        run.update(outcome="failed", ended_at=plain["created_at"])
        run["reason_class"] = classify(details.reason) if details.reason else "unknown"
    return {**plain, "event": about_event, "resource": resource, "incident": FIELDS["incident"], "run": run}


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
