"""The same acts, roles and rows of the audit log on pages, by the API and for agents."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.dashboard.conftest import PASSWORD, fail, services_of
from tests.dashboard.test_scopes import bearer, content
from webhooks.access.permissions import PERMISSIONS
from webhooks.access.visitors import ROLES, permits
from webhooks.api.agents.tools import TOOLS
from webhooks.api.blueprint import PREFIX
from webhooks.api.operations import OPERATIONS
from webhooks.clock import utc_now
from webhooks.config.settings import ROOT
from webhooks.dashboard.routes import ROUTES

SOON = (utc_now() + timedelta(hours=5)).isoformat()
# What forms, bodies and tools need in addition to the number of the object.
FORMS: dict[str, dict[str, Any]] = {
    "snooze": {"for": "1h"},
    "note": {"note": "seen"},
    "add silence": {"name": "Sales", "for": "1h", "reason": "upgrade"},
    "create token": {"name": "report", "role": "viewer", "days": "9"},
}
BODIES: dict[str, dict[str, Any]] = {
    "snooze": {"until": SOON},
    "note": {"note": "seen"},
    "add silence": {"matchers": {"project": ["Finance"]}, "reason": "upgrade", "end": SOON},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "snooze": {"hours": 1},
    "add silence": {"name": "Sales", "hours": 1, "reason": "upgrade"},
}
# Posts that are not acts: signing in and out, trying an event, and signed links, whose acts are the incident's.
OTHERS = {"/login", "/logout", "/rules/try", "/act/<signed>"}


def matrix() -> str:
    """Return the table of acts for docs/pages.md."""
    lines = ["| act | role | pages | API | agents | |", "|---|---|---|---|---|---|"]
    for act in PERMISSIONS.values():
        paths = [route.path for route in ROUTES if act.name in route.acts]
        own = [one.name for one in OPERATIONS if one.act == act.name]
        tools = [one.name for one in TOOLS if one.act == act.name]
        cells = (", ".join(f"`{name}`" for name in names) for names in (paths, own, tools))
        limits = "; without limits only" if act.everything else ""
        lines.append(f"| {act.name} | {act.role} | {' | '.join(cells)} | {act.does}{limits} |".replace("|  |", "| |"))
    return "\n".join(lines)


def test_every_way_has_the_same_permission() -> None:
    """Each unsafe route, operation and tool is an act of the table, with its role, and every act is on a page."""
    ways: list[tuple[str, str, tuple[str, ...]]] = [
        (route.path, route.role, route.acts) for route in ROUTES if route.method == "POST" and route.path not in OTHERS
    ]
    ways += [(one.name, one.role, (one.act,)) for one in OPERATIONS if one.method == "POST"]
    ways += [(tool.name, tool.role, (tool.act,)) for tool in TOOLS if tool.writes or tool.act]
    for place, role, acts in ways:
        assert acts, place
        assert {PERMISSIONS[act].role for act in acts} == {role}, place
    assert {act for route in ROUTES for act in route.acts} == set(PERMISSIONS)
    assert not [route for route in ROUTES if route.acts and route.method == "GET"]


def test_the_table_in_the_documentation_is_this_one() -> None:
    """docs/pages.md has the table as the code has it."""
    page = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")
    found = re.search(r"(?ms)^\| act \| role \| pages .*?(?=\n\n)", page)
    assert found, matrix()
    assert found[0] == matrix()


def test_each_act_needs_its_role_and_leaves_its_row(make_app: Callable[..., Flask]) -> None:
    """Below the role nothing is done and no row is left; with it, each way leaves one row with the act's name."""
    browser = make_app(admin_password=PASSWORD).test_client()
    inbox = services_of(browser).inbox
    headers = {role: bearer(browser, role) for role in ROLES[1:]}
    # Acts whose objects one call uses up have one for each.
    content(inbox, "Month End Close", "Finance")
    ways = [(act, route.path) for route in ROUTES for act in route.acts if act != "sync webhooks"]
    ways += [(one.act, PREFIX + one.path) for one in OPERATIONS if one.act]
    ways += [(one.act, one.name) for one in TOOLS if one.act]
    for act, way in ways:
        number = 1
        if act == "end silence":
            number = int(inbox.silences.add(matchers={}, start=utc_now(), end=None, by="Ann", reason="x").id)
        elif act == "close":
            number = fail(inbox).id
        elif act == "revoke token":
            bearer(browser)
            number = inbox.sign_ins.tokens()[-1].id
        elif "/dead-letters/" in way:
            content(inbox, f"Another {act}", "Finance")
        for role in ROLES[1:]:
            before = [entry.id for entry in inbox.audit.list()]
            status = send(browser, act, way, number, headers[role])
            added = [entry for entry in inbox.audit.list() if entry.id not in before]
            if not permits(role, PERMISSIONS[act].role):
                assert (status, added) == (403, []), (act, way, role)
                continue
            assert status < 400, (act, way, role, status)
            assert [entry.act for entry in added] == [act], (act, way, role)
            assert (added[0].by, added[0].origin) == ("program", "program 127.0.0.1")
            break


def send(browser: FlaskClient, act: str, way: str, number: int, headers: dict[str, str]) -> int:
    """Do something in one of the three ways, and return the HTTP status; 403 for a tool that is not offered."""
    if way.startswith(PREFIX):
        path = way.replace("<number>", str(number))
        body = BODIES.get(act, {})
        if "/dead-letters/" in way:
            causes = services_of(browser).inbox.event_lists.dead_by_cause()
            body = {"ids": [causes[0].job_ids[0]]}
        return browser.post(path, json=body, headers=headers).status_code
    if way.startswith("/"):
        path = way.replace("<int:number>", str(number)).replace("<kind>", act)
        form = {"id": str(number), "act": act, **FORMS.get(act, {})}
        if way.startswith("/dead-letters/"):
            page = browser.get("/dead-letters", headers=headers).text
            form["cause"] = re.findall(r'name="cause" value="(\w+)"', page)[0] if 'name="cause"' in page else "none"
        return browser.post(path, data=form, headers=headers).status_code
    given = ARGUMENTS.get(act, {}) | ({} if act == "add silence" else {"id": number})
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": way, "arguments": given}}
    answer = browser.post("/mcp", json=call, headers=headers).json
    assert answer is not None
    if "error" in answer:
        return 403
    return 400 if answer["result"]["isError"] else 200
