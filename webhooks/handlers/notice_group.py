"""The notice_group action: bring the message that several incidents share up to date. Planned by the server."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from notifiers import Mention, Message, parse_mention
from webhooks.context import Context, Upkeep, locked
from webhooks.context.target import Target
from webhooks.errors import RetryLater, Skip
from webhooks.handlers.notice import details_of, facts_of, silence_of
from webhooks.incidents import Holds, Incident, describe_group, group_version
from webhooks.incidents.grouping import CALM, WINDOW
from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.notices import MESSAGE, WantedNotice
from webhooks.incidents.policy import Urgency
from webhooks.incidents.silences import FOREVER
from webhooks.incidents.state import FLAPPING
from webhooks.job import NOTICE_GROUP
from webhooks.messages.act_links import LinkMaker
from webhooks.messages.group_buttons import group_actions
from webhooks.messages.group_message import Member, group_message, group_severity, group_status
from webhooks.messages.incident_buttons import NO_ACTIONS
from webhooks.observability.logs import add_log_ids
from webhooks.registry import Params, action
from webhooks.text import count

if TYPE_CHECKING:
    from webhooks.inbox import GroupRecord, IncidentRecord, NoticeRecord

Members: TypeAlias = "list[tuple[NoticeRecord, IncidentRecord]]"

# Seconds until changes are shown that came while the message was written.
AGAIN = timedelta(seconds=1)
# Seconds over which such waits are spread. One job works on a group for long: the usual spread would grow to minutes.
SPREAD = 1.0
# Seconds until it is looked up again whether the message that the group takes over was posted.
FIRST_MESSAGE = timedelta(seconds=10)


class NoticeGroupParams(Params):
    """The number of the group, and its destination for lists of jobs."""

    group: int
    to: str = ""


@action(NOTICE_GROUP, params=NoticeGroupParams, in_rules=False)
def notice_group(context: Context, params: NoticeGroupParams) -> None:
    """Show all incidents of the group as they are now.

    Raises Skip if they are gone, RetryLater if a part has to wait, and NotifierError.
    """
    add_log_ids(group=params.group)
    found = context.inbox.notice_groups.get(params.group)
    if found is None:
        raise Skip("the incidents no longer exist")
    with locked(context, found):
        group = context.inbox.notice_groups.get(params.group) or found
        members = context.inbox.notice_groups.members(group.id)
        members = _release_held(context, found, members)
        if members:
            _take_over(context, group, members)
            _show(context, context.inbox.notice_groups.get(group.id) or group, members)
        if not context.inbox.notice_groups.finish(group):
            raise RetryLater("the incidents have changed meanwhile", context.now() + AGAIN, spread=SPREAD)


def _release_held(context: Context, group: GroupRecord, members: Members) -> Members:
    """Return the members that the first message may be about: not those silenced, or in quiet hours, since they joined.

    The others leave the group, and are notified at the end of what holds them.
    """
    if group.posted is not None:
        return members
    now, silences = context.now(), context.inbox.silences.list(context.now())
    kept: Members = []
    released: Members = []
    for notice, record in members:
        holds = Holds.of(record.incident, notice.policy.quiet, silences, facts_of(context, record))
        end = holds.end(now) if notice.posted_at is None else None
        (released if end else kept).append((notice, record))
        if end and end < FOREVER:
            context.inbox.incidents.save_due(record.id, end)
    if released and not any(notice.posted_at is None for notice, _ in kept):
        # Those that are left have messages of their own.
        context.inbox.notice_groups.close(group)
        kept, released = [], members
    for notice, _ in released:
        context.inbox.notice_groups.release(group, notice)
    return kept


def _take_over(context: Context, group: GroupRecord, members: Members) -> None:
    """Let the group of a person use the message of its first incident: an edit shows the others and alerts no one.

    Raises RetryLater while that message may be about to be posted.
    """
    target = Target.of(context, group.destination)
    first = next((notice for notice, _ in members if notice.single or notice.posted), None)
    if group.posted or first is None or not (target.is_personal and target.can_edit):
        return
    with locked(context, first):
        taken = context.inbox.notice_groups.take_over(group, first)
    # After that, its outcome will not become known.
    if not taken and context.now() < group.created_at + CALM:
        raise RetryLater("the first message may have been posted", context.now() + FIRST_MESSAGE, spread=SPREAD)


def _show(context: Context, group: GroupRecord, members: Members) -> None:
    upkeep, incidents = Upkeep(context, group), [record.incident for _, record in members]
    over = not any(one.is_open or one.kind in OWN_KINDS for one in incidents)
    if over and not group.posted:
        # There is nothing to be notified of any more.
        context.inbox.notice_groups.close(group)
        return
    if not upkeep.target.can_edit:
        complete_at = _complete_at(group, members, is_personal=upkeep.target.is_personal)
        if group.posted_at is None and context.now() < complete_at:
            raise RetryLater("more incidents may join the message", complete_at, spread=SPREAD)
        context.inbox.notice_groups.close(group)
        # Others may have joined until then.
        members = _release_held(context, group, context.inbox.notice_groups.members(group.id))
        incidents = [record.incident for _, record in members]
    links_url = context.settings.links_url
    silences = context.inbox.silences.list(context.now())
    lines = [
        Member(record.incident, details_of(record, notice.rule, links_url, silence_of(context, record, silences)))
        for notice, record in members
    ]
    # Each once.
    wanted = dict.fromkeys(one.mention for notice, _ in members for one in notice.policy.destinations if one.mention)
    mentions = tuple(map(parse_mention, wanted)) if group.posted_at is None else ()

    def whole(_: WantedNotice) -> Message:
        return _compose(context, group, lines, mentions, upkeep)

    def change(one: WantedNotice) -> Message:
        if one.key == MESSAGE and any(notice.posted_at is None for notice, _ in members):
            # In place of an edit that would list them for the first time.
            return whole(one)
        return Message(one.text, severity=group_severity(incidents), status=group_status(incidents))

    looked_up = zlib.crc32(repr([line.details for line in lines]).encode())
    settled = not any(one.flapping and one.closed_at and context.now() < one.closed_at + FLAPPING for one in incidents)
    message, *replies = _wanted(group, incidents, group_version(incidents, looked_up), settled=settled)
    upkeep.run([replace(message, over=over), *replies], whole, change)
    if not any(one.is_open for one in incidents):
        context.inbox.notice_groups.close(group)


def _complete_at(group: GroupRecord, members: Members, *, is_personal: bool) -> datetime:
    """Return when a message that cannot be edited is sent: no more incidents join then, so it has all of them."""
    if is_personal and group.kind != "summary":
        # The first message has alerted the person, so the second one can wait until it has all of a storm.
        return min(notice.opened_at or notice.created_at for notice, _ in members) + CALM
    return min(group.joined_at + WINDOW, group.created_at + CALM)


def _compose(
    context: Context, group: GroupRecord, lines: list[Member], mentions: tuple[Mention, ...], upkeep: Upkeep
) -> Message:
    """Return the message with a line for each incident, and with what people can do about them there."""
    incidents, links_url = [line.incident for line in lines], context.settings.links_url
    made = group_message(
        lines,
        summary_at=group.summary_at,
        mentions=mentions,
        actions=group_actions(incidents, group.id) if upkeep.target.has_buttons else NO_ACTIONS,
        zone=context.settings.zone,
        key=group.name,
        page=f"{links_url}/incidents?group={group.id}" if links_url else "",
    )
    states = {one.state for one in incidents}
    maker = LinkMaker(group.destination, context.settings.link_key, context.settings.public_url)
    links = maker.links(states, group.id, group.name, context.now()) if upkeep.target.has_action_links else ()
    return replace(made, hint=upkeep.target.hint if "open" in states else "", actions=links)


def _wanted(group: GroupRecord, incidents: list[Incident], version: int, *, settled: bool) -> list[WantedNotice]:
    """Return the message of the group, and the replies in its thread: acts on all, it closed, it failed again.

    `settled`: none of the incidents is expected to open again at once.
    """
    states = {one.state for one in incidents}
    urgency: Urgency = "open" if "open" in states else "close" if states == {"closed"} else "acknowledge"
    text, at = describe_group(incidents), group.created_at
    message = WantedNotice(group.destination, MESSAGE, "message", version, urgency, text, at, at, settled=settled)
    closings, reopenings = (sum(key.startswith(word) for key in group.shown) for word in ("close ", "again "))
    replies: list[tuple[str, Urgency, str]] = []
    if states == {"closed"} and settled:
        replies.append((f"close {reopenings + 1}", "close", text))
    elif states != {"closed"} and closings > reopenings:
        replies.append((f"again {closings}", "open", text))
    elif states & {"acknowledged", "snoozed"} and "open" not in states:
        replies.append(_quiet(incidents))
    if group.remind_at is not None and states != {"closed"}:
        replies.append((f"repeat {group.remind_at.timestamp():.0f}", "repeat", text))
    return [
        message,
        *(WantedNotice(group.destination, key, "thread", 1, of, text, at, at) for key, of, text in replies),
    ]


def _quiet(incidents: list[Incident]) -> tuple[str, Urgency, str]:
    """Return the reply that says that no incident is open without someone who takes care of it."""
    quiet = Counter((one.state, one.quiet_by) for one in incidents if one.state != "closed")
    parts = [f"{state} by {by}: {count(number, 'incident')}" for (state, by), number in sorted(quiet.items())]
    return (
        f"quiet {zlib.crc32(repr(sorted(quiet)).encode())}",
        "acknowledge",
        "; ".join(part[0].upper() + part[1:] for part in parts),
    )
