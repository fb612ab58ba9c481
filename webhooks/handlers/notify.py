"""The notify action: send a message about an event, with the details that Tableau adds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING

from pydantic import Field

from notifiers import Message, Picture
from tableau_rest import TableauError
from webhooks.context import Context, Lookup
from webhooks.context.content_details import look_up_details, project_and_owner
from webhooks.context.failed_job import ask, look_up_reason
from webhooks.context.routing import find_route
from webhooks.context.target import Target
from webhooks.destinations import DEFAULT, FROM_TABLEAU, PROJECT_OWNER, ROUTES
from webhooks.errors import Permanent
from webhooks.event import MONITOR, Event
from webhooks.handlers.backlog import notice_of_later_failure
from webhooks.handlers.incident_lookups import learn_reason, with_content, with_schedule, with_upstream
from webhooks.handlers.notice import bring_up_to_date, with_address
from webhooks.incidents import Policy, evidence
from webhooks.incidents.policy import DestinationPolicy
from webhooks.messages.alert_message import alert_message
from webhooks.messages.destination_template import RuleDestination, resolve_destination
from webhooks.messages.event_message import (
    Details,
    as_sentences,
    as_text,
    event_message,
    event_values,
)
from webhooks.messages.templates import Template, is_jinja
from webhooks.observability.logs import add_log_ids
from webhooks.registry import Params, action
from webhooks.rules.policy import Duration, Interval, MentionText, Weekly, parse_duration, parse_weekly

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord, NoticeRecord

UNSAFE_IN_FILENAMES = re.compile(r"[^\w -]+")


class NotifyParams(Params):
    """The destination and the contents of a message, and when it is sent about a refresh that keeps failing."""

    to: RuleDestination = Field(
        DEFAULT, description="where the message goes: one destination, or a list", examples=["slack:#bi", "owner"]
    )
    picture: bool = Field(default=False, description="attach the workbook's preview image")
    title: Template | None = Field(None, description="headline instead of the standard one; placeholders as {name}")
    text: Template | None = Field(None, description="text instead of the standard one; placeholders as {reason}")
    failures: int = Field(1, ge=1, le=100, description="only from this many failures in a row on")
    after: Duration | None = Field(None, description="only if it still fails, and is not acknowledged, after this long")
    grace: Duration | None = Field(
        None, description="wait this long for the next run to succeed, for example one that a rule started"
    )
    repeat: Interval | None = Field(None, description="remind at this interval while it fails and is not acknowledged")
    quiet: Weekly | None = Field(
        None,
        description="hours in which nothing is sent, in the zone `TIMEZONE`",
        examples=[{"from": "22:00", "to": "06:30", "days": "mon-fri"}],
    )
    each: bool = Field(default=False, description="a message for each failure instead of one per problem")
    mention: MentionText | None = Field(
        None, description="group or member that the first message mentions, or all", examples=["@finance-oncall"]
    )
    routes: tuple[tuple[str, str], ...] = Field((), description="the table [routes], with a destination or none each")

    def policy(self, rule: str, to: str, zone: tzinfo) -> Policy:
        """Return when the destination `to` is notified of an incident; hours are in `zone`."""
        after = parse_duration(self.after) if self.after else timedelta()
        grace = parse_duration(self.grace) if self.grace else timedelta()
        destination = DestinationPolicy(to, self.failures, after, self.mention or "", grace)
        return Policy(
            rule=rule,
            destinations=(destination,),
            repeat=parse_duration(self.repeat) if self.repeat else None,
            quiet=parse_weekly(self.quiet, zone) if self.quiet else None,
        )


@action("notify", params=NotifyParams)
def notify(context: Context, params: NotifyParams) -> None:
    """Send one message per event, rule and destination; its picture follows.

    Failures of a refresh have one message per problem and destination, which is kept up to date until it is repaired.
    """
    event, luid = context.event, context.luid
    params = _with_destination(context, params)

    def preview() -> Picture:
        name = as_text(event.resource_name) or "workbook"
        data = context.tableau.workbook_preview_image(str(luid))
        filename = UNSAFE_IN_FILENAMES.sub("_", name)[:80] + ".png"
        return Picture(data, filename, alt=f"Preview of the workbook {name}"[:500])

    has_picture = params.picture and event.content_kind == "workbook" and luid and not event.type.content_gone
    picture = preview if has_picture else None
    if event.origin == MONITOR and not event.type.from_watch:
        _notify_of_own_incident(context, params)
        return
    record = _incident_of(context, event, each=params.each)
    # An event whose run could not be recorded has a message of its own.
    if record is not None:
        known = None if params.to in FROM_TABLEAU else notice_of_later_failure(context, params.to, record)
        if known is None:
            _notify_of_incident(context, params, record, picture)
        else:
            bring_up_to_date(context, known.id, picture)
        return
    to = _address(context, params.to, context.lookup) if params.to in FROM_TABLEAU else params.to
    context.notify(to, lambda: _message(context, params), picture=picture, key=params.to, last=True)


def _with_destination(context: Context, params: NotifyParams) -> NotifyParams:
    """Return the params with the destination that a template or the routes mean for the event, fixed by a checkpoint.

    Raises Permanent if a value in it is absent: the message must not go to a place that no one has named.
    """
    if params.to != ROUTES and not is_jinja(params.to):
        return params

    def find() -> str:
        to = find_route(context, params.routes) if params.to == ROUTES else params.to
        if not is_jinja(to):
            return to
        lookup = Lookup() if context.event.type.content_gone else context.lookup
        project, owner = project_and_owner(context, lookup)
        values = event_values(context.event, Details(lookup.content, project, owner), context.settings.zone)
        try:
            return resolve_destination(to, values)
        except ValueError as error:
            raise Permanent(f"Cannot find the destination {to}: {error}") from error

    return params.model_copy(update={"to": context.checkpoint("destination", find)})


def _notify_of_own_incident(context: Context, params: NotifyParams) -> None:
    """Let the destination have a notice of a problem of this server; with `each`, a message for each change."""
    record = None if params.each else context.inbox.findings.incident_of(context.event.id or 0)
    if params.to in FROM_TABLEAU:
        words = FROM_TABLEAU[params.to].words
        raise Permanent(f"A problem of this server has no {words}; name a channel or a person")
    if record is None:
        context.notify(params.to, alert_message(context.event), key=params.to)
        return
    bring_up_to_date(context, _register(context, params, record, with_address(context, params.to)).id)


def _incident_of(context: Context, event: Event, *, each: bool) -> IncidentRecord | None:
    """Return the incident that the event belongs to: of a failed refresh, or of what a watch has found."""
    if event.origin == MONITOR:
        return context.inbox.findings.incident_of(event.id or 0)
    piece = None if each else evidence(event)
    if piece is None or piece.outcome != "failed":
        return None
    return context.inbox.incidents.of_resource(*piece.resource, piece.at)


def _notify_of_incident(
    context: Context, params: NotifyParams, record: IncidentRecord, picture: Callable[[], Picture | None] | None
) -> None:
    """Let the destination have a notice of the incident, and bring it up to date."""
    # Before anything that can fail.
    add_log_ids(incident=record.id)
    try:
        lookup = context.lookup
        project, owner = project_and_owner(context, lookup)
    except TableauError:
        if params.to not in FROM_TABLEAU:
            notice = _register(context, params, record, with_address(context, params.to))
            if Target.of(context, notice.destination).can_edit:
                # The details follow by an edit, once Tableau is available again.
                bring_up_to_date(context, notice.id)
        raise
    details = with_content(lookup, record.details, project, owner)
    to = _address(context, params.to, lookup) if params.to in FROM_TABLEAU else with_address(context, params.to)
    notice = _register(context, params, record, to)
    target = Target.of(context, notice.destination)
    if context.inbox.notice_groups.may_share(notice, of_person=target.is_personal):
        # Only then it matters for the place of the message, which must not wait otherwise.
        details = with_upstream(context, lookup, record, details)
    if target.can_edit and notice.posted is None:
        # The reason follows by an edit: Tableau's job list may show the failure seconds later.
        context.inbox.incidents.save_details(record.id, details)
        bring_up_to_date(context, notice.id, picture)
    details = with_schedule(context, lookup, record, details)
    details = replace(details, problem=as_sentences(lookup.problem, learn_reason(context, lookup, record)))
    placed = context.inbox.notices.get(notice.id)
    if placed and placed.single and placed.group_id is None:
        details = with_upstream(context, lookup, context.inbox.incidents.get(record.id), details)
    if details != record.details:
        context.inbox.incidents.save_details(record.id, details)
    bring_up_to_date(context, notice.id, picture)


def _register(context: Context, params: NotifyParams, record: IncidentRecord, to: str) -> NoticeRecord:
    template = {"title": params.title or "", "text": params.text or ""}
    policy = params.policy(context.job.rule or "notify", to, context.settings.zone)
    return context.inbox.notices.register(record.id, to, policy, template)


def _address(context: Context, to: str, lookup: Lookup) -> str:
    """Return the destination of the owner of the content or of its project. Raises Permanent without one."""
    content, person = lookup.content, FROM_TABLEAU[to]
    owner = getattr(content, "owner", None)
    if person.role == PROJECT_OWNER:
        project = getattr(content, "project", None)
        found = context.tableau.project(project) if project and project.luid else None
        owner = getattr(found, "owner", None)
    user, _ = ask(context, lambda: context.find_user(owner.luid)) if owner and owner.luid else (None, "")
    addresses = [user.email, user.name] if user else []
    address = next((one for one in addresses if one and "@" in one and "," not in one), "")
    if not address:
        reader = "Slack could know" if person.kind == "slack" else "a message could go to"
        raise Permanent(f"The {person.words} has no e-mail address in Tableau that {reader}")
    try:
        return person.destination(address)
    except ValueError as error:
        raise Permanent(f"The e-mail address of the {person.words} in Tableau cannot be used: {error}") from error


def _message(context: Context, params: NotifyParams) -> Message:
    event = context.event
    # Deleted content cannot be looked up. A session sees its own site only, and the webhook has the name of any.
    skip_lookup = event.type.content_gone or event.content_kind in {None, "site"}
    lookup, project, owner = Lookup(), "", ""
    if skip_lookup:
        project, owner = project_and_owner(context, lookup)
    else:
        lookup, project, owner = look_up_details(context)
    reason, no_reason = "", ""
    if event.type.from_job_list or event.type.refresh == "failed":
        reason, no_reason = look_up_reason(context, lookup)
    problems = tuple(filter(None, [lookup.problem, no_reason]))
    details = Details(lookup.content, project, owner, reason, problems)
    return event_message(
        event, details, rule=context.job.rule, title=params.title, text=params.text, zone=context.settings.zone
    )
