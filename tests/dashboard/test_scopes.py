"""Visitors who are limited to sites and projects see and change nothing else: on pages, by the API, as agents."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.dashboard.conftest import PASSWORD, SITE, fail, services_of
from webhooks.api.blueprint import PREFIX
from webhooks.api.blueprint import ROUTES as OPERATIONS
from webhooks.api.parameters import Matcher
from webhooks.clock import utc_now
from webhooks.config.settings import ROOT
from webhooks.dashboard.routes import ROUTES
from webhooks.inbox import Inbox, IncidentRecord
from webhooks.inbox.resources.resources import Resource
from webhooks.incidents import Act, ResourceDetails
from webhooks.job import NewJob
from webhooks.patterns import is_within
from webhooks.views.limits import Limits

# A mark that is in all names of the other project, and in nothing else.
MARK = "zeta"
RULES = f"""
[[rule]]
name = "{MARK}-alerts"
on = "WorkbookRefreshFailed"
where = {{ resource_name = "{MARK}*" }}
notify = "slack:#{MARK}"

[[rule]]
name = "finance-alerts"
on = "WorkbookRefreshFailed"
where = {{ project = ["Finance*", "{MARK}HR*"] }}
notify = "slack:#finance"
"""
SOON = (utc_now() + timedelta(hours=5)).isoformat()
LISTS = ("incidents", "events", "runs", "silences", "audit", "resources", "dead-letters")
WRITES: dict[str, Any] = {"snooze": {"until": SOON}, "note": {"note": "seen"}}


@pytest.fixture
def browser(make_app: Callable[..., Flask], tmp_path: Path) -> FlaskClient:
    """Return a browser for a server with content of two projects."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    client = make_app(admin_password=PASSWORD, rules_file=rules).test_client()
    services_of(client).active_rules.refresh()
    return client


def bearer(client: FlaskClient, role: str = "operator", **limits: Any) -> dict[str, str]:
    """Return the header of a token with a role and limits."""
    scope = Limits.of(**limits).as_text()
    inbox = services_of(client).inbox
    value = inbox.sign_ins.create_token(name="program", role=role, by="Ann", seconds=600, scope=scope)
    return {"Authorization": f"Bearer {value}"}


def content(inbox: Inbox, name: str, project: str, *, seen: bool = True, mark: str = "") -> IncidentRecord:
    """Let the refresh of content of a project fail, with a dead job, an act and a silence."""
    details = {"owner": f"{name} owner (o@example.org)", "reason": f"disk of {name} full"}
    record = fail(inbox, name, project=project, **details)
    if seen:
        luid = record.incident.resource_luid
        inbox.resources.save([Resource(luid, "workbook", SITE, name, f"{name} owner", project)])
    inbox.incidents.act(record.id, Act("", "note", record.incident.id, utc_now(), f"{name} person", None, f"on {name}"))
    rule = f"{mark or 'finance'}-alerts"
    job = NewJob(f"{rule}/{name}", "notify", rule=rule, params={"to": f"slack:#{mark or 'finance'}"})
    (event,) = inbox.events.list(resources=[record.incident.resource_luid])
    inbox.events.replay([event.event.id or 0])
    inbox.events.plan(lambda _: [job])
    # Reports of earlier dead letters stay as they are.
    for claimed in (one for one in inbox.jobs.claim("tests", 50, 60) if one.key == job.key):
        inbox.dead_letters.dead_letter(claimed, f"channel of {name} not found")
    return record


