"""Tableau's side of HTTP: reads what was sent, answers in JSON or XML, and says no the way Tableau says no."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from flask import Request, Response, g, request

from simulator.tableau.xml import NotXml, from_xml, to_xml

Answer = dict[str, object]

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
    """A refusal. The first three digits of the code are the HTTP status."""

    def __init__(self, code: str, detail: str, summary: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail
        self.summary = summary or SUMMARIES.get(code[:3], "Error")
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status this refusal comes with."""
        return int(self.code[:3])


def answer(content: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A described answer, in JSON if the caller accepts it, else in XML as it always was."""
    if wants_json(request):
        body = json.dumps(tidy(content, g.get("shapes", ())), ensure_ascii=False).encode()
        mimetype = "application/json;charset=utf-8"
    else:
        body, mimetype = to_xml(content), "application/xml;charset=utf-8"
    response = Response(body, status, content_type=mimetype)
    response.headers.update(dict(headers or {}))
    return response


def refusal(error: ApiError) -> Response:
    """The answer that carries an error."""
    described = {"error": {"code": error.code, "summary": error.summary, "detail": error.detail}}
    return answer(described, error.status, error.headers)


def wants_json(asked: Request) -> bool:
    """Whether the caller said so; `*/*` means XML here."""
    return "application/json" in asked.headers.get("Accept", "").lower()


def read_body() -> Answer:
    """The request's body as a dictionary; an absent one is empty. Raises ApiError."""
    return read(request.get_data(), request.content_type or "")


def read(raw: bytes, content_type: str) -> Answer:
    """A body in JSON or XML as a dictionary. Raises ApiError."""
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


def part(body: Mapping[str, object], *path: str) -> Answer:
    """The object at a path inside a body; empty where there is none."""
    value: object = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Answer]:
    """A list of objects, whether one, many or none of them came."""
    values = value if isinstance(value, list) else [value]
    return [dict(entry) for entry in values if isinstance(entry, Mapping)]


def text(value: object) -> str:
    """A plain value as text; objects and lists are none."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def flag(value: object, default: bool) -> bool:
    """A boolean that may have come as text."""
    return default if value is None else str(value).lower() == "true"


def stamp(moment: datetime | None) -> str | None:
    """A time as Tableau writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def tidy(value: object, shapes: Collection[str]) -> object:
    """What JSON makes of a description: nothing for None, `{}` for an empty collection, and the oddities asked for."""
    if isinstance(value, Mapping):
        return _tidy_object(value, shapes)
    if isinstance(value, list):
        return [tidy(entry, shapes) for entry in value]
    if "strings" in shapes and isinstance(value, int | float):
        return str(value).lower()
    return value


def _tidy_object(value: Mapping[str, object], shapes: Collection[str]) -> object:
    entries = {name: tidy(entry, shapes) for name, entry in value.items() if entry is not None}
    if len(entries) == 1 and isinstance(only := next(iter(entries.values())), list):
        if "bare" in shapes:
            return only
        if "single" in shapes and len(only) == 1:
            return dict.fromkeys(entries, only[0])
        if "empty" in shapes:
            return {}
    return entries if "lists" in shapes else {name: entry for name, entry in entries.items() if entry != []}
