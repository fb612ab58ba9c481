"""Makes things happen on a site: each event type changes what is there, and the webhooks are told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from simulator.world import refresh
from simulator.world.changes import (
    CONTENT,
    Payload,
    delete,
    label,
    publish,
    remove_user,
    set_role,
    tell_label,
    tell_site,
)
from simulator.world.payload import RESOURCES
from simulator.world.seed import content_url
from simulator.world.site import Content, Datasource, Label, Project, Site, User, Workbook
from simulator.world.world import World

T = TypeVar("T")

NEW_WORKBOOKS = ("Quarterly Review", "Margin by Product", "Churn", "Supplier Scorecard", "Energy Use", "Returns")
NEW_DATASOURCES = ("Product Master", "Customer Ratings", "Exchange Rates", "Energy Meters")


class Impossible(ValueError):
    """What was asked for cannot happen on this site; the text says why."""


@dataclass(frozen=True)
class EventRequest:
    """What should happen, and to what: `name` or `luid` choose it; `project` and `owner` are for something new."""

    event_type: str
    name: str = ""
    luid: str = ""
    reason: str = ""
    project: str = ""
    owner: str = ""
    value: str = ""  # of a label


def simulate_event(world: World, site: Site, wish: EventRequest) -> Payload:
    """Make one event happen and deliver it; gives the payload. Raises Impossible."""
    if wish.event_type not in HAPPENINGS:
        raise Impossible(f"{wish.event_type!r} is not an event; there are {', '.join(RESOURCES)}")
    with world.lock:
        return HAPPENINGS[wish.event_type](world, site, wish)


def _choose(
    world: World, things: Mapping[str, T], wish: EventRequest, suits: Callable[[T], bool] = lambda _: True
) -> T:
    """The thing the wish names, or one of those that suit, by chance."""
    if wish.luid or wish.name:
        for luid, thing in things.items():
            if luid == wish.luid or (not wish.luid and wish.name in _names(thing)):
                return thing
        raise Impossible(f"nothing here is called {wish.luid or wish.name!r}")
    suitable = [thing for thing in things.values() if suits(thing)]
    if not suitable:
        raise Impossible(f"there is nothing left that {wish.event_type} could happen to")
    return world.random.choice(suitable)


def _names(thing: object) -> tuple[str, str]:
    return getattr(thing, "name", ""), getattr(thing, "full_name", "")


def _created(kind: str, world: World, site: Site, wish: EventRequest) -> Payload:
    names = NEW_WORKBOOKS if kind == "workbook" else NEW_DATASOURCES
    taken = {item.name for item in site.content(kind).values()}
    name = wish.name or next((name for name in names if name not in taken), f"{names[0]} {len(taken)}")
    project = _choose(world, site.projects, EventRequest(wish.event_type, wish.project))
    owner = _choose(world, site.users, EventRequest(wish.event_type, wish.owner), _publishes)
    return publish(world, site, kind, name=name, project=project.luid, owner=owner.luid)


def _updated(kind: str, world: World, site: Site, wish: EventRequest) -> Payload:
    item = _choose(world, site.content(kind), wish)
    item.updated_at = world.now()
    if isinstance(item, Workbook | Datasource):
        item.revision += 1
    return world.emit(site, wish.event_type, name=item.name, luid=item.luid)


def _deleted(kind: str, world: World, site: Site, wish: EventRequest) -> Payload:
    return delete(world, site, kind, _choose(world, site.content(kind), wish).luid)


def _refresh_started(kind: str, world: World, site: Site, wish: EventRequest) -> Payload:
    item = _choose(
        world, site.content(kind), wish, lambda item: item.has_extracts and not refresh.running(site, item.luid)
    )
    return refresh.started(world, site, refresh.queue(world, site, kind, item))


def _refresh_succeeded(kind: str, world: World, site: Site, wish: EventRequest) -> Payload:
    return _refresh_ended(kind, world, site, wish, "")


def _refresh_failed(kind: str, world: World, site: Site, wish: EventRequest) -> Payload:
    return _refresh_ended(kind, world, site, wish, wish.reason or world.random.choice(refresh.REASONS))


def _refresh_ended(kind: str, world: World, site: Site, wish: EventRequest, reason: str) -> Payload:
    item = _choose(world, site.content(kind), wish, lambda item: item.has_extracts)
    job = refresh.running(site, item.luid) or refresh.queue(world, site, kind, item)
    return refresh.finish(world, site, job, reason=reason)


def _promoted(world: World, site: Site, wish: EventRequest) -> Payload:
    user = _choose(world, site.users, wish, lambda user: not user.is_admin)
    return set_role(world, site, user, "SiteAdministratorExplorer")


def _demoted(world: World, site: Site, wish: EventRequest) -> Payload:
    user = _choose(world, site.users, wish, lambda user: user.is_admin and not _is_us(world, user))
    return set_role(world, site, user, "Creator")


def _user_deleted(world: World, site: Site, wish: EventRequest) -> Payload:
    user = _choose(world, site.users, wish, lambda user: not user.is_admin)
    if _is_us(world, user):
        raise Impossible(f"{user.name} is who the server signs in as")
    return remove_user(world, site, user)


def _label_created(world: World, site: Site, wish: EventRequest) -> Payload:
    kind, item = _labelled(world, site, wish)
    user = next(user for user in site.users.values() if user.is_admin)
    value = wish.value or world.random.choice(("Deprecated", "Stale data", "Under maintenance", "Sensitive data"))
    return label(world, site, kind=kind, item=item, value=value, message=wish.reason, user=user.luid)


def _label_updated(world: World, site: Site, wish: EventRequest) -> Payload:
    put = _label_of(world, site, wish)
    put.message, put.updated_at = wish.reason or "Looked at again", world.now()
    return tell_label(world, site, put, "LabelUpdated")


def _label_deleted(world: World, site: Site, wish: EventRequest) -> Payload:
    put = _label_of(world, site, wish)
    del site.labels[put.luid]
    return tell_label(world, site, put, "LabelDeleted")


def _label_of(world: World, site: Site, wish: EventRequest) -> Label:
    if not wish.luid and not wish.name:
        return _choose(world, site.labels, wish, lambda put: put.content_kind in CONTENT)
    _, item = _labelled(world, site, wish)
    return _choose(world, site.labels, EventRequest(wish.event_type), lambda put: put.content == item.luid)


def _labelled(world: World, site: Site, wish: EventRequest) -> tuple[str, Content]:
    things = {luid: (kind, item) for kind in CONTENT for luid, item in site.content(kind).items()}
    item = _choose(world, {luid: item for luid, (_, item) in things.items()}, wish)
    return things[item.luid]


def _site_created(world: World, site: Site, wish: EventRequest) -> Payload:
    number = len(world.sites) + 1
    name = wish.name or f"Team {number}"
    made = Site(world.luid(), name, content_url(name))
    if world.site_at(made.content_url):
        raise Impossible(f"there is a site {made.content_url!r} already")
    made.users = {luid: user for luid, user in site.users.items() if user.is_admin}
    made.projects = {luid: Project(luid, "default", next(iter(made.users))) for luid in (world.luid(),)}
    world.sites[made.luid] = made
    return world.emit(site, "SiteCreated", name=made.name, luid=made.luid)


def _site_updated(world: World, site: Site, wish: EventRequest) -> Payload:
    site.name = wish.name or site.name
    return tell_site(world, site)


def _site_deleted(world: World, site: Site, wish: EventRequest) -> Payload:
    gone = _choose(world, world.sites, wish, lambda other: other is not site)
    if gone is site:
        raise Impossible(f"{site.name} is the site this happens on")
    del world.sites[gone.luid]
    return world.emit(site, "SiteDeleted", name=gone.name, luid=gone.luid)


def _publishes(user: User) -> bool:
    return user.site_role not in {"Viewer", "Unlicensed"}


def _is_us(world: World, user: User) -> bool:
    return user.name == world.config.username


Happening = Callable[[World, Site, EventRequest], Payload]
HAPPENINGS: dict[str, Happening] = {
    "AdminPromoted": _promoted,
    "AdminDemoted": _demoted,
    "UserDeleted": _user_deleted,
    "ViewDeleted": partial(_deleted, "view"),
    "LabelCreated": _label_created,
    "LabelUpdated": _label_updated,
    "LabelDeleted": _label_deleted,
    "SiteCreated": _site_created,
    "SiteUpdated": _site_updated,
    "SiteDeleted": _site_deleted,
}
for _kind in CONTENT:
    for _ending, _happening in (
        ("Created", _created),
        ("Updated", _updated),
        ("Deleted", _deleted),
        ("RefreshStarted", _refresh_started),
        ("RefreshSucceeded", _refresh_succeeded),
        ("RefreshFailed", _refresh_failed),
    ):
        HAPPENINGS[f"{_kind.title()}{_ending}"] = partial(_happening, _kind)
