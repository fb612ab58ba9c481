"""Who may do what with some content.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_permissions.htm
"""

from simulator.tableau.endpoints.content import KINDS, found
from simulator.tableau.route import Call, Result, route, scoped, thing
from simulator.tableau.wire import Answer, ApiError, listed, part, text
from simulator.world.site import Permissions

FIVE = "<any(workbooks,datasources,views,flows,projects):kind>"
EVERYBODY = ("Read", "Filter", "ViewComments", "ExportImage")
MODES = ("Allow", "Deny")


def _of(call: Call, kind: str, luid: str) -> Permissions:
    """The rules for some content. Where nobody has changed anything, all users may look."""
    if kind == "projects":
        thing(call.site.projects, luid, "404005", "Project")
    else:
        found(call, kind, luid)
    everybody = next(iter(call.site.groups), "")
    first: Permissions = {("group", everybody): dict.fromkeys(EVERYBODY, "Allow")} if everybody else {}
    return call.site.permissions.setdefault(luid, first)


def _described(kind: str, luid: str, rules: Permissions) -> Answer:
    grants = []
    for (grantee, who), modes in rules.items():
        capabilities = [{"name": name, "mode": mode} for name, mode in modes.items()]
        grants.append({grantee: {"id": who}, "capabilities": {"capability": capabilities}})
    one = "project" if kind == "projects" else KINDS[kind].one
    return {"permissions": {one: {"id": luid}, "granteeCapabilities": grants}}


@route(f"/{FIVE}/<luid>/permissions", scope="*")
def read_permissions(call: Call, kind: str, luid: str) -> Answer:
    """The rules for some content."""
    scoped(call, "tableau:permissions:read")
    return _described(kind, luid, _of(call, kind, luid))


@route(f"/{FIVE}/<luid>/permissions", "PUT", scope="*")
def add_permissions(call: Call, kind: str, luid: str) -> Answer:
    """Add rules; the answer has all of them."""
    scoped(call, "tableau:permissions:update")
    rules = _of(call, kind, luid)
    for grant in listed(part(call.body(), "permissions").get("granteeCapabilities")):
        who = _grantee(call, grant)
        for capability in listed(part(grant, "capabilities").get("capability")):
            name, mode = text(capability.get("name")), text(capability.get("mode"))
            if not name or mode not in MODES:
                raise ApiError("400009", f"{name!r}: {mode!r} is not a permission.")
            rules.setdefault(who, {})[name] = mode
    return _described(kind, luid, rules)


def _grantee(call: Call, grant: Answer) -> tuple[str, str]:
    for kind, people in (("user", call.site.users), ("group", call.site.groups)):
        if kind in grant:
            luid = text(part(grant, kind).get("id"))
            thing(people, luid, "404002" if kind == "user" else "404012", kind.title())
            return kind, luid
    raise ApiError("400000", "A rule is for a user or a group.")


@route(f"/{FIVE}/<luid>/permissions/<any(users,groups):who>/<grantee>/<name>/<mode>", "DELETE", scope="*")
def delete_permission(call: Call, kind: str, luid: str, **rule: str) -> Result:
    """Take one capability away from one user or group."""
    scoped(call, "tableau:permissions:delete")
    rules, who = _of(call, kind, luid), (rule["who"][:-1], rule["grantee"])
    if rules.get(who, {}).get(rule["name"]) != rule["mode"]:
        raise ApiError("404009", f"There is no permission {rule['name']} {rule['mode']} for {rule['grantee']!r}.")
    del rules[who][rule["name"]]
    if not rules[who]:
        del rules[who]
    return {}, 204
