"""Lineage: the part of the Metadata API that tells what hangs on what.

https://help.tableau.com/current/api/metadata_api/en-us/reference/index.html
"""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from flask import Blueprint, Response

from simulator.tableau.endpoints.content import READ
from simulator.tableau.graphql import Field, Malformed, parse
from simulator.tableau.route import authenticate, has_scope
from simulator.tableau.wire import ApiError, as_text, format_time, read_body
from simulator.world.current import current_world
from simulator.world.site import Content, Datasource, Site, User, View, Workbook

metadata = Blueprint("metadata", __name__, url_prefix="/api/metadata")
Thing = Content | User | str  # a string is a table


class GraphError(Exception):
    """What cannot be answered, with the code the API has for it."""

    def __init__(self, message: str, code: str = "VALIDATION_ERROR") -> None:
        super().__init__(message)
        self.message, self.code = message, code


@metadata.post("/graphql")
def graphql() -> Response:
    """Document a query. Errors come with status 200."""
    world = current_world()
    with world.lock:
        session = authenticate(world)
        site = world.sites[session.site]
        if not has_scope(session, READ):
            raise ApiError("401002", f"The session was not granted the scope {READ}.")
        body = read_body()
        variables = body.get("variables")
        try:
            fields = parse(as_text(body.get("query")), variables if isinstance(variables, dict) else {})
            answer: dict[str, Any] = {"data": {field.alias: _root(site, field) for field in fields}}
        except (Malformed, GraphError) as error:
            code = error.code if isinstance(error, GraphError) else "INVALID_SYNTAX"
            answer = {
                "data": None,
                "errors": [{"message": str(error), "extensions": {"code": code, "severity": "ERROR"}}],
            }
    return Response(json.dumps(answer), mimetype="application/json")


def _root(site: Site, field: Field) -> Any:
    name = field.name.removesuffix("Connection")
    if name not in ROOTS:
        raise GraphError(f"Cannot query field '{field.name}' on type 'Query'.")
    things = [thing for thing in ROOTS[name](site) if _passes(site, thing, field.arguments.get("filter"))]
    if field.name.endswith("Connection"):
        return _connection(site, field, things)
    return [_shown(site, thing, field.fields) for thing in things]


def _passes(site: Site, thing: Thing, wanted: Any) -> bool:
    """Whether a thing is among those the filter wants: `luid`, `name`, or `luidWithin`, `nameWithin`."""
    if wanted is not None and not isinstance(wanted, dict):
        raise GraphError("filter must be an object")
    for name, value in (wanted or {}).items():
        within = name.endswith("Within")
        have = _value(site, thing, Field(name.removesuffix("Within"), name))
        if (have not in (value or [])) if within else (have != value):
            return False
    return True


def _connection(site: Site, field: Field, things: list[Thing]) -> dict[str, Any]:
    first, after = field.arguments.get("first"), field.arguments.get("after") or "0"
    first = max(1, len(things)) if first is None else first
    if not isinstance(first, int) or first < 1 or not str(after).isdigit():
        raise GraphError("first must be a positive number, after a cursor of an earlier page")
    begin, end = int(after), int(after) + first
    shown: dict[str, Any] = {}
    for inner in field.fields:
        if inner.name == "nodes":
            shown[inner.alias] = [_shown(site, thing, inner.fields) for thing in things[begin:end]]
        elif inner.name == "totalCount":
            shown[inner.alias] = len(things)
        elif inner.name == "pageInfo":
            info = {"hasNextPage": end < len(things), "endCursor": str(min(end, len(things)))}
            shown[inner.alias] = {part.alias: info.get(part.name) for part in inner.fields}
        else:
            raise GraphError(f"Cannot query field '{inner.name}' on a connection.")
    return shown


def _shown(site: Site, thing: Thing, fields: list[Field]) -> dict[str, Any]:
    if not fields:
        raise GraphError(f"Field of type '{_kind(thing)}' must have a selection of subfields.")
    return {field.alias: _inner(site, thing, field) for field in fields}


def _inner(site: Site, thing: Thing, field: Field) -> Any:
    if field.name.endswith("Connection") and field.name != "Connection":
        plain = Field(field.name.removesuffix("Connection"), field.alias, field.arguments, field.fields)
        value = _value(site, thing, plain)
        if isinstance(value, list):
            return _connection(site, plain, value)
    value = _value(site, thing, field)
    if isinstance(value, list):
        return [_shown(site, entry, field.fields) for entry in value]
    if isinstance(value, Content | User):
        return _shown(site, value, field.fields)
    return value


def _kind(thing: Thing) -> str:
    return {Datasource: "PublishedDatasource", User: "TableauUser", str: "DatabaseTable"}.get(
        type(thing), type(thing).__name__
    )


