"""Lists, filters, pages and single resources of the REST API."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests

from simulator import Config, Running, running
from simulator.tableau.query import page, select
from simulator.tableau.wire import ApiError
from simulator.tableau.xml import NotXml, from_xml, to_xml

NAMESPACE = "{http://tableau.com/api}"


def _names(rest: Any, query: str, many: str = "workbooks", one: str = "workbook") -> list[str]:
    return [item["name"] for item in rest.get(f"{many}?{query}")[many].get(one, [])]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("filter=name:eq:Sales", ["Sales"]),
        ("filter=name:eq:S*", ["Sales", "Stock & Reorder", "Store Map", "Scratchpad"]),
        ("filter=name:cieq:sales", ["Sales"]),
        ("filter=name:in:[Sales,Churn,Cash Flow]", ["Sales", "Cash Flow"]),
        ("filter=tags:eq:gold", ["Sales", "Campaign Results"]),
        ("filter=tags:in:[gold,board]&sort=name:desc", ["Sales", "Cash Flow", "Campaign Results"]),
        ("filter=projectName:eq:Reports", ["Cash Flow"]),
        ("filter=hasExtracts:eq:false", ["Scratchpad"]),
        ("filter=name:eq:Sales,projectName:eq:Marketing", []),
        ("filter=createdAt:gt:2999-01-01T00:00:00Z", []),
        ("sort=name:asc&pageSize=2&pageNumber=2", ["Delivery Times", "Headcount Plan"]),
    ],
)
def test_list_is_filtered_sorted_and_paged(rest: Any, query: str, names: list[str]) -> None:
    """A comma combines filters, brackets contain a list, and a page has the requested size."""
    if "pageSize" in query:
        assert _names(rest, "sort=name:asc")[2:4] == _names(rest, query)
    else:
        assert _names(rest, query) == names


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("pageSize=1001", "400007"),
        ("pageSize=0", "400007"),
        ("pageSize=ten", "400007"),
        ("pageNumber=0", "400006"),
        ("pageNumber=99", "400006"),
        ("filter=colour:eq:red", "400000"),
        ("filter=name:like:x", "400000"),
        ("filter=name", "400000"),
        ("sort=colour:asc", "400000"),
        ("sort=name:up", "400000"),
    ],
)
def test_invalid_list_query_is_refused(rest: Any, query: str, code: str) -> None:
    """Each error has its own code."""
    assert rest.call("GET", f"workbooks?{query}").json()["error"]["code"] == code


def test_pagination_is_text(rest: Any) -> None:
    """In JSON the numbers of the pagination are strings."""
    assert rest.get("workbooks?pageSize=5")["pagination"] == {
        "pageNumber": "1",
        "pageSize": "5",
        "totalAvailable": "12",
    }


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("workbooks/x", "404006"),
        ("datasources/x", "404004"),
        ("views/x", "404011"),
        ("users/x", "404002"),
        ("jobs/x", "404031"),
        ("flows/x", "404032"),
        ("nothing", "404003"),
    ],
)
def test_missing_resource_has_its_code(rest: Any, path: str, code: str) -> None:
    """The status is 404, and the code names the kind of resource."""
    response = rest.call("GET", path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, code)


def test_wrong_method_is_405000(rest: Any) -> None:
    """A wrong method has Tableau's code."""
    assert rest.call("DELETE", "workbooks").json()["error"]["code"] == "405000"


@pytest.mark.parametrize(
    "body", [b"{", b"<tsRequest>", b"[1]", b'<!DOCTYPE x [<!ENTITY a "b">]><tsRequest/>', b"\xff\xfe"]
)
def test_unreadable_body_is_400000(rest: Any, body: bytes) -> None:
    """A body that is neither JSON nor accepted XML has Tableau's code."""
    luid = rest.get("workbooks")["workbooks"]["workbook"][0]["id"]
    assert rest.call("PUT", f"workbooks/{luid}", data=body).json()["error"]["code"] == "400000"


@pytest.mark.parametrize(
    "body", [{"workbook": 1}, {"workbook": {"owner": [1], "name": {}}}, {"workbook": {"project": {"id": "x"}}}]
)
def test_unexpected_values_never_cause_a_500(rest: Any, body: Any) -> None:
    """Values of the wrong type are ignored or refused, and never cause a 500."""
    luid = rest.get("workbooks")["workbooks"]["workbook"][0]["id"]
    assert rest.call("PUT", f"workbooks/{luid}", json=body).status_code in {200, 400, 404}


def test_users_are_listed_without_their_address(rest: Any) -> None:
    """A list has full name and e-mail address only if all fields are requested."""
    assert "email" not in rest.get("users")["users"]["user"][0]
    assert rest.get("users?fields=_all_")["users"]["user"][0]["email"] == "ann@acme.example"
    assert set(rest.get("users?fields=name,email")["users"]["user"][0]) == {"name", "email"}


