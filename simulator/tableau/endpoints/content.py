"""Workbooks, data sources, views, flows: list, look at, change, delete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.tableau import resources
from simulator.tableau.query import page, project, select
from simulator.tableau.route import ApiCall, Result, find, require_scope, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_text, format_time, object_at
from simulator.world.changes import delete
from simulator.world.site import Content, Datasource, Workbook

READ = "tableau:content:read"
COMMON = (
    "name",
    "createdAt",
    "updatedAt",
    "ownerName",
    "ownerEmail",
    "projectName",
    "tags",
    "contentUrl",
    "owner",
    "description",
)


@dataclass(frozen=True)
class Kind:
    """One kind of content: its words, its codes, how it is described, what it can be filtered by."""

    one: str
    many: str
    code: str
    what: str
    describe: Callable[..., Document]
    fields: tuple[str, ...]
    events: bool = True


KINDS = {
    kind.many: kind
    for kind in (
        Kind(
            "workbook",
            "workbooks",
            "404006",
            "Workbook",
            resources.workbook,
            (*COMMON, "hasExtracts", "size", "sheetCount", "displayTabs"),
        ),
        Kind(
            "datasource",
            "datasources",
            "404004",
            "Datasource",
            resources.datasource,
            (*COMMON, "hasExtracts", "isCertified", "type", "serverName"),
        ),
        Kind(
            "view",
            "views",
            "404011",
            "View",
            resources.view,
            (*COMMON, "viewUrlName", "sheetType", "workbookName"),
            events=False,
        ),
        Kind("flow", "flows", "404032", "Flow", resources.flow, COMMON, events=False),
    )
}
FOUR = "<any(workbooks,datasources,views,flows):kind>"


def found(call: ApiCall, many: str, luid: str) -> Any:
    """The content of that kind and LUID, or its kind's 404."""
    kind = KINDS[many]
    return find(call.site.content(kind.one), luid, kind.code, kind.what)


@route(f"/{FOUR}", scope="*")
def list_content(call: ApiCall, kind: str) -> Document:
    """All content of a kind."""
    require_scope(call, "tableau:flows:read" if kind == "flows" else READ)
    known = KINDS[kind]
    usage = {"usage": True} if kind == "views" and as_bool(call.query.get("includeUsageStatistics"), False) else {}
    items = [known.describe(call.site, item, call.base_url, **usage) for item in call.site.content(known.one).values()]
    return paged(call, items, known.fields, (known.many, known.one))


def paged(
    call: ApiCall,
    items: list[Document],
    fields: tuple[str, ...],
    names: tuple[str, str],
    *,
    hidden: tuple[str, ...] = (),
) -> Document:
    """A list as it is asked for: filtered, sorted, one page of it, the fields wanted."""
    block, shown = page(select(items, call.query, fields), call.query)
    many, one = names
    return {"pagination": block, many: {one: [project(item, call.query, hidden) for item in shown]}}


@route(f"/{FOUR}/<luid>", scope="*")
def get_content(call: ApiCall, kind: str, luid: str) -> Document:
    """One piece of content."""
    require_scope(call, "tableau:flows:read" if kind == "flows" else READ)
    options: dict[str, bool] = {"views": True} if kind == "workbooks" else {}
    if kind == "views":
        options["usage"] = as_bool(call.query.get("includeUsageStatistics"), False)
    return {KINDS[kind].one: KINDS[kind].describe(call.site, found(call, kind, luid), call.base_url, **options)}


@route(f"/{FOUR}/<luid>", "PUT", scope="*")
def update_content(call: ApiCall, kind: str, luid: str) -> Document:
    """Change the name, the owner, the project, what a data source is certified for."""
    require_scope(call, f"tableau:{kind}:update")
    item, known = found(call, kind, luid), KINDS[kind]
    wish = object_at(call.body(), known.one)
    _move(call, item, wish)
    _adjust(item, wish)
    item.updated_at = call.world.now()
    if known.events and call.world.config.update_events:
        call.world.emit(call.site, f"{known.what}Updated", name=item.name, luid=luid)
    call.world.changed()
    return {known.one: known.describe(call.site, item, call.base_url)}


def _move(call: ApiCall, item: Content, wish: Document) -> None:
    owner, project_luid = as_text(object_at(wish, "owner").get("id")), as_text(object_at(wish, "project").get("id"))
    if owner:
        item.owner = find(call.site.users, owner, "404002", "User").luid
    if project_luid:
        item.project = find(call.site.projects, project_luid, "404005", "Project").luid


def _adjust(item: Content, wish: Document) -> None:
    if "name" in wish:
        if not as_text(wish["name"]).strip():
            raise ApiError("400003", "The name must not be empty.")
        item.name = as_text(wish["name"])
    item.description = as_text(wish.get("description", item.description))
    if isinstance(item, Workbook):
        item.show_tabs = as_bool(wish.get("showTabs"), item.show_tabs)
    if isinstance(item, Datasource):
        item.is_certified = as_bool(wish.get("isCertified"), item.is_certified)
        item.certification_note = as_text(wish.get("certificationNote", item.certification_note))


@route("/<any(workbooks,datasources,flows):kind>/<luid>", "DELETE", scope="*")
def delete_content(call: ApiCall, kind: str, luid: str) -> Result:
    """Take content off the site."""
    require_scope(call, f"tableau:{kind}:delete")
    found(call, kind, luid)
    delete(call.world, call.site, KINDS[kind].one, luid)
    return {}, 204


@route("/views/<luid>", "DELETE", since="3.27", scope="tableau:views:delete")
def delete_view(call: ApiCall, luid: str) -> Result:
    """Take a view out of its workbook."""
    found(call, "views", luid)
    delete(call.world, call.site, "view", luid)
    return {}, 204


@route("/workbooks/<luid>/views", scope=READ)
def views_of_workbook(call: ApiCall, luid: str) -> Document:
    """The views of one workbook."""
    usage = as_bool(call.query.get("includeUsageStatistics"), False)
    sheets = [call.site.views[view] for view in found(call, "workbooks", luid).views]
    return {"views": {"view": [resources.view(call.site, sheet, call.base_url, usage=usage) for sheet in sheets]}}


@route("/<any(workbooks,datasources):kind>/<luid>/connections", scope=READ)
def connections(call: ApiCall, kind: str, luid: str) -> Document:
    """What some content is connected to."""
    item = found(call, kind, luid)
    sources = [call.site.datasources.get(source) for source in item.datasources] if kind == "workbooks" else [item]
    described = [resources.connection(source, f"{luid[:24]}{source.luid[24:]}") for source in sources if source]
    return {"connections": {"connection": described}}


@route("/<any(workbooks,datasources):kind>/<luid>/revisions", since="2.3", scope=READ)
def revisions(call: ApiCall, kind: str, luid: str) -> Document:
    """What was published when."""
    item = found(call, kind, luid)
    who = {"id": item.owner, "name": call.site.users[item.owner].name}
    last = item.revision
    listed = [
        {
            "revisionNumber": str(n),
            "current": n == last,
            "deleted": False,
            "publishedAt": format_time(item.updated_at),
            "publisher": who,
        }
        for n in range(1, last + 1)
    ]
    return {"revisions": {"revision": listed}}
