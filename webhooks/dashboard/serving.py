"""Respond to a request for a page: check access, render, and add the headers that keep it safe and cheap."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from flask import Response, redirect, request
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)

from webhooks.access import visitors
from webhooks.clock import utc_now
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.render import render
from webhooks.dashboard.routes import Route
from webhooks.dashboard.visit import LARGEST_ID, Visit
from webhooks.errors import StoreUnavailable, UnknownIncident
from webhooks.problem import problem_of, wants_page
from webhooks.request_body import require_uncompressed

if TYPE_CHECKING:
    from webhooks.services import Services

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Without any referrer, browsers would send the origin null with forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# An open page asks every few seconds: it gets what was rendered for another request within this time.
SHARED_SECONDS = 2.0
# For this long it also gets what was rendered before, if the inbox has not changed: durations and the clock go on.
UNCHANGED_SECONDS = 60.0
MAX_SHARED = 250
# The placeholder of the page's version within the page; texts from outside cannot contain its quotation marks.
VERSION = 'data-version="@version@"'
ONLY_LOCAL = """Tableau Webhooks is running.

These pages are shown to this machine only, because ADMIN_PASSWORD is not set.
Set it to sign in from other machines and through proxies.

Events are received by POST at /webhook/<token>.
Health and metrics:  /readyz  /healthz  /metrics
"""

_shared: WeakKeyDictionary[Services, OrderedDict[tuple[str, ...], Rendered]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Page:
    """A template with its values, to be rendered."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page as it was rendered at a time (monotonic), with the mark that the inbox had before."""

    at: float
    mark: str
    version: str
    body: bytes


def respond(services: Services, route: Route, parts: Mapping[str, Any]) -> Response:
    """Return the response of a route to the current request."""
    visit = Visit(services, request, None, utc_now())
    try:
        visit = Visit(services, request, visitors.identify(services, request), visit.now)
        response = _dispatch(visit, route, parts)
    except HTTPException as error:
        response = _error(visit, error)
    except visitors.TooManyFailures as error:
        response = _error(visit, TooManyRequests(str(error), retry_after=max(1, round(error.seconds))))
    except UnknownIncident:
        response = _error(visit, NotFound("There is no such incident."))
    except StoreUnavailable as error:
        response = _error(visit, ServiceUnavailable(f"The inbox is unavailable: {error}", retry_after=5))
    return _with_headers(response)


def refuse(services: Services, error: HTTPException) -> Response:
    """Return the response to a request for an unknown address, or to one that another page could not serve."""
    return _with_headers(_error(Visit(services, request, None, utc_now()), error))


def _with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if visitors.is_https(request):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _dispatch(visit: Visit, route: Route, parts: Mapping[str, Any]) -> Response:
    if any(isinstance(part, int) and part > LARGEST_ID for part in parts.values()):
        raise NotFound
    if route.role != "public" or visit.visitor is not None:
        if visit.visitor is None:
            return _ask_to_sign_in(visit, route)
        if not visitors.permits(visit.visitor.role, route.role):
            raise Forbidden(f"Your role is {visit.visitor.role}; this needs the role {route.role}.")
    if route.method == "POST":
        _check_post(visit)
    _refuse_nul(visit, parts)
    is_shared = visit.visitor is not None and route.method == "GET" and route.role != "public"
    if is_shared and "X-Poll" in visit.request.headers and (known := _find_rendered(visit)):
        return _with_version(visit, known.version, known.body)
    # Before the page is read: a change meanwhile is found with the next mark.
    mark = _mark(visit) if is_shared else ""
    found = getattr(import_module(f"webhooks.dashboard.pages.{route.module}"), route.function)(visit, **parts)
    if not isinstance(found, Page):
        response: Response = found
        return response
    text = render_page(visit, found)
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    body = text.replace(VERSION, f'data-version="{version}"', 1).encode()
    if found.status != 200:
        return Response(body, found.status, content_type="text/html; charset=utf-8")
    if is_shared:
        _share(visit, Rendered(time.monotonic(), mark, version, body))
    return _with_version(visit, version, body)


