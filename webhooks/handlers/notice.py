"""The notice action: bring the message about an incident up to date. Planned by the server for each change."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from notifiers import Link, Mention, Message, NotifierError, Picture, Posted, parse_mention
from webhooks.context import Context, Upkeep, locked
from webhooks.context.upkeep import Compose
from webhooks.destinations import resolve_default
from webhooks.errors import RetryLater, Skip, UnknownIncident
from webhooks.incidents import DestinationPolicy, Policy, wanted_notices
from webhooks.incidents.deliveries import deliveries
from webhooks.incidents.incident import with_facts
from webhooks.incidents.notices import WantedNotice, next_due
from webhooks.incidents.silences import ActiveSilence, Facts, Silence, active_silence
from webhooks.messages.act_links import LinkMaker
from webhooks.messages.event_message import as_sentences
from webhooks.messages.incident_buttons import NO_ACTIONS, incident_actions
from webhooks.messages.incident_message import (
    IncidentDetails,
    change_message,
    incident_message,
)
from webhooks.messages.incident_values import template_values
from webhooks.messages.templates import render_or_standard
from webhooks.observability.logs import add_log_ids
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord, NoticeRecord


class NoticeParams(Params):
    """The number of the notice, and its destination for lists of jobs."""

    notice: int
    to: str = ""


@action("notice", params=NoticeParams, in_rules=False)
def notice(context: Context, params: NoticeParams) -> None:
    """Show the incident as it is now; a job that finds nothing to change sends nothing.

    A first message that cannot be sent at all is reported once for each event: by the job of the rule.
    """
    try:
        bring_up_to_date(context, params.notice)
    except NotifierError as error:
        found = context.inbox.notices.get(params.notice)
        # The key of a job with another cause, such as an act, names that as well.
        caused_by_event = context.job.key == f"notice {params.notice}"
        if error.permanent and found is not None and _is_about_dead_letters(context, found):
            # A dead letter about the message about dead letters would lead to the next one.
            raise Skip(f"announcements of dead letters report what cannot be sent: {error}") from error
        if error.permanent and caused_by_event and found is not None and found.posted_at is None:
            raise Skip(f"the job of the rule reports why nothing can be sent: {error}") from error
        raise


def _is_about_dead_letters(context: Context, notice: NoticeRecord) -> bool:
    try:
        return context.inbox.incidents.get(notice.incident_id).incident.kind == "dead_letters"
    except UnknownIncident:
        return False


def bring_up_to_date(context: Context, notice_id: int, picture: Callable[[], Picture | None] | None = None) -> None:
    """Send what the notice's destination should show of its incident and does not show yet.

    `picture` is attached to a new message. Raises Skip if the incident is gone, RetryLater if a part has to wait, and
    NotifierError.
    """
    found = context.inbox.notices.get(notice_id)
    if found is None:
        raise Skip("the incident no longer exists")
    add_log_ids(incident=found.incident_id, group=found.group_id)
    with locked(context, found):
        # Read again under the lock: another job may have sent what is missing.
        current = context.inbox.notices.get(notice_id) or found
        try:
            record = context.inbox.incidents.get(current.incident_id)
        except UnknownIncident as error:
            raise Skip("the incident no longer exists") from error
        _update(context, record, current, picture)


def _update(
    context: Context, record: IncidentRecord, notice: NoticeRecord, picture: Callable[[], Picture | None] | None
) -> None:
    incident, now = record.incident, context.now()
    silences = context.inbox.silences.list(incident.opened_at)
    facts = Facts.of(record.details, context.label(context.event))
    due = next_due(incident, notice.policy, now, silences, facts)
    if due is not None:
        context.inbox.incidents.save_due(record.id, due)
    details = details_of(record, notice.rule, context.settings.links_url)
    lacking = [one.id for one in silences if one.span_at(now) and one.lacks_tags(incident, facts)]
    unknown = f"Not silenced by silence {', '.join(lacking)}: the tags are unknown." if lacking else ""
    problem = " ".join(filter(None, [details.problem, unknown]))
    details = replace(details, advice=context.event.type.advice, problem=problem)
    upkeep = Upkeep(context, notice)
    compose = _composer(context, record, notice, details, upkeep)

    def change(one: WantedNotice) -> Message:
        return change_message(incident, one.text, mentions=_mentions(one) if one.urgency == "escalation" else ())

    # A post whose outcome is unknown may be there.
    notified = (notice.destination,) if notice.posted or notice.group_id is not None else ()
    # The message also shows what was looked up.
    looked_up = zlib.crc32(repr(details).encode())
    wanted = [
        replace(one, version=with_facts(one.version, looked_up)) if one.form == "message" else one
        for one in wanted_notices(incident, notice.policy, now, silences, facts, notified=notified)
    ]
    # Each announcement of dead letters needs the outcome of its message, so they are not grouped.
    is_alone = incident.kind == "dead_letters" and notice.group_id is None
    placed = replace(notice, single=True) if is_alone else _place(context, upkeep, notice, wanted)
    if placed is None:
        return
    add_log_ids(group=placed.group_id)
    if placed.single:
        upkeep.run(wanted, compose, change, picture)
    elif placed.group_id is not None:
        _reply_in_group(context, notice, placed.group_id, wanted, change)


def _composer(
    context: Context, record: IncidentRecord, notice: NoticeRecord, details: IncidentDetails, upkeep: Upkeep
) -> Compose:
    """Return the function that writes the whole message about the incident."""
    incident, zone = record.incident, context.settings.zone
    values = template_values(incident, details, context.now(), tags=record.details.tags or (), zone=zone)
    own = [render_or_standard(key, notice.template.get(key, ""), values, "") for key in ("title", "text")]
    title, text = (rendered for rendered, _ in own)
    failed = as_sentences(*(problem for _, problem in own))
    shown = replace(details, problem="\n".join(filter(None, [details.problem, failed])))
    actions = NO_ACTIONS
    if upkeep.target.has_buttons:
        actions = incident_actions(
            incident,
            record.id,
            context.now(),
            next_run_at=details.next_run_at,
            may_refresh=bool(context.access.operators),
            page=details.page,
        )

    def compose(one: WantedNotice) -> Message:
        mentions = _mentions(one) if notice.posted_at is None else ()
        made = incident_message(incident, shown, title=title, text=text, mentions=mentions, actions=actions, zone=zone)
        links: tuple[Link, ...] = ()
        if upkeep.target.has_action_links:
            maker = LinkMaker(notice.destination, context.settings.link_key, context.settings.public_url)
            links = maker.links({incident.state}, record.id, incident.id, context.now())
        return replace(made, hint=upkeep.target.hint if incident.state == "open" else "", actions=links)

    return compose


def _place(
    context: Context, upkeep: Upkeep, notice: NoticeRecord, wanted: Sequence[WantedNotice]
) -> NoticeRecord | None:
    """Return the notice with the place of its message; None if there is none to be sent yet.

    The message of a group that shows the notice is updated by a job of its own. Raises RetryLater until it is decided.
    """
    groups, is_single = context.inbox.notice_groups, bool(notice.posted or notice.single)
    if is_single or notice.group_id is not None:
        if notice.group_id is not None and wanted and wanted[0].held_until is None:
            groups.changed(notice.group_id, context.job)
        return replace(notice, single=is_single)
    shown = {(notice.destination, key): version for key, version in notice.shown.items()}
    opening = next((one.notice for one in deliveries(wanted, shown) if one.action == "post"), None)
    if opening is None:
        return None
    summary_at, of_person = opening.summary_at, upkeep.target.is_personal
    placement = groups.place(notice, context.job, summary_at=summary_at, of_person=of_person)
    if placement.wait_until is not None:
        raise RetryLater("More incidents may share the message", placement.wait_until)
    return replace(notice, single=placement.group_id is None, group_id=placement.group_id)


def _reply_in_group(
    context: Context, notice: NoticeRecord, group_id: int, wanted: Sequence[WantedNotice], change: Compose
) -> None:
    """Send what the thread of the group's message should show of this incident.

    These are notes, the ends of snoozes, that it got worse, and reminders. The table shows all else.
    One reminder is about all incidents of the group.
    """
    groups = context.inbox.notice_groups
    group = groups.get(group_id)
    if group is None or group.posted is None or "message" not in group.posted:
        return
    new = [one for one in wanted if one.form == "thread" and one.held_until is None and one.key not in notice.shown]
    reminders = [one for one in new if one.urgency == "repeat" and one.key.startswith("repeat ")]
    if reminders and notice.policy.repeat:
        groups.changed(group_id, context.job, remind_at=reminders[0].at, gap=notice.policy.repeat / 2)
    own = [one for one in new if one.key.startswith(("end ", "note ", "worse "))]
    shown = {**notice.shown, **dict.fromkeys((one.key for one in reminders), 1)}
    if reminders or own:
        Upkeep(context, replace(notice, shown=shown), Posted.from_dict(group.posted["message"])).reply(own, change)


def show_own_incident(context: Context, record: IncidentRecord, to: str, rule: str) -> None:
    """Bring the message about a problem of this server up to date at a destination that no rule names."""
    to = with_address(context, to)
    notice = context.inbox.notices.register(record.id, to, Policy(rule, (DestinationPolicy(to),)))
    bring_up_to_date(context, notice.id)


def with_address(context: Context, to: str) -> str:
    """Return the destination with Slack's default channel by name, so that `default` and the channel are one."""
    to = resolve_default(to, context.notifiers.with_default_address)
    channel = context.notifiers["slack"].config.default_address if to == "slack" else ""
    return f"slack:{channel}" if channel else to


