"""Sign-ins, and the ways in which a session ends."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import requests

from simulator import Config, Running, running


def _claims(config: Config, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {
        "iss": config.ca_client,
        "sub": config.username,
        "aud": "tableau",
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
    }
    return base | {"scp": ["tableau:content:read", "tableau:tasks:*"]} | changes


def _jwt(config: Config, secret: str = "", headers: dict[str, str] | None = None, **changes: Any) -> dict[str, str]:
    head = {"kid": config.ca_secret_id, "iss": config.ca_client} | (headers or {})
    return {"jwt": jwt.encode(_claims(config, **changes), secret or config.ca_secret_value, "HS256", head)}


def test_second_sign_in_ends_the_first(simulator: Running, rest: Any) -> None:
    """A personal access token has one live session."""
    first = rest.http.headers["X-Tableau-Auth"]
    rest.sign_in()
    assert rest.call("GET", "workbooks").ok
    response = rest.call("GET", "workbooks", headers={"X-Tableau-Auth": first})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "401002")
    assert simulator.world.sessions.sign_ins == {"pat:webhooks": 2}


def test_sessions_by_password_do_not_end_each_other(simulator: Running, rest: Any) -> None:
    """Two sessions by name and password are valid at the same time."""
    config = simulator.world.config
    for _ in range(2):
        assert rest.sign_in({"name": config.username, "password": config.password}).ok
    assert len(simulator.world.sessions.live()) == 3


def test_missing_and_wrong_tokens_have_different_codes(rest: Any) -> None:
    """The code is 401000 without credentials and 401002 with invalid ones."""
    assert rest.call("GET", "workbooks", headers={"X-Tableau-Auth": ""}).json()["error"]["code"] == "401000"
    assert rest.call("GET", "workbooks", headers={"X-Tableau-Auth": "x|y|z"}).json()["error"]["code"] == "401002"


@pytest.mark.parametrize(
    "credentials",
    [
        {"personalAccessTokenName": "webhooks", "personalAccessTokenSecret": "wrong"},
        {"personalAccessTokenName": "other", "personalAccessTokenSecret": "c2ltdWxhdG9y:not-a-secret"},
        {"name": "ann@acme.example", "password": ""},
        {"jwt": "not.a.jwt"},
        {"jwt": ""},
    ],
)
def test_wrong_credentials_are_401001(rest: Any, credentials: dict[str, str]) -> None:
    """All wrong credentials have the same code."""
    response = rest.sign_in(credentials)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "401001")
    assert response.json()["error"]["summary"] == "Signin Error"


def test_no_credentials_and_wrong_site(rest: Any) -> None:
    """A sign-in without credentials is 400, one to an unknown site 401001."""
    assert rest.sign_in({"something": "else"}).status_code == 400
    assert rest.sign_in(content_url="nowhere").json()["error"]["code"] == "401001"


def test_response_to_a_sign_in(simulator: Running, rest: Any) -> None:
    """The response has site, user, token, and an expiry time far beyond the session's."""
    session = rest.sign_in().json()["credentials"]
    assert session["site"] == {"id": simulator.world.home.luid, "contentUrl": "acme"}
    assert session["user"]["id"] in simulator.world.home.users
    assert session["token"].endswith(f"|{simulator.world.home.luid}")
    assert session["estimatedTimeToExpiration"] == "169:59:59" or session["estimatedTimeToExpiration"].startswith(
        "170:00"
    )


def test_session_expires() -> None:
    """The token is invalid after the session's minutes on the simulator's clock."""
    now = [datetime(2026, 1, 31, 9, 0, tzinfo=UTC)]
    with running(Config(clock=lambda: now[0])) as simulator, requests.Session() as http:
        http.headers["Accept"] = "application/json"
        pat = {"personalAccessTokenName": "webhooks", "personalAccessTokenSecret": simulator.world.config.pat_secret}
        body = {"credentials": pat | {"site": {"contentUrl": "acme"}}}
        signed = http.post(f"{simulator.url}/api/3.27/auth/signin", json=body, timeout=30).json()["credentials"]
        address = f"{simulator.url}/api/3.27/sessions/current"
        headers = {"X-Tableau-Auth": signed["token"]}
        now[0] += timedelta(minutes=119)
        assert http.get(address, headers=headers, timeout=30).json()["session"]["user"]["name"] == "ann@acme.example"
        now[0] += timedelta(minutes=1)
        assert http.get(address, headers=headers, timeout=30).json()["error"]["code"] == "401002"


