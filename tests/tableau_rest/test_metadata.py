"""The Metadata API, whose errors come with status 200."""

from __future__ import annotations

from typing import Any

import pytest

from tableau_rest import MetadataError, NotIndexed, Tableau, TooManyRequests
from tests.tableau_rest.tiny import LUID, OTHER, Asked, Reply, TinyTableau

PATH = "POST /api/metadata/graphql"
BOOK = {"luid": OTHER, "name": "Sales", "projectName": "Finance", "owner": {"name": "ann", "email": "ann@x.org"}}


def failed(code: str, severity: str = "ERROR", data: Any = None) -> Reply:
    error = {"message": f"it is {code}", "extensions": {"code": code, "severity": severity}}
    return Reply({"data": data, "errors": [error]})


def source(**more: Any) -> dict[str, Any]:
    return {"publishedDatasources": [{"luid": LUID, "name": "Orders", **more}]}


def test_partial_data_is_returned_as_incomplete(tiny: TinyTableau, client: Tableau) -> None:
    """While the index is built, data comes with a warning."""
    tiny.replies[PATH] = failed("BACKFILL_RUNNING", "WARNING", source(downstreamWorkbooks=[BOOK]))
    found = client.downstream_workbooks(LUID)
    assert not found.complete
    assert (found.workbooks[0].owner_email, found.workbooks[0].project_name) == ("ann@x.org", "Finance")


@pytest.mark.parametrize("code", ["NODE_LIMIT_EXCEEDED", "TIME_LIMIT_EXCEEDED"])
def test_a_query_over_the_limit_is_repeated_in_pages(tiny: TinyTableau, client: Tableau, code: str) -> None:
    """A data source with very many workbooks is read completely."""

    def reply(asked: Asked) -> Reply:
        if "Connection" not in asked.json["query"]:
            return failed(code)
        last = asked.json["variables"]["after"] == "c1"
        info = {"hasNextPage": not last, "endCursor": "c2" if last else "c1"}
        page = {"nodes": [BOOK | {"name": "last" if last else "first"}], "pageInfo": info}
        return Reply({"data": source(downstreamWorkbooksConnection=page)})

    tiny.replies[PATH] = reply
    found = client.downstream_workbooks(LUID)
    assert [book.name for book in found.workbooks] == ["first", "last"]
    assert found.complete


@pytest.mark.parametrize(
    ("code", "said"),
    [("FEATURE_DISABLED", "tsm maintenance"), ("ACCESS_DENIED", "may not see"), ("FILTER_REQUIRED", "must filter")],
)
def test_a_metadata_error_comes_with_advice(tiny: TinyTableau, client: Tableau, code: str, said: str) -> None:
    """The advice depends on its code."""
    tiny.replies[PATH] = failed(code)
    with pytest.raises(MetadataError, match=said) as raised:
        client.downstream_workbooks(LUID)
    assert raised.value.permanent
    assert raised.value.codes == (code,)


def test_too_many_queries_are_raised_with_the_time_to_retry(tiny: TinyTableau, client: Tableau) -> None:
    """RATE_EXCEEDED is this API's 429."""
    tiny.replies[PATH] = failed("RATE_EXCEEDED")
    with pytest.raises(TooManyRequests) as raised:
        client.upstream(LUID)
    assert raised.value.retry_at is not None


@pytest.mark.parametrize("data", [{"publishedDatasources": []}, {"publishedDatasources": None}, {}])
def test_content_that_is_not_indexed_is_not_permanently_missing(
    tiny: TinyTableau, client: Tableau, data: dict[str, Any]
) -> None:
    """It may have been published just now."""
    tiny.replies[PATH] = Reply({"data": data})
    with pytest.raises(NotIndexed) as raised:
        client.downstream_workbooks(LUID)
    assert not raised.value.permanent


def test_upstream_returns_data_sources_and_tables(tiny: TinyTableau, client: Tableau) -> None:
    """Tables without a name are left out."""
    book = {
        "luid": LUID,
        "name": "Sales",
        "upstreamDatasources": [{"luid": OTHER, "name": "Orders"}],
        "upstreamTables": [{"fullName": "[dbo].[orders]"}, {"fullName": None}],
    }
    tiny.replies[PATH] = Reply({"data": {"workbooks": [book]}})
    found = client.upstream(LUID)
    assert [one.name for one in found.datasources] == ["Orders"]
    assert found.tables == ("[dbo].[orders]",)


def test_a_server_without_the_api_is_not_missing_content(client: Tableau) -> None:
    """404 of the API itself is about the server, not about the data source."""
    with pytest.raises(MetadataError, match="no Metadata API") as raised:
        client.downstream_workbooks(LUID)
    assert raised.value.permanent


NO_CODE = [
    {"message": "node limit", "extensions": None},
    {"message": "node limit"},
    {"message": "node limit", "extensions": {"code": None}},
    {"message": "node limit", "extensions": []},
    "node limit",
]


@pytest.mark.parametrize("error", NO_CODE)
def test_partial_data_with_an_error_without_a_code_is_used(tiny: TinyTableau, client: Tableau, error: Any) -> None:
    """Some servers send `"extensions": null`; the data is incomplete, not unusable."""
    tiny.replies[PATH] = Reply({"data": source(downstreamWorkbooks=[BOOK]), "errors": [error]})
    found = client.downstream_workbooks(LUID)
    assert [book.name for book in found.workbooks] == ["Sales"]
    assert not found.complete
    assert client.metadata("{ x }")["publishedDatasources"]


@pytest.mark.parametrize("data", [None, {"publishedDatasources": None}, source(downstreamWorkbooks=[BOOK])])
@pytest.mark.parametrize("error", NO_CODE)
def test_an_error_without_a_code_leads_to_pages(tiny: TinyTableau, client: Tableau, error: Any, data: Any) -> None:
    """It may be a limit, so the query is repeated in smaller parts."""

    def reply(asked: Asked) -> Reply:
        if "Connection" not in asked.json["query"]:
            return Reply({"data": data, "errors": [error]})
        page = {"nodes": [BOOK, BOOK | {"name": "second"}], "pageInfo": {"hasNextPage": False, "endCursor": "c"}}
        return Reply({"data": source(downstreamWorkbooksConnection=page)})

    tiny.replies[PATH] = reply
    found = client.downstream_workbooks(LUID)
    assert [book.name for book in found.workbooks] == ["Sales", "second"]
    assert found.complete


def test_an_index_that_is_being_built_is_not_permanent(tiny: TinyTableau, client: Tableau) -> None:
    """Without data there is an error, which passes."""
    tiny.replies[PATH] = failed("BACKFILL_RUNNING", "WARNING")
    with pytest.raises(MetadataError) as raised:
        client.downstream_workbooks(LUID)
    assert not raised.value.permanent


def test_pages_that_repeat_end(tiny: TinyTableau, client: Tableau) -> None:
    """A workbook on two pages is returned once, and a cursor that comes again ends an incomplete list."""

    def reply(asked: Asked) -> Reply:
        if "Connection" not in asked.json["query"]:
            return failed("NODE_LIMIT_EXCEEDED")
        page = {"nodes": [BOOK], "pageInfo": {"hasNextPage": True, "endCursor": "c1"}}
        return Reply({"data": source(downstreamWorkbooksConnection=page)})

    tiny.replies[PATH] = reply
    found = client.downstream_workbooks(LUID)
    assert [book.name for book in found.workbooks] == ["Sales"]
    assert not found.complete
    assert len(tiny.calls(PATH)) == 3
