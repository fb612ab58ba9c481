"""Cause events on a site: each event type changes the site and is delivered to its webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from simulator.world import refresh
from simulator.world.changes import (
    CONTENT,
    Payload,
    add_label,
    delete,
    emit_label,
    emit_site_updated,
    publish,
    remove_user,
    set_role,
)
from simulator.world.jobs import Job
from simulator.world.payload import RESOURCES, WITHOUT_WEBHOOK, payload
from simulator.world.seed import content_url
from simulator.world.site import Content, Datasource, Label, Project, Site, User, Workbook
from simulator.world.world import World

T = TypeVar("T")

NEW_WORKBOOKS = ("Quarterly Review", "Margin by Product", "Churn", "Supplier Scorecard", "Energy Use", "Returns")
NEW_DATASOURCES = ("Product Master", "Customer Ratings", "Exchange Rates", "Energy Meters")
LABEL_VALUES = ("Deprecated", "Stale data", "Under maintenance", "Sensitive data")


class Impossible(ValueError):
    """The requested event cannot happen on this site."""


@dataclass(frozen=True)
class EventRequest:
    """An event to cause. `name` or `luid` chooses the resource; `project` and `owner` are those of new content.

    `reason` is that of a failed refresh or the message of a label, `value` that of a label.
    """

    event_type: str
    name: str = ""
    luid: str = ""
    reason: str = ""
    project: str = ""
    owner: str = ""
    value: str = ""


EVENT_TYPES = (*RESOURCES, *WITHOUT_WEBHOOK)
Cause = Callable[[World, Site, EventRequest], Payload]
CAUSES: dict[str, Cause] = {}


def simulate_event(world: World, site: Site, request: EventRequest) -> Payload:
    """Cause one event, deliver it and return its payload. Raises Impossible."""
    if request.event_type not in CAUSES:
        raise Impossible(f"Unknown event type {request.event_type!r}. Choose one of: {', '.join(EVENT_TYPES)}")
    with world.lock:
        return CAUSES[request.event_type](world, site, request)


def causes(event_type: str) -> Callable[[Cause], Cause]:
    """Register the function that causes events of this type."""

    def register(cause: Cause) -> Cause:
        CAUSES[event_type] = cause
        return cause

    return register


def causes_of_content(verb: str, kinds: tuple[str, ...] = CONTENT) -> Callable[[Callable[..., Payload]], None]:
    """Register the function that causes the events with this verb, for each kind of content."""

    def register(cause: Callable[..., Payload]) -> None:
        for kind in kinds:
            CAUSES[f"{kind.title()}{verb}"] = partial(cause, kind)

    return register


def _choose(
    world: World, things: Mapping[str, T], request: EventRequest, suits: Callable[[T], bool] = lambda _: True
) -> T:
    """Return the requested thing, or a random one of those that suit."""
    if request.luid or request.name:
        for luid, thing in things.items():
            names = [getattr(thing, field, "") for field in ("name", "full_name", "subject")]
            if luid == request.luid or (not request.luid and request.name in names):
                return thing
        raise Impossible(f"Not found: {request.luid or request.name!r}")
    suitable = [thing for thing in things.values() if suits(thing)]
    if not suitable:
        raise Impossible(f"The site has nothing left for {request.event_type}")
    return world.random.choice(suitable)


@causes_of_content("Created")
def _created(kind: str, world: World, site: Site, request: EventRequest) -> Payload:
    names = NEW_WORKBOOKS if kind == "workbook" else NEW_DATASOURCES
    taken = {item.name for item in site.content(kind).values()}
    name = request.name or next((name for name in names if name not in taken), f"{names[0]} {len(taken)}")

    def can_publish(user: User) -> bool:
        return user.site_role not in {"Viewer", "Unlicensed"}

    project = _choose(world, site.projects, EventRequest(request.event_type, request.project))
    owner = _choose(world, site.users, EventRequest(request.event_type, request.owner), can_publish)
    return publish(world, site, kind, name=name, project=project.luid, owner=owner.luid)


@causes_of_content("Updated")
def _updated(kind: str, world: World, site: Site, request: EventRequest) -> Payload:
    item = _choose(world, site.content(kind), request)
    item.updated_at = world.now()
    if isinstance(item, Workbook | Datasource):
        item.revision += 1
    return world.emit(site, request.event_type, name=item.name, luid=item.luid)


@causes_of_content("Deleted", (*CONTENT, "view"))
def _deleted(kind: str, world: World, site: Site, request: EventRequest) -> Payload:
    return delete(world, site, kind, _choose(world, site.content(kind), request).luid)


@causes_of_content("RefreshStarted")
def _refresh_started(kind: str, world: World, site: Site, request: EventRequest) -> Payload:
    def is_idle(item: Content) -> bool:
        return item.has_extracts and not refresh.running(site, item.luid)

    item = _choose(world, site.content(kind), request, is_idle)
    return refresh.emit_started(world, site, refresh.queue(world, site, kind, item))


@causes_of_content("RefreshSucceeded")
def _refresh_succeeded(kind: str, world: World, site: Site, request: EventRequest) -> Payload:
    item = _choose(world, site.content(kind), request, lambda item: item.has_extracts)
    job = refresh.running(site, item.luid) or refresh.queue(world, site, kind, item)
    return refresh.finish(world, site, job)


@causes_of_content("RefreshFailed")
def _refresh_failed(kind: str, world: World, site: Site, request: EventRequest) -> Payload:
    reason = request.reason or world.random.choice(refresh.REASONS)
    item = _choose(world, site.content(kind), request, lambda item: item.has_extracts)
    job = refresh.running(site, item.luid) or refresh.queue(world, site, kind, item)
    return refresh.finish(world, site, job, reason=reason)


def _unsent(world: World, site: Site, event_type: str, job: Job) -> Payload:
    """Return the payload that a webhook about the end of this job would have; only the list of jobs shows it."""
    resource = WITHOUT_WEBHOOK[event_type]
    return payload(
        event_type, resource=resource, name=job.title, luid=job.content, site=site.luid, at=world.now(), text=False
    )


@causes("FlowRunFailed")
def _flow_run_failed(world: World, site: Site, request: EventRequest) -> Payload:
    flow = _choose(world, site.flows, request)
    job = refresh.running(site, flow.luid) or refresh.queue(world, site, "flow", flow, how="flow")
    refresh.finish(world, site, job, reason=request.reason or world.random.choice(refresh.REASONS))
    return _unsent(world, site, request.event_type, job)


@causes("FlowRunSucceeded")
def _flow_run_succeeded(world: World, site: Site, request: EventRequest) -> Payload:
    flow = _choose(world, site.flows, request)
    job = refresh.running(site, flow.luid) or refresh.queue(world, site, "flow", flow, how="flow")
    refresh.finish(world, site, job)
    return _unsent(world, site, request.event_type, job)


@causes("SubscriptionFailed")
def _subscription_failed(world: World, site: Site, request: EventRequest) -> Payload:
    subscription = _choose(world, site.subscriptions, request)
    reason = request.reason or world.random.choice(refresh.EMAIL_REASONS)
    job = refresh.end_subscription(world, site, subscription, reason=reason)
    return _unsent(world, site, request.event_type, job)


@causes("BridgeRefreshFailed")
def _bridge_refresh_failed(world: World, site: Site, request: EventRequest) -> Payload:
    item = _choose(world, site.datasources, request, lambda item: item.has_extracts)
    job = refresh.queue(world, site, "datasource", item, how="bridge")
    refresh.finish(world, site, job, reason=request.reason or world.random.choice(refresh.BRIDGE_REASONS))
    return _unsent(world, site, request.event_type, job)


@causes("AdminPromoted")
def _promoted(world: World, site: Site, request: EventRequest) -> Payload:
    user = _choose(world, site.users, request, lambda user: not user.is_admin)
    return set_role(world, site, user, "SiteAdministratorExplorer")


@causes("AdminDemoted")
def _demoted(world: World, site: Site, request: EventRequest) -> Payload:
    server_user = world.config.username
    user = _choose(world, site.users, request, lambda user: user.is_admin and user.name != server_user)
    return set_role(world, site, user, "Creator")


@causes("UserDeleted")
def _user_deleted(world: World, site: Site, request: EventRequest) -> Payload:
    user = _choose(world, site.users, request, lambda user: not user.is_admin)
    if user.name == world.config.username:
        raise Impossible(f"The server signs in as {user.name}, so that this user cannot be deleted")
    return remove_user(world, site, user)


def _choose_content(world: World, site: Site, request: EventRequest) -> tuple[str, Content]:
    things = {luid: (kind, item) for kind in CONTENT for luid, item in site.content(kind).items()}
    item = _choose(world, {luid: item for luid, (_, item) in things.items()}, request)
    return things[item.luid]


def _choose_label(world: World, site: Site, request: EventRequest) -> Label:
    if not request.luid and not request.name:
        return _choose(world, site.labels, request, lambda label: label.content_kind in CONTENT)
    _, item = _choose_content(world, site, request)
    return _choose(world, site.labels, EventRequest(request.event_type), lambda label: label.content == item.luid)


@causes("LabelCreated")
def _label_created(world: World, site: Site, request: EventRequest) -> Payload:
    kind, item = _choose_content(world, site, request)
    user = next(user for user in site.users.values() if user.is_admin)
    value = request.value or world.random.choice(LABEL_VALUES)
    return add_label(world, site, kind=kind, item=item, value=value, message=request.reason, user=user.luid)


@causes("LabelUpdated")
def _label_updated(world: World, site: Site, request: EventRequest) -> Payload:
    label = _choose_label(world, site, request)
    label.message, label.updated_at = request.reason or "Reviewed", world.now()
    return emit_label(world, site, label, "LabelUpdated")


@causes("LabelDeleted")
def _label_deleted(world: World, site: Site, request: EventRequest) -> Payload:
    label = _choose_label(world, site, request)
    del site.labels[label.luid]
    return emit_label(world, site, label, "LabelDeleted")


@causes("SiteCreated")
def _site_created(world: World, site: Site, request: EventRequest) -> Payload:
    name = request.name or f"Team {len(world.sites) + 1}"
    made = Site(world.luid(), name, content_url(name))
    if world.site_at(made.content_url):
        raise Impossible(f"A site {made.content_url!r} exists already")
    made.users = {luid: user for luid, user in site.users.items() if user.is_admin}
    project = Project(world.luid(), "Default", next(iter(made.users)))
    made.projects[project.luid] = project
    world.sites[made.luid] = made
    return world.emit(site, "SiteCreated", name=made.name, luid=made.luid)


@causes("SiteUpdated")
def _site_updated(world: World, site: Site, request: EventRequest) -> Payload:
    site.name = request.name or site.name
    return emit_site_updated(world, site)


@causes("SiteDeleted")
def _site_deleted(world: World, site: Site, request: EventRequest) -> Payload:
    gone = _choose(world, world.sites, request, lambda other: other is not site)
    if gone is site:
        raise Impossible(f"{site.name} is the site of this event, so that it cannot be deleted")
    del world.sites[gone.luid]
    return world.emit(site, "SiteDeleted", name=gone.name, luid=gone.luid)