def tool(client: FlaskClient, headers: dict[str, str], named: str, /, **arguments: Any) -> str:
    """Return the answer of a tool."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": named, "arguments": arguments}}
    return client.post("/mcp", json=call, headers=headers).text


def everything(client: FlaskClient, headers: dict[str, str], records: list[IncidentRecord]) -> dict[str, str]:
    """Return the responses to all requests that read, by all three ways."""
    found = {}
    numbers, luids = ["1", "2", "3", "4", "5"], [one.incident.resource_luid for one in records]
    for route in (one for one in ROUTES if one.method == "GET" and one.role != "public"):
        own = luids if "<luid>" in route.path else numbers if "<int:number>" in route.path else [""]
        for value in own:
            path = route.path.replace("<luid>", value).replace("<int:number>", value)
            found[path] = ""
    paths = [*found, "/events/replay?id=1", "/events/replay?name=*", "/incidents?view=closed", "/events?state=dead"]
    paths += [
        "/resources?view=failing",
        f"/resources?name={MARK}",
        "/audit?verify=1",
        "/webhooks?ask=1",
        "/rules?version=1",
    ]
    for _, method, path in OPERATIONS:
        if method == "GET":
            own = luids if "<luid>" in path else numbers if "<number>" in path else [""]
            paths += [PREFIX + path.replace("<number>", value).replace("<luid>", value) for value in own]
    paths += [f"{PREFIX}/{name}.csv" for name in LISTS]
    paths += [f"{PREFIX}/runs?resource_luid={luid}" for luid in luids]
    found = {path: client.get(path, headers=headers).text for path in dict.fromkeys(paths)}
    for name in ("whats_wrong", "freshness", "webhooks_health", "search_events"):
        found[name] = tool(client, headers, name)
    for number in range(1, 6):
        found[f"incident {number}"] = tool(client, headers, "incident", id=number)
        found[f"explain {number}"] = tool(client, headers, "explain", event=number)
    for asked in (*luids, "*"):
        found[f"resource {asked}"] = tool(client, headers, "resource", name=asked)
    return found


@pytest.mark.second_stage
def test_no_response_names_anything_else(browser: FlaskClient) -> None:
    """Every page, operation and tool is asked for everything: no name of the other project is in any response."""
    inbox = services_of(browser).inbox
    records = [
        content(inbox, "Month End Close", "Finance/Reports"),
        # As the monitor knows it, and as only the incident knows it.
        content(inbox, f"{MARK} salaries", f"{MARK}HR/Pay", mark=MARK),
        content(inbox, f"{MARK} bonus", f"{MARK}HR/Pay", seen=False, mark=MARK),
        # A project whose own name is the same, in another one, and content whose project is not known.
        content(inbox, f"{MARK} copy", f"{MARK}HR/Finance", mark=MARK),
        content(inbox, f"{MARK} unknown", "", seen=False, mark=MARK),
    ]
    inbox.silences.add(matchers={"project": [f"{MARK}HR"]}, start=utc_now(), end=None, by="Ann", reason=f"{MARK} move")
    found = everything(browser, bearer(browser, "admin", projects=["finance"]), records)
    leaks = {path for path, text in found.items() if MARK in text.lower()}
    # A search is repeated as it was entered.
    assert leaks == {f"/resources?name={MARK}"}
    naming = {path for path, text in found.items() if "Month End Close" in text}
    own = records[0].incident.resource_luid
    shown = {"/", "/incidents", "/incidents/1", "/resources", f"/resources/{own}", "/events", "/events/1"}
    shown |= {f"{PREFIX}/{name}" for name in ("status", "incidents", "incidents/1", "events", "events/1", "runs")}
    shown |= {f"{PREFIX}/{name}" for name in ("resources", f"resources/{own}", "dead-letters.csv")}
    tools = {"whats_wrong", "freshness", "incident 1", "explain 1", f"resource {own}"}
    assert naming >= {*shown, *tools, "/dead-letters"}
    # The same requests show the others to a visitor without limits, so that the test can fail.
    whole = everything(browser, bearer(browser, "admin"), records)
    leaking = {path for path, text in whole.items() if MARK in text.lower()}
    others = {"/", "/incidents", "/resources", "/events", "/rules", "/audit", "/dead-letters", "/events/replay?name=*"}
    others |= {f"{PREFIX}/{name}" for name in ("status", "incidents", "events", "runs", "silences.csv", "audit.csv")}
    others |= {f"{PREFIX}/{name}" for name in ("resources", "dead-letters")}
    assert leaking >= {*others, "/incidents/2", "/events/2", "whats_wrong", "freshness", "search_events", "explain 2"}


def test_counts_are_of_the_visible_part(browser: FlaskClient) -> None:
    """Headlines, figures and tools count what the visitor may see; figures of the whole server are left out."""
    inbox = services_of(browser).inbox
    content(inbox, "Month End Close", "Finance")
    for number in range(3):
        content(inbox, f"Salaries {number}", "HR")
    finance, everyone = bearer(browser, projects=["Finance"]), bearer(browser)
    page, whole = (browser.get("/", headers=headers).text for headers in (finance, everyone))
    # With the reason why some content may be missing.
    assert "You see project Finance. Content whose project is not known yet is not shown" in page
    assert "You see" not in whole
    assert "1 thing is broken" in page
    assert "4 things are broken" in whole
    assert "waiting jobs" in whole
    assert "waiting jobs" not in page
    assert "0 of 1 refresh" in page
    status = browser.get(f"{PREFIX}/status", headers=finance).json
    assert status is not None
    # Refreshes of the last half hour may be from before midnight, since when the status counts.
    assert (status["open"], status["refreshes"].get("failed", 0) <= 1) == (1, True)
    assert "1 open incident" in tool(browser, finance, "whats_wrong")
    assert "<b>1 job</b>" in browser.get("/dead-letters", headers=finance).text
    assert "/rules" not in page
    listed = browser.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=finance).json
    assert listed is not None
    assert "webhooks_health" not in {one["name"] for one in listed["result"]["tools"]}


def test_what_is_outside_does_not_exist_for_acts(browser: FlaskClient) -> None:
    """Acts on objects outside of the limits are answered with 404 and change nothing, each alone and in bulk."""
    inbox = services_of(browser).inbox
    own, other = content(inbox, "Month End Close", "Finance"), content(inbox, "Salaries", "HR")
    silence = inbox.silences.add(matchers={"project": ["HR"]}, start=utc_now(), end=None, by="Ann", reason="move")
    headers = bearer(browser, projects=["Finance"])
    before = [entry.id for entry in inbox.audit.list()]
    for kind in ("acknowledge", "snooze", "close", "note", "refresh"):
        form = {"for": "1h", "note": "x"}
        assert browser.post(f"/incidents/{other.id}/{kind}", headers=headers, data=form).status_code == 404, kind
        if kind not in {"close", "note"}:
            form = {"act": kind, "for": "1h", "id": [str(own.id), str(other.id)]}
            assert browser.post("/incidents/acts", headers=headers, data=form).status_code == 404, kind
        sent = browser.post(f"{PREFIX}/incidents/{other.id}/{kind}", headers=headers, json=WRITES.get(kind, {}))
        assert sent.status_code == 404, kind
    for name, arguments in (("acknowledge", {}), ("snooze", {"hours": 1}), ("refresh_again", {})):
        assert f"There is no incident {other.id}" in tool(browser, headers, name, id=other.id, **arguments)
    for path in (f"/silences/{silence.id}/end", "/events/replay", "/tokens", "/webhooks/sync", "/logout/all"):
        admin = bearer(browser, "admin", projects=["Finance"])
        data = {"id": "2", "name": "more", "role": "admin", "days": "9"}
        assert browser.post(path, headers=admin, data=data).status_code in {400, 404}, path
    assert browser.post(f"{PREFIX}/events/2/replay", headers=headers, json={}).status_code == 404
    assert browser.post(f"{PREFIX}/silences/{silence.id}/end", headers=headers, json={}).status_code == 404
    assert [entry.id for entry in inbox.audit.list()] == before
    assert {one.incident.state for one in inbox.incidents.list()} == {"open"}
    # All of the list, and all dead letters of one cause, are the visible ones.
    form = {"act": "acknowledge", "all": "1"}
    assert browser.post("/incidents/acts", headers=headers, data=form).status_code == 303
    assert [inbox.incidents.get(one.id).incident.state for one in (own, other)] == ["acknowledged", "open"]


def test_silences_are_limited(browser: FlaskClient) -> None:
    """A silence of a limited visitor covers its own content only; it is listed to, and ended by, such visitors."""
    inbox = services_of(browser).inbox
    own, other = content(inbox, "Sales", "Finance/EU"), content(inbox, "Sales", "HR/Finance")
    headers = bearer(browser, projects=["Finance"])
    assert browser.post("/silences", headers=headers, data={"name": "*", "for": "1h", "reason": "x"}).status_code == 303
    body = {"matchers": {"project": ["*"]}, "reason": "y", "end": SOON}
    assert browser.post(f"{PREFIX}/silences", headers=headers, json=body).json["incidents"] == [own.id]  # type: ignore[index]
    assert '"matches":"1 open' in tool(browser, headers, "silence", name="*", hours=1, reason="z").replace("\\", "")
    everyone = browser.get(f"{PREFIX}/silences", headers=bearer(browser)).json
    assert everyone is not None
    assert {tuple(one["incidents"]) for one in everyone["items"]} == {(own.id,)}, other.id
    listed = browser.get(f"{PREFIX}/silences", headers=headers).json
    assert listed is not None
    assert len(listed["items"]) == 3
    assert browser.get(f"{PREFIX}/silences", headers=bearer(browser, projects=["HR"])).json == {
        "items": [],
        "next": None,
    }
    assert browser.post(f"{PREFIX}/silences/1/end", headers=headers, json={}).status_code == 200


def test_a_silence_of_some_paths_is_not_widened(browser: FlaskClient) -> None:
    """Paths within the limits stay as they are, others are refused, and limits without content silence nothing."""
    inbox = services_of(browser).inbox
    content(inbox, "Sales", "Finance/EU")
    content(inbox, "Costs", "Finance/US")
    headers = bearer(browser, projects=["Finance"])

    def silenced(paths: list[str], headers: dict[str, str]) -> list[str] | int:
        body = {"matchers": {"path": paths, "resource_name": ["*"]}, "reason": "y", "end": SOON}
        sent = browser.post(f"{PREFIX}/silences", headers=headers, json=body)
        return sent.status_code if sent.json is None or sent.status_code >= 400 else sent.json["matchers"]["path"]  # type: ignore[no-any-return]

    kept = (["finance/eu"], ["Finance/E*", "Finance"], ["Finance/*"])
    for paths in kept:
        assert silenced(paths, headers) == paths
    assert silenced(["!Finance/EU"], headers) == ["Finance", "Finance/*", "!Finance/EU"]
    for paths in (["HR"], ["Finance", "HR"], ["*"], ["F*"], ["Finance*"]):
        assert silenced(paths, headers) == 422, paths
    listed = browser.get(f"{PREFIX}/silences", headers=headers).json
    assert listed is not None
    assert len(listed["items"]) == 4
    assert browser.post(f"{PREFIX}/silences/1/end", headers=headers, json={}).status_code == 200
    # The LUID of the site is not known yet.
    unknown = bearer(browser, sites=["*"])
    number = len(inbox.silences.since(utc_now()))
    assert silenced([], unknown) == 422
    form = {"name": "*", "for": "1h", "reason": "x"}
    assert browser.post("/silences", headers=unknown, data=form).status_code == 400
    assert len(inbox.silences.since(utc_now())) == number


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [
        ("Finance/EU", "finance/*", True),
        ("Finance/E?", "Finance/*", True),
        ("Finance/*", "Finance/*", True),
        ("A*", "A?", False),
        ("A?*", "a?*", True),
        ("A?", "AB", False),
        ("[A]", "[A]", True),
        ("A", "[A]", False),
        ("*", "?", False),
        ("Finance", "Finance/*", False),
    ],
)
def test_patterns_within_others(pattern: str, other: str, *, expected: bool) -> None:
    """A pattern is within another one only if that matches each text that the first one can match."""
    assert is_within(pattern, other) == expected


def test_limits_by_site(browser: FlaskClient) -> None:
    """A token for one site sees its content, whatever the project; damaged limits and unknown sites see nothing."""
    services = services_of(browser)
    content(services.inbox, "Month End Close", "Finance")
    content(services.inbox, "Salaries", "", seen=False)
    services.inbox.incidents.save_details(2, ResourceDetails(project="HR"))

    def names(headers: dict[str, str]) -> list[str]:
        found = browser.get(f"{PREFIX}/incidents", headers=headers).json
        assert found is not None
        return [one["resource_name"] for one in found["items"]]

    finance = bearer(browser, sites=["*"])
    # The LUID of the only site is not known before the first sign-in to Tableau.
    assert names(finance) == []
    services.inbox.state.set(f"site_luid {services.sites.all[0].key}", SITE)
    assert names(bearer(browser, sites=[SITE])) == ["Salaries", "Month End Close"]
    assert names(bearer(browser, sites=[SITE], projects=["HR", "Other*"])) == ["Salaries"]
    assert names(bearer(browser, sites=["another"])) == []
    elsewhere = {"matchers": {"site": ["another"]}, "reason": "y", "end": SOON}
    sent = browser.post(f"{PREFIX}/silences", headers=bearer(browser, sites=[SITE]), json=elsewhere)
    assert (sent.status_code, "another" in sent.text) == (422, True)
    value = services.inbox.sign_ins.create_token(name="x", role="admin", by="Ann", seconds=60, scope="{damaged")
    assert names({"Authorization": f"Bearer {value}"}) == []


def test_the_page_creates_tokens_with_limits(browser: FlaskClient) -> None:
    """Sites and projects are entered one a line, and listed beside the role."""
    admin = bearer(browser, "admin")
    form = {"name": "report", "role": "viewer", "days": "9", "projects": "Finance/*\r\n\r\nSales", "sites": ""}
    page = browser.post("/tokens", headers=admin, data=form)
    assert "project Finance/*, Sales" in page.text
    assert services_of(browser).inbox.sign_ins.tokens()[-1].scope == '{"projects": ["Finance/*", "Sales"]}'
    assert browser.post("/tokens", headers=admin, data={**form, "projects": "!HR"}).status_code == 400


def test_limits_are_checked() -> None:
    """A pattern that excludes, is too long, or has a line break is refused with what is wrong."""
    for wrong in ("!HR", "x" * 201, "a\nb"):
        with pytest.raises(ValueError, match="is not a project"):
            Limits.of(projects=[wrong])
    with pytest.raises(ValueError, match="21 sites"):
        Limits.of(sites=["x"] * 21)
    found = Limits.of(sites=[" finance ", ""], projects=["Finance/*"])
    assert Limits.parse(found.as_text()) == found
    assert found.describe() == "site finance; project Finance/*"
    assert (Limits.of().as_text(), Limits().describe()) == ("{}", "everything")
    assert "path" in json.dumps(Matcher.__args__)


def test_only_public_pages_use_the_whole_inbox_by_themselves() -> None:
    """Pages, operations and tools reach the inbox through the visitor's scope; the exceptions have no visitor."""
    folders = [ROOT / "webhooks" / "dashboard", ROOT / "webhooks" / "api"]
    found = set()
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_inbox = isinstance(node, ast.Attribute) and node.attr == "inbox"
            if is_inbox and ast.unparse(node.value).endswith("services"):
                found.add(path.relative_to(ROOT / "webhooks").as_posix())
    # Signing in, sessions, signed addresses, a page for no one, and the two modules that make the scope and write the
    # audit log.
    names = ("login", "single_sign_on", "sessions", "badge", "act_link", "group_link")
    pages = {f"dashboard/pages/{name}.py" for name in names}
    assert found == {*pages, "dashboard/badges.py", "dashboard/visit.py", "dashboard/warm_up.py", "api/call.py"}
