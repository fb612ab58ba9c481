"""The superseded_notice action: end the second message of two incidents that turned out to be one.

Planned by the server when late evidence shows that no lasting success was between them.
"""

from __future__ import annotations

from collections.abc import Mapping

from notifiers import CannotEdit, Link, Message, NotifierError, Posted, parse_destination
from webhooks.context import Context
from webhooks.context.budget import take_budget
from webhooks.destinations import resolve_default
from webhooks.errors import Permanent, Skip
from webhooks.job import SUPERSEDED_NOTICE
from webhooks.messages.incident_message import superseded_message
from webhooks.observability.logs import add_log_ids
from webhooks.registry import Params, action


class SupersededNoticeParams(Params):
    """The notice that is kept up to date, the message that no longer is, and the group that showed it."""

    notice: int
    to: str
    message: Mapping[str, str] | None = None
    group: int | None = None


@action(SUPERSEDED_NOTICE, params=SupersededNoticeParams, in_rules=False)
def superseded_notice(context: Context, params: SupersededNoticeParams) -> None:
    """Let the message say where the problem goes on, and the group show its lines without it.

    Raises Skip if the message cannot be changed, RetryLater and NotifierError.
    """
    if params.group is not None:
        context.inbox.notice_groups.changed(params.group, context.job)
    kept = context.inbox.notices.get(params.notice)
    if params.message is None:
        return
    if kept is None:
        raise Skip("the incident no longer exists")
    add_log_ids(incident=kept.incident_id)
    try:
        destination = parse_destination(resolve_default(params.to, context.notifiers.with_default_address))
    except ValueError as error:
        raise Permanent(str(error)) from None
    notifier, posted = context.notifiers[destination.kind], Posted.from_dict(params.message)
    if not notifier.capabilities.edit:
        raise Skip(f"{notifier.label} cannot change a message that was sent")
    other = kept.posted["message"] if kept.posted and "message" in kept.posted else None
    link = None
    if other is not None:
        try:
            address = notifier.permalink(Posted.from_dict(other)).permalink
            link = Link(address, "Open that message") if address else None
        except NotifierError as error:
            context.log.warning("No link to the other message: %s", error)
    incident = context.inbox.incidents.get(kept.incident_id).incident
    message: Message = superseded_message(incident, link, key=posted.id)
    take_budget(context, notifier, "edit", destination.to, "acknowledge")
    try:
        notifier.edit(posted, message)
    except CannotEdit as error:
        raise Skip(f"The message cannot be changed: {error}") from error