def _value(site: Site, thing: Thing, field: Field) -> Any:
    if field.name == "__typename":
        return _kind(thing)
    tables = [FIELDS[kind] for kind in FIELDS if isinstance(thing, kind)]
    for table in tables:
        if field.name in table:
            return table[field.name](site, thing)
    raise GraphError(f"Cannot query field '{field.name}' on type '{_kind(thing)}'.")


def _sources(site: Site, book: Workbook) -> list[Datasource]:
    return [site.datasources[luid] for luid in book.datasources if luid in site.datasources]


def _readers(site: Site, source: Datasource) -> list[Workbook]:
    return [book for book in site.workbooks.values() if source.luid in book.datasources]


def _tables(site: Site, sources: list[Datasource]) -> list[str]:
    del site
    return list(dict.fromkeys(chain.from_iterable(source.tables for source in sources)))


def _having(site: Site, table: str) -> list[Datasource]:
    return [source for source in site.datasources.values() if table in source.tables]


def _sheets(site: Site, books: list[Workbook]) -> list[View]:
    return [site.views[luid] for book in books for luid in book.views]


def _people(site: Site, items: list[Any]) -> list[User]:
    return [site.users[luid] for luid in dict.fromkeys(item.owner for item in items)]


def _unique(items: Any) -> list[Any]:
    return list({item.luid: item for item in items}.values())


Getter = Callable[[Site, Any], Any]
FIELDS: dict[type, dict[str, Getter]] = {
    Workbook: {
        "upstreamDatasources": _sources,
        "upstreamTables": lambda site, book: _tables(site, _sources(site, book)),
        "embeddedDatasources": lambda _site, _book: [],
        "views": lambda site, book: _sheets(site, [book]),
        "sheets": lambda site, book: _sheets(site, [book]),
        "dashboards": lambda _site, _book: [],
        "hasExtracts": lambda _site, book: book.has_extracts,
    },
    Datasource: {
        "downstreamWorkbooks": _readers,
        "downstreamSheets": lambda site, source: _sheets(site, _readers(site, source)),
        "downstreamDashboards": lambda _site, _source: [],
        "downstreamOwners": lambda site, source: _people(site, _readers(site, source)),
        "upstreamTables": lambda site, source: _tables(site, [source]),
        "isCertified": lambda _site, source: source.is_certified,
        "certificationNote": lambda _site, source: source.certification_note or None,
        "hasExtracts": lambda _site, source: source.has_extracts,
        "extractLastRefreshTime": lambda _site, source: format_time(source.updated_at) if source.has_extracts else None,
    },
    View: {
        "path": lambda _site, view: view.content_url.replace("/sheets", ""),
        "workbook": lambda site, view: site.workbooks[view.workbook],
        "upstreamDatasources": lambda site, view: _sources(site, site.workbooks[view.workbook]),
    },
    Content: {
        "id": lambda _site, item: item.luid,
        "luid": lambda _site, item: item.luid,
        "name": lambda _site, item: item.name,
        "description": lambda _site, item: item.description,
        "projectName": lambda site, item: site.projects[item.project].name,
        "projectLuid": lambda _site, item: item.project,
        "owner": lambda site, item: site.users[item.owner],
        "createdAt": lambda _site, item: format_time(item.created_at),
        "updatedAt": lambda _site, item: format_time(item.updated_at),
        "vizportalUrlId": lambda _site, item: str(item.number),
        "vizportalId": lambda _site, item: str(item.number),
        "uri": lambda site, item: f"sites/{site.luid}/{type(item).__name__.lower()}s/{item.luid}",
    },
    User: {
        "id": lambda _site, user: user.luid,
        "luid": lambda _site, user: user.luid,
        "name": lambda _site, user: user.full_name,
        "username": lambda _site, user: user.name,
        "email": lambda _site, user: user.email,
    },
    str: {
        "id": lambda _site, table: table,
        "name": lambda _site, table: table.rpartition(".")[2],
        "fullName": lambda _site, table: "[" + "].[".join(table.split(".")) + "]",
        "schema": lambda _site, table: table.split(".")[-2] if "." in table else "",
        "downstreamDatasources": _having,
        "downstreamWorkbooks": lambda site, table: _unique(
            book for source in _having(site, table) for book in _readers(site, source)
        ),
    },
}
ROOTS: dict[str, Callable[[Site], list[Any]]] = {
    "workbooks": lambda site: list(site.workbooks.values()),
    "publishedDatasources": lambda site: list(site.datasources.values()),
    "sheets": lambda site: list(site.views.values()),
    "databaseTables": lambda site: _tables(site, list(site.datasources.values())),
    "tableauUsers": lambda site: list(site.users.values()),
}
