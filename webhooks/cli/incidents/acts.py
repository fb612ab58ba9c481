"""`flask incidents ack|snooze|close|note`: act about incidents. Their messages follow within a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from webhooks.cli.incidents.options import incident_ids, one_incident
from webhooks.cli.support import application, future, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.support.options import as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.incidents import Act
from webhooks.views import incident_wording as wording
from webhooks.views.incident_objects import incident_object

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord
    from webhooks.incidents.incident import ActKind

# Characters of a note: Slack shows 3,000 of a text, and a note is not a report.
MAX_NOTE = 1000

note_option = click.option("--note", metavar="TEXT", default="", help="What you do about it, for the others.")


@click.command(cls=Command)
@incident_ids
@future.for_option
@future.until_option
@note_option
@future.by_option
@as_json
@with_appcontext
def ack(
    *, ids: tuple[int, ...], length: str | None, until: str | None, note: str, by: str | None, as_json: bool
) -> None:
    """Acknowledge incidents: you take care of them.

    There are no reminders and no escalations until the incident closes, or until the end that is given. The messages
    show who acknowledged.

    \b
    flask incidents ack 14
    flask incidents ack 14 15 --for 2h --note "waiting for the DBA"
    """
    show = Presentation()
    end = future.end_of(length, until, show.now, show.zone)
    act_on(ids, "acknowledge", show, by=by, until=end, text=note, as_json=as_json)


@click.command(cls=Command)
@incident_ids
@future.for_option
@future.until_option
@note_option
@future.by_option
@as_json
@with_appcontext
def snooze(
    *, ids: tuple[int, ...], length: str | None, until: str | None, note: str, by: str | None, as_json: bool
) -> None:
    """Snooze incidents: no reminders until a time.

    If an incident is still open then, its destinations are reminded.

    \b
    flask incidents snooze 14 --for 2h
    flask incidents snooze 14 --until "tomorrow 08:00"
    """
    show = Presentation()
    end = future.end_of(length, until, show.now, show.zone)
    if end is None:
        raise click.UsageError("Until when? Give --for 2h or --until 12:00.")
    act_on(ids, "snooze", show, by=by, until=end, text=note, as_json=as_json)


@click.command(cls=Command)
@incident_ids
@note_option
@future.by_option
@as_json
@with_appcontext
def close(*, ids: tuple[int, ...], note: str, by: str | None, as_json: bool) -> None:
    """Close incidents by hand.

    This is for content that will not be refreshed again: a success closes an incident anyway. The next failure opens
    it again, or is a new incident.
    """
    act_on(ids, "close", Presentation(), by=by, text=note, as_json=as_json)


@click.command(cls=Command)
@one_incident
@click.argument("text")
@future.by_option
@as_json
@with_appcontext
def note(incident_id: int, text: str, by: str | None, as_json: bool) -> None:
    """Add a note to an incident.

    \b
    flask incidents note 14 "The vendor renamed a column; new extract at noon"
    """
    if not text.strip():
        raise click.BadParameter("The note is empty.", param_hint="TEXT")
    act_on((incident_id,), "note", Presentation(), by=by, text=text, as_json=as_json)


def act_on(
    ids: Sequence[int],
    kind: ActKind,
    show: Presentation,
    *,
    by: str | None,
    until: datetime | None = None,
    text: str = "",
    as_json: bool,
) -> None:
    """Do the same about each incident. One that is unknown or closed does not stop the others; raise Failure then."""
    if len(text) > MAX_NOTE:
        raise click.UsageError(f"The note has {len(text)} characters; {MAX_NOTE} is the maximum.")
    name = future.author(by)

    def act(record: IncidentRecord) -> IncidentRecord:
        new = Act("", kind, record.incident.id, show.now, name, until, application.redact(text.strip()))
        return application.inbox().incidents.act(record.id, new, origin=application.origin(name))

    def done(record: IncidentRecord) -> None:
        if as_json:
            silence = application.silences_of([record], show.now).get(record.id)
            terminal.print_json(incident_object(record, application.redact, silence))
        else:
            click.echo(show.line(f"Incident {record.id}: {wording.acted(record, kind, name, until, show.when)}"))

    for_each_incident(ids, lambda record: done(act(refuse_useless(record, kind, show))))


def refuse_useless(record: IncidentRecord, kind: ActKind, show: Presentation) -> IncidentRecord:
    """Return the incident. Raise Failure if the act would change nothing, because it is closed."""
    closed_at = record.incident.closed_at
    if closed_at is not None and kind != "note":
        raise Failure(f"Incident {record.id} was closed at {show.when(closed_at)}, so nothing is left to {kind}.")
    return record


def for_each_incident(ids: Sequence[int], work: Callable[[IncidentRecord], None]) -> None:
    """Call `work` for each incident, once. A failure does not stop the others; the last one is raised at the end."""
    failures: list[Failure] = []
    for incident_id in dict.fromkeys(ids):
        try:
            work(application.get_incident(incident_id))
        except Failure as failure:
            failures.append(failure)
    for earlier in failures[:-1]:
        earlier.show()
    if failures:
        raise failures[-1]
