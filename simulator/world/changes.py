"""Changes to a site that webhooks tell of, whoever makes them: a caller of the REST API, or the control."""

from simulator.world.seed import add_view, content_url
from simulator.world.site import ADMIN_ROLES, Content, Datasource, Label, Site, User, Workbook
from simulator.world.world import World

Payload = dict[str, object]
CONTENT = ("workbook", "datasource")


def publish(world: World, site: Site, kind: str, *, name: str, project: str, owner: str) -> Payload:
    """Put a new workbook or data source on the site and tell of it."""
    now, number = world.now(), _number(site)
    made = {"workbook": Workbook, "datasource": Datasource}[kind]
    item = made(world.luid(), number, name, content_url(name), project, owner, now, now)
    item.has_extracts = True
    site.content(kind)[item.luid] = item
    if isinstance(item, Workbook):
        item.datasources = list(site.datasources)[:1]
        for view in ("Overview", "Details"):
            add_view(site, item, view, world.luid())
    return world.emit(site, f"{kind.title()}Created", name=name, luid=item.luid)


def _number(site: Site) -> int:
    """One that no content has or had: an old message must not lead to something else."""
    known = (item.number for kind in CONTENT for item in site.content(kind).values())
    site.last_number = 1 + max([site.last_number, *known])
    return site.last_number


def delete(world: World, site: Site, kind: str, luid: str) -> Payload:
    """Take content off the site, with the views and tasks that hang on it, and tell of it."""
    item = site.content(kind).pop(luid)
    for view in item.views if isinstance(item, Workbook) else ():
        site.views.pop(view, None)
    if kind == "view" and (workbook := site.workbooks.get(getattr(item, "workbook", ""))):
        workbook.views.remove(luid)
    for task in [task.luid for task in site.tasks.values() if task.content == luid]:
        del site.tasks[task]
    if kind == "flow":  # no event tells of flows
        return {}
    return world.emit(site, f"{kind.title()}Deleted", name=item.name, luid=luid)


def set_role(world: World, site: Site, user: User, role: str) -> Payload:
    """Give a user another site role; only the step to and from administrator is an event."""
    before, user.site_role = user.site_role, role
    if (before in ADMIN_ROLES) == (role in ADMIN_ROLES):
        return {}
    event_type = "AdminPromoted" if user.is_admin else "AdminDemoted"
    return world.emit(site, event_type, name=user.name, luid=user.luid)


def remove_user(world: World, site: Site, user: User, heir: str = "") -> Payload:
    """Take a user off the site; what they owned goes to the heir, or the first administrator."""
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


def label(
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
    """Put a label on content, or change the one of the same value there. Told for workbooks and data sources only."""
    now = world.now()
    same = [old for old in site.labels.values() if (old.content, old.value) == (item.luid, value)]
    event_type = "LabelUpdated" if same else "LabelCreated"
    put = same[0] if same else Label(world.luid(), kind, item.luid, value, category, "", True, False, user, now, now)
    put.message, put.active, put.elevated, put.user, put.updated_at = message, active, elevated, user, now
    site.labels[put.luid] = put
    return tell_label(world, site, put, event_type)


def tell_label(world: World, site: Site, put: Label, event_type: str) -> Payload:
    """Tell of a label: the event names the labelled content, not the label."""
    item = site.content(put.content_kind).get(put.content)
    if item is None or put.content_kind not in CONTENT:
        return {}
    return world.emit(site, event_type, name=item.name, luid=item.luid, resource=put.content_kind.upper())


def tell_site(world: World, site: Site) -> Payload:
    """Tell that the site has changed."""
    return world.emit(site, "SiteUpdated", name=site.name, luid=site.luid)