def test_sessions_can_be_expired(rest: Any, control: Any) -> None:
    """The HTTP API ends all sessions, or those of one credential."""
    assert control("POST", "sessions/expire", {"credential": "pat:other"}) == {"ended": 0}
    assert control("POST", "sessions/expire") == {"ended": 1}
    assert rest.call("GET", "workbooks").status_code == 401
    assert control("GET", "sessions") == {"live": [], "sign_ins": {"pat:webhooks": 1}, "total": 1}


def test_sign_out_ends_the_session(simulator: Running, rest: Any) -> None:
    """The status is 204, and the token is invalid for all clients that share it."""
    assert rest.http.post(f"{simulator.url}/api/3.27/auth/signout", timeout=30).status_code == 204
    assert rest.call("GET", "workbooks").status_code == 401


def test_switching_sites(simulator: Running, rest: Any) -> None:
    """A switch gives a new token for the other site; one to the same site is 403070."""
    address = f"{simulator.url}/api/3.27/auth/switchSite"
    same = rest.http.post(address, json={"site": {"contentUrl": "acme"}}, timeout=30)
    assert same.json()["error"]["code"] == "403070"
    other = rest.http.post(address, json={"site": {"contentUrl": "branch"}}, timeout=30).json()["credentials"]
    assert other["site"]["contentUrl"] == "branch"
    assert rest.call("GET", "workbooks").status_code == 401


def test_session_is_for_its_site_only(simulator: Running, rest: Any) -> None:
    """The address of another site is refused, an unknown one is not found."""
    branch = next(luid for luid in simulator.world.sites if luid != rest.site)
    rest.site = branch
    assert rest.call("GET", "workbooks").json()["error"]["code"] == "403004"
    rest.site = str(uuid.uuid4())
    assert rest.call("GET", "workbooks").json()["error"]["code"] == "404000"


def test_jwt_opens_a_session_with_its_scopes(simulator: Running, rest: Any) -> None:
    """Wildcards include all scopes of their kind; calls without their scope are refused."""
    assert rest.sign_in(_jwt(simulator.world.config)).ok
    luid = rest.get("workbooks")["workbooks"]["workbook"][0]["id"]
    assert rest.call("POST", f"workbooks/{luid}/refresh", json={}).status_code == 202
    assert rest.call("GET", "users").json()["error"]["code"] == "401002"
    assert rest.call("GET", f"workbooks/{luid}/previewImage").status_code == 401


def test_second_secret_of_the_app_is_accepted(rest: Any) -> None:
    """A connected app can have two secrets, for rotation."""
    config = Config(more_ca_secrets={"second": "another-secret-of-more-than-32-bytes"})
    with running(config) as simulator, requests.Session() as http:
        token = _jwt(config, "another-secret-of-more-than-32-bytes", {"kid": "second"})
        body = {"credentials": token | {"site": {"contentUrl": "acme"}}}
        assert http.post(f"{simulator.url}/api/3.27/auth/signin", json=body, timeout=30).ok


@pytest.mark.parametrize(
    ("changes", "headers", "number"),
    [
        ({"exp": int(time.time()) + 3600}, {}, 16),
        ({"exp": int(time.time()) - 3600}, {}, 16),
        ({"aud": "other"}, {}, 16),
        ({"jti": ""}, {}, 16),
        ({"scp": "tableau:content:read"}, {}, 16),
        ({"sub": "nobody@acme.example"}, {}, 5),
        ({}, {"iss": "other"}, 126),
        ({}, {"kid": "other"}, 127),
    ],
)
def test_invalid_jwt_is_refused_with_a_number(
    simulator: Running, rest: Any, changes: dict[str, Any], headers: dict[str, str], number: int
) -> None:
    """The code is 401001, and the detail has Tableau's number of the reason."""
    response = rest.sign_in(_jwt(simulator.world.config, headers=headers, **changes))
    assert response.json()["error"]["code"] == "401001"
    assert f"({number})" in response.json()["error"]["detail"]


