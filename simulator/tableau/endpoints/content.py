"""Workbooks, data sources, views and flows: list, get, update, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.tableau import resources
from simulator.tableau.query import page, project, select
from simulator.tableau.route import ApiCall, Result, find, require_scope, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_text, format_time, object_at
from simulator.world.changes import delete
from simulator.world.site import Datasource, Workbook

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
    """One kind of content: names, error code, representation, fields for filters, and whether it has events."""

    one: str
    many: str
    code: str
    noun: str
    document: Callable[..., Document]
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
ANY_KIND = "<any(workbooks,datasources,views,flows):kind>"


def find_content(call: ApiCall, many: str, luid: str) -> Any:
    """Return the content of this kind and LUID. Raises ApiError with the 404 code of its kind."""
    kind = KINDS[many]
    return find(call.site.content(kind.one), luid, kind.code, kind.noun)


@route(f"/{ANY_KIND}", scope="*")
def list_content(call: ApiCall, kind: str) -> Document:
    """List all content of a kind."""
    require_scope(call, "tableau:flows:read" if kind == "flows" else READ)
    known = KINDS[kind]
    usage = {"usage": True} if kind == "views" and as_bool(call.query.get("includeUsageStatistics"), False) else {}
    items = [known.document(call.site, item, call.base_url, **usage) for item in call.site.content(known.one).values()]
    return paged(call, items, known.fields, (known.many, known.one))


def paged(
    call: ApiCall,
    items: list[Document],
    fields: tuple[str, ...],
    names: tuple[str, str],
    *,
    hidden: tuple[str, ...] = (),
) -> Document:
    """Return a list as requested: filtered, sorted, one page, the chosen fields."""
    block, items = page(select(items, call.query, fields), call.query)
    many, one = names
    return {"pagination": block, many: {one: [project(item, call.query, hidden) for item in items]}}


@route(f"/{ANY_KIND}/<luid>", scope="*")
def get_content(call: ApiCall, kind: str, luid: str) -> Document:
    """Return one piece of content."""
    require_scope(call, "tableau:flows:read" if kind == "flows" else READ)
    options: dict[str, bool] = {"views": True} if kind == "workbooks" else {}
    if kind == "views":
        options["usage"] = as_bool(call.query.get("includeUsageStatistics"), False)
    return {KINDS[kind].one: KINDS[kind].document(call.site, find_content(call, kind, luid), call.base_url, **options)}


@route(f"/{ANY_KIND}/<luid>", "PUT", scope="*")
def update_content(call: ApiCall, kind: str, luid: str) -> Document:
    """Update name, owner, project, description and certification."""
    require_scope(call, f"tableau:{kind}:update")
    item, known = find_content(call, kind, luid), KINDS[kind]
    given = object_at(call.body(), known.one)
    if owner := as_text(object_at(given, "owner").get("id")):
        item.owner = find(call.site.users, owner, "404002", "User").luid
    if project_luid := as_text(object_at(given, "project").get("id")):
        item.project = find(call.site.projects, project_luid, "404005", "Project").luid
    if "name" in given:
        if not as_text(given["name"]).strip():
            raise ApiError("400003", "The name must not be empty.")
        item.name = as_text(given["name"])
    item.description = as_text(given.get("description", item.description))
    if isinstance(item, Workbook):
        item.show_tabs = as_bool(given.get("showTabs"), item.show_tabs)
    if isinstance(item, Datasource):
        item.is_certified = as_bool(given.get("isCertified"), item.is_certified)
        item.certification_note = as_text(given.get("certificationNote", item.certification_note))
    item.updated_at = call.world.now()
    if known.events and call.world.config.update_events:
        call.world.emit(call.site, f"{known.noun}Updated", name=item.name, luid=luid)
    call.world.changed()
    return {known.one: known.document(call.site, item, call.base_url)}


@route("/<any(workbooks,datasources,flows):kind>/<luid>", "DELETE", scope="*")
def delete_content(call: ApiCall, kind: str, luid: str) -> Result:
    """Delete content."""
    require_scope(call, f"tableau:{kind}:delete")
    find_content(call, kind, luid)
    delete(call.world, call.site, KINDS[kind].one, luid)
    return {}, 204


@route("/views/<luid>", "DELETE", since="3.27", scope="tableau:views:delete")
def delete_view(call: ApiCall, luid: str) -> Result:
    """Delete a view from its workbook."""
    find_content(call, "views", luid)
    delete(call.world, call.site, "view", luid)
    return {}, 204


@route("/workbooks/<luid>/views", scope=READ)
def views_of_workbook(call: ApiCall, luid: str) -> Document:
    """List the views of one workbook."""
    usage = as_bool(call.query.get("includeUsageStatistics"), False)
    sheets = [call.site.views[view] for view in find_content(call, "workbooks", luid).views]
    return {"views": {"view": [resources.view(call.site, sheet, call.base_url, usage=usage) for sheet in sheets]}}


@route("/<any(workbooks,datasources):kind>/<luid>/connections", scope=READ)
def connections(call: ApiCall, kind: str, luid: str) -> Document:
    """List the connections of content."""
    item = find_content(call, kind, luid)
    sources = [call.site.datasources.get(source) for source in item.datasources] if kind == "workbooks" else [item]
    document = [resources.connection(source, f"{luid[:24]}{source.luid[24:]}") for source in sources if source]
    return {"connections": {"connection": document}}


@route("/<any(workbooks,datasources):kind>/<luid>/revisions", since="2.3", scope=READ)
def revisions(call: ApiCall, kind: str, luid: str) -> Document:
    """List the revisions of content."""
    item = find_content(call, kind, luid)
    items: list[Document] = [
        {
            "revisionNumber": str(number),
            "current": number == item.revision,
            "deleted": False,
            "publishedAt": format_time(item.updated_at),
            "publisher": {"id": item.owner, "name": call.site.users[item.owner].name},
        }
        for number in range(1, item.revision + 1)
    ]
    block, shown = page(items, call.query)
    return {"pagination": block, "revisions": {"revision": shown}}
