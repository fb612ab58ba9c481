"""The slack_press action: finish what the press of a button in Slack began, and answer the person who pressed it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from notifiers import Message, Notifier, NotifierError, Person
from tableau_rest.errors import TableauError
from webhooks.context import Context
from webhooks.context.refreshes import NOT_STARTED, RefreshRefused, start_refresh
from webhooks.errors import Permanent, Skip, UnknownIncident
from webhooks.incidents import Act, Incident
from webhooks.incidents.wording import describe
from webhooks.job import CLOSED, REPEATED, UNKNOWN
from webhooks.messages.incident_buttons import REFRESH, REFRESHABLE, WHY
from webhooks.messages.why_message import why_message
from webhooks.observability.logs import add_log_ids
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord

GONE = "This incident is no longer stored, or another server sent the message."
STRANGER = "Only members of the workspace that this app belongs to can do this."
OVER = "The time until which this button snoozes is over."
NO_OPERATORS = "Refreshes cannot be started from Slack: the rules name no operators."
NO_ADDRESS = "Slack does not say which e-mail address you have, so it is unknown whether you may start refreshes."
STARTED = "The refresh was started. The message changes when it has ended."


class ReportedPress(Params):
    """The press as Slack reported it, and why it was not carried out."""

    action: str
    user: str
    user_name: str
    is_member: bool
    channel: str
    message: str
    problem: str = ""


class PressParams(ReportedPress):
    """The press of a button about an incident; `act` is the number of the stored act, 0 without one."""

    incident: int
    act: int = 0


@action("slack_press", params=PressParams, in_rules=False)
def slack_press(context: Context, params: PressParams) -> None:
    """Name the author of an act, start a refresh, or explain; show the person why a press changed nothing."""
    add_log_ids(incident=params.incident)
    slack = context.notifiers["slack"]
    record = None
    if params.problem != UNKNOWN:
        try:
            record = context.inbox.incidents.get(params.incident)
        except UnknownIncident:
            context.log.info("The incident of a press no longer exists: incident=%s", params.incident)
    if record is None:
        answer: Message | None = Message("Incident not found", GONE)
    elif params.action == WHY:
        answer = _explain(context, params, record)
    else:
        words = _carry_out(context, params, record, slack)
        incident = record.incident
        answer = Message(incident.resource_name or incident.resource_luid, words) if words else None
    if answer is not None:
        whisper(context, params, slack, answer)


def _carry_out(context: Context, params: PressParams, record: IncidentRecord, slack: Notifier) -> str:
    """Return what to show to the person; empty if the message itself shows it."""
    incident = record.incident
    if not params.is_member:
        return STRANGER
    if params.problem == CLOSED or (params.action == REFRESH and not incident.is_open):
        return f"Nothing was changed: {describe(incident)}."
    if params.problem == REPEATED:
        return f"It is acknowledged already, by {incident.quiet_by}."
    if params.action == REFRESH:
        return _refresh(context, record, find_person(context, params, slack))
    if not params.act:
        return OVER
    person = find_person(context, params, slack)
    if person is not None:
        context.inbox.incidents.name_author(params.act, str(person), slack_user=params.user)
    return ""


def find_person(context: Context, params: ReportedPress, slack: Notifier) -> Person | None:
    """Return the person as Slack knows them, None if it does not say. Raises an error that may pass."""
    try:
        return slack.find_person(params.user)
    except NotifierError as error:
        if not error.permanent and not context.last_attempt:
            raise
        context.log.warning("The person who pressed a button is unknown: %s", error)
        return None


def _refresh(context: Context, record: IncidentRecord, person: Person | None) -> str:
    """Start a refresh if the person may, record it as an act, and return what came of it."""
    incident = record.incident
    if refusal := _refusal(context, incident, person):
        return refusal

    try:
        kind, luid = incident.resource_kind, incident.resource_luid
        job_luid = start_refresh(context, kind, luid, site_luid=incident.site_luid)
    except RefreshRefused as refused:
        words = str(refused)
        _record_refusal(context, record, person, words)
        return f"{words[0].upper()}{words[1:]}."
    except (TableauError, Permanent) as error:
        # Without a credential, for example, the person has to know it, and not those who read dead letters.
        if not error.permanent and not context.last_attempt:
            raise
        _record_refusal(context, record, person, str(error))
        return f"The refresh could not be started: {error}"
    # Others may have acted until Tableau responded.
    asked_at = context.job.created_at or context.now()
    act = Act("", "refresh", incident.id, asked_at, str(person), job_luid=job_luid)
    context.once("act", lambda: context.inbox.incidents.act(record.id, act, origin="Slack").id)
    return STARTED


def _record_refusal(context: Context, record: IncidentRecord, person: Person | None, reason: str) -> None:
    """Record in the audit log, once per press, that the person asked for a refresh and why it was not started."""
    subject, details = f"incident {record.id}", f"{NOT_STARTED}: {reason}"

    def record_act() -> bool:
        context.inbox.audit.record(by=str(person), origin="Slack", act="refresh", subject=subject, details=details)
        return True

    context.once("refusal", record_act)


def _refusal(context: Context, incident: Incident, person: Person | None) -> str:
    """Return why the person may not start a refresh; empty if they may."""
    access = context.access
    if not access.operators:
        return NO_OPERATORS
    if person is None or not person.email:
        return NO_ADDRESS
    if not access.is_operator(person.email):
        return f"{person.email} may not start refreshes. The table [access] of the rules lists who may."
    return "" if incident.resource_kind in REFRESHABLE else "This content cannot be refreshed."


def _explain(context: Context, params: PressParams, record: IncidentRecord) -> Message:
    pressed = next(
        (
            notice
            for notice in record.notices
            if ((notice.posted or {}).get("message") or {}).get("id") == params.message
        ),
        None,
    )
    if pressed is None:
        return Message("Why?", "This message is out of date: the incident has another message here.")
    waiting = [one for other in record.notices if other.posted_at is None for one in other.policy.destinations]
    return why_message(
        record.incident,
        pressed.policy,
        notified_at=pressed.posted_at,
        waiting=waiting,
        zone=context.settings.zone,
    )


def whisper(context: Context, params: ReportedPress, slack: Notifier, answer: Message) -> None:
    """Show the answer to the person. It is of no use later, so it is skipped instead of dead-lettered."""
    shown = replace(answer, title=context.redact(answer.title), text=context.redact(answer.text))
    try:
        slack.whisper(shown, channel=params.channel, person=params.user)
    except NotifierError as error:
        if not error.permanent and not context.last_attempt:
            raise
        raise Skip(f"The person could not be answered: {error}") from error
