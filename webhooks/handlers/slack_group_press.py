"""The slack_group_press action: finish what the press of a button about all incidents of a group began."""

from __future__ import annotations

from notifiers import Message, NotifierError
from webhooks.context import Context
from webhooks.handlers.slack_press import GONE, OVER, STRANGER, ReportedPress, find_person, whisper
from webhooks.job import CLOSED, REPEATED, SLACK_GROUP_PRESS, UNKNOWN
from webhooks.messages.group_buttons import WHY_GROUP
from webhooks.messages.why_message import why_group_message
from webhooks.observability.logs import add_log_ids
from webhooks.registry import action


class GroupPressParams(ReportedPress):
    """The press of a button about all incidents of a group: the stored acts, and the incidents that they are about."""

    group: int
    acts: list[int]
    incidents: list[int]


@action(SLACK_GROUP_PRESS, params=GroupPressParams, in_rules=False)
def slack_group_press(context: Context, params: GroupPressParams) -> None:
    """Compute the incidents with their new acts, so that all messages show them, or answer the person."""
    add_log_ids(group=params.group)
    slack = context.notifiers["slack"]
    group = None if params.problem == UNKNOWN else context.inbox.notice_groups.get(params.group)
    if group is None:
        answer: Message | None = Message("Incidents not found", GONE)
    elif params.action == WHY_GROUP:
        members = context.inbox.notice_groups.members(group.id)
        rules = [notice.rule for notice, _ in members]
        answer = why_group_message([record.incident for _, record in members], group.kind, group.destination, rules)
    elif not params.is_member:
        answer = Message("Nothing was changed", STRANGER)
    elif params.problem == CLOSED:
        answer = Message("Nothing was changed", "All of these incidents have closed.")
    elif params.problem == REPEATED:
        answer = Message("Nothing was changed", "All that have not closed are acknowledged or snoozed already.")
    elif not params.acts:
        answer = Message("Nothing was changed", OVER)
    else:
        answer = None
        try:
            person = find_person(context, params, slack)
        except NotifierError as error:
            # The name is not worth a delay.
            context.log.warning("The person who pressed a button is unknown: %s", error)
            person = None
        if person is not None:
            context.inbox.incidents.name_authors(params.acts, str(person), slack_user=params.user)
        context.inbox.incidents.acted(params.incidents, cause=f"press {context.job.id}")
    if answer is not None:
        whisper(context, params, slack, answer)
