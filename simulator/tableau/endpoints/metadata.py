"""The lineage part of the Metadata API: which content depends on which.

https://help.tableau.com/current/api/metadata_api/en-us/reference/index.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from flask import Blueprint, Response

from simulator.tableau.endpoints.content import READ
from simulator.tableau.graphql import Field, Malformed, parse
from simulator.tableau.route import authenticate, has_scope
from simulator.tableau.wire import ApiError, as_text, format_time, read_body
from simulator.world.current import current_world
from simulator.world.site import Content, Datasource, Flow, Site, User, View, Workbook

metadata = Blueprint("metadata", __name__, url_prefix="/api/metadata")


@dataclass(frozen=True)
class Database:
    """The server that the tables of data sources are on."""

    name: str
    type: str
    host: str


# A string is a table.
Thing = Content | User | Database | str


class GraphError(Exception):
    """A query that cannot be evaluated, with the API's code."""

    def __init__(self, message: str, code: str = "VALIDATION_ERROR") -> None:
        super().__init__(message)
        self.message, self.code = message, code


@metadata.post("/graphql")
def graphql() -> Response:
    """Respond to a query. Errors have status 200."""
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
            response: dict[str, Any] = {"data": {field.alias: _root(site, field) for field in fields}}
        except (Malformed, GraphError) as error:
            code = error.code if isinstance(error, GraphError) else "INVALID_SYNTAX"
            response = {
                "data": None,
                "errors": [{"message": str(error), "extensions": {"code": code, "severity": "ERROR"}}],
            }
    return Response(json.dumps(response), mimetype="application/json")


def _root(site: Site, field: Field) -> Any:
    name = field.name.removesuffix("Connection")
    if name not in ROOTS:
        raise GraphError(f"The simulator does not support the field {field.name!r} of a query.")
    things = [thing for thing in ROOTS[name](site) if _matches(site, thing, field.arguments.get("filter"))]
    if field.name.endswith("Connection"):
        return _connection(site, field, things)
    return [_select(site, thing, field.fields) for thing in things]


def _matches(site: Site, thing: Thing, conditions: Any) -> bool:
    """Return whether a thing passes the filter: `luid`, `name`, or `luidWithin`, `nameWithin`."""
    if conditions is not None and not isinstance(conditions, dict):
        raise GraphError("filter must be an object")
    for name, value in (conditions or {}).items():
        within = name.endswith("Within")
        actual = _value(site, thing, Field(name.removesuffix("Within"), name))
        if (actual not in (value or [])) if within else (actual != value):
            return False
    return True


def _connection(site: Site, field: Field, things: list[Thing]) -> dict[str, Any]:
    first, after = field.arguments.get("first"), field.arguments.get("after") or "0"
    first = max(1, len(things)) if first is None else first
    if not isinstance(first, int) or first < 1 or not str(after).isdigit():
        raise GraphError("first must be a positive number, and after the cursor of an earlier page")
    begin, end = int(after), int(after) + first
    document: dict[str, Any] = {}
    for inner in field.fields:
        if inner.name == "nodes":
            document[inner.alias] = [_select(site, thing, inner.fields) for thing in things[begin:end]]
        elif inner.name == "totalCount":
            document[inner.alias] = len(things)
        elif inner.name == "pageInfo":
            info = {"hasNextPage": end < len(things), "endCursor": str(min(end, len(things)))}
            document[inner.alias] = {part.alias: info.get(part.name) for part in inner.fields}
        else:
            raise GraphError(f"The simulator does not support the field {inner.name!r} of a connection.")
    return document


def _select(site: Site, thing: Thing, fields: list[Field]) -> dict[str, Any]:
    if not fields:
        raise GraphError(f"Field of type '{_kind(thing)}' must have a selection of subfields.")
    # The fields of a fragment on another type are left out.
    applying = [field for field in fields if field.on in ("", _kind(thing))]
    return {field.alias: _inner(site, thing, field) for field in applying}


def _inner(site: Site, thing: Thing, field: Field) -> Any:
    if field.name.endswith("Connection") and field.name != "Connection":
        plain = Field(field.name.removesuffix("Connection"), field.alias, field.arguments, field.fields)
        value = _value(site, thing, plain)
        if isinstance(value, list):
            return _connection(site, plain, value)
    value = _value(site, thing, field)
    if isinstance(value, list):
        return [_select(site, entry, field.fields) for entry in value]
    if isinstance(value, Content | User):
        return _select(site, value, field.fields)
    return value


def _kind(thing: Thing) -> str:
    names = {
        Database: "DatabaseServer",
        Datasource: "PublishedDatasource",
        User: "TableauUser",
        str: "DatabaseTable",
    }
    return names.get(type(thing), type(thing).__name__)


