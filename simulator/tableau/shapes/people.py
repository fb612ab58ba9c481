"""How people, projects and sites are described to callers."""

from simulator.tableau.wire import Answer, stamp
from simulator.world.site import Group, Project, Site, User


def reference(things: dict[str, User] | dict[str, Project], luid: str) -> Answer:
    """The LUID and name of somebody or something, as other descriptions hold it."""
    thing = things.get(luid)
    return {"id": luid, "name": thing.name if thing else ""}


def owner(site: Site, luid: str) -> Answer:
    """Who owns something."""
    return reference(site.users, luid)


def user(item: User) -> Answer:
    """A user. On Cloud the name is the e-mail address."""
    return {
        "id": item.luid,
        "name": item.name,
        "fullName": item.full_name,
        "email": item.email,
        "siteRole": item.site_role,
        "lastLogin": stamp(item.last_login),
        "externalAuthUserId": "",
        "authSetting": "ServerDefault",
        "locale": "en_GB",
        "language": "en",
    }


def group(item: Group) -> Answer:
    """A group of users."""
    return {"id": item.luid, "name": item.name, "userCount": str(len(item.users)), "domain": {"name": "local"}}


def project(site: Site, item: Project) -> Answer:
    """A project, with what it holds."""
    inside = {
        "projectCount": str(sum(other.parent == item.luid for other in site.projects.values())),
        "workbookCount": str(sum(other.project == item.luid for other in site.workbooks.values())),
        "viewCount": str(sum(other.project == item.luid for other in site.views.values())),
        "dataSourceCount": str(sum(other.project == item.luid for other in site.datasources.values())),
    }
    return {
        "id": item.luid,
        "name": item.name,
        "description": item.description,
        "parentProjectId": item.parent,
        "topLevelProject": item.parent is None,
        "writeable": True,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.created_at),
        "contentPermissions": "ManagedByOwner",
        "owner": {"id": item.owner},
        "contentsCounts": inside,
    }


def site(item: Site) -> Answer:
    """A site."""
    return {
        "id": item.luid,
        "name": item.name,
        "contentUrl": item.content_url,
        "state": item.state,
        "adminMode": "ContentAndUsers",
    }
