"""Sign-in by OpenID Connect, against a provider with real HTTP and real keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from notifiers.transport import Timeouts
from tests.dashboard.conftest import PASSWORD, SAME_ORIGIN, services_of
from tests.support.identity_provider import Claims, IdentityProvider, running
from webhooks.access.openid import problem
from webhooks.access.sign_in_attempt import Attempt, SignInFailed
from webhooks.config.settings import ROOT, Settings

RULES = """
[[access.roles]]
role = "admin"
groups = "BI team"

[[access.roles]]
role = "operator"
groups = ["finance-*", "Finance"]
sites = "*"
projects = ["Finance"]

[[access.roles]]
role = "viewer"
people = "*@acme.example"
"""


@pytest.fixture(scope="module")
def served() -> Iterator[IdentityProvider]:
    """Serve one provider for all tests of this module."""
    with running() as provider:
        yield provider


@pytest.fixture
def provider(served: IdentityProvider) -> IdentityProvider:
    """Return the provider, as it is at first."""
    served.reset()
    return served


@pytest.fixture
def browser(make_app: Callable[..., Flask], provider: IdentityProvider, tmp_path: Path) -> FlaskClient:
    """Return a browser for a server that signs people in by the provider only."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    app = make_app(
        rules_file=rules,
        public_url="https://hooks.example.org",
        oidc_issuer=provider.url,
        oidc_client_id=provider.client[0],
        oidc_client_secret=provider.client[1],
    )
    client = app.test_client()
    services_of(client).active_rules.refresh()
    return client


def begin(browser: FlaskClient, there: str = "/incidents") -> str:
    """Begin a sign-in, and return the address at the provider."""
    response = browser.get("/login/start", query_string={"next": there})
    assert response.status_code == 303, response.text
    return str(response.headers["Location"])


def sign_in(browser: FlaskClient, provider: IdentityProvider) -> Any:
    """Sign in, and return the response to the provider's answer."""
    return browser.get(provider.sign_in(begin(browser)))


def test_signing_in_and_out(browser: FlaskClient, provider: IdentityProvider) -> None:
    """The form leads to the provider and back to the page; the session has the name and role, and ends."""
    form = browser.get("/login?next=/incidents/7")
    assert 'href="/login/start?next=%2Fincidents%2F7"' in form.text
    assert "ADMIN_PASSWORD" not in form.text
    assert browser.get("/").status_code == 401
    response = browser.get("/login/start?next=/incidents/7")
    cookie = set(response.headers["Set-Cookie"].split("; "))
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= cookie
    query = parse_qs(urlsplit(response.headers["Location"]).query)
    assert query["scope"] == ["openid profile email"]
    assert query["redirect_uri"] == ["https://hooks.example.org/login/finish"]
    back = browser.get(provider.sign_in(response.headers["Location"]))
    assert (back.status_code, back.headers["Location"]) == (303, "/incidents/7")
    assert "Max-Age=28800;" in back.headers["Set-Cookie"]
    (session,) = services_of(browser).inbox.store.rows(text("SELECT * FROM page_sessions"))
    assert session["expires_at"] - session["created_at"] == 8 * 3600
    assert "Sign out Ann Okafor" in browser.get("/").text
    assert browser.get("/audit").status_code == 200
    inbox = services_of(browser).inbox
    entry = inbox.audit.list()[0]
    assert (entry.by, entry.act, entry.origin) == ("Ann Okafor", "sign in", "page 127.0.0.1")
    assert entry.details == "42 at the identity provider"
    # It ends at its time, and by signing out.
    inbox.store.execute(text("UPDATE page_sessions SET expires_at = 1"))
    assert browser.get("/").status_code == 401
    sign_in(browser, provider)
    assert browser.post("/logout", headers=SAME_ORIGIN).status_code == 303
    assert browser.get("/").status_code == 401
    # The configuration and the keys were read once.
    assert provider.requests.count("/keys") == 1
    assert provider.requests.count("/.well-known/openid-configuration") == 1


