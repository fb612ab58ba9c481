"""Every kind of message that the server sends, about content with a given name."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

from notifiers import Link, Mention, Message
from tests.support.handler_context import make_event
from webhooks import event_types
from webhooks.event import Event
from webhooks.incidents import Act, Incident, evidence, runs, state
from webhooks.incidents.incident import IncidentKind, IncidentState
from webhooks.job import Job, JobState
from webhooks.messages.alert_message import alert_message
from webhooks.messages.dead_letter_message import dead_letter_message, group_text, group_title
from webhooks.messages.digest_message import digest_message
from webhooks.messages.event_message import Details, event_message
from webhooks.messages.group_message import Member, group_message
from webhooks.messages.incident_message import IncidentDetails, change_message, incident_message
from webhooks.messages.incident_values import template_values
from webhooks.messages.templates import render_or_standard

NOW = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
PAGE = "https://hooks.example.org"
LINK = "https://tableau.example.org/#/site/finance/workbooks/7"
RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes"
# A rule's own title and text.
Template = tuple[str | None, str | None]
# Makes a message about content of this name; its other texts from outside are the second one.
Maker = Callable[[str, str], Message]
TYPES: Sequence[str] = [
    *event_types.EVENT_TYPES,
    *event_types.JOB_LIST_EVENT_TYPES,
    *event_types.MONITOR_EVENT_TYPES,
    *event_types.WATCH_EVENT_TYPES,
    "MetricExploded",
]


@cache
def templates() -> tuple[Template, ...]:
    """Return the titles and texts of the recipes, one in each form with all placeholders, and none of them."""
    found: list[Template] = [(None, None)]
    for file in sorted(RECIPES.glob("*.toml")):
        for rule in tomllib.loads(file.read_text(encoding="utf-8")).get("rule", ()):
            given = rule.get("notify")
            tables = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, dict)]
            found += [(one.get("title"), one.get("text")) for one in tables if "title" in one or "text" in one]
    plain = "{name} {event_type} {project} {owner} {reason} {link} {created_at}"
    jinja = "{{ resource.name }} {{ event.headline }} {{ resource.tags | join(', ') }} {{ run.reason or reason }}"
    return (*found, (plain, plain), (jinja, jinja))


def about_event(name: str, text: str, event_type: str, template: Template) -> Message:
    """Return the message about an event of this type, whose content has `name` and whose other texts are `text`."""
    event = _event(event_type, name)
    user = event.content_kind == "user"
    content: Any = SimpleNamespace(name=name, webpage_url=LINK, tags=(text,), content_name=text, site_role=text)
    if user:
        content = SimpleNamespace(name=name, full_name=text, email=text, webpage_url=LINK, site_role=text)
    details = Details(content, project=text, owner=text, reason=text, problems=(text,))
    return event_message(event, details, rule=text, title=template[0], text=template[1])


def incident_makers() -> Iterator[Maker]:
    """Yield what makes the messages about an incident of each kind and state, with each template, and about several."""
    for kind, state_ in product(get_args(IncidentKind), get_args(IncidentState)):
        yield lambda name, text, kind=kind, state_=state_: _shown(_incident(name, text, kind, state_), text)  # type: ignore[misc]
    for template in templates():
        yield lambda name, text, template=template: _shown(_incident(name, text), text, template)  # type: ignore[misc]
    yield lambda name, text: change_message(
        _incident(name, text), text, mentions=(Mention("name", text), Mention("here"))
    )
    yield lambda name, text: group_message(
        _members(name, text), summary_at=NOW, mentions=(Mention("email", text),), key="group 7"
    )
    yield lambda name, text: digest_message(
        _members(name, text), since=NOW - timedelta(days=1), outcomes={"succeeded": 3, "failed": 1}
    )


def server_makers() -> Iterator[Maker]:
    """Yield what makes the messages about dead letters and findings of the monitor."""
    yield lambda name, text: dead_letter_message([_dead(name, text)], lambda _: text)
    yield lambda name, text: dead_letter_message([_dead(name, text)] * 12, lambda _: text, total=200)
    yield lambda name, text: Message(
        group_title([_dead(name, text)], text, 1), group_text([_dead(name, text)], lambda _: text), severity="bad"
    )
    yield lambda name, text: alert_message(_event("WebhooksDrifted", name, text=text))


def _dead(name: str, text: str) -> Job:
    event = replace(_event("WorkbookRefreshFailed", name), id=7)
    error, params = f"Could not deliver to slack:#bi. {text}", {"to": text}
    return Job(
        1, event, "k", "notify", text, params, {}, JobState.DEAD, attempts=3, max_attempts=3, due_at=NOW, error=error
    )


def _members(name: str, text: str) -> list[Member]:
    states: tuple[IncidentState, ...] = ("open", "acknowledged", "closed")
    details = _details(text, upstream=(text,))
    return [Member(_incident(name, text, "failing", one), details) for one in states for _ in range(4)]


def _event(event_type: str, name: str, **fields: str) -> Event:
    """Return an event as it could have been received: a webhook with a lone surrogate is refused."""
    received = {
        key: value.encode(errors="replace").decode() for key, value in {"resource_name": name, **fields}.items()
    }
    return make_event(event_type, **received)


def _incident(name: str, text: str, kind: IncidentKind = "failing", wanted: IncidentState = "open") -> Incident:
    piece = evidence(_event("WorkbookRefreshFailed", name))
    assert piece
    (found,) = state(runs([replace(piece, reason=text)]), (), NOW)
    acts = () if wanted == "open" else (Act("1", "note", found.id, NOW, text, text=text),)
    quiet = text if wanted in {"acknowledged", "snoozed"} else ""
    closed = NOW if wanted == "closed" else None
    return replace(found, kind=kind, state=wanted, acts=acts, quiet_by=quiet, closed_at=closed)


def _details(text: str, **fields: Any) -> IncidentDetails:
    return IncidentDetails(
        7, rule=text, project=text, owner=text, link=LINK, page=PAGE, problem=text, advice=text, **fields
    )


def _shown(incident: Incident, text: str, template: Template = (None, None)) -> Message:
    details = _details(text, strikes=4, downstream=12, next_run_at=NOW)
    values = template_values(incident, details, NOW, tags=(text,))
    title, own = (
        render_or_standard(key, one or "", values, "")[0] for key, one in zip(("title", "text"), template, strict=True)
    )
    message = incident_message(incident, details, title=title, text=own, mentions=(Mention("name", text),))
    return replace(
        message, actions=(Link(f"{PAGE}/act/x", "Acknowledge"),), hint="Reply 1 to acknowledge", id="notice 7"
    )
