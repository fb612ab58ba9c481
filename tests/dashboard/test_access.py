"""Test who may see the pages and do something on them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.dashboard.conftest import BASIC, PASSWORD, SAME_ORIGIN, fail, services_of
from webhooks.access.visitors import permits
from webhooks.dashboard.routes import ROUTES

HTML = {"Accept": "text/html"}


def sign_in(client: FlaskClient, password: str = PASSWORD, **more: Any) -> Any:
    return client.post("/login", data={"name": "Ann", "password": password, **more}, headers=SAME_ORIGIN)


def token(client: FlaskClient, role: str) -> dict[str, str]:
    """Return the header of a program with that role."""
    value = services_of(client).inbox.sign_ins.create_token(name=role, role=role, by="Ann", seconds=60)
    return {"Authorization": f"Bearer {value}"}


def test_without_a_password_this_machine_is_served(client: FlaskClient) -> None:
    """A direct request from this machine needs no sign-in."""
    for peer in ("127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"):
        for host in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
            response = client.get("/", headers={"Host": host}, environ_base={"REMOTE_ADDR": peer})
            assert response.status_code == 200, (peer, host)


def test_without_a_password_nothing_else_is_served(client: FlaskClient) -> None:
    """Another machine, a proxy, a tunnel, or a page of another site is refused on every page, with the reason."""
    fail(services_of(client).inbox)
    requests: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {"REMOTE_ADDR": "10.0.0.7"}),
        ({}, {"REMOTE_ADDR": "::ffff:10.0.0.7"}),
        ({}, {"REMOTE_ADDR": ""}),
        ({"X-Forwarded-For": "127.0.0.1"}, {}),
        ({"X-Forwarded-Proto": "https"}, {}),
        ({"X-Forwarded-Anything": ""}, {}),
        ({"Forwarded": "for=127.0.0.1"}, {}),
        ({"Via": "1.1 proxy"}, {}),
        ({"Cf-Connecting-Ip": "127.0.0.1"}, {}),
        ({"Host": "rebound.example"}, {}),
        ({"Host": "localhost.example:8000"}, {}),
        ({"Host": "127.0.0.1@evil.example"}, {}),
        # The default of nginx for its servers.
        ({}, {"SERVER_PROTOCOL": "HTTP/1.0"}),
    ]
    for path, (headers, environ) in product(("/", "/incidents/1"), requests):
        response = client.get(path, headers=headers, environ_overrides=environ)
        assert response.status_code == 403, (headers, environ)
        assert "ADMIN_PASSWORD is not set" in response.text
        assert "Month End Close" not in response.text


def test_a_trusted_proxy_on_this_machine_is_no_direct_peer(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests from an address of FORWARDED_ALLOW_IPS come from others."""
    for listed, status in (("10.0.0.1", 200), ("127.0.0.0/8", 403), ("*", 403), ("10.0.0.1, 127.0.0.1", 403)):
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", listed)
        assert client.get("/").status_code == status, listed


def test_with_a_password_even_this_machine_signs_in(protected: FlaskClient) -> None:
    """A browser is led to the form and from there to the page; a program gets 401."""
    response = protected.get("/incidents/7?a=b", headers=HTML)
    assert (response.status_code, response.headers["Location"]) == (303, "/login?next=/incidents/7%3Fa%3Db")
    form = protected.get(response.headers["Location"])
    assert 'name="next" value="/incidents/7?a=b"' in form.text
    refused = protected.get("/")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    # A page that is open asks in the background, and must not make the browser ask for a password.
    assert "WWW-Authenticate" not in protected.get("/", headers={"X-Poll": "1"}).headers


def test_session(protected: FlaskClient) -> None:
    """Signing in leads to the page that was asked for; signing out ends the session in the database."""
    response = sign_in(protected, next="/incidents/7")
    assert (response.status_code, response.headers["Location"]) == (303, "/incidents/7")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    value = cookie.partition("=")[2].partition(";")[0]
    assert protected.get("/").status_code == 200
    assert protected.post("/logout", headers=SAME_ORIGIN).headers["Location"] == "/login"
    protected.set_cookie("session", value)
    assert protected.get("/").status_code == 401
    acts = [(entry.by, entry.act, entry.origin) for entry in services_of(protected).inbox.audit.list()]
    assert acts == [("Ann", "sign out", "page 127.0.0.1"), ("Ann", "sign in", "page 127.0.0.1")]


def test_cookie_over_https(protected: FlaskClient) -> None:
    """Behind a proxy with https the cookie has Secure and a name that only such a cookie can have."""
    https = {**SAME_ORIGIN, "X-Forwarded-Proto": "https"}
    response = protected.post("/login", data={"name": "Ann", "password": PASSWORD}, headers=https)
    assert response.headers["Set-Cookie"].startswith("__Host-session=")
    assert "Secure" in response.headers["Set-Cookie"].split("; ")
    assert "Strict-Transport-Security" in response.headers


