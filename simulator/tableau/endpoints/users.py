"""Sites, projects, users and groups.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_users_and_groups.htm
"""

from __future__ import annotations

from simulator.tableau import resources
from simulator.tableau.endpoints.content import READ, paged
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_list, as_text, object_at
from simulator.world.changes import emit_site_updated, remove_project, remove_user, set_role
from simulator.world.site import Group, Project, User

ROLES = (
    "Creator",
    "Explorer",
    "ExplorerCanPublish",
    "ServerAdministrator",
    "SiteAdministratorCreator",
    "SiteAdministratorExplorer",
    "Unlicensed",
    "Viewer",
)
USER_FIELDS = ("name", "fullName", "friendlyName", "email", "siteRole", "lastLogin", "luid")
# Fields that a list of users has only with fields=_all_.
HIDDEN = ("fullName", "email")
GROUP_FIELDS = ("name", "userCount", "domainName", "minimumSiteRole", "isLocal")
PROJECT_FIELDS = ("name", "createdAt", "updatedAt", "ownerName", "ownerEmail", "parentProjectId", "topLevelProject")
USERS_READ, USERS_UPDATE, GROUPS_READ = "tableau:users:read", "tableau:users:update", "tableau:groups:read"


def _user(call: ApiCall, luid: str) -> User:
    user: User = find(call.site.users, luid, "404002", "User")
    return user


def _group(call: ApiCall, luid: str) -> Group:
    group: Group = find(call.site.groups, luid, "404012", "Group")
    return group


@route("/users", scope=USERS_READ)
def list_users(call: ApiCall) -> Document:
    """List all users of the site."""
    users = [resources.user(user) | {"friendlyName": None} for user in call.site.users.values()]
    return paged(call, users, USER_FIELDS, ("users", "user"), hidden=HIDDEN)


@route("/users/<luid>", scope=USERS_READ)
def get_user(call: ApiCall, luid: str) -> Document:
    """Return one user."""
    return {"user": resources.user(_user(call, luid))}


@route("/users", "POST", scope="tableau:users:create", admin=True)
def add_user(call: ApiCall) -> Result:
    """Add a user to the site."""
    given = object_at(call.body(), "user")
    name, role = as_text(given.get("name")), _role(given.get("siteRole"))
    if not name:
        raise ApiError("400003", "A user needs a name.")
    if call.site.user_named(name):
        raise ApiError("409017", f"A user {name!r} exists already.")
    user = User(call.world.luid(), name, name.partition("@")[0], name if "@" in name else "", role)
    call.site.users[user.luid] = user
    call.world.changed()
    return {"user": resources.user(user)}, 201


def _role(value: object) -> str:
    if as_text(value) not in ROLES:
        raise ApiError("400003", f"{value!r} is not a site role.")
    return as_text(value)


@route("/users/<luid>", "PUT", scope=USERS_UPDATE, admin=True)
def update_user(call: ApiCall, luid: str) -> Document:
    """Update a user's name or site role."""
    user, given = _user(call, luid), object_at(call.body(), "user")
    user.full_name = as_text(given.get("fullName")) or user.full_name
    user.email = as_text(given.get("email")) or user.email
    if "siteRole" in given:
        set_role(call.world, call.site, user, _role(given["siteRole"]))
    return {"user": resources.user(user)}


@route("/users/<luid>", "DELETE", scope="tableau:users:delete", admin=True)
def delete_user(call: ApiCall, luid: str) -> Result:
    """Remove a user from the site; with `mapAssetsTo` another user gets the content."""
    user, heir = _user(call, luid), call.query.get("mapAssetsTo", "")
    if user is call.user:
        raise ApiError("403004", "You cannot remove yourself.")
    remove_user(call.world, call.site, user, _user(call, heir).luid if heir else "")
    return {}, 204


@route("/groups", scope=GROUPS_READ)
def list_groups(call: ApiCall) -> Document:
    """List all groups."""
    return paged(
        call, [resources.group(group) for group in call.site.groups.values()], GROUP_FIELDS, ("groups", "group")
    )


