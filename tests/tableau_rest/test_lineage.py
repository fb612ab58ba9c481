"""The Metadata API, whose errors come with status 200."""

from __future__ import annotations

from typing import Any

import pytest

from tableau_rest import MetadataError, NotIndexed, Tableau, TooManyRequests
from tests.tableau_rest.tiny import LUID, OTHER, Asked, Reply, TinyTableau

PATH = "POST /api/metadata/graphql"
BOOK = {"luid": OTHER, "name": "Sales", "projectName": "Finance", "owner": {"name": "ann", "email": "ann@x.org"}}


def told(code: str, severity: str = "ERROR", data: Any = None) -> Reply:
    error = {"message": f"it is {code}", "extensions": {"code": code, "severity": severity}}
    return Reply({"data": data, "errors": [error]})


def source(**more: Any) -> dict[str, Any]:
    return {"publishedDatasources": [{"luid": LUID, "name": "Orders", **more}]}


def test_partial_data_is_given_and_marked(tiny: TinyTableau, client: Tableau) -> None:
    """While the index is built there is a warning; the data comes all the same."""
    tiny.answers[PATH] = told("BACKFILL_RUNNING", "WARNING", source(downstreamWorkbooks=[BOOK]))
    found = client.downstream_workbooks(LUID)
    assert not found.complete
    assert (found.workbooks[0].owner_email, found.workbooks[0].project_name) == ("ann@x.org", "Finance")


@pytest.mark.parametrize("code", ["NODE_LIMIT_EXCEEDED", "TIME_LIMIT_EXCEEDED"])
def test_too_much_at_once_is_asked_for_in_pages(tiny: TinyTableau, client: Tableau, code: str) -> None:
    """A data source that feeds very many workbooks is still told whole."""

    def answer(asked: Asked) -> Reply:
        if "Connection" not in asked.json["query"]:
            return told(code)
        last = asked.json["variables"]["after"] == "c1"
        info = {"hasNextPage": not last, "endCursor": "c2" if last else "c1"}
        page = {"nodes": [BOOK | {"name": "last" if last else "first"}], "pageInfo": info}
        return Reply({"data": source(downstreamWorkbooksConnection=page)})

    tiny.answers[PATH] = answer
    found = client.downstream_workbooks(LUID)
    assert [book.name for book in found.workbooks] == ["first", "last"]
    assert found.complete


@pytest.mark.parametrize(
    ("code", "said"),
    [("FEATURE_DISABLED", "tsm maintenance"), ("ACCESS_DENIED", "may not see"), ("FILTER_REQUIRED", "must filter")],
)
def test_an_error_says_what_to_do(tiny: TinyTableau, client: Tableau, code: str, said: str) -> None:
    """By its code."""
    tiny.answers[PATH] = told(code)
    with pytest.raises(MetadataError, match=said) as raised:
        client.downstream_workbooks(LUID)
    assert raised.value.permanent
    assert raised.value.codes == (code,)


def test_too_many_queries_say_when_to_come_back(tiny: TinyTableau, client: Tableau) -> None:
    """RATE_EXCEEDED is this API's 429."""
    tiny.answers[PATH] = told("RATE_EXCEEDED")
    with pytest.raises(TooManyRequests) as raised:
        client.upstream(LUID)
    assert raised.value.retry_at is not None


@pytest.mark.parametrize("data", [{"publishedDatasources": []}, {"publishedDatasources": None}, {}])
def test_what_is_not_indexed_may_come(tiny: TinyTableau, client: Tableau, data: dict[str, Any]) -> None:
    """Just published, or gone: not final."""
    tiny.answers[PATH] = Reply({"data": data})
    with pytest.raises(NotIndexed) as raised:
        client.downstream_workbooks(LUID)
    assert not raised.value.permanent


def test_upstream_names_sources_and_tables(tiny: TinyTableau, client: Tableau) -> None:
    """Tables without a name are left out."""
    book = {
        "luid": LUID,
        "name": "Sales",
        "upstreamDatasources": [{"luid": OTHER, "name": "Orders"}],
        "upstreamTables": [{"fullName": "[dbo].[orders]"}, {"fullName": None}],
    }
    tiny.answers[PATH] = Reply({"data": {"workbooks": [book]}})
    found = client.upstream(LUID)
    assert [one.name for one in found.datasources] == ["Orders"]
    assert found.tables == ("[dbo].[orders]",)


def test_a_server_without_the_api_is_not_taken_for_missing_content(client: Tableau) -> None:
    """404 at its own address says something of the server, not of the data source."""
    with pytest.raises(MetadataError, match="no Metadata API here") as raised:
        client.downstream_workbooks(LUID)
    assert raised.value.permanent
