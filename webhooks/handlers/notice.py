"""The notice action: bring the message about an incident up to date. Planned by the server for each change."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

from notifiers import Mention, Message, Picture, parse_mention
from webhooks.context import Context, Upkeep, locked
from webhooks.errors import Skip
from webhooks.inbox import IncidentRecord, NoticeRecord, UnknownIncident
from webhooks.incidents import wanted_notices
from webhooks.incidents.policy import WantedNotice, next_due
from webhooks.incidents.silences import Facts
from webhooks.messages.incident_message import (
    IncidentDetails,
    change_message,
    incident_message,
    incident_values,
)
from webhooks.registry import Params, action


class NoticeParams(Params):
    """The number of the notice, and its destination for lists of jobs."""

    notice: int
    to: str = ""


@action("notice", params=NoticeParams, in_rules=False)
def notice(context: Context, params: NoticeParams) -> None:
    """Show the incident as it is now; a job that finds nothing to change sends nothing."""
    bring_up_to_date(context, params.notice)


def bring_up_to_date(context: Context, notice_id: int, picture: Callable[[], Picture | None] | None = None) -> None:
    """Send what the notice's destination should show of its incident and does not show yet.

    `picture` is attached to a new message. Raises Skip if the incident is gone, RetryLater if a part has to wait, and
    NotifierError.
    """
    found = context.inbox.notices.get(notice_id)
    if found is None:
        raise Skip("the incident no longer exists")
    with locked(context, found):
        # Read again under the lock: another job may have sent what is missing.
        current = context.inbox.notices.get(notice_id) or found
        try:
            record = context.inbox.incidents.get(current.incident_id)
        except UnknownIncident as error:
            raise Skip("the incident no longer exists") from error
        _update(context, record, current, picture)


def _update(
    context: Context,
    record: IncidentRecord,
    notice: NoticeRecord,
    picture: Callable[[], Picture | None] | None,
) -> None:
    incident, now = record.incident, context.now()
    silences = context.inbox.silences.list(incident.opened_at)
    known = record.details
    names = (known.project, known.project.rpartition("/")[2]) if known.project else ()
    facts = Facts(site=context.label(context.event), projects=names)
    due = next_due(incident, notice.policy, now, silences, facts)
    if due is not None:
        context.inbox.incidents.save_due(record.id, due)
    details = IncidentDetails(
        number=record.id,
        rule=notice.rule,
        project=known.project,
        owner=known.owner,
        link=known.link,
        problem=known.problem,
    )
    zone = context.settings.zone
    values = incident_values(incident, details, zone)
    title, text = (notice.template.get(name, "").format_map(values) for name in ("title", "text"))

    def whole(one: WantedNotice) -> Message:
        first = notice.posted_at is None
        mentions = _mentions(one) if first else ()
        return incident_message(incident, details, title=title, text=text, mentions=mentions, zone=zone)

    def change(one: WantedNotice) -> Message:
        return change_message(incident, one.text, mentions=_mentions(one) if one.urgency == "escalation" else ())

    notified = (notice.destination,) if notice.posted_at else ()
    # The message also shows what was looked up.
    looked_up = zlib.crc32(repr(known).encode())
    wanted = [
        replace(one, version=one.version ^ looked_up) if one.form == "message" else one
        for one in wanted_notices(incident, notice.policy, now, silences, facts, notified=notified)
    ]
    Upkeep(context, notice).run(wanted, whole, change, picture)


def _mentions(one: WantedNotice) -> tuple[Mention, ...]:
    return (parse_mention(one.mention),) if one.mention else ()