@route("/groups", "POST", scope="tableau:groups:create", admin=True)
def create_group(call: ApiCall) -> Result:
    """Create a local group."""
    given = object_at(call.body(), "group")
    if "import" in given:
        raise ApiError("404003", "The simulator does not support groups of a directory.")
    group = Group(call.world.luid(), _group_name(call, given), [])
    call.site.groups[group.luid] = group
    return {"group": resources.group(group)}, 201


@route("/groups/<luid>", "PUT", scope="tableau:groups:update", admin=True)
def update_group(call: ApiCall, luid: str) -> Document:
    """Rename a group."""
    group, given = _group(call, luid), object_at(call.body(), "group")
    if as_text(given.get("name")) != group.name:
        group.name = _group_name(call, given)
    return {"group": resources.group(group)}


def _group_name(call: ApiCall, given: Document) -> str:
    """Return the name for a group. Raises ApiError if it is empty or another group has it."""
    name = as_text(given.get("name")).strip()
    if not name:
        raise ApiError("400003", "A group needs a name.")
    if any(group.name == name for group in call.site.groups.values()):
        raise ApiError("409009", f"A group {name!r} exists already.")
    return name


@route("/groups/<luid>", "DELETE", scope="tableau:groups:delete", admin=True)
def delete_group(call: ApiCall, luid: str) -> Result:
    """Delete a group with its permissions."""
    del call.site.groups[_group(call, luid).luid]
    for rules in call.site.permissions.values():
        rules.pop(("group", luid), None)
    return {}, 204


@route("/groups/<luid>/users", scope=GROUPS_READ)
def users_of_group(call: ApiCall, luid: str) -> Document:
    """List the users of a group."""
    users = [resources.user(call.site.users[user]) for user in _group(call, luid).users]
    return paged(call, users, USER_FIELDS, ("users", "user"), hidden=HIDDEN)


@route("/groups/<luid>/users", "POST", scope="tableau:groups:update", admin=True)
def add_to_group(call: ApiCall, luid: str) -> Document:
    """Add a user to a group, or several with an element `users`."""
    group, body = _group(call, luid), call.body()
    several = "users" in body
    given = as_list(object_at(body, "users").get("user")) if several else [object_at(body, "user")]
    users = [_user(call, as_text(one.get("id"))) for one in given]
    for user in users:
        if user.luid in group.users:
            raise ApiError("409011", f"User {user.luid!r} is in the group already.")
        group.users.append(user.luid)
    if several:
        return {"users": {"user": [resources.user(user) for user in users]}}
    return {"user": resources.user(users[0])}


@route("/groups/<luid>/users/<user>", "DELETE", scope="tableau:groups:update", admin=True)
def remove_from_group(call: ApiCall, luid: str, user: str) -> Result:
    """Remove a user from a group."""
    group = _group(call, luid)
    if user not in group.users:
        raise ApiError("404002", f"User {user!r} is not in the group.")
    group.users.remove(user)
    return {}, 204


@route("/groups/<luid>/users/remove", "PUT", since="3.21", scope="tableau:groups:update", admin=True)
def remove_many_from_group(call: ApiCall, luid: str) -> Result:
    """Remove several users from a group."""
    for given in as_list(object_at(call.body(), "users").get("user")):
        remove_from_group(call, luid, as_text(given.get("id")))
    return {}, 204


@route("/users/<luid>/groups", since="3.7", scope=GROUPS_READ)
def groups_of_user(call: ApiCall, luid: str) -> Document:
    """List the groups of a user."""
    _user(call, luid)
    groups = [resources.group(group) for group in call.site.groups.values() if luid in group.users]
    return paged(call, groups, GROUP_FIELDS, ("groups", "group"))


@route("/users/<luid>/workbooks", scope=READ)
def workbooks_of_user(call: ApiCall, luid: str) -> Document:
    """List the workbooks of a user."""
    _user(call, luid)
    owned = [item for item in call.site.workbooks.values() if item.owner == luid]
    document = [resources.workbook(call.site, item, call.base_url) for item in owned]
    return paged(call, document, ("name", "createdAt", "updatedAt"), ("workbooks", "workbook"))


