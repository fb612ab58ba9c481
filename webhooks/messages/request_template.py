"""Requests that rules send to other systems: an address, headers and JSON with values of the event. Pure."""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from webhooks.messages.templates import PLACEHOLDERS, check_template, is_jinja, names_of, render

# The names that a request may depend on; those of the run and of the incident are not known here.
KNOWN = frozenset({"name", "event_type", "project", "owner", "link", "created_at", "event", "resource"})
# Of these, only Tableau knows the values.
LOOKED_UP = re.compile(r"\b(project|owner|tags|link)\b")
ADDRESS = re.compile(r"https?://([^/?#\\]+)[/?]?.*")
SECRET = re.compile(r"\{\{\s*secret\.(\w[\w-]*)\s*\}\}")
# Statements and comments of a template, which are no text of the address, and placeholders, which are.
STATEMENT = re.compile(r"\{%[^{}]*%\}|\{#[^{}]*#\}")
PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}|\{[^{}]*\}")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# Headers that the connection itself sets.
RESERVED = frozenset(
    {"host", "content-length", "content-type", "connection", "transfer-encoding", "trailer", "upgrade", "expect"}
)
# Headers whose values must not be in a file that many people read.
CONFIDENTIAL = re.compile("auth|token|secret|cookie|password|api-?key", re.IGNORECASE)
EXAMPLE = 'write the token into POST_TOKENS, and here for example "Bearer {{ secret.airflow }}"'


def check_url(text: str) -> str:
    """Return the address, whose host is not a template. Raises ValueError."""
    url = text.strip()
    match = ADDRESS.fullmatch(url)
    if match and "{" in match[1]:
        raise ValueError("the host cannot depend on the event; write placeholders after it")
    if match is None or " " in match[1]:
        raise ValueError(f"{text!r} is not an address such as https://airflow.example.org/api/v2/dags/figures/dagRuns")
    if "@" in match[1]:
        raise ValueError(f"an address must not contain a password; use headers: {EXAMPLE}")
    if any(map(_leads_elsewhere, _segments(_as_text(url)))):
        raise ValueError("an address must not contain . or .. between slashes")
    return _check_text(url)


def check_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers, in whose values `{{ secret.NAME }}` is a token of POST_TOKENS. Raises ValueError."""
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if name.lower() in RESERVED or name.lower().startswith("proxy-"):
            raise ValueError(f"the header {name} cannot be set")
        rest = SECRET.sub("", value)
        if "{{" in rest or "}}" in rest:
            raise ValueError(f"{name} can contain only {{{{ secret.NAME }}}} in double braces")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name} has a character that a header cannot have")
        if CONFIDENTIAL.search(name) and rest == value:
            raise ValueError(f"{name} must not be in the rules file; {EXAMPLE}")
    return headers


def check_body(body: Any) -> Any:
    """Return the JSON value of a table, or of a text with JSON; each text in it is a template. Raises ValueError."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
    for value in _leaves(body):
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"JSON has no number {value}")
        elif value is not None and not isinstance(value, bool | int | float):
            raise ValueError(f"JSON has no dates and times; write {value} in quotes")
    return body


def secrets_of(headers: Mapping[str, str]) -> list[str]:
    """Return the names of the tokens in the headers."""
    return [name for value in headers.values() for name in SECRET.findall(value)]


def fill_headers(headers: Mapping[str, str], tokens: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with their tokens. Raises KeyError with the name of one that is missing."""
    return {name: SECRET.sub(lambda match: tokens[match[1]], value) for name, value in headers.items()}


def fill_url(url: str, values: Mapping[str, Any]) -> str:
    """Return the address, with encoded values, so that a name cannot lead to another one. Raises ValueError."""
    filled = _fill(url, _encoded(values))
    if not filled.isascii() or re.search(r"\s", filled):
        raise ValueError(f"{filled!r} is not an address")
    segments = _segments(filled)
    if any(map(_leads_elsewhere, segments)):
        raise ValueError(f"{filled!r} has . or .. between slashes, which leads to another address")
    if segments.count("") > _segments(_as_text(url)).count(""):
        raise ValueError(f"a value in the path is empty: {filled!r} is another address")
    return filled


def fill_body(body: Any, values: Mapping[str, Any]) -> Any:
    """Return the JSON value with the event's values in its texts. Raises ValueError."""
    if isinstance(body, str):
        return _fill(body, values)
    if isinstance(body, Mapping):
        return {name: fill_body(value, values) for name, value in body.items()}
    return [fill_body(value, values) for value in body] if isinstance(body, list | tuple) else body


def needs_look_up(url: str, body: Any) -> bool:
    """Return whether a template has values that only Tableau knows."""
    texts = (value for value in (url, *_leaves(body)) if isinstance(value, str))
    return any("{" in text and LOOKED_UP.search(text) for text in texts)


def _check_text(text: str) -> str:
    check_template(text)
    names = (name for _, name, _, _ in string.Formatter().parse(text) if name) if not is_jinja(text) else ()
    used = names_of(text) if is_jinja(text) else {name for name in names if name in PLACEHOLDERS}
    if unknown := sorted(used - KNOWN):
        raise ValueError(f"a request cannot depend on {unknown[0]}, only on {', '.join(sorted(KNOWN))}")
    return text


def _fill(text: str, values: Mapping[str, Any]) -> str:
    return render(text, values) if "{" in text or "}" in text else text


def _as_text(url: str) -> str:
    """Return the template with a letter for each placeholder."""
    return PLACEHOLDER.sub("x", STATEMENT.sub("", url))


def _segments(url: str) -> list[str]:
    """Return what is between the slashes of the path."""
    return re.split("[?#]", url.partition("://")[2], maxsplit=1)[0].split("/")[1:]


def _leads_elsewhere(segment: str) -> bool:
    """Return whether a server or proxy that decodes the segment could take a part of it for a step upwards."""
    return not {".", ".."}.isdisjoint(re.split(r"[/\\]", unquote(segment)))


def _encoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _encoded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(one) for one in value]
    return quote(value, safe="") if isinstance(value, str) else value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value
