"""Realistic events: a sample of each type under samples/, made fresh with a name, a time and more. Pure."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from webhooks import event_types
from webhooks.event_types import EVENT_TYPES

FOLDER = Path(__file__).parent / "samples"
SITE = "Marketing"

Payload = dict[str, Any]


def sample(event_type: str) -> Payload:
    """A payload as Tableau sends it for this type; for a type not known so far, one like the others."""
    if event_type in EVENT_TYPES:
        return dict(_read(event_type))
    kind = kind_of(event_type)
    return {
        "resource": kind.upper(),
        "event_type": event_type,
        "resource_name": f"Some {kind}",
        "site_luid": luid("site", SITE),
        "resource_luid": luid(kind, f"Some {kind}"),
        "created_at": "",
        "text": "",
    }


@cache
def _read(event_type: str) -> Payload:
    found: Payload = json.loads((FOLDER / f"{event_type}.json").read_text(encoding="utf-8"))
    return found


def customize(
    payload: Mapping[str, Any],
    *,
    at: datetime,
    name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    without: Sequence[str] = (),
) -> Payload:
    """The payload as of `at` (aware, UTC), about the content called `name`; then `changes`, then `without` keys.

    `text` repeats the other fields as Tableau's does, unless it is among the changes.
    """
    made = dict(payload)
    if name is not None:
        made |= {"resource_name": name, "resource_luid": luid(kind_of(str(made.get("event_type"))), name)}
    made |= {"created_at": created_at(at), **(changes or {})}
    if "text" in made and "text" not in (changes or {}):
        made["text"] = text(made, at)
    return {key: value for key, value in made.items() if key not in without}


def encode(body: Payload) -> bytes:
    """Return the payload as compact JSON in UTF-8, as Tableau sends it; a lone surrogate stays an escape."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()


def luid(kind: str, name: str) -> str:
    """The same LUID for the same kind and name, always; in the form of Tableau's own."""
    digest = hashlib.sha256(f"{kind.lower()}/{name}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def kind_of(event_type: str) -> str:
    """Return what the LUID names (workbook, datasource, …), or the type's first word where that is unknown."""
    known = event_types.event_type(event_type)
    if known.subject == "label":
        return "workbook"
    return known.kind or known.subject or "content"


def created_at(at: datetime) -> str:
    """Whole seconds, rounded, as Tableau writes them."""
    return (at + timedelta(milliseconds=500)).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(payload: Mapping[str, Any], at: datetime) -> str:
    moment = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
    about = f"{payload.get('resource_name') or ''}: {payload.get('resource_luid')} on site {payload.get('site_luid')}"
    return f"Event {payload.get('event_type')} for resource {about} posted at {moment}"
