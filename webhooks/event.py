"""Turn the bytes that Tableau sent into an Event."""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NoReturn

from webhooks.clock import parse_time
from webhooks.event_types import EventType, event_type
from webhooks.spelling import closest

# Values of `resource` that say what the LUID names.
CONTENT_RESOURCES = ("WORKBOOK", "DATASOURCE", "VIEW", "USER", "SITE", "FLOW", "SUBSCRIPTION")
CORE_FIELDS = ("resource", "event_type", "resource_name", "site_luid", "resource_luid", "created_at")
# Fields whose values are identifiers, in which surrounding white space has no meaning; a name may have it.
IDENTIFIERS = ("resource", "event_type", "site_luid", "resource_luid", "created_at")
MAX_BYTES = 64 * 1024
# Tableau's events are flat; deeper nesting than this is an attack on the parser.
MAX_DEPTH = 64
# Keys of a payload that are compared with event_type for a hint.
MAX_COMPARED_KEYS = 50
MAX_COMPARED_LENGTH = 40


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


# Built once: json.loads and json.dumps would build these for each event.
DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float)
NON_DIGITS = re.compile("[^0-9]")
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

# What senders post instead of JSON, recognized by how the body begins.
FOREIGN_FORMATS = {
    re.compile(rb"\xff\xfe|\xfe\xff|[\x00-\x7f]\x00|\x00[\x00-\x7f]"): "UTF-16 or UTF-32",
    re.compile(rb"\x1f\x8b"): "gzip, which Content-Encoding does not announce",
    re.compile(rb"--[^\r\n]{1,200}\r?\n"): "multipart form data",
    re.compile(rb"[\w.%+\[\]-]{1,200}=", re.ASCII): "form data",
    re.compile(rb"\s*<"): "XML or HTML",
}

# A webhook arrives within minutes and a missed one is reconciled within days: a time further away is wrong.
MAX_DISTANCE = timedelta(days=30)
# Nothing happens after it was received, but clocks differ. A recovery in the future would hide all failures before it.
MAX_AHEAD = timedelta(minutes=10)
# created_at is rounded to a second, in either direction.
ROUNDING = timedelta(seconds=1)
POSTED_AT = re.compile(r" posted at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)$", re.ASCII)

# The payload's field that marks an event sent by `flask trigger`; its messages are marked as a test.
TEST_FIELD = "test"
# The payload's fields of an event from Tableau's job list: the job, and the reason if it was looked up.
JOB_FIELD = "job_luid"
REASON_FIELD = "reason"
# The payload's field of an event of a watch: the name of the `[[watch]]` that declares what was expected.
WATCH_FIELD = "watch"

# The values of `Event.origin`.
MONITOR = "monitor"
RECONCILED = "reconciled"


class Malformed(ValueError):
    """The body is not JSON in UTF-8 as RFC 8259 defines it."""


class Unprocessable(ValueError):
    """The body is JSON, but not an object with a string `event_type`."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as Tableau sent it. Fields hold the payload's own values; a missing field is None.

    White space around identifiers is removed.

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
    # Why the stored event, or the job it belongs to, cannot be read; its payload is empty then.
    defect: str = field(default="", compare=False)

    @property
    def resource(self) -> Any:
        """Return the value of `resource`, such as WORKBOOK or EXTRACTS, as sent."""
        return self.payload.get("resource")

    @property
    def resource_name(self) -> Any:
        """Return the name of the content, as sent."""
        return self.payload.get("resource_name")

    @property
    def resource_luid(self) -> Any:
        """Return the LUID of the content, as sent."""
        return self.payload.get("resource_luid")

    @property
    def site_luid(self) -> Any:
        """Return the LUID of the content's site, as sent."""
        return self.payload.get("site_luid")

    @property
    def created_at(self) -> Any:
        """Return the time of the event, as sent."""
        return self.payload.get("created_at")

    @property
    def is_test(self) -> bool:
        """Return whether the event was sent by `flask trigger`, not by Tableau."""
        return self.payload.get(TEST_FIELD) is True

    @property
    def type(self) -> EventType:
        """Return what the event type means."""
        return event_type(self.event_type)

    @property
    def content_kind(self) -> str | None:
        """Return what `resource_luid` names (workbook, datasource, view, user, site, flow, subscription), or None.

        The event type decides where it can: `resource` says EXTRACTS for all refreshes.
        """
        if kind := self.type.kind:
            return kind
        kind = self.resource.lower() if isinstance(self.resource, str) else None
        return kind if self.resource in CONTENT_RESOURCES else None

    @property
    def content_type(self) -> str | None:
        """Return `content_kind`: handlers written before the rename use this name."""
        return self.content_kind


