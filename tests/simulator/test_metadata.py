"""The Metadata API: what hangs on what, and how it says that it cannot tell."""

from typing import Any

import pytest

from simulator.tableau.graphql import Malformed, parse


def _ask(rest: Any, query: str, variables: Any = None) -> Any:
    address = f"{rest.simulator.url}/api/metadata/graphql"
    answer = rest.http.post(address, json={"query": query, "variables": variables or {}}, timeout=5)
    assert answer.status_code == 200
    return answer.json()


def test_workbook_knows_what_feeds_it(rest: Any) -> None:
    """Data sources and tables upstream of a workbook, by its LUID in a variable."""
    luid = rest.get("workbooks?filter=name:eq:Cash Flow")["workbooks"]["workbook"][0]["id"]
    query = """query($id:String!){ workbooks(filter:{luid:$id}){ name
        upstreamDatasources{ luid name } upstreamTables{ fullName } } }"""
    [book] = _ask(rest, query, {"id": luid})["data"]["workbooks"]
    assert [source["name"] for source in book["upstreamDatasources"]] == ["General Ledger", "Receivables"]
    assert book["upstreamTables"][0] == {"fullName": "[FIN].[GL_ENTRIES]"}


def test_table_knows_what_hangs_on_it(rest: Any) -> None:
    """Two steps down, with an alias."""
    query = '{ databaseTables(filter: {nameWithin: ["orders"]}) { name it: downstreamWorkbooks { name } } }'
    [table] = _ask(rest, query)["data"]["databaseTables"]
    assert "Sales" in [book["name"] for book in table["it"]]


def test_inner_connections_have_a_count(rest: Any) -> None:
    """…Connection works inside, too."""
    query = """{ publishedDatasources(filter: {name: "Orders"}) {
      downstreamWorkbooksConnection(first: 1) { totalCount nodes { name } pageInfo { hasNextPage } } } }"""
    [source] = _ask(rest, query)["data"]["publishedDatasources"]
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
def test_unclear_query_is_answered_with_errors(rest: Any, query: str) -> None:
    """Status 200, errors with a code, no data."""
    answer = _ask(rest, query)
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"]


def test_lineage_needs_a_session(rest: Any) -> None:
    """Without a token 401000."""
    address = f"{rest.simulator.url}/api/metadata/graphql"
    answer = rest.http.post(
        address, json={"query": "{ workbooks { name } }"}, headers={"X-Tableau-Auth": ""}, timeout=5
    )
    assert answer.json()["error"]["code"] == "401000"


def test_query_language_is_read() -> None:
    """Names, defaults, lists, escapes, comments."""
    query = 'query q($a: [String!] = ["x"]) { # note\n one: t(l: $a, n: -1.5, s: "a\\"b", o: {k: true}) { f } }'
    [field] = parse(query, {})
    assert (field.alias, field.name) == ("one", "t")
    assert field.arguments == {"l": ["x"], "n": -1.5, "s": 'a"b', "o": {"k": True}}
    assert parse(query, {"a": ["y"]})[0].arguments["l"] == ["y"]
    with pytest.raises(Malformed):
        parse("{ a(b: ) }", {})