def _check_post(visit: Visit) -> None:
    """Raise Forbidden for a request from another page, and UnsupportedEncoding for a compressed form."""
    # Browsers do not add a program's token by themselves.
    has_token = visit.visitor is not None and visit.visitor.kind == "token"
    if not has_token and not visitors.is_same_origin(visit.request):
        raise Forbidden("The request does not come from a page of this server.")
    require_uncompressed(visit.request.environ)


def _refuse_nul(visit: Visit, parts: Mapping[str, Any]) -> None:
    """Raise NotFound or BadRequest for a NUL character, which is in no stored text, and which PostgreSQL refuses."""
    if any("\0" in str(part) for part in parts.values()):
        raise NotFound
    for name, value in visit.request.values.items(multi=True):
        if "\0" in value:
            raise BadRequest(f"{name} has a NUL character.")


def render_page(visit: Visit, page: Page) -> str:
    values = {"visit": visit, "when": visit.when, "path": visit.request.path, "notice": None, **page.values}
    return render(page.template, visit.services.redact, **values)


def _ask_to_sign_in(visit: Visit, route: Route) -> Response:
    if not visit.services.settings.requires_sign_in:
        return Response(ONLY_LOCAL, 403, content_type="text/plain; charset=utf-8")
    if route.method == "GET" and wants_page() and "Authorization" not in visit.request.headers:
        there = visit.request.full_path.rstrip("?")
        target = "/login" if there == "/" else f"/login?next={quote(there, safe='/')}"
        response: Response = redirect(target, 303)  # type: ignore[assignment]
        return response
    error = Unauthorized("Sign in with the user admin and ADMIN_PASSWORD, or with a token.")
    response = _error(visit, error)
    if "X-Poll" not in visit.request.headers:
        response.headers["WWW-Authenticate"] = 'Basic realm="Tableau Webhooks", charset="UTF-8"'
    return response


def _error(visit: Visit, error: HTTPException) -> Response:
    """Return a page with the error and a way back for a person in a browser, and problem details for a program."""
    error.description = visit.services.redact(error.description or "")
    if not wants_page():
        return problem_of(error)
    values = {"name": error.name, "text": error.description, **_navigation(visit)}
    body = render_page(visit, Page("error.html", values)).replace(VERSION, "", 1)
    response = Response(body, error.code or 500, content_type="text/html; charset=utf-8")
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _navigation(visit: Visit) -> Mapping[str, Any]:
    """Return the values of the layout; nothing for a stranger, or while the inbox is unavailable."""
    if visit.visitor is None:
        return {}
    try:
        return frame(visit, "")
    except StoreUnavailable:
        return {}


def _with_version(visit: Visit, version: str, body: bytes) -> Response:
    if visit.request.headers.get("If-None-Match", "").strip('"') == version:
        response = Response(status=304)
    else:
        response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["ETag"] = f'"{version}"'
    return response


def _share_key(visit: Visit) -> tuple[str, ...]:
    person = visit.person
    return (visit.request.full_path, person.name, person.role, person.scope, person.kind, person.session)


def _mark(visit: Visit) -> str:
    return visit.remember("mark", SHARED_SECONDS, visit.inbox.mark)


def _share(visit: Visit, page: Rendered) -> None:
    key, pages = _share_key(visit), _shared.setdefault(visit.services, OrderedDict())
    pages[key] = page
    pages.move_to_end(key)
    while len(pages) > MAX_SHARED:
        pages.popitem(last=False)


def _find_rendered(visit: Visit) -> Rendered | None:
    """Return the page as it was rendered before, if it is of this moment, or the inbox has not changed since."""
    found = _shared.setdefault(visit.services, OrderedDict()).get(_share_key(visit))
    age = time.monotonic() - found.at if found else UNCHANGED_SECONDS
    if found is None or age >= UNCHANGED_SECONDS:
        return None
    return found if age < SHARED_SECONDS or _mark(visit) == found.mark else None
