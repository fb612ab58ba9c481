"""Tokens of programs: create, list and revoke them."""

from __future__ import annotations

from flask import Response
from werkzeug.exceptions import BadRequest, NotFound

from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import done
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.visitors import ROLES

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
    visit.record("create token", f"token {name}", f"{role}, {days} days")
    value = visit.inbox.sign_ins.create_token(
        name=name, role=role, by=visit.person.name, seconds=int(days) * DAY_SECONDS
    )
    return _page(visit, value)


def revoke(visit: Visit, number: int) -> Response:
    """Delete a token; the program that uses it is refused at once."""
    name = next((token.name for token in visit.inbox.sign_ins.tokens() if token.id == number), None)
    if name is None or not visit.inbox.sign_ins.revoke_token(number):
        raise NotFound(f"There is no token {number}.")
    visit.record("revoke token", f"token {name}")
    return done(PATH, "revoke")


def _page(visit: Visit, value: str) -> Page:
    values = {"title": "Tokens", "tokens": visit.inbox.sign_ins.tokens(), "value": value, "roles": ROLES[1:]}
    return Page("tokens.html", {**frame(visit, "audit"), **values})