def parse(body: bytes) -> Event | None:
    """Return the event in a request's body, or None for a test request. Raises Malformed and Unprocessable.

    Tableau does not document the body of a test request, so an empty body, `{}`, `null`, `""` and the event type `Test`
    all count as one.
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    if not text or text.isspace():
        return None
    payload = load(text)
    if payload is None or payload in ({}, ""):
        return None
    if not isinstance(payload, dict):
        raise Unprocessable(f"The body is {_json_type(payload)}; expected a JSON object.")
    name = payload.get("event_type")
    if not isinstance(name, str):
        problem = f"is {_json_type(name)}" if "event_type" in payload else "is missing"
        # Early versions of Tableau's payload had other keys.
        keys = [key for key in islice(payload, MAX_COMPARED_KEYS) if len(key) <= MAX_COMPARED_LENGTH]
        similar = closest("event_type", keys)
        hint = "" if similar in {None, "event_type"} else f" Did you mean event_type instead of {json.dumps(similar)}?"
        raise Unprocessable(f"event_type {problem}; expected a string such as WorkbookRefreshFailed.{hint}")
    payload = strip_identifiers(payload)
    name = payload["event_type"]
    if not name:
        raise Unprocessable("event_type is empty; expected a string such as WorkbookRefreshFailed.")
    if name == "Test":
        return None
    return Event(name, payload, body, fingerprint(payload))


def strip_identifiers(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload without white space around identifiers, with which no rule and no look-up would match."""
    stripped = {
        name: value.strip()
        for name in IDENTIFIERS
        if isinstance(value := payload.get(name), str) and value and (value[0].isspace() or value[-1].isspace())
    }
    return payload | stripped if stripped else payload


def load(body: bytes) -> Any:
    """Return the JSON value in `body`, read strictly. Raises Malformed.

    It must be UTF-8; NaN, infinity, lone surrogates and excessive nesting are refused.
    """
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(body)
    try:
        text = body.decode("utf-8")
        value = DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise Malformed("The JSON is nested too deeply.") from error
    except UnicodeEncodeError as error:
        raise Malformed("The JSON contains a lone surrogate, which is not a character.") from error
    except ValueError as error:
        raise Malformed(_describe_malformed(body, error)) from error
    return value


def build(name: str, *, origin: str, **fields: str) -> Event:
    """Return an event of the server's own, of the type `name`, as if Tableau had sent it."""
    payload = {"event_type": name, **fields, "origin": origin}
    body = json.dumps(payload, ensure_ascii=False).encode()
    return Event(name, payload, body, fingerprint(payload), origin=origin)


def happened_at(event: Event) -> datetime | None:
    """Return the time of the event, or that of its receipt if the payload gives none or one that cannot be right.

    Where `text` agrees with `created_at`, it gives the time in milliseconds.
    """
    created, received = parse_time(event.created_at), event.received_at
    if created is None or (received and not -MAX_AHEAD <= received - created <= MAX_DISTANCE):
        return received
    text = event.payload.get("text")
    posted = POSTED_AT.search(text[-60:]) if isinstance(text, str) else None
    exact = parse_time(posted[1]) if posted else None
    return exact if exact and abs(exact - created) <= ROUNDING else created


def fingerprint(payload: Mapping[str, Any]) -> bytes:
    """Return 32 bytes that identify the event: its time, then SHA-256 over the six core fields.

    Without `created_at` the whole payload is hashed. Tableau may send one event several times and gives it no id; the
    order of keys, `text` and future fields do not make a duplicate look new. Fingerprints begin with the time so that
    new ones are neighbours in the index (docs/decisions/007-fingerprint.md).
    """
    core = {field: payload[field] for field in CORE_FIELDS if field in payload}
    known = core if core.get("created_at") else payload
    canonical = CANONICAL.encode(known)
    return (_sortable_time(core.get("created_at")) + hashlib.sha256(canonical.encode("utf-8")).digest())[:32]


def job_fingerprint(event_type: str, job_luid: str, created_at: str) -> bytes:
    """Return the fingerprint of the event about a background job that was created at that time.

    A job has one outcome, so the same job makes one event, whatever else changes in Tableau's job list.
    """
    digest = hashlib.sha256(f"job {job_luid.lower()} {event_type}".encode()).digest()
    return (_sortable_time(created_at) + digest)[:32]


def watch_fingerprint(event_type: str, identity: str, created_at: str) -> bytes:
    """Return the fingerprint of the event about what a watch found; `identity` names that for good."""
    return (_sortable_time(created_at) + hashlib.sha256(f"watch {event_type} {identity}".encode()).digest())[:32]


def _sortable_time(created_at: object) -> bytes:
    """Return the digits of a time, down to the second, as six bytes that sort; zeros for anything else."""
    digits = NON_DIGITS.sub("", created_at[:40])[:14] if isinstance(created_at, str) else ""
    return int(digits.ljust(14, "0")).to_bytes(6, "big")


def _describe_malformed(body: bytes, error: ValueError) -> str:
    """Return in one sentence what was sent instead of JSON. The body itself is not quoted: it reaches the log."""
    for pattern, name in FOREIGN_FORMATS.items():
        if pattern.match(body):
            return f"The body is {name}; expected a JSON object in UTF-8."
    if isinstance(error, UnicodeDecodeError):
        return f"The body is not UTF-8: {error.reason} at byte {error.start}."
    return f"The body is not JSON: {error}."


def _check_depth(body: bytes) -> None:
    """Count brackets outside of strings. Cheap, and run only for bodies with many of them. Raises Malformed."""
    depth, quoted, escaped = 0, False, False
    for byte in body:
        if quoted:
            quoted, escaped = (escaped or byte != 0x22), (byte == 0x5C and not escaped)
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Malformed(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
        elif byte in b"]}":
            depth -= 1


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
