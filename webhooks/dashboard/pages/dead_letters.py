"""Dead letters by their causes: run them again, or dismiss them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from flask import Response
from werkzeug.exceptions import NotFound

from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import done
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.inbox.events.lists import MAX_DEAD
from webhooks.job import HANDLER_WORDS
from webhooks.observability.logs import log_ids
from webhooks.text import count

if TYPE_CHECKING:
    from webhooks.inbox.events.lists import DeadCause

PATH = "/dead-letters"


def show(visit: Visit) -> Page:
    """Show the dead letters, grouped by handler, rule and error."""
    causes = visit.inbox.event_lists.dead_by_cause()
    values = {
        "title": "Dead letters",
        "causes": [(key_of(cause), _subject(cause), cause) for cause in causes],
        "total": sum(cause.number for cause in causes),
        "most": MAX_DEAD,
    }
    return Page("dead_letters.html", {**frame(visit, "events"), **values})


def replay(visit: Visit) -> Response:
    """Make the dead jobs of a cause ready again."""
    cause = _cause(visit)
    _record(visit, "replay", cause)
    visit.inbox.dead_letters.requeue_jobs(cause.job_ids)
    visit.inbox.incidents.announce()
    return done(PATH, "replay")


def dismiss(visit: Visit) -> Response:
    """Cancel the dead jobs of a cause: they are reported and listed no more."""
    cause = _cause(visit)
    _record(visit, "dismiss", cause)
    visit.inbox.dead_letters.dismiss(cause.job_ids)
    return done(PATH, "dismiss")


def key_of(cause: DeadCause) -> str:
    """Return what identifies a cause in a form."""
    return hashlib.sha256(repr((cause.handler, cause.rule, cause.error)).encode()).hexdigest()[:24]


def _subject(cause: DeadCause) -> str:
    return f"the rule {cause.rule}" if cause.rule else HANDLER_WORDS.get(cause.handler, cause.handler)


def _cause(visit: Visit) -> DeadCause:
    given = visit.field("cause")
    causes = {key_of(cause): cause for cause in visit.inbox.event_lists.dead_by_cause()}
    if given not in causes:
        raise NotFound("There is no dead letter of this cause any more.")
    return causes[given]


def _record(visit: Visit, act: str, cause: DeadCause) -> None:
    details = f"{count(cause.number, 'job')} of {_subject(cause)}: {cause.error}"
    with log_ids(job=cause.job_ids[0] if cause.number == 1 else None):
        visit.record(act, "dead letters", details)
