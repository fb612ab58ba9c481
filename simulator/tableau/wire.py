"""Requests and responses of Tableau's API: read bodies, respond in JSON or XML, refuse in Tableau's words."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from flask import Response, g, request

from simulator.tableau.xml import NotXml, from_xml, to_xml

Document = dict[str, object]

SUMMARIES = {
    "400": "Bad Request",
    "401": "Unauthorized Access",
    "403": "Forbidden",
    "404": "Resource Not Found",
    "405": "Method Not Allowed",
    "409": "Resource Conflict",
    "429": "Too Many Requests",
}


class ApiError(Exception):
    """An error response. The first three digits of the code are the HTTP status."""

    def __init__(self, code: str, detail: str, summary: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail
        self.summary = summary or SUMMARIES.get(code[:3], "Error")
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return int(self.code[:3])


def respond(content: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response in JSON if the caller accepts that, else in XML; `*/*` means XML here."""
    if "application/json" in request.headers.get("Accept", "").lower():
        body = json.dumps(to_json(content, g.get("shapes", ())), ensure_ascii=False).encode()
        mimetype = "application/json;charset=utf-8"
    else:
        body, mimetype = to_xml(content), "application/xml;charset=utf-8"
    response = Response(body, status, content_type=mimetype)
    response.headers.update(dict(headers or {}))
    return response


def error_response(error: ApiError) -> Response:
    """Return the response of an error."""
    content = {"error": {"code": error.code, "summary": error.summary, "detail": error.detail}}
    return respond(content, error.status, error.headers)


def read_body() -> Document:
    """Return the request's body as a dictionary, empty if there is none. Raises ApiError."""
    return read(request.get_data(), request.content_type or "")


def read(raw: bytes, content_type: str) -> Document:
    """Return a body in JSON or XML as a dictionary. Raises ApiError."""
    if not raw.strip():
        return {}
    try:
        is_json = "json" in content_type or raw.lstrip()[:1] == b"{"
        body = json.loads(raw) if is_json else from_xml(raw)
    except (ValueError, NotXml, RecursionError) as error:
        raise ApiError("400000", "The request body cannot be parsed.") from error
    if not isinstance(body, dict):
        raise ApiError("400000", "The request body must be an object.")
    inner = body.get("tsRequest", body)
    return inner if isinstance(inner, dict) else {}


def object_at(body: Mapping[str, object], *path: str) -> Document:
    """Return the object at a path inside a body, empty if there is none."""
    value: object = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[Document]:
    """Return a list of objects, also for a single one and for none."""
    values = value if isinstance(value, list) else [value]
    return [dict(entry) for entry in values if isinstance(entry, Mapping)]


def as_text(value: object) -> str:
    """Return a plain value as text, and "" for any other."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def as_bool(value: object, default: bool) -> bool:
    """Return a boolean, which may be given as text."""
    return default if value is None else str(value).lower() == "true"


def format_time(time: datetime | None) -> str | None:
    """Return a time as Tableau writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None


def to_json(value: object, shapes: Collection[str]) -> object:
    """Return a document as Tableau's JSON: without None, an empty collection as `{}`; `shapes` are injected faults."""
    if isinstance(value, list):
        return [to_json(entry, shapes) for entry in value]
    if "strings" in shapes and isinstance(value, int | float):
        return str(value).lower()
    if not isinstance(value, Mapping):
        return value
    entries = {name: to_json(entry, shapes) for name, entry in value.items() if entry is not None}
    if len(entries) == 1 and isinstance(only := next(iter(entries.values())), list):
        if "bare" in shapes:
            return only
        if "single" in shapes and len(only) == 1:
            entries = dict.fromkeys(entries, only[0])
        elif "empty" in shapes:
            entries = {}
    return entries if "lists" in shapes else {name: entry for name, entry in entries.items() if entry != []}
