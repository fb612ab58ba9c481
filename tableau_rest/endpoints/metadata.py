"""The Metadata API: what depends on a data source, what a workbook lives on.

https://help.tableau.com/current/api/metadata_api/en-us/index.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tableau_rest import errors, models
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol import responses
from tableau_rest.protocol.fields import boolean, child, items, objects, text
from tableau_rest.protocol.luid import HasLuid, luid_of

_SCOPE = "tableau:content:read"
_WORKBOOK = "luid name projectName owner { name email }"
_DOWNSTREAM = f"""query ($id: String!) {{
  publishedDatasources(filter: {{luid: $id}}) {{ luid name downstreamWorkbooks {{ {_WORKBOOK} }} }}
}}"""
# The same in small pages, for data sources that feed more than the API hands out at once.
_DOWNSTREAM_PAGES = f"""query ($id: String!, $after: String) {{
  publishedDatasources(filter: {{luid: $id}}) {{ luid name downstreamWorkbooksConnection(first: 50, after: $after) {{
    nodes {{ {_WORKBOOK} }} pageInfo {{ hasNextPage endCursor }} }} }}
}}"""
_UPSTREAM = """query ($id: String!) {
  workbooks(filter: {luid: $id}) { luid name upstreamDatasources { luid name } upstreamTables { fullName } }
}"""
_MOST_PAGES = 400
# Answers with these codes hold what could be found so far.
_PARTIAL = {"BACKFILL_RUNNING", "INHERITANCE_INCOMPLETE"}
_LIMITS = {"NODE_LIMIT_EXCEEDED", "TIME_LIMIT_EXCEEDED"}
_ADVICE = {
    "ACCESS_DENIED": "The signed-in user may not see this.",
    "FEATURE_DISABLED": "On Tableau Server switch it on: tsm maintenance metadata-services enable.",
    "FILTER_REQUIRED": "Who is no administrator must filter.",
    "NODE_LIMIT_EXCEEDED": "Ask for less, or in pages with …Connection(first:, after:).",
    "TIME_LIMIT_EXCEEDED": "Ask for less, or in pages with …Connection(first:, after:).",
}


class Metadata(Connection):
    """Lineage."""

    @endpoint("POST /api/metadata/graphql", since="3.5", scope=_SCOPE, codes="MetadataError, TooManyRequests")
    def metadata(self, query: str, variables: Mapping[str, Any] | None = None) -> responses.Json:
        """The `data` of any GraphQL query; also where it came with a mere warning, as while the index is built."""
        return self._graphql(query, variables or {})[0]

    @endpoint("POST /api/metadata/graphql", since="3.5", scope=_SCOPE, codes="NotIndexed, MetadataError")
    def downstream_workbooks(self, datasource: str | HasLuid) -> models.Downstream:
        """The workbooks that a published data source feeds, with their projects and owners.

        Raises NotIndexed where the Metadata API does not know the data source: gone, or published minutes ago.
        """
        luid = luid_of(datasource)
        try:
            data, complete = self._graphql(_DOWNSTREAM, {"id": luid})
            source = self._only(data, "publishedDatasources", luid)
            found = list(objects(source, "downstreamWorkbooks"))
        except errors.MetadataError as error:
            if not _LIMITS & set(error.codes):
                raise
            source, found, complete = self._in_pages(luid)
        workbooks = tuple(map(models.Dependent.from_json, found))
        return models.Downstream(luid, text(source, "name"), workbooks, complete)

    def _in_pages(self, luid: str) -> tuple[responses.Json, list[Any], bool]:
        found: list[Any] = []
        after: str | None = None
        complete = True
        for _ in range(_MOST_PAGES):
            data, whole = self._graphql(_DOWNSTREAM_PAGES, {"id": luid, "after": after})
            source = self._only(data, "publishedDatasources", luid)
            page = child(source, "downstreamWorkbooksConnection")
            found += objects(page, "nodes")
            complete, after = complete and whole, text(child(page, "pageInfo"), "endCursor")
            if not after or not boolean(child(page, "pageInfo"), "hasNextPage"):
                return source, found, complete
        return source, found, False

    @endpoint("POST /api/metadata/graphql", since="3.5", scope=_SCOPE, codes="NotIndexed, MetadataError")
    def upstream(self, workbook: str | HasLuid) -> models.Upstream:
        """The published data sources and the database tables a workbook lives on. Raises NotIndexed as above."""
        luid = luid_of(workbook)
        data, complete = self._graphql(_UPSTREAM, {"id": luid})
        book = self._only(data, "workbooks", luid)
        sources = tuple(models.Reference(text(item, "luid"), text(item, "name")) for item in _of(book, "Datasources"))
        tables = tuple(filter(None, (text(item, "fullName") for item in _of(book, "Tables"))))
        return models.Upstream(luid, text(book, "name"), sources, tables, complete)

    def _only(self, data: responses.Json, name: str, luid: str) -> responses.Json:
        found = items(data, name)
        if not found:
            retry_at = self._clock() + timedelta(minutes=2)
            said = f"the Metadata API does not know {luid}; it takes minutes to learn of what was just published"
            raise errors.NotIndexed(said, retry_at=retry_at)
        return dict(found[0])

    def _graphql(self, query: str, variables: Mapping[str, Any]) -> tuple[responses.Json, bool]:
        """The data, and whether it is complete."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        try:
            document = responses.document(self._answer("POST", "/api/metadata/graphql", body, repeat=True).body)
        except errors.NotFound as exc:  # the whole API is missing, not some content
            advice = _ADVICE["FEATURE_DISABLED"]
            raise errors.MetadataError("no Metadata API here", status=404, permanent=True, advice=advice) from exc
        told = list(objects(document, "errors"))
        serious = [error for error in told if not _is_partial(error)]
        data = document.get("data")
        if serious or not isinstance(data, dict):
            self._raise(serious or told)
        return dict(data or {}), not told

    def _raise(self, told: list[Any]) -> None:
        codes = tuple(text(child(error, "extensions"), "code") for error in told)
        said = "; ".join(filter(None, (text(error, "message") for error in told)))[:500] or "no data came"
        advice = next((_ADVICE[code] for code in codes if code in _ADVICE), "")
        if "RATE_EXCEEDED" in codes:
            raise errors.TooManyRequests(said, code="RATE_EXCEEDED", retry_at=self._clock() + timedelta(minutes=1))
        error = errors.MetadataError(said, code=codes[0] if codes else "", advice=advice, permanent=bool(codes))
        error.codes = codes
        raise error


def _of(book: responses.Json, what: str) -> list[Any]:
    return list(objects(book, f"upstream{what}"))


def _is_partial(error: Mapping[str, Any]) -> bool:
    told = child(error, "extensions")
    return text(told, "code") in _PARTIAL or text(told, "severity").upper() == "WARNING"