def _value(site: Site, thing: Thing, field: Field) -> Any:
    if field.name == "__typename":
        return _kind(thing)
    tables = [FIELDS[kind] for kind in FIELDS if isinstance(thing, kind)]
    for table in tables:
        if field.name in table:
            return table[field.name](site, thing)
    raise GraphError(f"The simulator does not support the field {field.name!r} of {_kind(thing)}.")


def _datasources_of(site: Site, book: Workbook) -> list[Datasource]:
    return [site.datasources[luid] for luid in book.datasources if luid in site.datasources]


def _workbooks_of(site: Site, source: Datasource) -> list[Workbook]:
    return [book for book in site.workbooks.values() if source.luid in book.datasources]


def _tables_of(site: Site, sources: list[Datasource]) -> list[str]:
    del site
    return list(dict.fromkeys(chain.from_iterable(source.tables for source in sources)))


def _databases_of(site: Site, sources: list[Datasource]) -> list[Database]:
    del site
    servers = (
        Database(table.partition(".")[0], source.type, source.server)
        for source in sources
        for table in source.tables or [source.server]
        if source.server
    )
    return list(dict.fromkeys(servers))


def _datasources_with(site: Site, table: str) -> list[Datasource]:
    return [source for source in site.datasources.values() if table in source.tables]


def _views_of(site: Site, books: list[Workbook]) -> list[View]:
    return [site.views[luid] for book in books for luid in book.views]


Getter = Callable[[Site, Any], Any]
FIELDS: dict[type, dict[str, Getter]] = {
    Workbook: {
        "upstreamDatasources": _datasources_of,
        "upstreamTables": lambda site, book: _tables_of(site, _datasources_of(site, book)),
        "upstreamDatabases": lambda site, book: _databases_of(site, _datasources_of(site, book)),
        "embeddedDatasources": lambda _site, _book: [],
        "views": lambda site, book: _views_of(site, [book]),
        "sheets": lambda site, book: _views_of(site, [book]),
        "dashboards": lambda _site, _book: [],
        "hasExtracts": lambda _site, book: book.has_extracts,
    },
    Datasource: {
        "downstreamWorkbooks": _workbooks_of,
        "downstreamSheets": lambda site, source: _views_of(site, _workbooks_of(site, source)),
        "downstreamDashboards": lambda _site, _source: [],
        "downstreamFlows": lambda _site, _source: [],
        "upstreamFlows": lambda site, source: [flow for flow in site.flows.values() if flow.output == source.name],
        "downstreamOwners": lambda site, source: [
            site.users[luid] for luid in dict.fromkeys(book.owner for book in _workbooks_of(site, source))
        ],
        "upstreamTables": lambda site, source: _tables_of(site, [source]),
        "upstreamDatabases": lambda site, source: _databases_of(site, [source]),
        "isCertified": lambda _site, source: source.is_certified,
        "certificationNote": lambda _site, source: source.certification_note or None,
        "hasExtracts": lambda _site, source: source.has_extracts,
        "extractLastRefreshTime": lambda _site, source: format_time(source.updated_at) if source.has_extracts else None,
    },
    Flow: {
        "upstreamDatabases": lambda site, flow: _databases_of(
            site, [source for source in site.datasources.values() if source.name == flow.output]
        ),
    },
    Database: {
        "id": lambda _site, database: f"{database.host}/{database.name}",
        "name": lambda _site, database: database.name,
        "connectionType": lambda _site, database: database.type,
        "hostName": lambda _site, database: database.host,
        "port": lambda _site, _database: None,
    },
    View: {
        "path": lambda _site, view: view.content_url.replace("/sheets", ""),
        "workbook": lambda site, view: site.workbooks[view.workbook],
        "upstreamDatasources": lambda site, view: _datasources_of(site, site.workbooks[view.workbook]),
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
        "downstreamDatasources": _datasources_with,
        "downstreamFlows": lambda _site, _table: [],
        "downstreamWorkbooks": lambda site, table: list(
            {
                book.luid: book for source in _datasources_with(site, table) for book in _workbooks_of(site, source)
            }.values()
        ),
    },
}
ROOTS: dict[str, Callable[[Site], list[Any]]] = {
    "workbooks": lambda site: list(site.workbooks.values()),
    "publishedDatasources": lambda site: list(site.datasources.values()),
    "sheets": lambda site: list(site.views.values()),
    "dashboards": lambda _site: [],
    "flows": lambda site: list(site.flows.values()),
    "databaseTables": lambda site: _tables_of(site, list(site.datasources.values())),
    "tableauUsers": lambda site: list(site.users.values()),
}
