"""The permissions of content.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_permissions.htm
"""

from __future__ import annotations

from simulator.tableau.endpoints.content import KINDS, find_content
from simulator.tableau.route import ApiCall, Result, find, require_scope, route
from simulator.tableau.wire import ApiError, Document, as_list, as_text, object_at
from simulator.world.site import Permissions

ANY_KIND = "<any(workbooks,datasources,views,flows,projects):kind>"
DEFAULT_CAPABILITIES = ("Read", "Filter", "ViewComments", "ExportImage")
MODES = ("Allow", "Deny")


def _permissions(call: ApiCall, kind: str, luid: str) -> Permissions:
    """Return the permissions of content. Before the first change, all users can view it."""
    if kind == "projects":
        find(call.site.projects, luid, "404005", "Project")
    else:
        find_content(call, kind, luid)
    all_users = next(iter(call.site.groups), "")
    default: Permissions = {("group", all_users): dict.fromkeys(DEFAULT_CAPABILITIES, "Allow")} if all_users else {}
    return call.site.permissions.setdefault(luid, default)


def _document(kind: str, luid: str, rules: Permissions) -> Document:
    grants = []
    for (grantee, who), modes in rules.items():
        capabilities = [{"name": name, "mode": mode} for name, mode in modes.items()]
        grants.append({grantee: {"id": who}, "capabilities": {"capability": capabilities}})
    one = "project" if kind == "projects" else KINDS[kind].one
    return {"permissions": {one: {"id": luid}, "granteeCapabilities": grants}}


@route(f"/{ANY_KIND}/<luid>/permissions", scope="*")
def read_permissions(call: ApiCall, kind: str, luid: str) -> Document:
    """Return the permissions of content."""
    require_scope(call, "tableau:permissions:read")
    return _document(kind, luid, _permissions(call, kind, luid))


@route(f"/{ANY_KIND}/<luid>/permissions", "PUT", scope="*")
def add_permissions(call: ApiCall, kind: str, luid: str) -> Document:
    """Add permissions and return all of them."""
    require_scope(call, "tableau:permissions:update")
    rules = _permissions(call, kind, luid)
    for grant in as_list(object_at(call.body(), "permissions").get("granteeCapabilities")):
        who = _grantee(call, grant)
        for capability in as_list(object_at(grant, "capabilities").get("capability")):
            name, mode = as_text(capability.get("name")), as_text(capability.get("mode"))
            if not name or mode not in MODES:
                raise ApiError("400009", f"{name!r}: {mode!r} is not a permission.")
            rules.setdefault(who, {})[name] = mode
    return _document(kind, luid, rules)


def _grantee(call: ApiCall, grant: Document) -> tuple[str, str]:
    for kind, people in (("user", call.site.users), ("group", call.site.groups)):
        if kind in grant:
            luid = as_text(object_at(grant, kind).get("id"))
            find(people, luid, "404002" if kind == "user" else "404012", kind.title())
            return kind, luid
    raise ApiError("400000", "A permission needs a user or a group.")


@route(f"/{ANY_KIND}/<luid>/permissions/<any(users,groups):who>/<grantee>/<name>/<mode>", "DELETE", scope="*")
def delete_permission(call: ApiCall, kind: str, luid: str, **rule: str) -> Result:
    """Remove one capability of one user or group."""
    require_scope(call, "tableau:permissions:delete")
    rules, who = _permissions(call, kind, luid), (rule["who"][:-1], rule["grantee"])
    if rules.get(who, {}).get(rule["name"]) != rule["mode"]:
        raise ApiError("404009", f"{rule['grantee']!r} has no permission {rule['name']} {rule['mode']}.")
    del rules[who][rule["name"]]
    if not rules[who]:
        del rules[who]
    return {}, 204
