"""The Metadata API: the workbooks that use a data source, the data sources and tables that a workbook uses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tableau_rest import errors, models
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol import responses
from tableau_rest.protocol.fields import Data, boolean, child, items, objects, text
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.transport import CALL_TIMEOUTS, Timeouts

_SCOPE = "tableau:content:read"
_WORKBOOK = "luid name projectName owner { name email }"
_DOWNSTREAM = f"""query ($id: String!) {{
  publishedDatasources(filter: {{luid: $id}}) {{ luid name downstreamWorkbooks {{ {_WORKBOOK} }} }}
}}"""
_PAGE_SIZE = 50
# The same in small pages, for data sources with more workbooks than the API returns at once.
_DOWNSTREAM_PAGES = f"""query ($id: String!, $after: String) {{
  publishedDatasources(filter: {{luid: $id}}) {{ luid name
    downstreamWorkbooksConnection(first: {_PAGE_SIZE}, after: $after) {{
    nodes {{ {_WORKBOOK} }} pageInfo {{ hasNextPage endCursor }} }} }}
}}"""
_UPSTREAM = """query ($id: String!) {
  workbooks(filter: {luid: $id}) { luid name upstreamDatasources { luid name } upstreamTables { fullName } }
}"""
# What is not a server, such as a file, has neither a host name nor a port.
_DATABASES = """query ($id: String!) {
  %s(filter: {luid: $id}) { luid upstreamDatabases {
    __typename name connectionType ... on DatabaseServer { hostName port } } }
}"""
_ROOTS = {"workbook": "workbooks", "datasource": "publishedDatasources", "flow": "flows"}
_MAX_PAGES = 400
_MAX_MESSAGE = 500
# Errors after which a query can be sent again in smaller parts.
_LIMITS = {"NODE_LIMIT_EXCEEDED", "TIME_LIMIT_EXCEEDED"}
# https://help.tableau.com/current/api/metadata_api/en-us/docs/meta_api_errors.html
_ADVICE = {
    "ACCESS_DENIED": "The signed-in user may not see this.",
    "FEATURE_DISABLED": "On Tableau Server enable it: tsm maintenance metadata-services enable.",
    "FILTER_REQUIRED": "Users who are not administrators must filter.",
    "NODE_LIMIT_EXCEEDED": "Query less, or in pages with …Connection(first:, after:).",
    "TIME_LIMIT_EXCEEDED": "Query less, or in pages with …Connection(first:, after:).",
}
# Errors that pass when Tableau has built its index.
_TEMPORARY = {"BACKFILL_RUNNING", "INHERITANCE_INCOMPLETE"}
# Errors after which data that came with them is not to be used.
_FATAL = {*_ADVICE, "RATE_EXCEEDED"}


class _Result(NamedTuple):
    """The data of a query, and the codes of the errors that came with it; incomplete if there are any."""

    data: responses.Json
    codes: tuple[str, ...]


class Metadata(Connection):
    """Lineage.

    https://help.tableau.com/current/api/metadata_api/en-us/index.html
    """

    @endpoint("POST /api/metadata/graphql", since="3.5", scope=_SCOPE, codes="MetadataError, TooManyRequests")
    def metadata(self, query: str, variables: Mapping[str, Any] | None = None) -> responses.Json:
        """Return the `data` of any GraphQL query, also if it is incomplete, such as while the index is being built."""
        return self._graphql(query, variables or {}).data

    @endpoint("POST /api/metadata/graphql", since="3.5", scope=_SCOPE, codes="NotIndexed, MetadataError")
    def downstream_workbooks(self, datasource: str | HasLuid) -> models.Downstream:
        """Return the workbooks that use a published data source, with their projects and owners.

        Raises NotIndexed if the Metadata API does not know the data source: it was deleted, or published minutes ago.
        """
        luid = luid_of(datasource)
        found = None
        try:
            data, codes = self._graphql(_DOWNSTREAM, {"id": luid})
            source = self._single(data, "publishedDatasources", luid)
            found = models.Downstream.of(luid, source, objects(source, "downstreamWorkbooks"), complete=not codes)
            if not _needs_pages(codes):
                return found
        except errors.MetadataError as error:
            if isinstance(error, errors.NotIndexed) or not _needs_pages(error.codes or ("",)):
                raise
        try:
            paged = self._downstream_in_pages(luid)
        except errors.MetadataError:
            if found is None:
                raise
            return found
        return found if found is not None and len(found.workbooks) > len(paged.workbooks) else paged

    def _downstream_in_pages(self, luid: str) -> models.Downstream:
        found: list[Data] = []
        cursors: list[str | None] = [None]
        complete = True
        for _ in range(_MAX_PAGES):
            data, codes = self._graphql(_DOWNSTREAM_PAGES, {"id": luid, "after": cursors[-1]})
            source = self._single(data, "publishedDatasources", luid)
            page = child(source, "downstreamWorkbooksConnection")
            found += (workbook for workbook in objects(page, "nodes") if workbook not in found[-_PAGE_SIZE:])
            complete = complete and not codes
            cursor = text(child(page, "pageInfo"), "endCursor")
            if not cursor or not boolean(child(page, "pageInfo"), "hasNextPage"):
                return models.Downstream.of(luid, source, found, complete=complete)
            if cursor in cursors:
                break
            cursors.append(cursor)
        return models.Downstream.of(luid, source, found, complete=False)

    @endpoint("POST /api/metadata/graphql", since="3.5", scope=_SCOPE, codes="NotIndexed, MetadataError")
    def upstream(self, workbook: str | HasLuid) -> models.Upstream:
        """Return the published data sources and the database tables that a workbook uses.

        Raises NotIndexed if the Metadata API does not know the workbook: it was deleted, or published minutes ago.
        """
        luid = luid_of(workbook)
        data, codes = self._graphql(_UPSTREAM, {"id": luid})
        book = self._single(data, "workbooks", luid)
        sources = objects(book, "upstreamDatasources")
        references = tuple(models.Reference(text(source, "luid"), text(source, "name")) for source in sources)
        tables = tuple(filter(None, (text(table, "fullName") for table in objects(book, "upstreamTables"))))
        return models.Upstream(luid, text(book, "name"), references, tables, not codes)

    @endpoint("POST /api/metadata/graphql", since="3.5", scope=_SCOPE, codes="NotIndexed, MetadataError")
    def upstream_databases(
        self, kind: str, content: str | HasLuid, *, timeouts: Timeouts = CALL_TIMEOUTS
    ) -> tuple[models.Database, ...]:
        """Return the databases that a `workbook`, a published `datasource` or a `flow` reads, as far as is known.

        Raises NotIndexed if the Metadata API does not know the content: it was deleted, or published minutes ago.
        """
        luid = luid_of(content)
        data, _ = self._graphql(_DATABASES % _ROOTS[kind], {"id": luid}, timeouts)
        found = objects(self._single(data, _ROOTS[kind], luid), "upstreamDatabases")
        return tuple(map(models.Database.from_json, found))

    def _single(self, data: responses.Json, name: str, luid: str) -> Data:
        """Return the only object of a list. Raises NotIndexed if there is none."""
        found = next(objects(data, name), None)
        if found is None:
            retry_at = self._clock() + timedelta(minutes=2)
            message = f"The Metadata API does not know {luid}; content published minutes ago may not be indexed yet"
            raise errors.NotIndexed(message, retry_at=retry_at)
        return found

    def _graphql(self, query: str, variables: Mapping[str, Any], timeouts: Timeouts = CALL_TIMEOUTS) -> _Result:
        """Return the data of a query. Raises MetadataError for an error without usable data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        with self._redacted_errors():
            try:
                response = self._send("POST", "/api/metadata/graphql", body, repeat=True, timeouts=timeouts)
                document = responses.document(response.body)
            except (errors.NotFound, errors.InvalidResponse) as error:
                if error.status != 404:
                    raise
                # The API itself is missing, not the content.
                message, advice = "This server has no Metadata API", _ADVICE["FEATURE_DISABLED"]
                raise errors.MetadataError(message, status=404, permanent=True, advice=advice) from error
            if "data" not in document and "errors" not in document:
                raise errors.InvalidResponse("The response is not one of the Metadata API")
            data, found = document.get("data"), items(document, "errors")
            # An error without a code, such as one with `"extensions": null`, does not make the data unusable.
            codes = tuple(_code(error) for error in found)
            has_data = isinstance(data, dict) and (not found or any(value is not None for value in data.values()))
            if not has_data or _FATAL & set(codes):
                raise _failure(found, codes, self._clock())
            return _Result(dict(data or {}), codes)


def _failure(found: list[Any], codes: tuple[str, ...], now: datetime) -> errors.TableauError:
    messages = (text(error, "message") if isinstance(error, Mapping) else str(error) for error in found)
    message = "; ".join(filter(None, messages))[:_MAX_MESSAGE] or "no data came"
    if "RATE_EXCEEDED" in codes:
        return errors.TooManyRequests(message, code="RATE_EXCEEDED", retry_at=now + timedelta(minutes=1))
    known = tuple(filter(None, codes))
    advice = next((_ADVICE[code] for code in known if code in _ADVICE), "")
    error = errors.MetadataError(message, code="".join(known[:1]), advice=advice)
    error.permanent = bool(set(known) - _TEMPORARY)
    error.codes = known
    return error


def _needs_pages(codes: tuple[str, ...]) -> bool:
    """Return whether a query in smaller parts may succeed: after a limit, or after an error without a code."""
    return any(code in _LIMITS or not code for code in codes)


def _code(error: object) -> str:
    """Return the code of a GraphQL error, empty if it has none."""
    code = text(child(error, "extensions"), "code") if isinstance(error, Mapping) else ""
    return code if re.fullmatch(r"[A-Z_]{1,64}", code) else ""
