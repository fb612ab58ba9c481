"""What Tableau's answers mean: bytes in, documents and errors out. No network here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from tableau_rest import errors
from tableau_rest.protocol.fields import BARE, items, text
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
    "400113": errors.NotFound,  # so it is printed for a webhook that is not there
    "401001": errors.SignInFailed,
    "404003": errors.UnknownUri,
    "409093": errors.AlreadyRunning,
    "429000": errors.TooManyRequests,
}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_SPAN = re.compile(r"(\b(?:in|after|wait)\s+(?:about\s+|another\s+|for\s+)?)?\b(\d{1,4})\s*(second|minute|hour)", re.I)
_LONGEST_WAIT = timedelta(days=1)


def document(body: bytes) -> Json:
    """The JSON object of an answer; `{}` for an empty body. XML, which some servers send unasked, reads the same.

    Raises InvalidResponse for a page of HTML, for half a document and for anything that is neither object nor list.
    """
    stripped = body.strip()
    if not stripped:
        return {}
    if stripped.startswith(b"<"):
        return _from_xml(stripped)
    try:
        value = json.loads(stripped)
    except (ValueError, RecursionError) as exc:
        raise errors.InvalidResponse("Tableau's answer is not JSON", detail=_excerpt(stripped)) from exc
    if isinstance(value, list):
        return {BARE: value}
    if not isinstance(value, dict):
        raise errors.InvalidResponse("Tableau's answer is not a JSON object", detail=_excerpt(stripped))
    return value


def error(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> errors.TableauError:
    """The error an answer of 300 or more stands for, whatever its body is: JSON, XML, HTML or nothing."""
    try:
        said = document(body).get("error") or {}
    except errors.InvalidResponse as exc:
        said = {"detail": exc.detail}
    said = said if isinstance(said, Mapping) else {"detail": str(said)}
    summary, detail, code = text(said, "summary"), redact(text(said, "detail")), text(said, "code")
    kind = _kind(status, code)
    return kind(
        summary or f"Tableau answered {status}",
        detail=detail,
        status=status,
        code=code,
        permanent=False if status == 408 else None,
        retry_at=_retry_at(headers, detail, now) if kind in (errors.TooManyRequests, errors.ServerError) else None,
    )


def _kind(status: int, code: str) -> type[errors.TableauError]:
    found = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if found:
        return found
    if status >= 500:
        return errors.ServerError
    return errors.BadRequest if status >= 400 else errors.InvalidResponse


def _retry_at(headers: Mapping[str, str], detail: str, now: datetime) -> datetime | None:
    wait = _wait_of_header(headers.get("Retry-After", ""), now) or _wait_of_text(detail)
    return None if wait is None else now + min(max(wait, timedelta()), _LONGEST_WAIT)


def _wait_of_header(value: str, now: datetime) -> timedelta | None:
    value = value.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 86_400))
    try:
        return parsedate_to_datetime(value) - now
    except (TypeError, ValueError):  # no date, or one without a zone
        return None


def _wait_of_text(detail: str) -> timedelta | None:
    # Tableau Cloud writes the wait into the text, as in "try again in 29 minutes", at times behind the limit itself.
    found = list(_SPAN.finditer(detail))
    waits = [match for match in found if match[1]] or found
    return timedelta(seconds=int(waits[-1][2]) * _SECONDS[waits[-1][3].lower()]) if waits else None


def refuse_page(headers: Mapping[str, str]) -> None:
    """Raise InvalidResponse if a web page, such as a login page, came instead of a file."""
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        raise errors.InvalidResponse("Tableau sent a web page instead of a file", status=200)


def moved(url: str, location: str) -> str:
    """Return the base URL to which `location` redirects `url`. Raise InvalidResponse for a redirect not to be followed.

    Followed is only the same path on the same host or one of the same house: Tableau Cloud sends sign-ins from its
    generic host to the pod of the site. Never from https to http, never to a foreign domain, never to a login page.
    """
    old, new = urlsplit(url), urlsplit(urljoin(url, location))
    reason = ""
    if not location:
        reason = "a redirect without an address"
    elif new.scheme != "https" and old.scheme == "https":
        reason = f"a redirect from https to {new.scheme}"
    elif not _same_house(old.hostname or "", new.hostname or "") or new.username:
        reason = f"a redirect to a foreign host, {new.hostname}"
    elif new.path != old.path:
        reason = f"a redirect to another page, {new.hostname}{new.path}"
    if reason:
        advice = "Use the address of your site's own server, and keep login pages and proxies away from /api."
        raise errors.InvalidResponse(f"Not followed: {reason}", permanent=True, advice=advice)
    return f"{new.scheme}://{new.netloc}"


_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_CLOUD = ".online.tableau.com"


def _same_house(old: str, new: str) -> bool:
    if old == new or {old, new} <= _LOOPBACK:
        return True
    return new.endswith((f".{old}", _CLOUD)) if f".{old}".endswith(_CLOUD) else new.endswith(f".{old}")


def _from_xml(body: bytes) -> Json:
    from xml.etree import ElementTree as ET  # noqa: PLC0415  seldom needed, and slow to import

    head = body[:2000].lower()
    # Tableau never sends a document type, and entities are how XML is used to attack.
    if b"<!doctype" in head or b"<!entity" in body.lower() or b"<html" in head:
        raise errors.InvalidResponse("Not Tableau's REST API answered, but a web page", detail=_excerpt(body))
    try:
        root = ET.fromstring(body)  # noqa: S314  no document type, no entities: see above
    except (ET.ParseError, RecursionError) as exc:
        raise errors.InvalidResponse("Tableau's answer is broken XML", detail=_excerpt(body)) from exc
    value = _from_element(root)
    return value if isinstance(value, dict) else {}


def _from_element(element: Any) -> Any:
    value: Json = dict(element.attrib)
    for child in element:
        name = child.tag.rpartition("}")[2]
        value[name] = [*items(value, name), _from_element(child)] if name in value else _from_element(child)
    words = (element.text or "").strip()
    if not value:
        return words or {}
    if words:
        value["value"] = words
    return value


def _excerpt(body: bytes) -> str:
    """The first words of a body that is not what was expected: the title of a page, or its text without tags."""
    page = body[:20_000].decode("utf-8", "replace")
    title = re.search(r"<title[^>]*>([^<]+)", page, re.IGNORECASE)
    words = (
        title[1] if title else re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL | re.IGNORECASE)
    )
    return redact(" ".join(words.split())[:200])