def silence_of(context: Context, record: IncidentRecord, silences: Sequence[Silence]) -> ActiveSilence | None:
    """Return which of the silences is in force for the incident now."""
    return active_silence(record.incident, silences, context.now(), facts_of(context, record))


def facts_of(context: Context, record: IncidentRecord) -> Facts:
    """Return what silences can select an incident by, also one that the event of the job is not about."""
    # That event may be of another site, or of none.
    event = replace(context.event, site=None, payload={"site_luid": record.incident.site_luid})
    return Facts.of(record.details, context.label(event))


def details_of(
    record: IncidentRecord, rule: str, links_url: str = "", silence: ActiveSilence | None = None
) -> IncidentDetails:
    """Return what a message about the incident shows beyond its runs and acts."""
    known = record.details
    return IncidentDetails(
        number=record.id,
        rule=rule,
        project=known.project,
        owner=known.owner,
        link=known.link,
        page=f"{links_url}/incidents/{record.id}" if links_url else "",
        problem=known.problem,
        next_run_at=known.next_run_at,
        strikes=known.strikes,
        downstream=known.downstream,
        upstream=known.upstream or (),
        silence=silence,
    )


def _mentions(one: WantedNotice) -> tuple[Mention, ...]:
    return (parse_mention(one.mention),) if one.mention else ()
