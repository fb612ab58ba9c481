"""Changes to a site that cause events, made by the REST API or by the simulator's own HTTP API."""

from __future__ import annotations

from simulator.world.seed import add_view, content_url
from simulator.world.site import ADMIN_ROLES, Content, Datasource, Label, Site, User, Workbook
from simulator.world.world import World

Payload = dict[str, object]
# The kinds of content that events are about.
CONTENT = ("workbook", "datasource")


def publish(world: World, site: Site, kind: str, *, name: str, project: str, owner: str) -> Payload:
    """Add a new workbook or data source to the site and emit its event."""
    now = world.now()
    # No number is used twice: an old link must not lead to other content.
    known = (item.number for kind in CONTENT for item in site.content(kind).values())
    site.last_number = 1 + max([site.last_number, *known])
    made = {"workbook": Workbook, "datasource": Datasource}[kind]
    item = made(world.luid(), site.last_number, name, content_url(name), project, owner, now, now)
    item.has_extracts = True
    site.content(kind)[item.luid] = item
    if isinstance(item, Workbook):
        item.datasources = list(site.datasources)[:1]
        for view in ("Overview", "Details"):
            add_view(site, item, view, world.luid())
    return world.emit(site, f"{kind.title()}Created", name=name, luid=item.luid)


def delete(world: World, site: Site, kind: str, luid: str) -> Payload:
    """Remove content with its views and tasks from the site and emit its event; there is none for flows."""
    item = site.content(kind).pop(luid)
    for view in item.views if isinstance(item, Workbook) else ():
        site.views.pop(view, None)
    if kind == "view" and (workbook := site.workbooks.get(getattr(item, "workbook", ""))):
        workbook.views.remove(luid)
    for task in [task.luid for task in site.tasks.values() if task.content == luid]:
        del site.tasks[task]
    if kind == "flow":
        return {}
    return world.emit(site, f"{kind.title()}Deleted", name=item.name, luid=luid)


def remove_project(world: World, site: Site, luid: str) -> None:
    """Remove a project with the projects and the content in it, and emit the events of the content."""
    for child in [project.luid for project in site.projects.values() if project.parent == luid]:
        remove_project(world, site, child)
    for kind in (*CONTENT, "flow"):
        for item in [item.luid for item in site.content(kind).values() if item.project == luid]:
            delete(world, site, kind, item)
    del site.projects[luid]


def set_role(world: World, site: Site, user: User, role: str) -> Payload:
    """Change a user's site role and emit the event, which exists only for becoming or ceasing to be administrator."""
    before, user.site_role = user.site_role, role
    if (before in ADMIN_ROLES) == (role in ADMIN_ROLES):
        return {}
    event_type = "AdminPromoted" if user.is_admin else "AdminDemoted"
    return world.emit(site, event_type, name=user.name, luid=user.luid)


def remove_user(world: World, site: Site, user: User, heir: str = "") -> Payload:
    """Remove a user and emit the event; the user's content goes to the heir, or to the first administrator."""
    del site.users[user.luid]
    heir = heir or next(other.luid for other in site.users.values() if other.is_admin)
    for kind in (*CONTENT, "view", "flow"):
        for item in site.content(kind).values():
            item.owner = heir if item.owner == user.luid else item.owner
    for project in site.projects.values():
        project.owner = heir if project.owner == user.luid else project.owner
    for group in site.groups.values():
        group.users = [luid for luid in group.users if luid != user.luid]
    return world.emit(site, "UserDeleted", name=user.name, luid=user.luid)


def add_label(
    world: World,
    site: Site,
    *,
    kind: str,
    item: Content,
    value: str,
    message: str,
    user: str,
    category: str = "warning",
    active: bool = True,
    elevated: bool = False,
) -> Payload:
    """Label content, or update its label of the same value, and emit the event of workbooks and data sources."""
    now = world.now()
    same = [old for old in site.labels.values() if (old.content, old.value) == (item.luid, value)]
    event_type = "LabelUpdated" if same else "LabelCreated"
    label = same[0] if same else Label(world.luid(), kind, item.luid, value, category, "", True, False, user, now, now)
    label.message, label.active, label.elevated, label.user, label.updated_at = message, active, elevated, user, now
    site.labels[label.luid] = label
    return emit_label(world, site, label, event_type)


def emit_label(world: World, site: Site, label: Label, event_type: str) -> Payload:
    """Emit the event of a label, which names the labelled content."""
    item = site.content(label.content_kind).get(label.content)
    if item is None or label.content_kind not in CONTENT:
        return {}
    return world.emit(site, event_type, name=item.name, luid=item.luid, resource=label.content_kind.upper())


def emit_site_updated(world: World, site: Site) -> Payload:
    """Emit the event of a changed site."""
    return world.emit(site, "SiteUpdated", name=site.name, luid=site.luid)
