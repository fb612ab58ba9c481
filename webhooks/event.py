"""Turns the bytes that Tableau sent into an Event, or says why not; knows the catalogue of event types."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

# https://help.tableau.com/current/developer/webhooks/en-us/docs/webhooks-events-payload.html
EVENT_TYPES: Mapping[str, str] = {
    "AdminPromoted": "USER",
    "AdminDemoted": "USER",
    "UserDeleted": "USER",
    "DatasourceCreated": "DATASOURCE",
    "DatasourceUpdated": "DATASOURCE",
    "DatasourceDeleted": "DATASOURCE",
    "DatasourceRefreshStarted": "EXTRACTS",
    "DatasourceRefreshSucceeded": "EXTRACTS",
    "DatasourceRefreshFailed": "EXTRACTS",
    "LabelCreated": "WORKBOOK",
    "LabelUpdated": "WORKBOOK",
    "LabelDeleted": "WORKBOOK",
    "SiteCreated": "SITE",
    "SiteUpdated": "SITE",
    "SiteDeleted": "SITE",
    "ViewDeleted": "VIEW",
    "WorkbookCreated": "WORKBOOK",
    "WorkbookUpdated": "WORKBOOK",
    "WorkbookDeleted": "WORKBOOK",
    "WorkbookRefreshStarted": "EXTRACTS",
    "WorkbookRefreshSucceeded": "EXTRACTS",
    "WorkbookRefreshFailed": "EXTRACTS",
}
"""Every documented event type with its `resource`; labels may also say DATASOURCE. The list has grown before, so an
event type that is not in it is an event all the same."""

CORE_FIELDS = ("resource", "event_type", "resource_name", "site_luid", "resource_luid", "created_at")
MAX_BYTES = 64 * 1024
MAX_DEPTH = 64
"""Tableau's events are flat; deeper nesting than this is an attack on the parser."""


class Malformed(ValueError):
    """The bytes are not JSON in UTF-8 as RFC 8259 has it."""


class Unprocessable(ValueError):
    """It is JSON, but not an object with a string `event_type`."""


@dataclass(frozen=True, slots=True)
class Event:
    """What Tableau sent. Fields hold the payload's own values, unchanged; a missing field is None.

    `id` and `received_at` (UTC) are the inbox's and absent before the event is kept. `site` is the name that people
    gave to the site in SITES_FILE: empty without one, None where nobody knows as yet which site it is.
    """

    event_type: str
    payload: Mapping[str, Any]
    body: bytes
    fingerprint: bytes
    id: int | None = None
    received_at: datetime | None = None
    site: str | None = field(default="", compare=False)

    @property
    def resource(self) -> Any:
        return self.payload.get("resource")

    @property
    def resource_name(self) -> Any:
        return self.payload.get("resource_name")

    @property
    def resource_luid(self) -> Any:
        return self.payload.get("resource_luid")

    @property
    def site_luid(self) -> Any:
        return self.payload.get("site_luid")

    @property
    def created_at(self) -> Any:
        return self.payload.get("created_at")

    @property
    def content_type(self) -> str | None:
        """`workbook`, `datasource`, `view`, `user` or `site`: what `resource_luid` names, or None if unknown.

        `resource` says EXTRACTS for all refreshes, so the event type's first word decides.
        """
        for word in ("Workbook", "Datasource", "View", "User", "Site"):
            if self.event_type.startswith(word):
                return word.lower()
        if self.event_type.startswith("Admin"):
            return "user"
        resource = self.resource
        known = ("WORKBOOK", "DATASOURCE", "VIEW", "USER", "SITE")
        return resource.lower() if isinstance(resource, str) and resource in known else None


def parse(body: bytes) -> Event | None:
    """The event in a request's body, or None for a test request.

    Nobody has published the exact bytes of a test request, so an empty body, `{}`, `null`, `""` and the event type
    `Test` all count as one. Raises Malformed and Unprocessable.
    """
    if not body.strip():
        return None
    payload = load(body)
    if payload is None or payload in ({}, ""):
        return None
    if not isinstance(payload, dict):
        raise Unprocessable(f"expected a JSON object, got {_kind(payload)}")
    event_type = payload.get("event_type")
    if not isinstance(event_type, str):
        given = f"is {_kind(event_type)}" if "event_type" in payload else "is missing"
        raise Unprocessable(f"event_type {given}; expected a string such as WorkbookRefreshFailed")
    if event_type == "Test":
        return None
    return Event(event_type, payload, body, fingerprint(payload))


def load(body: bytes) -> Any:
    """The JSON value in `body`, read strictly: UTF-8, no NaN or infinity, no lone surrogate, no absurd nesting."""
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(body)
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise Malformed("a lone surrogate is not a character") from error
    except ValueError as error:
        raise Malformed(f"not JSON: {error}") from error
    return value


def instant(created_at: object) -> datetime | None:
    """An event's `created_at` as an aware time; None for what is no time."""
    if not isinstance(created_at, str):
        return None
    try:
        at = datetime.fromisoformat(created_at)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def build(event_type: str, *, origin: str, **fields: str) -> Event:
    """An event of our own, as if it had been sent; `origin` in its payload says why we made it."""
    payload = {"event_type": event_type, **fields, "origin": origin}
    return Event(event_type, payload, json.dumps(payload, ensure_ascii=False).encode(), fingerprint(payload))


def fingerprint(payload: Mapping[str, Any]) -> bytes:
    """32 bytes: when it was created, then SHA-256 over the six core fields; over the whole payload where `created_at`
    is missing.

    Tableau sends one event more than once and gives it no id. The order of keys, `text` and fields of the future must
    not make a duplicate look new. New ones stand together in the index (docs/decisions/007-fingerprint.md).
    """
    core = {field: payload[field] for field in CORE_FIELDS if field in payload}
    known = core if core.get("created_at") else payload
    canonical = json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (_moment(core.get("created_at")) + hashlib.sha256(canonical.encode("utf-8")).digest())[:32]


def _moment(created_at: object) -> bytes:
    """The digits of a time, down to the second, as six bytes that sort; zeros for anything else."""
    digits = re.sub("[^0-9]", "", created_at[:40])[:14] if isinstance(created_at, str) else ""
    return int(digits.ljust(14, "0")).to_bytes(6, "big")


def _check_depth(body: bytes) -> None:
    """Counts brackets outside of strings; cheap, and run only for bodies with many of them."""
    depth, quoted, escaped = 0, False, False
    for byte in body:
        if quoted:
            quoted, escaped = (escaped or byte != 0x22), (byte == 0x5C and not escaped)
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
        elif byte in b"]}":
            depth -= 1


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