def test_jwt_is_valid_once_and_with_the_right_signature(simulator: Running, rest: Any) -> None:
    """A used token, or one signed with another secret, is refused."""
    token = _jwt(simulator.world.config)
    assert rest.sign_in(token).ok
    assert "(16)" in rest.sign_in(token).json()["error"]["detail"]
    forged = _jwt(simulator.world.config, "another-secret-of-more-than-32-bytes")
    assert "signature" in rest.sign_in(forged).json()["error"]["detail"]


def test_impersonation_is_for_administrators(simulator: Running, rest: Any) -> None:
    """An administrator can sign in as another user."""
    config = simulator.world.config
    ben = next(user for user in simulator.world.home.users.values() if user.full_name == "Ben Duarte")
    credentials = {"name": config.username, "password": config.password, "user": {"id": ben.luid}}
    assert rest.sign_in(credentials).json()["credentials"]["user"]["id"] == ben.luid


@pytest.mark.parametrize("user", [{"id": None}, {"id": ""}, {}])
def test_empty_user_element_does_not_impersonate(user: dict[str, Any], rest: Any) -> None:
    """Some clients send the element in every sign-in."""
    config = rest.simulator.world.config
    credentials = {"name": config.username, "password": config.password, "user": user}
    ann = rest.simulator.world.home.user_named(config.username)
    assert rest.sign_in(credentials).json()["credentials"]["user"]["id"] == ann.luid


def test_unsupported_call_names_the_simulator(rest: Any) -> None:
    """A call that Tableau may have and the simulator lacks is not mistaken for Tableau's response."""
    error = rest.call("GET", "virtualconnections").json()["error"]
    assert error["code"] == "404003"
    assert error["detail"].startswith("The simulator does not support GET /api/3.27/sites/")


def test_issuer_of_a_jwt_can_be_in_the_claims_only(simulator: Running, rest: Any) -> None:
    """Some libraries put no issuer into the header."""
    config = simulator.world.config
    token = jwt.encode(_claims(config), config.ca_secret_value, "HS256", {"kid": config.ca_secret_id})
    assert rest.sign_in({"jwt": token}).ok


# A call, and the only scope with which it is allowed.
SCOPES = [
    ("GET", "workbooks/x", "tableau:content:read"),
    ("GET", "workbooks/x/content", "tableau:workbooks:download"),
    ("GET", "datasources/x/content", "tableau:datasources:download"),
    ("GET", "flows/x/content", "tableau:flows:download"),
    ("GET", "workbooks/x/pdf", "tableau:workbooks:download"),
    ("GET", "workbooks/x/powerpoint", "tableau:workbooks:download"),
    ("GET", "views/x/pdf", "tableau:views:download"),
    ("GET", "tasks/extractRefreshes", "tableau:tasks:read"),
    ("GET", "tasks/runFlow", "tableau:flow_tasks:read"),
    ("POST", "tasks/runFlow/x/runNow", "tableau:flow_tasks:run"),
    ("POST", "tasks/extractRefreshes/x/runNow", "tableau:tasks:run"),
    ("POST", "flows/x/run", "tableau:flows:run"),
    ("PUT", "jobs/x", "tableau:jobs:update"),
    ("DELETE", "labels/x", "tableau:labels:delete"),
]


@pytest.mark.parametrize(("method", "path", "scope"), SCOPES)
def test_call_needs_its_scope(method: str, path: str, scope: str, simulator: Running, rest: Any) -> None:
    """A JWT session may make a call with its scope, and not with all others of the table."""
    config = simulator.world.config
    others = sorted({other for _, _, other in SCOPES} - {scope})
    assert rest.sign_in(_jwt(config, scp=[scope])).ok
    assert rest.call(method, path).status_code != 401
    assert rest.sign_in(_jwt(config, scp=others)).ok
    assert rest.call(method, path).status_code == 401
