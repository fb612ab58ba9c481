"""Tokens of programs: create, list and revoke them."""

from __future__ import annotations

from flask import Response
from werkzeug.exceptions import BadRequest, NotFound

from webhooks.access.visitors import ROLES
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import done
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.views.limits import Limits, describe

PATH = "/tokens"
DAY_SECONDS = 86_400.0
MAX_DAYS = 400
MAX_NAME = 80


def show(visit: Visit) -> Page:
    """Show all tokens without their values."""
    return _page(visit, "")


def create(visit: Visit) -> Page:
    """Create a token and show its value, once. Raises BadRequest."""
    name, role, days = visit.field("name", most=MAX_NAME), visit.field("role"), visit.field("days", most=4)
    if not name:
        raise BadRequest("Enter a name: the audit log shows it beside what the program does.")
    if role not in ROLES[1:]:
        raise BadRequest(f"Unknown role {role!r}. Choose one of: {', '.join(ROLES[1:])}.")
    if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= MAX_DAYS:
        raise BadRequest(f"A token is valid for 1 to {MAX_DAYS} days.")
    sites, projects = visit.field("sites", most=5000).splitlines(), visit.field("projects", most=5000).splitlines()
    try:
        limits = Limits.of(sites=sites, projects=projects)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    sign_ins = visit.whole.sign_ins
    visit.record("create token", f"token {name}", f"{role}, {days} days, {limits.describe()}")
    value = sign_ins.create_token(
        name=name, role=role, by=visit.person.name, seconds=int(days) * DAY_SECONDS, scope=limits.as_text()
    )
    return _page(visit, value)


def revoke(visit: Visit, number: int) -> Response:
    """Delete a token; the program that uses it is refused at once."""
    name = next((token.name for token in visit.whole.sign_ins.tokens() if token.id == number), None)
    if name is None or not visit.whole.sign_ins.revoke_token(number):
        raise NotFound(f"There is no token {number}.")
    visit.record("revoke token", f"token {name}")
    return done(PATH, "revoke")


def _page(visit: Visit, value: str) -> Page:
    tokens = visit.whole.sign_ins.tokens()
    values = {"title": "Tokens", "tokens": tokens, "value": value, "roles": ROLES[1:], "describe": describe}
    return Page("tokens.html", {**frame(visit, "audit"), **values})
