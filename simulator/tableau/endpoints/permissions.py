"""Who may do what with some content.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_permissions.htm
"""

from simulator.tableau.endpoints.content import KINDS, found
from simulator.tableau.route import ApiCall, Result, find, require_scope, route
from simulator.tableau.wire import ApiError, Document, as_list, as_text, object_at
from simulator.world.site import Permissions

FIVE = "<any(workbooks,datasources,views,flows,projects):kind>"
EVERYBODY = ("Read", "Filter", "ViewComments", "ExportImage")
MODES = ("Allow", "Deny")


def _of(call: ApiCall, kind: str, luid: str) -> Permissions:
    """The rules for some content. Where nobody has changed anything, all users may look."""
    if kind == "projects":
        find(call.site.projects, luid, "404005", "Project")
    else:
        found(call, kind, luid)
    everybody = next(iter(call.site.groups), "")
    first: Permissions = {("group", everybody): dict.fromkeys(EVERYBODY, "Allow")} if everybody else {}
    return call.site.permissions.setdefault(luid, first)


def _described(kind: str, luid: str, rules: Permissions) -> Document:
    grants = []
    for (grantee, who), modes in rules.items():
        capabilities = [{"name": name, "mode": mode} for name, mode in modes.items()]
        grants.append({grantee: {"id": who}, "capabilities": {"capability": capabilities}})
    one = "project" if kind == "projects" else KINDS[kind].one
    return {"permissions": {one: {"id": luid}, "granteeCapabilities": grants}}


@route(f"/{FIVE}/<luid>/permissions", scope="*")
def read_permissions(call: ApiCall, kind: str, luid: str) -> Document:
    """The rules for some content."""
    require_scope(call, "tableau:permissions:read")
    return _described(kind, luid, _of(call, kind, luid))


@route(f"/{FIVE}/<luid>/permissions", "PUT", scope="*")
def add_permissions(call: ApiCall, kind: str, luid: str) -> Document:
    """Add rules; the answer has all of them."""
    require_scope(call, "tableau:permissions:update")
    rules = _of(call, kind, luid)
    for grant in as_list(object_at(call.body(), "permissions").get("granteeCapabilities")):
        who = _grantee(call, grant)
        for capability in as_list(object_at(grant, "capabilities").get("capability")):
            name, mode = as_text(capability.get("name")), as_text(capability.get("mode"))
            if not name or mode not in MODES:
                raise ApiError("400009", f"{name!r}: {mode!r} is not a permission.")
            rules.setdefault(who, {})[name] = mode
    return _described(kind, luid, rules)


def _grantee(call: ApiCall, grant: Document) -> tuple[str, str]:
    for kind, people in (("user", call.site.users), ("group", call.site.groups)):
        if kind in grant:
            luid = as_text(object_at(grant, kind).get("id"))
            find(people, luid, "404002" if kind == "user" else "404012", kind.title())
            return kind, luid
    raise ApiError("400000", "A rule is for a user or a group.")


@route(f"/{FIVE}/<luid>/permissions/<any(users,groups):who>/<grantee>/<name>/<mode>", "DELETE", scope="*")
def delete_permission(call: ApiCall, kind: str, luid: str, **rule: str) -> Result:
    """Take one capability away from one user or group."""
    require_scope(call, "tableau:permissions:delete")
    rules, who = _of(call, kind, luid), (rule["who"][:-1], rule["grantee"])
    if rules.get(who, {}).get(rule["name"]) != rule["mode"]:
        raise ApiError("404009", f"There is no permission {rule['name']} {rule['mode']} for {rule['grantee']!r}.")
    del rules[who][rule["name"]]
    if not rules[who]:
        del rules[who]
    return {}, 204
