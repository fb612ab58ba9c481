"""The meaning of Tableau's responses: bytes in, documents and errors out, without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from tableau_rest import errors
from tableau_rest.protocol.fields import BARE, Data, text
from tableau_rest.protocol.redaction import redact

Json = dict[str, Any]

_BY_STATUS: dict[int, type[errors.TableauError]] = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.TooManyRequests,
}
# https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_errors.htm
_BY_CODE: dict[str, type[errors.TableauError]] = {
    "400113": errors.NotFound,  # of a webhook
    "401001": errors.SignInFailed,
    "404003": errors.UnknownUri,
    "409093": errors.AlreadyRunning,
    "429000": errors.TooManyRequests,
}
# Statuses with the same meaning from Tableau and from a proxy: ended session, timeout, rate limit.
_UNIVERSAL = {401, 408, 429}
_NOT_TABLEAU = "Check the server's address, and exempt /api from login pages and proxies."
_NOT_JSON = object()
_MAX_SUMMARY = 300
_MAX_DETAIL = 2000
_MAX_ID = 128
_MAX_NAME = 40
# Levels of XML; Tableau's documents have fewer than ten.
_MAX_DEPTH = 50

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_SPAN = re.compile(r"(\b(?:in|after|wait)\s+(?:about\s+|another\s+|for\s+)?)?\b(\d{1,4})\s*(second|minute|hour)", re.I)
_LONGEST_WAIT = timedelta(days=1)


def document(body: bytes) -> Json:
    """Return the JSON object of a response; `{}` for an empty body, and XML as the JSON it corresponds to.

    Raises InvalidResponse for a web page, half a document, and anything that is neither an object nor a list.
    """
    stripped = body.strip()
    if not stripped:
        return {}
    if stripped.startswith(b"<"):
        return _parse_xml(stripped)
    try:
        value = json.loads(stripped)
    except (ValueError, RecursionError):
        value = _NOT_JSON
    if value is _NOT_JSON:  # raised here, because the parser's error holds the whole body
        raise _invalid("The response is not JSON, so it is not Tableau's REST API", stripped)
    if isinstance(value, list):
        return {BARE: value}
    if not isinstance(value, dict):
        raise _invalid("The response is not a JSON object, so it is not Tableau's REST API", stripped)
    return value


def _invalid(summary: str, body: bytes) -> errors.InvalidResponse:
    return errors.InvalidResponse(summary, detail=excerpt(body), advice=_NOT_TABLEAU)


def only(found: Data, *names: str, luid: str = "") -> Data:
    """Return the object under the first of the names that has one with an id, which must be `luid` if that is given.

    Raises InvalidResponse if there is none: a success without the requested object is useless, and that of a cache
    with another object would put wrong names into a message.
    """
    for name in names:
        value = found.get(name)
        if isinstance(value, Mapping) and 0 < len(text(value, "id")) <= _MAX_ID:
            if luid and text(value, "id").lower() != luid.lower():
                problem = f"Tableau's response has another {name} than the requested one"
                raise errors.InvalidResponse(problem, detail=f"requested {luid}, got {text(value, 'id')}")
            return value
    names_found = ", ".join(sorted(key for key in found if len(key) <= _MAX_NAME)[:5]) or "nothing known"
    content = "a list" if BARE in found else names_found
    raise errors.InvalidResponse(f"Tableau's response has no {names[0]} with an id, but {content}", advice=_NOT_TABLEAU)


def error(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> errors.TableauError:
    """Return the error for a response with status 300 or more, whatever its body is: JSON, XML, HTML or nothing.

    A body without Tableau's error object comes from a proxy, a login page or another product, and becomes an
    InvalidResponse: its 404 does not mean that content was deleted.
    """
    try:
        found = document(body).get("error")
    except errors.InvalidResponse:
        found = None
    if not isinstance(found, Mapping) or not any(text(found, name) for name in ("code", "summary", "detail")):
        return _foreign_error(status, headers, body, now)
    code, detail = text(found, "code")[:20], redact(text(found, "detail")[:_MAX_DETAIL])
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or _by_range(status)
    return kind(
        redact(text(found, "summary")[:_MAX_SUMMARY]) or f"Tableau responded with {status}",
        detail=detail,
        status=status,
        code=code,
        permanent=False if status == 408 else None,
        retry_at=_retry_at(kind, headers, detail, now),
    )


def _foreign_error(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> errors.TableauError:
    found = excerpt(body)
    if status >= 500 or (status in _UNIVERSAL and not (status == 401 and found)):
        kind = _BY_STATUS.get(status) or _by_range(status)
        return kind(
            f"The server responded with {status}",
            detail=found,
            status=status,
            permanent=False if status == 408 else None,
            retry_at=_retry_at(kind, headers, found, now),
        )
    advice = "A proxy requires credentials." if status == 407 else _NOT_TABLEAU
    summary = f"A proxy or another server responded with {status} instead of Tableau"
    return errors.InvalidResponse(summary, detail=found or "an empty response", status=status, advice=advice)


def _by_range(status: int) -> type[errors.TableauError]:
    if status >= 500:
        return errors.ServerError
    return errors.BadRequest if status >= 400 else errors.InvalidResponse


def _retry_at(
    kind: type[errors.TableauError], headers: Mapping[str, str], detail: str, now: datetime
) -> datetime | None:
    if kind not in (errors.TooManyRequests, errors.ServerError):
        return None
    wait = _wait_in_header(headers.get("Retry-After", "")[:100].strip(), now)
    # Tableau Cloud writes the wait into the text, as in "try again in 29 minutes", sometimes after the limit itself.
    spans = list(_SPAN.finditer(detail))
    if wait is None and spans:
        last = next((span for span in reversed(spans) if span[1]), spans[-1])
        wait = timedelta(seconds=int(last[2]) * _SECONDS[last[3].lower()])
    return None if wait is None else now + min(max(wait, timedelta()), _LONGEST_WAIT)


def _wait_in_header(value: str, now: datetime) -> timedelta | None:
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 86_400))
    try:
        return parsedate_to_datetime(value) - now
    except (TypeError, ValueError, OverflowError):  # not a date, or one without a zone
        return None


def refuse_page(headers: Mapping[str, str]) -> None:
    """Raise InvalidResponse if a web page, such as a login page, came instead of a file."""
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        raise errors.InvalidResponse("The response is a web page, not a file", status=200, advice=_NOT_TABLEAU)


def _parse_xml(body: bytes) -> Json:
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - seldom needed, and slow to import

    # Tableau sends no document type, and entities are the way to attack an XML parser.
    if b"<!doctype" in body[:2000].lower() or b"<!entity" in body.lower() or b"<html" in body[:2000].lower():
        raise _invalid("The response is a web page, not Tableau's REST API", body)
    try:
        value = _from_element(ET.fromstring(body))  # noqa: S314 - neither document type nor entities, see above
    except (ET.ParseError, ValueError, RecursionError):
        raise _invalid("The response is broken XML, so it is not Tableau's REST API", body) from None
    return value if isinstance(value, dict) else {}


def _from_element(element: Any, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    value: Json = dict(element.attrib)
    for child in element:
        name = child.tag.rpartition("}")[2]
        inner = _from_element(child, depth + 1)
        if name not in value:
            value[name] = inner
        elif isinstance(value[name], list):
            value[name].append(inner)
        else:
            value[name] = [value[name], inner]
    words = (element.text or "").strip()
    if not value:
        return words or {}
    if words:
        value["value"] = words
    return value


def excerpt(body: bytes) -> str:
    """Return the title of a web page, or the first words of anything else, without tags and secrets."""
    page = body[:4000].decode("utf-8", "replace")
    title = re.search(r"<title[^>]{0,200}>([^<]{1,500})", page, re.IGNORECASE)
    words = title[1] if title else re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.S | re.I)
    printable = "".join(character if character.isprintable() else " " for character in words)
    return redact(" ".join(printable.split())[:200])
