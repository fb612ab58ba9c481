"""Test the list of sessions: who sees which, and that ending one leads its browser to the sign-in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.dashboard.conftest import PASSWORD, SAME_ORIGIN, services_of
from webhooks.dashboard.browser_name import browser_name

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Return an application with a password."""
    return make_app(admin_password=PASSWORD)


def administrator(app: Flask, name: str, agent: str = FIREFOX) -> FlaskClient:
    """Return a browser that is signed in with the password."""
    browser = app.test_client()
    data = {"name": name, "password": PASSWORD}
    headers = {**SAME_ORIGIN, "User-Agent": agent}
    assert browser.post("/login", data=data, headers=headers).status_code == 303
    return browser


def person(app: Flask, subject: str, role: str = "viewer") -> FlaskClient:
    """Return a browser that is signed in with an account of the organization."""
    browser = app.test_client()
    services = services_of(browser)
    secret = services.settings.session_secret
    given = {"name": "Kim", "role": role, "address": "10.0.0.7", "scope": '{"projects": ["Finance"]}'}
    value = services.inbox.sign_ins.start(**given, password=secret, subject=subject, browser="Chrome on Windows")
    browser.set_cookie("session", value)
    return browser


def post(browser: FlaskClient, path: str) -> int:
    return browser.post(path, headers=SAME_ORIGIN).status_code


def paths(browser: FlaskClient) -> dict[str, str]:
    """Return where the form leads that ends a session, by the name of the person."""
    row = r'<td>([^<]+)</td>.*action="(/[^"]+/[0-9a-f]{16}[^"]*)"'
    return dict(re.findall(row, browser.get("/sessions").text))


def test_an_administrator_ends_any_session(app: Flask) -> None:
    """The list has everyone with browser and address, marks the own one; each act leaves a row."""
    ann, ben, kim = administrator(app, "Ann"), administrator(app, "Ben", SAFARI), person(app, "a")
    page = ann.get("/sessions").text
    for shown in ("Ann", "Ben", "Kim", "Firefox on Linux", "Safari on iPhone", "10.0.0.7", "viewer", "project Finance"):
        assert shown in page, shown
    assert page.count("this one") == 1
    assert "End all 2 other sessions" in page
    assert 'href="/sessions"' in ann.get("/").text
    of_kim = paths(ann)["Kim"]
    assert [post(ann, of_kim), post(ann, of_kim)] == [303, 404]
    assert [one.get("/").status_code for one in (ann, ben, kim)] == [200, 200, 401]
    assert post(ann, "/sessions/end") == 303
    assert (ann.get("/").status_code, ben.get("/").status_code) == (200, 401)
    rows = [entry for entry in services_of(ann).inbox.audit.list() if entry.act == "end session"]
    assert {(row.by, row.origin) for row in rows} == {("Ann", "page 127.0.0.1")}
    assert rows[0].subject == "other sessions"
    assert any("Chrome on Windows, 10.0.0.7, since" in row.details for row in rows)


def test_people_end_their_own_sessions(app: Flask) -> None:
    """A person of the organization sees and ends their own sessions only, whatever the role and the name."""
    laptop, phone, namesake, chief = person(app, "a"), person(app, "a"), person(app, "b"), person(app, "c", "admin")
    assert laptop.get("/sessions").text.count("Kim</td>") == 2
    assert chief.get("/sessions").text.count("Kim</td>") == 1
    own = paths(laptop)["Kim"]
    for stranger in (namesake, chief):
        assert post(stranger, own) == 404
        assert post(stranger, own.replace("/logout/", "/sessions/") + "/end") in {403, 404}
        assert post(stranger, "/sessions/end") in {403, 404}
        assert post(stranger, "/logout/others") == 303
    assert phone.get("/").status_code == 200
    assert post(laptop, own) == 303
    assert (laptop.get("/").status_code, phone.get("/").status_code) == (200, 401)
    phone = person(app, "a")
    assert post(laptop, "/logout/others") == 303
    assert [one.get("/").status_code for one in (laptop, phone, namesake, chief)] == [200, 401, 200, 200]
    rows = [entry for entry in services_of(laptop).inbox.audit.list() if entry.details == "1 other session"]
    assert [(row.by, row.act) for row in rows] == [("Kim", "sign out")]


def test_sessions_of_an_older_version(app: Flask) -> None:
    """A session without a subject is its own only, and one without a time of use was used when it began."""
    first, second = person(app, ""), person(app, "")
    services_of(first).inbox.store.execute(text("UPDATE page_sessions SET seen_at = NULL, browser = ''"))
    assert first.get("/sessions").text.count("Kim</td>") == 1
    assert post(first, "/logout/others") == 303
    assert second.get("/").status_code == 200
    assert "unknown" in administrator(app, "Ann").get("/sessions").text


def test_names_of_browsers() -> None:
    """The browser that it is, not those that it names as well; nothing of the header itself is stored."""
    names = {
        FIREFOX: "Firefox on Linux",
        SAFARI: "Safari on iPhone",
        CHROME: "Chrome on Windows",
        f"{CHROME} Edg/140.0.0.0": "Edge on Windows",
        CHROME.replace("Windows NT 10.0; Win64; x64", "Linux; Android 10; K"): "Chrome on Android",
        "curl/8.5.0": "",
        "<script>": "",
        "": "",
    }
    assert {agent: browser_name(agent) for agent in names} == names
