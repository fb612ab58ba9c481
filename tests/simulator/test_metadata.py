"""The Metadata API: lineage, and the errors of invalid queries."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.tableau.graphql import Malformed, parse


def _query(rest: Any, query: str, variables: Any = None) -> Any:
    address = f"{rest.simulator.url}/api/metadata/graphql"
    response = rest.http.post(address, json={"query": query, "variables": variables or {}}, timeout=30)
    assert response.status_code == 200
    return response.json()


def test_upstream_content_of_a_workbook(rest: Any) -> None:
    """The data sources and tables of a workbook are found, with its LUID in a variable."""
    luid = rest.get("workbooks?filter=name:eq:Cash Flow")["workbooks"]["workbook"][0]["id"]
    query = """query($id:String!){ workbooks(filter:{luid:$id}){ name
        upstreamDatasources{ luid name } upstreamTables{ fullName } } }"""
    [book] = _query(rest, query, {"id": luid})["data"]["workbooks"]
    assert [source["name"] for source in book["upstreamDatasources"]] == ["General Ledger", "Receivables"]
    assert book["upstreamTables"][0] == {"fullName": "[FIN].[GL_ENTRIES]"}


def test_downstream_content_of_a_table(rest: Any) -> None:
    """The workbooks of a table are two steps downstream; an alias renames a field."""
    query = '{ databaseTables(filter: {nameWithin: ["orders"]}) { name it: downstreamWorkbooks { name } } }'
    [table] = _query(rest, query)["data"]["databaseTables"]
    assert "Sales" in [book["name"] for book in table["it"]]


def test_databases_of_content(rest: Any) -> None:
    """The servers that a workbook, a data source and a flow read, with what only servers have in a fragment."""
    wanted = "upstreamDatabases { __typename name connectionType ... on DatabaseServer { hostName port } }"
    for root, name in (("workbooks", "Sales"), ("publishedDatasources", "Orders"), ("flows", "Clean Orders")):
        query = f'{{ {root}(filter: {{name: "{name}"}}) {{ {wanted} }} }}'
        [found] = _query(rest, query)["data"][root]
        first = found["upstreamDatabases"][0]
        assert (first["__typename"], first["hostName"]) == ("DatabaseServer", "warehouse.acme.example")


def test_nested_connections_have_a_count(rest: Any) -> None:
    """Nested fields can be requested as connections."""
    query = """{ publishedDatasources(filter: {name: "Orders"}) {
      downstreamWorkbooksConnection(first: 1) { totalCount nodes { name } pageInfo { hasNextPage } } } }"""
    [source] = _query(rest, query)["data"]["publishedDatasources"]
    inner = source["downstreamWorkbooksConnection"]
    assert (inner["totalCount"], len(inner["nodes"]), inner["pageInfo"]["hasNextPage"]) == (4, 1, True)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "{ workbooks",
        "{ workbooks { colour } }",
        "{ workbooks }",
        "{ planets { name } }",
        "mutation { x }",
        "{ workbooks(filter: [1]) { name } }",
        "{ workbooks { name } } }",
        "{ workbooks { ...f } }",
        "{ workbooksConnection(first: 0) { nodes { name } } }",
        "{" * 40,
    ],
)
def test_invalid_query_has_errors(rest: Any, query: str) -> None:
    """The response has status 200, errors with a code, and no data."""
    response = _query(rest, query)
    assert response["data"] is None
    assert response["errors"][0]["extensions"]["code"]


def test_lineage_needs_a_session(rest: Any) -> None:
    """A query without a token has code 401000."""
    address = f"{rest.simulator.url}/api/metadata/graphql"
    response = rest.http.post(
        address, json={"query": "{ workbooks { name } }"}, headers={"X-Tableau-Auth": ""}, timeout=5
    )
    assert response.json()["error"]["code"] == "401000"


def test_query_language_is_parsed() -> None:
    """Names, defaults, lists, escapes and comments are parsed."""
    query = 'query q($a: [String!] = ["x"]) { # note\n one: t(l: $a, n: -1.5, s: "a\\"b", o: {k: true}) { f } }'
    [field] = parse(query, {})
    assert (field.alias, field.name) == ("one", "t")
    assert field.arguments == {"l": ["x"], "n": -1.5, "s": 'a"b', "o": {"k": True}}
    assert parse(query, {"a": ["y"]})[0].arguments["l"] == ["y"]
    with pytest.raises(Malformed):
        parse("{ a(b: ) }", {})


def test_fragments_are_put_in_place(rest: Any) -> None:
    """Named fragments may be defined before or after their use; inline ones apply to their type."""
    query = """fragment names on PublishedDatasource { name ...owned }
        query { publishedDatasources(filter: {name: "Orders"}) {
            ...names ... on PublishedDatasource { isCertified } ... on Workbook { colour }
            downstreamFlows { name } upstreamFlows { ... on Flow { name } } } }
        fragment owned on PublishedDatasource { owner { name } }"""
    [source] = _query(rest, query)["data"]["publishedDatasources"]
    assert source == {
        "name": "Orders",
        "owner": {"name": "Dev Raman"},
        "isCertified": True,
        "downstreamFlows": [],
        "upstreamFlows": [{"name": "Clean Orders"}],
    }


@pytest.mark.parametrize(
    "query",
    [
        "{ workbooks { ...missing } }",
        "{ workbooks { ...a } } fragment a on Workbook { ...a }",
        "{ workbooks { name } } fragment a on Workbook { name",
        "fragment a on Workbook { name }",
        "{ workbooks { ... on } }",
    ],
)
def test_invalid_fragments_have_errors(rest: Any, query: str) -> None:
    """Unknown, recursive and unfinished fragments are refused."""
    assert _query(rest, query)["data"] is None