@route("/projects", scope=READ)
def list_projects(call: ApiCall) -> Document:
    """List all projects."""
    items = []
    for project in call.site.projects.values():
        document = resources.project(call.site, project)
        owner = call.site.users[project.owner]
        items.append(document | {"owner": {"id": owner.luid, "name": owner.name, "email": owner.email}})
    return paged(call, items, PROJECT_FIELDS, ("projects", "project"))


@route("/projects", "POST", scope="tableau:projects:create", admin=True)
def create_project(call: ApiCall) -> Result:
    """Create a project."""
    _refuse_samples(call)
    given = object_at(call.body(), "project")
    name, parent = as_text(given.get("name")), as_text(given.get("parentProjectId")) or None
    if not name:
        raise ApiError("400003", "A project needs a name.")
    if any((project.name, project.parent) == (name, parent) for project in call.site.projects.values()):
        raise ApiError("409006", f"A project {name!r} exists already.")
    description = as_text(given.get("description"))
    project = Project(call.world.luid(), name, call.user.luid, description, parent, call.world.now())
    call.site.projects[project.luid] = project
    return {"project": resources.project(call.site, project)}, 201


def _refuse_samples(call: ApiCall) -> None:
    if as_bool(call.query.get("publishSamples"), default=False):
        raise ApiError("404003", "The simulator does not support publishSamples=true.")


@route("/projects/<luid>", "PUT", scope="tableau:projects:update", admin=True)
def update_project(call: ApiCall, luid: str) -> Document:
    """Update name, description, owner and parent of a project."""
    _refuse_samples(call)
    project: Project = find(call.site.projects, luid, "404005", "Project")
    given = object_at(call.body(), "project")
    if owner := as_text(object_at(given, "owner").get("id")):
        project.owner = _user(call, owner).luid
    if "parentProjectId" in given:
        parent = as_text(given["parentProjectId"])
        project.parent = find(call.site.projects, parent, "404005", "Project").luid if parent else None
    project.name = as_text(given.get("name")) or project.name
    project.description = as_text(given.get("description", project.description))
    return {"project": resources.project(call.site, project)}


@route("/projects/<luid>", "DELETE", scope="tableau:projects:delete", admin=True)
def delete_project(call: ApiCall, luid: str) -> Result:
    """Delete a project with its contents."""
    project: Project = find(call.site.projects, luid, "404005", "Project")
    if project is call.site.default_project:
        raise ApiError("403004", "The default project cannot be deleted.")
    remove_project(call.world, call.site, luid)
    return {}, 204


@route("//sites", scope=READ)
def list_sites(call: ApiCall) -> Document:
    """List the user's sites."""
    sites = [resources.site(site) for site in call.world.sites.values() if site.user_named(call.user.name)]
    return paged(call, sites, ("name", "contentUrl", "state"), ("sites", "site"))


@route("//sites/<key>", scope=READ)
def get_site(call: ApiCall, key: str) -> Document:
    """Return the session's site, by its LUID, or with `?key=` by its name or content URL."""
    by = {"id": "luid", "name": "name", "contentUrl": "content_url"}.get(call.query.get("key", "id"), "")
    found = [site for site in call.world.sites.values() if key == getattr(site, by, None)]
    if not found:
        raise ApiError("404000", f"Site {key!r} could not be found.")
    if found[0] is not call.site:
        raise ApiError("403004", "The session is for another site.")
    return {"site": resources.site(call.site)}


@route("//sites/<luid>", "PUT", admin=True)
def update_site(call: ApiCall, luid: str) -> Document:
    """Rename the site."""
    if luid != call.site.luid:
        raise ApiError("403004", "The session is for another site.")
    call.site.name = as_text(object_at(call.body(), "site").get("name")) or call.site.name
    emit_site_updated(call.world, call.site)
    return {"site": resources.site(call.site)}
