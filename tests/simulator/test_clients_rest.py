"""The requests of other clients, as their source or documentation has them: right, or refused as lacking.

tabcmd 2.0.21 and tableau-api-lib 0.1.50 cannot be dependencies of the tests: one pins another version of
tableauserverclient, the other needs pandas. tableau-mcp 4.6 is a program for Node.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from simulator import Running, running
from tests.simulator.test_clients_tsc import REFUSED, RIGHT

# Method, address below the site with names of content in braces, body, status, a part of the response.
Row = tuple[str, str, str, int, str]
LACKING = "The simulator does not support"


def _publish(kind: str, description: str) -> str:
    """Return the body that publishes a file."""
    parts = {"request_payload": f"<tsRequest><{kind} {description}/></tsRequest>", f"tableau_{kind}": "<file/>"}
    text = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n{part}\r\n'
        for name, part in parts.items()
    )
    return f"{text}--b--\r\n"


# XML, through tableauserverclient 0.41; each command starts with the sign-in and the user.
TABCMD: list[Row] = [
    ("GET", "users/{Ann Okafor}", "", 200, 'name="ann@acme.example"'),
    ("GET", "workbooks?pageNumber=1&pageSize=100", "", 200, 'totalAvailable="12"'),
    ("GET", "datasources?pageNumber=1&pageSize=100", "", 200, 'totalAvailable="7"'),
    ("GET", "projects?pageNumber=1&pageSize=100", "", 200, 'totalAvailable="5"'),
    ("GET", "flows?pageNumber=1&pageSize=100", "", 200, 'totalAvailable="2"'),
    ("GET", "workbooks/{Sales}/views", "", 200, 'name="By Region"'),
    ("GET", "workbooks?filter=contentUrl%3Aeq%3ASales", "", 200, 'totalAvailable="1"'),
    ("GET", "workbooks?filter=name%3Aeq%3ASales%2CprojectName%3Aeq%3AFinance", "", 200, 'totalAvailable="1"'),
    ("GET", "datasources?filter=name%3Aeq%3AOrders%2CprojectName%3Aeq%3AFinance", "", 200, 'totalAvailable="0"'),
    ("GET", "views?filter=contentUrl%3Aeq%3ASales%2Fsheets%2FOverview", "", 200, 'totalAvailable="1"'),
    # A file that is published without a project belongs to this one.
    ("GET", "projects?filter=name%3Aeq%3ADefault", "", 200, 'totalAvailable="1"'),
    ("GET", "projects?filter=name%3Aeq%3AReports%2CparentProjectId%3Aeq%3A{Finance}", "", 200, 'totalAvailable="1"'),
    ("GET", "groups?filter=name%3Aeq%3ABI+Stewards", "", 200, 'name="BI Stewards"'),
    ("GET", "users?filter=name%3Aeq%3Aben%40acme.example&fields=_all_", "", 200, 'fullName="Ben Duarte"'),
    ("GET", "workbooks/{Sales}/content", "", 200, "PK"),
    ("GET", "datasources/{Orders}/content", "", 200, "PK"),
    (
        "GET",
        "views/{Overview}/image?maxAge=1&vf_Region=East&vizHeight=600&vizWidth=800&resolution=high",
        "",
        200,
        "PNG",
    ),
    # ?:refresh=yes
    ("GET", "views/{Overview}/image?maxAge=0", "", 200, "PNG"),
    ("GET", "views/{Overview}/pdf?maxAge=1&vizHeight=600&vizWidth=800&type=letter", "", 200, "%PDF"),
    ("GET", "views/{Overview}/data?maxAge=1", "", 200, ","),
    ("GET", "workbooks/{Sales}/pdf?maxAge=1&vizHeight=600&vizWidth=800&type=letter", "", 200, "%PDF"),
    ("POST", "projects?publishSamples=False", '<tsRequest><project name="Tab"/></tsRequest>', 201, 'name="Tab"'),
    ("POST", "projects", '<tsRequest><project name="S" parentProjectId="{Finance}"/></tsRequest>', 201, "{Finance}"),
    ("DELETE", "projects/{Marketing}", "", 204, ""),
    # publishsamples
    ("PUT", "projects/{Finance}?publishSamples=True", '<tsRequest><project name="F"/></tsRequest>', 404, LACKING),
    ("POST", "groups", '<tsRequest><group name="Tab"/></tsRequest>', 201, 'name="Tab"'),
    ("DELETE", "groups/{BI Stewards}", "", 204, ""),
    (
        "POST",
        "workbooks?workbookType=twb",
        _publish("workbook", 'name="Churn" showTabs="true"'),
        201,
        'showTabs="true"',
    ),
    ("POST", "workbooks?workbookType=twb&overwrite=true", _publish("workbook", 'name="Scratchpad"'), 201, "Scratchpad"),
    ("POST", "workbooks?workbookType=twb", _publish("workbook", 'name="Scratchpad"'), 403, "403130"),
    ("POST", "datasources?datasourceType=tds&createnew=true", _publish("datasource", 'name="Churn"'), 201, "Churn"),
    ("POST", "datasources?datasourceType=tds", _publish("datasource", 'name="Headcount"'), 403, "403007"),
    ("POST", "datasources?datasourceType=tds&append=true", _publish("datasource", 'name="Churn"'), 404, LACKING),
    ("DELETE", "workbooks/{Sales}", "", 204, ""),
    ("DELETE", "datasources/{Orders}", "", 204, ""),
    ("POST", "workbooks/{Sales}/refresh", "<tsRequest><extractRefresh/></tsRequest>", 202, "RefreshExtract"),
    ("POST", "workbooks/{Sales}/refresh", '<tsRequest><extractRefresh incremental="true"/></tsRequest>', 202, "<job"),
    ("POST", "datasources/{Orders}/refresh", "<tsRequest/>", 202, "RefreshExtract"),
    ("POST", "groups/{BI Stewards}/users", '<tsRequest><user id="{Ben Duarte}"/></tsRequest>', 200, "ben@acme.example"),
    ("DELETE", "groups/{BI Stewards}/users/{Ewa Kowalska}", "", 204, ""),
    ("POST", "users", '<tsRequest><user name="gil@acme.example" siteRole="Viewer"/></tsRequest>', 201, "gil@acme"),
    ("DELETE", "users/{Finn O'Brien}", "", 204, ""),
    ("POST", "workbooks/{Sales}/createExtract?encrypt=False", "<tsRequest/>", 404, LACKING),
    ("POST", "workbooks/{Sales}/deleteExtract", "<tsRequest/>", 404, LACKING),
    ("POST", "datasources/{Orders}/createExtract?encrypt=False", "<tsRequest/>", 404, LACKING),
    ("POST", "encrypt-extracts", "", 404, LACKING),
]

# JSON.
API_LIB: list[Row] = [
    ("GET", "", "", 200, '"contentUrl": "acme"'),
    ("GET", "dataAlerts/{Forecast above plan}", "", 200, '"frequency": "Daily"'),
    ("POST", "dataAlerts/{Forecast above plan}/users", '{"user": {"id": "{Ben Duarte}"}}', 200, "ben@acme.example"),
    ("DELETE", "dataAlerts/{Forecast above plan}/users/{Ann Okafor}", "", 204, ""),
    ("GET", "flows/{Clean Orders}/content", "", 200, "PK"),
    ("GET", "flows/{Clean Orders}/connections", "", 404, LACKING),
    ("GET", "users/{Ann Okafor}/flows", "", 404, LACKING),
    ("PUT", "projects/{Finance}", '{"project": {"name": "Money"}}', 200, '"name": "Money"'),
    ("PUT", "views/{Overview}/tags", '{"tags": {"tag": [{"label": "a"}]}}', 200, '"label": "a"'),
    ("DELETE", "workbooks/{Sales}/tags/gold", "", 204, ""),
    ("GET", "workbooks/{Sales}/views/{Overview}/previewImage", "", 200, "PNG"),
    ("GET", "views?filter=viewUrlName:eq:Overview", "", 200, '"totalAvailable": "1"'),
    ("GET", "workbooks/{Sales}/revisions", "", 200, '"totalAvailable": "1"'),
    ("DELETE", "workbooks/{Sales}/revisions/1", "", 404, LACKING),
    ("GET", "workbooks/{Sales}/revisions/1/content", "", 404, LACKING),
    ("GET", "workbooks/{Sales}/downGradeInfo?productVersion=2020.1", "", 404, LACKING),
    ("PUT", "workbooks/{Sales}", '{"workbook": {"showTabs": "true"}}', 200, '"showTabs": "true"'),
    ("POST", "workbooks/{Sales}/refresh", "{}", 202, "RefreshExtract"),
    (
        "PUT",
        "datasources/{Receivables}",
        '{"datasource": {"isCertified": "true", "certificationNote": "ok", "project": {}, "owner": {}}}',
        200,
        '"certificationNote": "ok"',
    ),
    ("POST", "groups", '{"group": {"name": "NewG"}}', 201, '"userCount": "0"'),
    ("PUT", "groups/{BI Stewards}", '{"group": {"name": "G2"}}', 200, '"name": "G2"'),
    ("POST", "groups", '{"group": {"name": "BI Stewards"}}', 409, "409009"),
    ("PUT", "users/{Finn O'Brien}", '{"user": {"siteRole": "Creator"}}', 200, '"siteRole": "Creator"'),
    ("GET", "users/{Ewa Kowalska}/groups", "", 200, '"totalAvailable": "2"'),
    ("GET", "projects/{Finance}/permissions", "", 200, '"granteeCapabilities"'),
    ("GET", "projects/{Finance}/default-permissions/workbooks", "", 404, LACKING),
    ("GET", "tasks/runFlow", "", 200, '{"tasks": {"task": [{"flowRun": {"id": '),
    ("GET", "tasks/extractRefreshes", "", 200, '{"tasks": {"task": [{"extractRefresh": {"id": '),
    ("GET", "schedules/x/extracts", "", 404, LACKING),
    ("POST", "flows/{Clean Orders}/run", "{}", 200, '"type": "RunFlow"'),
    ("GET", "flows/runs", "", 200, '"totalAvailable": "0"'),
    (
        "POST",
        "subscriptions",
        (
            '{"subscription": {"subject": "s", "content": {"type": "view", "id": "{Overview}"},'
            ' "schedule": {"id": "x"}, "user": {"id": "{Ben Duarte}"}, "attachImage": false}}'
        ),
        201,
        '"subject": "s"',
    ),
    ("GET", "favorites/{Ann Okafor}", "", 404, LACKING),
    ("POST", "fileUploads", "", 404, LACKING),
    ("GET", "databases", "", 404, LACKING),
    ("GET", "tables/x/columns", "", 404, LACKING),
    ("GET", "dataQualityWarnings/contentType/datasource/contentLuid/{Orders}", "", 404, LACKING),
    (
        "POST",
        "webhooks",
        (
            '{"webhook": {"name": "w", "webhook-source": {"webhook-source-event-workbook-refresh-failed": {}},'
            ' "webhook-destination": {"webhook-destination-http": {"method": "POST", "url": "https://e.org/h"}}}}'
        ),
        201,
        '"event": "WorkbookRefreshFailed"',
    ),
    ("GET", "content/recent", "", 404, LACKING),
    ("GET", "recommendations?type=view", "", 404, LACKING),
]

MCP: list[Row] = [
    ("GET", "workbooks?filter=name:eq:Sales&pageSize=1000&pageNumber=1", "", 200, '"totalAvailable": "1"'),
    ("GET", "workbooks/{Sales}", "", 200, '"defaultViewId"'),
    ("PUT", "workbooks/{Sales}", '{"workbook": {"project": {"id": "{Marketing}"}}}', 200, '"name": "Marketing"'),
    ("PUT", "workbooks/{Sales}/tags", '{"tags": {"tag": [{"label": "stale"}]}}', 200, '"label": "stale"'),
    ("GET", "workbooks/{Sales}/connections", "", 200, '"datasource": {"id": "{Orders}", "name": "Orders"}'),
    ("GET", "workbooks/{Sales}/permissions", "", 200, '"granteeCapabilities"'),
    ("GET", "workbooks/{Sales}/views?includeUsageStatistics=true", "", 200, '"totalViewCount"'),
    ("GET", "views?includeUsageStatistics=true&filter=name:eq:Overview", "", 200, '"totalViewCount"'),
    ("GET", "views/{Overview}", "", 200, '"workbook": {"id": "{Sales}"}'),
    ("GET", "views/{Overview}/data", "", 200, ","),
    ("GET", "views/{Overview}/image?vizWidth=800&vizHeight=800&resolution=high&format=PNG", "", 200, "PNG"),
    ("GET", "views/{Overview}/image?format=SVG", "", 404, LACKING),
    ("GET", "customviews/x", "", 404, LACKING),
    ("GET", "customviews/x/data", "", 404, LACKING),
    ("GET", "datasources?filter=name:eq:Orders&pageSize=100", "", 200, '"totalAvailable": "1"'),
    ("GET", "projects?filter=name:in:[Finance,Marketing]", "", 200, '"totalAvailable": "2"'),
    ("GET", "projects?filter=name:eq:Finance", "", 200, '"datasourceCount": "2"'),
    ("GET", "users?fields=id,name,fullName,siteRole,email,lastLogin&pageSize=1", "", 200, '"fullName": "Ann Okafor"'),
    (
        "GET",
        "users?fields=id,name&pageSize=1",
        "",
        200,
        '{"user": [{"id": "{Ann Okafor}", "name": "ann@acme.example"}]}',
    ),
    ("GET", "users/{Ben Duarte}", "", 200, '"siteRole": "Creator"'),
    ("PUT", "users/{Ben Duarte}", '{"user": {"siteRole": "Viewer"}}', 200, '"siteRole": "Viewer"'),
    ("GET", "groups?sort=name:asc", "", 200, '"totalAvailable": "3"'),
    ("GET", "jobs?filter=jobType:eq:refresh_extracts,title:eq:Sales", "", 200, '"totalAvailable": "1"'),
    ("GET", "tasks/extractRefreshes", "", 200, '"consecutiveFailedCount": "0"'),
    ("GET", "tasks/runFlow", "", 200, '"flow": {"id": "{Clean Orders}", "name": "Clean Orders"}'),
    ("GET", "flows?filter=name:eq:Clean Orders&sort=createdAt:desc", "", 200, '"totalAvailable": "1"'),
    ("GET", "flows/{Clean Orders}", "", 200, '"fileType": "tflx"'),
    ("GET", "flows/{Clean Orders}/connections", "", 404, LACKING),
    ("GET", "flows/runs?filter=flowId:eq:{Clean Orders}&sort=startedAt:desc", "", 200, '"totalAvailable": "0"'),
    (
        "POST",
        "flows/{Clean Orders}/run",
        '{"flowRunSpec": {"flowId": "{Clean Orders}", "runMode": "full"}}',
        200,
        '"flowRunId"',
    ),
    ("GET", "/api/-/search?terms=sales&limit=10", "", 404, LACKING),
    ("POST", "/api/v1/vizql-data-service/read-metadata", "{}", 404, LACKING),
    ("GET", "/api/-/pulse/definitions", "", 404, LACKING),
]
# Name, query, a part of the response.
GRAPHQL = [
    (
        "lineage of workbooks",
        """query w { workbooksConnection(filter: { luidWithin: ["{Sales}"] }) { nodes { luid
          upstreamDatasources { luid name } embeddedDatasources { upstreamDatasources { luid name } } } } }""",
        '"upstreamDatasources": [{"luid": "{Orders}", "name": "Orders"}',
    ),
    (
        "lineage of views",
        """query v { sheetsConnection(filter: { luidWithin: ["{Overview}"] }) { nodes { luid
          upstreamDatasources { name ... on PublishedDatasource { luid } }
          workbook { luid name projectLuid projectName owner { luid name username } } } }
        dashboardsConnection(filter: { luidWithin: ["{Overview}"] }) { nodes { luid workbook { luid } } } }""",
        '"dashboardsConnection": {"nodes": []}',
    ),
    (
        "what depends on a data source",
        """query d { publishedDatasourcesConnection(filter: { luidWithin: ["{Orders}"] }) { nodes { luid
          downstreamWorkbooks { luid name } downstreamFlows { luid name } } } }""",
        '"downstreamFlows": []',
    ),
    (
        "a fragment",
        "query f { publishedDatasources { ...source } } fragment source on PublishedDatasource { name }",
        '{"name": "Headcount"}',
    ),
    ("what the simulator lacks", "{ virtualConnections { name } }", LACKING),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """Run one simulator for all rows; each row begins with its initial state."""
    with running() as started:
        yield started


class Api:
    """A session of the reset simulator that replaces names in braces by LUIDs."""

    def __init__(self, simulator: Running) -> None:
        simulator.world.reset()
        self.url = simulator.url
        home, config = simulator.world.home, simulator.world.config
        things: dict[str, str] = {}
        for name in ("users", "views", "workbooks", "datasources", "flows", "projects", "groups", "data_alerts"):
            for luid, thing in getattr(home, name).items():
                named = getattr(thing, "full_name", "") or getattr(thing, "name", "") or thing.subject
                things.setdefault(named, luid)
        self.luids = things
        pat = {"personalAccessTokenName": config.pat_name, "personalAccessTokenSecret": config.pat_secret}
        body = {"credentials": pat | {"site": {"contentUrl": config.content_url}, "user": {"id": None}}}
        signed = requests.post(
            f"{self.url}/api/3.27/auth/signin", json=body, headers={"Accept": "application/json"}, timeout=10
        )
        self.token, self.site = signed.json()["credentials"]["token"], home.luid

    def fill(self, text: str) -> str:
        for name, luid in self.luids.items():
            text = text.replace(f"{{{name}}}", luid)
        return text

    def call(self, method: str, path: str, body: str, accept: str) -> requests.Response:
        path = self.fill(path)
        base = "" if path.startswith("/") else f"/api/3.27/sites/{self.site}{'/' if path else ''}"
        content_type = "multipart/mixed; boundary=b" if body.startswith("--") else accept
        headers = {"Accept": accept, "Content-Type": content_type, "X-Tableau-Auth": self.token}
        address = self.url + base + quote(path, safe="/?&=:%,[]+'")
        return requests.request(method, address, data=self.fill(body).encode(), headers=headers, timeout=20)


@pytest.fixture
def api(shared: Running) -> Api:
    """Return a session."""
    return Api(shared)


def _check(api: Api, row: Row, accept: str) -> None:
    method, path, body, status, part = row
    response = api.call(method, path, body, accept)
    text = response.content.decode("utf-8", errors="replace")
    assert (response.status_code, api.fill(part) in text) == (status, True), text[:500]


def _name(row: Row) -> str:
    return f"{row[0]} {row[1]}"


@pytest.mark.parametrize("row", TABCMD, ids=_name)
def test_tabcmd(api: Api, row: Row) -> None:
    """The requests of tabcmd, in XML."""
    _check(api, row, "application/xml")


@pytest.mark.parametrize("row", API_LIB, ids=_name)
def test_tableau_api_lib(api: Api, row: Row) -> None:
    """The requests of tableau-api-lib, in JSON; its sign-in names no user to impersonate."""
    _check(api, row, "application/json")


@pytest.mark.parametrize("row", MCP, ids=_name)
def test_tableau_mcp(api: Api, row: Row) -> None:
    """The requests of tableau-mcp, in JSON."""
    _check(api, row, "application/json")


@pytest.mark.parametrize(("query", "part"), [row[1:] for row in GRAPHQL], ids=[row[0] for row in GRAPHQL])
def test_tableau_mcp_lineage(api: Api, query: str, part: str) -> None:
    """The queries of tableau-mcp to the Metadata API."""
    response = api.call("POST", "/api/metadata/graphql", json.dumps({"query": api.fill(query)}), "application/json")
    assert response.status_code == 200
    assert api.fill(part) in response.text


def test_documented_counts() -> None:
    """The page about the simulator states how many calls of each client are right and how many are refused."""
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    tables: dict[str, list[str]] = {
        "tabcmd": [row[4] for row in TABCMD],
        "tableau-api-lib": [row[4] for row in API_LIB],
        "tableau-mcp": [row[4] for row in MCP] + [row[2] for row in GRAPHQL],
        "tableauserverclient": [*RIGHT, *[LACKING] * len(REFUSED)],
    }
    for client, parts in tables.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| {client} "))
        refused = parts.count(LACKING)
        assert line.endswith(f"| {len(parts) - refused} | {refused} |"), line