def test_groups_decide_on_role_and_limits(browser: FlaskClient, provider: IdentityProvider) -> None:
    """The first entry that includes the person counts; an e-mail address only if the provider has verified it."""
    people: list[tuple[Claims, tuple[str, str] | None]] = [
        ({"groups": ["x", "bi TEAM", "Finance"]}, ("admin", "{}")),
        ({"groups": ["Finance"]}, ("operator", '{"sites": ["*"], "projects": ["Finance"]}')),
        ({"groups": "finance-eu"}, ("operator", '{"sites": ["*"], "projects": ["Finance"]}')),
        ({"groups": [], "email": "ann@acme.example", "email_verified": True}, ("viewer", "{}")),
        ({"groups": ["Other"], "email": "ann@acme.example", "email_verified": True}, ("viewer", "{}")),
        ({"groups": [], "email": "ann@acme.example"}, None),
        ({"groups": [], "email": "ann@acme.example", "email_verified": False}, None),
        ({"groups": ["Other", "BI"], "email": "ann@evil.example", "email_verified": True}, None),
        ({"groups": {"a": "BI team"}}, None),
        ({}, None),
    ]
    store = services_of(browser).inbox.store
    for number, (person, expected) in enumerate(people):
        store.execute(text("DELETE FROM sign_in_failures"))
        provider.person = {"sub": "42", "name": f"Person {number}", **person}
        response = sign_in(browser, provider)
        if expected:
            rows = store.rows(text(f"SELECT role, scope FROM page_sessions WHERE name = 'Person {number}'"))
            assert [(row["role"], row["scope"]) for row in rows] == [expected], person
        else:
            assert response.status_code == 403, person
            assert f"Person {number} has no role here" in response.text
            assert "names these groups: Other, BI." in response.text if "BI" in person.get("groups", ()) else True
    assert {entry.act for entry in services_of(browser).inbox.audit.list()} == {"sign in", "sign-in refused"}
    provider.person = {"sub": "42", "_claim_names": {"groups": "src1"}}
    assert "there are too many" in sign_in(browser, provider).text
    for person in ({"sub": ""}, {"sub": " "}, {"sub": "42", "name": "Nobody", "_claim_names": 5}):
        provider.person = person
        assert sign_in(browser, provider).status_code == 403, person


