"""Turn the bytes that Tableau sent into an Event."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from webhooks.event_types import EventType, event_type

# Values of `resource` that say what the LUID names.
CONTENT_RESOURCES = ("WORKBOOK", "DATASOURCE", "VIEW", "USER", "SITE")
CORE_FIELDS = ("resource", "event_type", "resource_name", "site_luid", "resource_luid", "created_at")
MAX_BYTES = 64 * 1024
# Tableau's events are flat; deeper nesting than this is an attack on the parser.
MAX_DEPTH = 64

# The payload's field that marks an event sent by `flask trigger`; its messages are marked as a test.
TEST_FIELD = "test"

# The values of `Event.origin`.
MONITOR = "monitor"
RECONCILED = "reconciled"


class Malformed(ValueError):
    """The bytes are not JSON in UTF-8 as RFC 8259 has it."""


class Unprocessable(ValueError):
    """It is JSON, but not an object with a string `event_type`."""


@dataclass(frozen=True, slots=True)
class Event:
    """What Tableau sent. Fields hold the payload's own values, unchanged; a missing field is None.

    `id` and `received_at` (UTC) are set once the event is stored. `site` is its site's name in SITES_FILE, empty
    without that file and None while it is not known which site sent the event. `origin` is MONITOR or RECONCILED for an
    event of the server's own, else None; the inbox sets it, whatever the payload claims.
    """

    event_type: str
    payload: Mapping[str, Any]
    body: bytes
    fingerprint: bytes
    id: int | None = None
    received_at: datetime | None = None
    site: str | None = field(default="", compare=False)
    origin: str | None = field(default=None, compare=False)

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
    def is_test(self) -> bool:
        """Whether the event was sent by `flask trigger`, not by Tableau."""
        return self.payload.get(TEST_FIELD) is True

    @property
    def type(self) -> EventType:
        """What the event type means."""
        return event_type(self.event_type)

    @property
    def content_kind(self) -> str | None:
        """Return what `resource_luid` names (workbook, datasource, view, user, site), or None if that is unknown.

        The event type decides where it can: `resource` says EXTRACTS for all refreshes.
        """
        if kind := self.type.kind:
            return kind
        kind = self.resource.lower() if isinstance(self.resource, str) else None
        return kind if self.resource in CONTENT_RESOURCES else None


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
    name = payload.get("event_type")
    if not isinstance(name, str):
        given = f"is {_kind(name)}" if "event_type" in payload else "is missing"
        raise Unprocessable(f"event_type {given}; expected a string such as WorkbookRefreshFailed")
    if name == "Test":
        return None
    return Event(name, payload, body, fingerprint(payload))


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


def build(name: str, *, origin: str, **fields: str) -> Event:
    """Return an event of the server's own, of the type `name`, as if Tableau had sent it."""
    payload = {"event_type": name, **fields, "origin": origin}
    body = json.dumps(payload, ensure_ascii=False).encode()
    return Event(name, payload, body, fingerprint(payload), origin=origin)


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
