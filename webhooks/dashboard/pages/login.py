"""Sign in and out."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response, redirect

from webhooks.access import visitors
from webhooks.dashboard.browser_name import browser_name
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.inbox.access.sign_ins import SESSION_SECONDS
from webhooks.text import count

MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Person:
    """A person who signs in, with the role and its limits.

    `known_as` is a name that the person cannot change, for the audit log; `subject` is the same in each of their
    sessions.
    """

    name: str
    role: str
    scope: str = "{}"
    known_as: str = ""
    subject: str = ""


def show(visit: Visit) -> Page:
    """Show the form."""
    return _form(visit, visit.request.args.get("next", "/"))


def refuse(visit: Visit, problem: str, status: int) -> Page:
    """Show the form again, with the reason why a sign-in failed."""
    return _form(visit, "/", problem, status)


def sign_in(visit: Visit) -> Page | Response:
    """Start a session and lead to the page that was asked for, or show the form again."""
    name, password = visit.field("name", most=MAX_NAME), visit.request.form.get("password", "")
    address = visitors.client_address(visit.request)
    if not name:
        return _form(visit, visit.back("/"), "Enter your name: others see it beside what you do.", 422)
    if not visitors.check_password(visit.services, address, password):
        visit.services.inbox.audit.record(by=name, origin=f"page {address}", act="sign-in refused", subject="pages")
        return _form(visit, visit.back("/"), "The password is wrong.", 401)
    return start_session(visit, Person(name, "admin"), visit.back("/"))


def start_session(visit: Visit, person: Person, there: str, *, seconds: float = SESSION_SECONDS) -> Response:
    """Start a session and lead to a path."""
    settings, address = visit.services.settings, visitors.client_address(visit.request)
    sign_ins, secret = visit.services.inbox.sign_ins, settings.session_secret
    value = sign_ins.start(
        name=person.name,
        role=person.role,
        address=address,
        password=secret,
        scope=person.scope,
        subject=person.subject,
        browser=browser_name(visit.request.headers.get("User-Agent", "")),
        seconds=seconds,
    )
    visit.services.inbox.audit.record(
        by=person.name, origin=f"page {address}", act="sign in", subject="pages", details=person.known_as
    )
    response: Response = redirect(there, 303)  # type: ignore[assignment]
    response.set_cookie(
        visitors.cookie_name(visit.request),
        value,
        max_age=int(seconds),
        secure=visitors.is_https(visit.request),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def sign_out(visit: Visit) -> Response:
    """End the session."""
    name = visitors.cookie_name(visit.request)
    secret = visit.services.settings.session_secret
    visit.services.inbox.sign_ins.end(visit.request.cookies.get(name, ""), secret)
    visit.record("sign out", "pages")
    return _leave(visit)


def sign_out_all(visit: Visit) -> Response:
    """End all sessions of everyone."""
    number = visit.whole.sign_ins.end_all(visit.services.settings.session_secret)
    visit.record("sign out all", "pages", count(number, "session"))
    return _leave(visit)


def _leave(visit: Visit) -> Response:
    response: Response = redirect("/login", 303)  # type: ignore[assignment]
    name = visitors.cookie_name(visit.request)
    response.delete_cookie(name, path="/", secure=visitors.is_https(visit.request), httponly=True, samesite="Lax")
    return response


def _form(visit: Visit, there: str, problem: str = "", status: int = 200) -> Page:
    settings = visit.services.settings
    values = {
        "there": there,
        "problem": problem,
        "name": visit.request.form.get("name", ""),
        "sign_on": f"/login/start?{urlencode({'next': there})}" if settings.oidc_issuer else "",
        "has_password": bool(settings.admin_password.get_secret_value()) or not settings.oidc_issuer,
    }
    return Page("login.html", values, status)