def test_invalid_tokens_are_refused(browser: FlaskClient, provider: IdentityProvider) -> None:
    """Each token that another provider, client, time, sign-in or key made is refused, with what is wrong."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    provider.keys |= {"unpublished first": other}

    def changed(**claims: Any) -> Callable[[Claims], Claims]:
        return lambda known: {name: value for name, value in {**known, **claims}.items() if value is not None}

    cases: list[tuple[str, dict[str, Any]]] = [
        ("not valid: Invalid claim: 'iss'", {"change": changed(iss="https://evil.example")}),
        ("not valid: Invalid claim: 'aud'", {"change": changed(aud="another")}),
        ("not valid: Invalid claim: 'aud'", {"change": changed(aud=["another"])}),
        ("not valid", {"change": changed(aud=["tableau-webhooks", "another"], azp="another")}),
        ("expired", {"change": changed(exp=1000, iat=900)}),
        ("not valid: Invalid claim: 'nonce'", {"change": changed(nonce="of another sign-in")}),
        ("not valid: Missing claim: 'nonce'", {"change": changed(nonce=None)}),
        ("not valid: Missing claim: 'exp'", {"change": changed(exp=None)}),
        ("not valid", {"change": changed(iat=4_000_000_000)}),
        ("not signed by the provider", {"key": "unpublished first"}),
        ("not signed by the provider", {"algorithm": "HS256"}),
    ]
    store = services_of(browser).inbox.store
    for reason, changes in cases:
        store.execute(text("DELETE FROM sign_in_failures"))
        provider.change, provider.key, provider.algorithm = (lambda claims: claims), "first", "RS256"
        for name, value in changes.items():
            setattr(provider, name, value)
        response = sign_in(browser, provider)
        shown = response.text.replace("&#39;", "'")
        assert (response.status_code, reason.lower() in shown.lower()) == (403, True), (reason, shown)
    assert store.rows(text("SELECT * FROM page_sessions")) == []


def test_answers_of_other_sign_ins_are_refused(browser: FlaskClient, provider: IdentityProvider) -> None:
    """An answer needs the cookie of its own sign-in, is of use once, and only for ten minutes."""
    answer = provider.sign_in(begin(browser))
    other = browser.application.test_client()
    begin(other)
    assert "belongs to no sign-in" in other.get(answer).text
    assert "belongs to no sign-in" in browser.application.test_client().get(answer).text
    assert "belongs to no sign-in" in browser.get(answer.partition("state=")[0]).text
    cookie = browser.get_cookie("sign-in")
    assert cookie is not None
    assert browser.get(answer).status_code == 303
    browser.set_cookie("sign-in", cookie.value)
    assert "was finished before" in browser.get(answer).text
    attempt = Attempt.begin("/", 1000)
    state = attempt.derived("state")
    assert attempt.path(state, 1500) == "/"
    for now in (1601, 900):
        with pytest.raises(SignInFailed, match="more than ten minutes"):
            attempt.path(state, now)
    for parameters, reason in (
        ({"error": "access_denied", "error_description": "<b>no</b>"}, "access_denied: &lt;b&gt;no&lt;/b&gt;"),
        ({"iss": "https://evil.example", "code": "x"}, "from another provider"),
        ({"code": "x"}, "invalid_grant: the code is not valid"),
        ({}, "has no code"),
    ):
        query = parse_qs(urlsplit(begin(browser)).query)
        response = browser.get("/login/finish", query_string={**parameters, "state": query["state"][0]})
        assert (response.status_code, reason in response.text) == (403, True), response.text
    # Failures are throttled as passwords are. Requests that another page can cause are none.
    inbox = services_of(browser).inbox
    failures, rows = text("SELECT number FROM sign_in_failures"), len(inbox.audit.list(limit=100))
    before = inbox.store.scalar(failures)
    assert {browser.get("/login/finish?state=x").status_code for _ in range(12)} == {403}
    assert (inbox.store.scalar(failures), len(inbox.audit.list(limit=100))) == (before, rows)
    while True:
        query = parse_qs(urlsplit(begin(browser)).query)
        response = browser.get("/login/finish", query_string={"state": query["state"][0]})
        if response.status_code != 403:
            break
    assert response.status_code == 429


@pytest.mark.parametrize("made", ["no base64 \u00e9", "bm8", "e30=", "WzFd", "W251bGwsMSwxXQ==", "WyIxIixbXSwxXQ=="])
def test_forged_cookies_are_refused(made: str) -> None:
    """A cookie that this server cannot have set is refused with a sentence, although its state is right."""
    attempt = Attempt(made)
    with pytest.raises(SignInFailed):
        attempt.path(attempt.derived("state"), 1_800_000_000.0)


def test_no_sign_in_leads_to_another_server(browser: FlaskClient, provider: IdentityProvider) -> None:
    """The page to go back to is a path on this server, whatever the address says."""
    for there in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "",
    ):
        assert browser.get(provider.sign_in(begin(browser, there))).headers["Location"] == "/"


def test_a_new_key_is_read(browser: FlaskClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider may change its keys at any time; an unknown key lets them be read again, after a pause."""
    assert sign_in(browser, provider).status_code == 303
    provider.keys = {"second": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
    provider.key = "second"
    assert sign_in(browser, provider).status_code == 403
    assert provider.requests.count("/keys") == 1
    monkeypatch.setattr("webhooks.access.openid.KEYS_PAUSE_SECONDS", 0.0)
    assert sign_in(browser, provider).status_code == 303


def test_a_slow_provider_does_not_hold_all_threads(
    browser: FlaskClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While as many threads wait for the provider as may, others are refused at once; each makes room again."""
    with monkeypatch.context() as patched:
        patched.setattr("webhooks.access.openid.MAX_WAITING", 0)
        response = browser.get("/login/start")
    assert (response.status_code, "Other sign-ins are waiting" in response.text) == (502, True)
    assert provider.requests == []
    forget(browser)
    assert {sign_in(browser, provider).status_code for _ in range(4)} == {303}


def test_a_provider_that_cannot_be_used_is_named(
    browser: FlaskClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong issuer, a missing endpoint, an endpoint without https, and a provider that hangs end with a reason."""
    configurations: list[tuple[dict[str, Any], str]] = [
        ({"issuer": "https://evil.example"}, "calls itself https://evil.example"),
        ({"authorization_endpoint": None}, "no usable authorization_endpoint"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "no usable authorization_endpoint"),
    ]
    for configuration, reason in configurations:
        provider.configuration = configuration
        response = browser.application.test_client().get("/login/start")
        assert (response.status_code, reason in response.text) == (502, True), response.text
        forget(browser)
    provider.configuration, provider.delay = {}, 1.0
    monkeypatch.setattr("webhooks.access.openid.LIMITS", Timeouts(connect=5, step=0.1, total=0.2))
    assert "did not respond" in browser.get("/login/start").text


def forget(browser: FlaskClient) -> None:
    """Forget what was read from the provider."""
    from webhooks.dashboard.pages import single_sign_on

    single_sign_on._providers.pop(services_of(browser), None)


def test_the_password_works_beside_it(make_app: Callable[..., Flask], provider: IdentityProvider) -> None:
    """With ADMIN_PASSWORD as well, the form offers both."""
    given = {"oidc_issuer": provider.url, "oidc_client_id": "x", "public_url": "https://hooks.example.org"}
    client = make_app(admin_password=PASSWORD, **given).test_client()
    form = client.get("/login").text
    assert "Sign in with your organization" in form
    assert "ADMIN_PASSWORD" in form
    assert client.post("/login", data={"name": "Ben", "password": PASSWORD}, headers=SAME_ORIGIN).status_code == 303
    assert client.get("/").status_code == 200


def test_settings_that_cannot_work_are_named(make_app: Callable[..., Flask], settings: Settings) -> None:
    """The server does not start with half of the settings, or with an invalid address as issuer."""
    with pytest.raises(RuntimeError, match="OIDC_CLIENT_ID and PUBLIC_URL not"):
        make_app(oidc_issuer="https://login.example.org")
    for wrong in ("login.example.org", "http://login.example.org", "https://login.example.org?a=b"):
        with pytest.raises(RuntimeError, match="OIDC_ISSUER"):
            make_app(oidc_issuer=wrong)
    assert problem(settings) == ""


@pytest.mark.second_stage
def test_without_authlib(tmp_path: Path) -> None:
    """Without the extra everything else works; with OIDC_ISSUER the start says what to install."""
    script = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("authlib", "joserfc"):
            raise ModuleNotFoundError(name)
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "authlib" else real(name, *rest)
sys.meta_path.insert(0, Hidden())
from webhooks.config.settings import Settings
from webhooks.access.openid import problem
import webhooks.dashboard.pages.single_sign_on
given = dict(_env_file=None, oidc_issuer="https://x.example", oidc_client_id="x", public_url="https://y.example")
print(problem(Settings.read(**given)), problem(Settings.read(_env_file=None)))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout.strip() == 'OIDC_ISSUER is set and Authlib is not installed: pip install "authlib>=1.6,<2"', (
        ended
    )


def test_doctor_names_the_address_to_register(
    make_app: Callable[..., Flask], provider: IdentityProvider, settings: Settings
) -> None:
    """The check reads the provider's configuration, and says what does not fit, or that no one has a role."""
    from webhooks.cli.doctor.single_sign_on import check_single_sign_on
    from webhooks.services import Services

    def found(**changes: Any) -> list[tuple[str, str]]:
        services = Services(Settings.read(_env_file=None, **{**settings.model_dump(), **changes}))
        return [(result.state, result.text) for result in check_single_sign_on(services)]

    used = {"oidc_issuer": provider.url, "oidc_client_id": "x", "public_url": "https://hooks.example.org"}
    assert found() == []
    (good, text), (poor, lack) = found(**used)
    assert (good, poor) == ("ok", "warning")
    assert text.endswith("has 1 signing key; the address to register is https://hooks.example.org/login/finish")
    assert "no one has a role" in lack
    assert found(oidc_issuer=provider.url)[0][0] == "failed"
    ((failed, reason), _) = found(**used | {"oidc_issuer": f"{provider.url}/"})
    assert (failed, "calls itself" in reason) == ("failed", True)
