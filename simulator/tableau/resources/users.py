"""The representations of users, groups, projects and sites."""

from __future__ import annotations

from simulator.tableau.wire import Document, format_time
from simulator.world.site import Group, Project, Site, User


def reference(things: dict[str, User] | dict[str, Project], luid: str) -> Document:
    """Return the LUID and name of a user or project, as other resources contain it."""
    thing = things.get(luid)
    return {"id": luid, "name": thing.name if thing else ""}


def owner(site: Site, luid: str) -> Document:
    """Return the reference to an owner."""
    return reference(site.users, luid)


def user(item: User) -> Document:
    """Return a user. On Cloud the name is the e-mail address."""
    return {
        "id": item.luid,
        "name": item.name,
        "fullName": item.full_name,
        "email": item.email,
        "siteRole": item.site_role,
        "lastLogin": format_time(item.last_login),
        "externalAuthUserId": "",
        "authSetting": "ServerDefault",
        "locale": "en_GB",
        "language": "en",
    }


def group(item: Group) -> Document:
    """Return a group of users."""
    return {"id": item.luid, "name": item.name, "userCount": str(len(item.users)), "domain": {"name": "local"}}


def project(site: Site, item: Project) -> Document:
    """Return a project, with the number of its contents."""
    inside = {
        "projectCount": str(sum(other.parent == item.luid for other in site.projects.values())),
        "workbookCount": str(sum(other.project == item.luid for other in site.workbooks.values())),
        "viewCount": str(sum(other.project == item.luid for other in site.views.values())),
        "datasourceCount": str(sum(other.project == item.luid for other in site.datasources.values())),
    }
    return {
        "id": item.luid,
        "name": item.name,
        "description": item.description,
        "parentProjectId": item.parent,
        "topLevelProject": item.parent is None,
        "writeable": True,
        "createdAt": format_time(item.created_at),
        "updatedAt": format_time(item.created_at),
        "contentPermissions": "ManagedByOwner",
        "owner": {"id": item.owner},
        "contentsCounts": inside,
    }


def site(item: Site) -> Document:
    """Return a site."""
    return {
        "id": item.luid,
        "name": item.name,
        "contentUrl": item.content_url,
        "state": item.state,
        "adminMode": "ContentAndUsers",
    }