def test_sessions_end_with_the_password_and_by_revocation(
    make_app: Callable[..., Flask], protected: FlaskClient
) -> None:
    """Neither a changed password nor `sign out all` leaves a session; the database has no value of a cookie."""
    value = sign_in(protected).headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    other = make_app(admin_password="another-password").test_client()
    other.set_cookie("session", value)
    assert other.get("/").status_code == 401
    assert protected.get("/").status_code == 200
    assert protected.post("/logout/all", headers=SAME_ORIGIN).status_code == 303
    protected.set_cookie("session", value)
    assert protected.get("/").status_code == 401


def test_a_forged_cookie_is_refused(protected: FlaskClient) -> None:
    """Values that were not issued, of any form, are no session."""
    for value in ("", "a", "'; DROP TABLE events", "\ud800".encode("utf-8", "replace").decode(), "x" * 4000):
        protected.set_cookie("session", value)
        assert protected.get("/").status_code == 401


def test_basic(protected: FlaskClient) -> None:
    """Scripts sign in with the user admin and the password on every request."""
    assert protected.get("/", auth=BASIC).status_code == 200
    assert protected.get("/", auth=("Admin", PASSWORD)).status_code == 401
    assert protected.get("/", auth=("admin", PASSWORD + " ")).status_code == 401
    assert protected.get("/", auth=("admin", "")).status_code == 401


def test_guessing_is_throttled_in_the_database(make_app: Callable[..., Flask], protected: FlaskClient) -> None:
    """After ten failures an address has to wait, also with the right password and in another process."""
    for number in range(10):
        assert (
            sign_in(protected, "wrong") if number % 2 else protected.get("/", auth=("admin", "x"))
        ).status_code == 401
    other = make_app(admin_password=PASSWORD).test_client()
    for client in (protected, other):
        response = sign_in(client)
        assert response.status_code == 429
        assert 0 < int(response.headers["Retry-After"]) <= 900
        assert client.get("/", auth=BASIC).status_code == 429
    # The last address is the one that the proxy has seen; a client may invent the others.
    elsewhere = {"X-Forwarded-For": "127.0.0.1, 10.0.0.9"}
    assert protected.get("/", auth=BASIC, headers=elsewhere).status_code == 200
    refused = [entry for entry in services_of(protected).inbox.audit.list() if entry.act == "sign-in refused"]
    assert len(refused) == 5


def test_forms_of_other_sites_are_refused(client: FlaskClient) -> None:
    """A request that changes something has to come from a page of this server."""
    inbox = services_of(client).inbox
    requests: list[tuple[dict[str, str], bool]] = [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "http://["}, False),
        ({}, False),
    ]
    for headers, is_allowed in requests:
        record = fail(inbox)
        response = client.post(f"/incidents/{record.id}/acknowledge", headers=headers)
        assert response.status_code == (303 if is_allowed else 403), headers
        assert inbox.incidents.get(record.id).incident.state == ("acknowledged" if is_allowed else "open"), headers


def test_no_form_leads_to_another_server(protected: FlaskClient) -> None:
    """The page to go back to is a path on this server."""
    for there in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "evil",
        "",
    ):
        assert sign_in(protected, next=there).headers["Location"] == "/"


def test_every_route_asks_for_its_role(protected: FlaskClient) -> None:
    """The table of routes decides: each role is refused where it has to be, and nowhere else; strangers everywhere."""
    record = fail(services_of(protected).inbox)
    headers = {role: token(protected, role) for role in ("viewer", "operator", "admin")}
    for route in ROUTES:
        number = "999" if route.module == "tokens" else str(record.id)
        path = route.path.replace("<int:number>", number).replace("<kind>", "note").replace("<name>", "x")
        for role, own in headers.items():
            response = protected.open(path, method=route.method, headers=own)
            assert (response.status_code == 403) == (not permits(role, route.role)), (route, role)
            assert response.status_code not in {401, 500}
        if route.role != "public":
            assert protected.open(path, method=route.method, headers=SAME_ORIGIN).status_code == 401, route
            expired = {"Authorization": "Bearer twh_unknown", **SAME_ORIGIN}
            assert protected.open(path, method=route.method, headers=expired).status_code == 401, route


def test_every_response_has_the_safe_headers(client: FlaskClient) -> None:
    """Also errors have the policy, which allows nothing but what this server itself sends."""
    for path in ("/", "/login", "/incidents/1", "/incidents/99999999999999999999999", "/assets/none"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


def test_assets_are_cached_by_content(client: FlaskClient) -> None:
    """The files of a page exist, may be kept for a year, and need no sign-in."""
    page = client.get("/").text
    for mark in ('href="/assets/style.', 'src="/assets/live.', 'href="/assets/icon.'):
        path = page.partition(mark)[2].partition('"')[0]
        response = client.get(mark.partition('"')[2] + path, environ_base={"REMOTE_ADDR": "10.0.0.7"})
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