def test_default_site_has_no_name_in_addresses() -> None:
    """The webpageUrl of content of the default site has no site name."""
    with running(Config(content_url="")) as simulator, requests.Session() as http:
        http.headers["Accept"] = "application/json"
        config = simulator.world.config
        pat = {"personalAccessTokenName": config.pat_name, "personalAccessTokenSecret": config.pat_secret}
        body = {"credentials": pat | {"site": {"contentUrl": ""}}}
        session = http.post(f"{simulator.url}/api/3.27/auth/signin", json=body, timeout=30).json()["credentials"]
        http.headers["X-Tableau-Auth"] = session["token"]
        books = http.get(f"{simulator.url}/api/3.27/sites/{session['site']['id']}/workbooks", timeout=30).json()
    assert "/#/workbooks/" in books["workbooks"]["workbook"][0]["webpageUrl"]


def test_xml_and_json_have_the_same_values(simulator: Running, rest: Any) -> None:
    """Both formats have the same values."""
    item = rest.get("workbooks?filter=name:eq:Sales")["workbooks"]["workbook"][0]
    response = rest.call("GET", f"workbooks/{item['id']}", headers={"Accept": "*/*"})
    assert response.headers["Content-Type"] == "application/xml;charset=utf-8"
    book = ET.fromstring(response.content).find(f"{NAMESPACE}workbook")
    assert book is not None
    assert {name: book.get(name) for name in ("name", "size", "hasExtracts")} == {
        "name": "Sales",
        "size": "2",
        "hasExtracts": "true",
    }
    assert book.find(f"{NAMESPACE}project").get("name") == item["project"]["name"]  # type: ignore[union-attr]
    assert [view.get("name") for view in book.iter(f"{NAMESPACE}view")] == ["Overview", "By Region", "Trend"]


def test_xml_can_contain_any_name() -> None:
    """Quotation marks, ampersands and control characters do not break the XML."""
    written = to_xml(
        {"workbook": {"id": "1", "name": 'a"&<b>\x00\x0b', "flag": True, "none": None, "tags": {"tag": []}}}
    )
    book = ET.fromstring(written).find(f"{NAMESPACE}workbook")
    assert book is not None
    assert (book.get("name"), book.get("flag"), book.get("none")) == ('a"&<b>', "true", None)


def test_xml_request_is_read_like_json() -> None:
    """Attributes, nested and repeated elements are read as from JSON."""
    read = from_xml(b'<tsRequest><tags><tag label="a"/><tag label="b"/></tags><site contentUrl=""/></tsRequest>')
    assert read == {"tags": {"tag": [{"label": "a"}, {"label": "b"}]}, "site": {"contentUrl": ""}}
    with pytest.raises(NotXml):
        from_xml(b"<a>")


def test_numbers_are_compared_by_value() -> None:
    """Filters and sorting compare numbers by value, and a page beyond the last one is refused."""
    items = [{"size": "9", "name": "b"}, {"size": "10", "name": "a"}]
    assert [item["name"] for item in select(items, {"filter": "size:gt:9"}, ["size"])] == ["a"]
    assert [item["name"] for item in select(items, {"sort": "size:desc"}, ["size"])] == ["a", "b"]
    assert page(items, {"pageSize": "1", "pageNumber": "2"})[1] == [items[1]]
    with pytest.raises(ApiError):
        page(items, {"pageSize": "1", "pageNumber": "3"})


def test_content_of_a_removed_user_gets_a_new_owner(rest: Any) -> None:
    """The user in mapAssetsTo becomes the owner of a removed user's content."""
    users = {user["fullName"]: user["id"] for user in rest.get("users?fields=_all_")["users"]["user"]}
    assert rest.call("DELETE", f"users/{users['Ben Duarte']}?mapAssetsTo={users['Dev Raman']}").status_code == 204
    assert rest.get("workbooks?filter=name:eq:Sales")["workbooks"]["workbook"][0]["owner"]["id"] == users["Dev Raman"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("image?resolution=low", 400),
        ("image?vizWidth=100", 400),
        ("image?maxAge=-1", 400),
        ("image?vizWidth=320&vizHeight=200&maxAge=1", 200),
        ("data?vf_Region=East", 200),
    ],
)
def test_export_options_are_validated(rest: Any, path: str, status: int) -> None:
    """Invalid options are refused."""
    luid = rest.get("views")["views"]["view"][0]["id"]
    assert rest.call("GET", f"views/{luid}/{path}").status_code == status


def test_export_can_be_filtered(rest: Any) -> None:
    """Parameters that start with vf_ filter the data."""
    luid = rest.get("views")["views"]["view"][0]["id"]
    rows = rest.call("GET", f"views/{luid}/data?vf_Region=East").text.splitlines()
    assert {row.split(",")[0] for row in rows} == {"Region", "East"}


def test_too_many_concurrent_exports_are_429(simulator: Running, rest: Any) -> None:
    """More concurrent exports than the site's limit are refused, other calls are not."""
    luid = rest.get("views")["views"]["view"][0]["id"]
    taken = 0
    while simulator.world.exports.acquire(blocking=False):
        taken += 1
    assert taken == simulator.world.config.export_limit
    assert rest.call("GET", f"views/{luid}/image").json()["error"]["code"] == "429000"
    assert rest.call("GET", f"views/{luid}").ok


