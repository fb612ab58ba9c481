"""Build realistic payloads from the samples under samples/, one for each event type that rules may be about."""

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
from webhooks.event_types import RULE_EVENT_TYPES

FOLDER = Path(__file__).parent / "samples"
# The names in the samples are those of the simulated site, whose LUIDs are made from names in the same way.
SITE = "Acme"

Payload = dict[str, Any]


def sample(event_type: str) -> Payload:
    """Return a payload as Tableau sends it for this type; for an unknown type, one with the same fields.

    For a type from the job list, it is the payload of the event that the monitor would store.
    """
    if event_type in RULE_EVENT_TYPES:
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
    """Return the payload at the time `at` about the content `name`, then with `changes` and without `without`.

    The field `text` repeats the others, as Tableau's does, unless it is one of the changes.
    """
    customized = dict(payload)
    if name is not None:
        kind = kind_of(str(customized.get("event_type")))
        customized |= {"resource_name": name, "resource_luid": luid(kind, name)}
    customized |= {"created_at": created_at(at), **(changes or {})}
    if "text" in customized and "text" not in (changes or {}):
        customized["text"] = text(customized, at)
    return {key: value for key, value in customized.items() if key not in without}


def encode(payload: Payload) -> bytes:
    """Return the payload as compact JSON in UTF-8, as Tableau sends it; a lone surrogate stays an escape."""
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":")).encode()


def luid(kind: str, name: str) -> str:
    """Return a LUID in Tableau's form, always the same one for the same kind and name."""
    digest = hashlib.sha256(f"{kind.lower()}/{name}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def kind_of(event_type: str) -> str:
    """Return what the LUID names (workbook, datasource, …), or the type's first word where that is unknown."""
    known = event_types.event_type(event_type)
    if known.subject == "label":
        return "workbook"
    if known.from_job_list and known.resource:
        return known.resource.lower()
    return known.kind or known.subject or "content"


def created_at(at: datetime) -> str:
    """Return the time in whole seconds, rounded, as Tableau does."""
    return (at + timedelta(milliseconds=500)).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(payload: Mapping[str, Any], at: datetime) -> str:
    """Return the sentence that Tableau puts into the field `text`, with milliseconds."""
    moment = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
    about = f"{payload.get('resource_name') or ''}: {payload.get('resource_luid')} on site {payload.get('site_luid')}"
    return f"Event {payload.get('event_type')} for resource {about} posted at {moment}"
