"""Sessions of people: list and end them. Administrators see all, others their own."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response
from werkzeug.exceptions import NotFound

from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import done
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.inbox.access.sign_ins import Owner, Session
from webhooks.text import count
from webhooks.views.limits import describe

PATH = "/sessions"


def show(visit: Visit) -> Page:
    """Show the sessions that have not ended."""
    sees_all = visit.may("admin") and visit.sees_everything
    found = visit.services.inbox.sign_ins.sessions(_secret(visit), None if sees_all else _owner(visit))
    values = {
        "title": "Sessions",
        "sessions": found,
        "sees_all": sees_all,
        "others": sum(session.id != visit.person.session for session in found),
        "describe": describe,
    }
    return Page("sessions.html", {**frame(visit, "audit"), **values})


def end(visit: Visit, name: str) -> Response:
    """End a session of anyone. Raises NotFound."""
    session = _find(visit.whole.sign_ins.sessions(_secret(visit)), name)
    visit.whole.sign_ins.end_session(session.id)
    visit.record("end session", f"session of {session.name}", _describe(visit, session))
    return done(PATH, "end")


def end_others(visit: Visit) -> Response:
    """End all sessions but the visitor's."""
    number = visit.whole.sign_ins.end_others(visit.person.session, _secret(visit))
    visit.record("end session", "other sessions", count(number, "session"))
    return done(PATH, "end")


def sign_out(visit: Visit, name: str) -> Response:
    """End another session of the visitor. Raises NotFound."""
    sign_ins = visit.services.inbox.sign_ins
    session = _find(sign_ins.sessions(_secret(visit), _owner(visit)), name)
    sign_ins.end_session(session.id, _owner(visit))
    visit.record("sign out", "pages", _describe(visit, session))
    return done(PATH, "end")


def sign_out_others(visit: Visit) -> Response:
    """End all other sessions of the visitor."""
    number = visit.services.inbox.sign_ins.end_others(visit.person.session, _secret(visit), _owner(visit))
    visit.record("sign out", "pages", count(number, "other session"))
    return done(PATH, "end")


def _secret(visit: Visit) -> str:
    return visit.services.settings.session_secret


def _owner(visit: Visit) -> Owner:
    return Owner(visit.person.session, visit.person.subject)


def _find(sessions: Sequence[Session], name: str) -> Session:
    for session in sessions:
        if session.id == name:
            return session
    raise NotFound("This session does not exist; it may have ended.")


def _describe(visit: Visit, session: Session) -> str:
    parts = (session.browser, session.address, f"since {visit.when(session.created_at)}")
    return ", ".join(filter(None, parts))