def test_refreshes_per_hour_are_limited(simulator: Running, rest: Any) -> None:
    """Beyond the limit, 429000 names the limited call and the minutes to wait."""
    simulator.world.set({"refreshes_per_hour": 2, "refresh_seconds": 60})
    luids = [book["id"] for book in rest.get("workbooks?filter=hasExtracts:eq:true")["workbooks"]["workbook"]]
    responses = [rest.call("POST", f"workbooks/{luid}/refresh", json={}) for luid in luids[:3]]
    assert [response.status_code for response in responses] == [202, 202, 429]
    assert "api.rest.refresh_extracts" in responses[2].json()["error"]["detail"]
    assert "60 minutes" in responses[2].json()["error"]["detail"]


def test_content_without_extract_is_not_refreshed(rest: Any) -> None:
    """The error says that the content has no extract."""
    luid = rest.get("workbooks?filter=hasExtracts:eq:false")["workbooks"]["workbook"][0]["id"]
    assert "no extract" in rest.call("POST", f"workbooks/{luid}/refresh", json={}).json()["error"]["detail"]


def test_labels_are_added_read_and_deleted(rest: Any) -> None:
    """Labels are added, read and deleted by asset and one by one."""
    luid = rest.get("workbooks")["workbooks"]["workbook"][0]["id"]
    assets = {"contentList": {"content": [{"contentType": "workbook", "id": luid}]}}
    put = rest.call("PUT", "labels", json=assets | {"label": {"value": "stale", "message": "old", "elevated": True}})
    [label] = put.json()["labelList"]["label"]
    assert (label["value"], label["elevated"], label["contentId"]) == ("stale", True, luid)
    rest.call("PUT", f"labels/{label['id']}", json={"label": {"message": "older"}})
    assert rest.call("POST", "labels", json=assets).json()["labelList"]["label"][0]["message"] == "older"
    assert rest.call("DELETE", "labels", json=assets).status_code == 204
    assert rest.call("POST", "labels", json=assets).json()["labelList"] == {}


def test_schedule_of_a_new_task_is_validated(rest: Any) -> None:
    """A schedule needs a frequency and a start time in steps of five minutes."""
    luid = rest.get("workbooks")["workbooks"]["workbook"][0]["id"]
    refresh = {"extractRefresh": {"type": "FullRefresh", "workbook": {"id": luid}}}
    bad = {"schedule": {"frequency": "Daily", "frequencyDetails": {"start": "09:31:00"}}}
    good = {"schedule": {"frequency": "Daily", "frequencyDetails": {"start": "09:30:00"}}}
    assert rest.call("POST", "tasks/extractRefreshes", json=refresh | bad).json()["error"]["code"] == "409004"
    made = rest.call("POST", "tasks/extractRefreshes", json=refresh | good)
    assert (made.status_code, made.json()["extractRefresh"]["workbook"]["id"]) == (201, luid)


def test_flow_tasks_are_wrapped_as_in_the_schema(rest: Any) -> None:
    """The address says runFlow and the element flowRun."""
    tasks = rest.get("tasks/runFlow")["tasks"]["task"]
    assert [list(task) for task in tasks] == [["flowRun"], ["flowRun"]]
    assert rest.get(f"tasks/runFlow/{tasks[0]['flowRun']['id']}")["task"] == tasks[0]


def test_several_users_are_added_to_a_group(rest: Any) -> None:
    """The element `users` adds all of them, or none if one is unknown."""
    group = next(one["id"] for one in rest.get("groups")["groups"]["group"] if one["name"] == "BI Stewards")
    users = {user["fullName"]: user["id"] for user in rest.get("users?fields=_all_")["users"]["user"]}
    wanted = [{"id": users["Ben Duarte"]}, {"id": users["Finn O'Brien"]}]
    unknown = {"users": {"user": [*wanted, {"id": "x"}]}}
    assert rest.call("POST", f"groups/{group}/users", json=unknown).json()["error"]["code"] == "404002"
    added = rest.call("POST", f"groups/{group}/users", json={"users": {"user": wanted}}).json()
    assert [user["id"] for user in added["users"]["user"]] == [one["id"] for one in wanted]
    assert len(rest.get(f"groups/{group}/users")["users"]["user"]) == 4


def test_projects_have_the_names_of_cloud(rest: Any) -> None:
    """The default project is called Default, and the contents are counted under Tableau's names."""
    default = rest.get("projects?filter=name:eq:Default")["projects"]["project"][0]
    assert default["contentsCounts"] == {
        "projectCount": "0",
        "workbookCount": "2",
        "viewCount": "2",
        "datasourceCount": "1",
    }


def test_revisions_have_pages(rest: Any, control: Any) -> None:
    """A list of revisions has a pagination block."""
    luid = control("POST", "events", {"event_type": "WorkbookUpdated", "name": "Sales"})["event"]["resource_luid"]
    found = rest.get(f"workbooks/{luid}/revisions?pageSize=1&pageNumber=2")
    assert found["pagination"] == {"pageNumber": "2", "pageSize": "1", "totalAvailable": "2"}
    assert [revision["revisionNumber"] for revision in found["revisions"]["revision"]] == ["2"]
