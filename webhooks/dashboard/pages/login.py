"""Sign in and out."""

from __future__ import annotations

from flask import Response, redirect

from webhooks import visitors
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.inbox.sign_ins import SESSION_SECONDS

MAX_NAME = 80


def show(visit: Visit) -> Page:
    """Show the form."""
    return _form(visit, visit.request.args.get("next", "/"))


def sign_in(visit: Visit) -> Page | Response:
    """Start a session and lead to the page that was asked for, or show the form again."""
    name, password = visit.field("name", most=MAX_NAME), visit.request.form.get("password", "")
    settings, address = visit.services.settings, visitors.client_address(visit.request)
    if not name:
        return _form(visit, visit.back("/"), "Enter your name: others see it beside what you do.", 422)
    if not visitors.check_password(visit.services, address, password):
        visit.services.inbox.audit.record(by=name, origin=f"page {address}", act="sign-in refused", subject="pages")
        return _form(visit, visit.back("/"), "The password is wrong.", 401)
    secret = settings.admin_password.get_secret_value()
    value = visit.services.inbox.sign_ins.start(name=name, role="admin", address=address, password=secret)
    visit.services.inbox.audit.record(by=name, origin=f"page {address}", act="sign in", subject="pages")
    response: Response = redirect(visit.back("/"), 303)  # type: ignore[assignment]
    response.set_cookie(
        visitors.cookie_name(visit.request),
        value,
        max_age=int(SESSION_SECONDS),
        secure=visitors.is_https(visit.request),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def sign_out(visit: Visit) -> Response:
    """End the session."""
    password = visit.services.settings.admin_password.get_secret_value()
    name = visitors.cookie_name(visit.request)
    visit.services.inbox.sign_ins.end(visit.request.cookies.get(name, ""), password)
    visit.record("sign out", "pages")
    return _leave(visit)


def sign_out_all(visit: Visit) -> Response:
    """End all sessions of everyone."""
    number = visit.whole.sign_ins.end_all()
    visit.record("sign out all", "pages", f"{number} sessions")
    return _leave(visit)


def _leave(visit: Visit) -> Response:
    response: Response = redirect("/login", 303)  # type: ignore[assignment]
    name = visitors.cookie_name(visit.request)
    response.delete_cookie(name, path="/", secure=visitors.is_https(visit.request), httponly=True, samesite="Lax")
    return response


def _form(visit: Visit, there: str, problem: str = "", status: int = 200) -> Page:
    values = {"there": there, "problem": problem, "name": visit.request.form.get("name", "")}
    return Page("login.html", values, status)
