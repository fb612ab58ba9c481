"""The checks of `flask doctor` elsewhere: Tableau and its clock, webhooks, notifiers, public URL and certificate."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulator import Running
from tests.cli.doctor.conftest import results
from tests.support import certificates
from tests.support.simulated_site import MakeFlask, RunFlask, inject_fault, registered_webhooks
from webhooks.cli.doctor.remote_checks import compare_clocks
from webhooks.config.settings import Settings
from webhooks.monitor import certificate

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
Secured = Callable[[timedelta], tuple[str, certificates.Files]]


def test_wrong_token_wrong_role_and_no_response_differ(
    flask: RunFlask, make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """An invalid token, a user without administrator rights, and an unavailable Tableau have their own lines."""
    wrong = settings.model_copy(update={"tableau_pat_secret": type(settings.tableau_pat_secret)("wrong")})
    assert "expired" in results(make_flask(wrong)("doctor", "--json"))["sign-in"]["advice"]
    with site.world.lock:
        for user in site.world.home.users.values():
            if user.name == site.world.config.username:
                user.site_role = "Creator"
    found = results(flask("doctor", "--json"))
    assert "role is Creator" in found["sign-in"]["text"]
    assert found["webhooks"]["state"] == "failed"
    inject_fault(site, kind="refuse", target="tableau")
    assert results(flask("doctor", "--json"))["tableau"]["text"].endswith("no response")


def test_sign_in_asks_tableau_instead_of_the_stored_session(flask: RunFlask, site: Running) -> None:
    """A session in the inbox proves nothing while Tableau is down."""
    assert results(flask("doctor", "--json"))["sign-in"]["state"] == "ok"
    inject_fault(site, kind="refuse", target="tableau")
    found = results(flask("doctor", "--json"))
    states = [found[name]["state"] for name in ("tableau", "sign-in", "webhooks")]
    assert states == ["failed", "skipped", "skipped"]
    assert found["webhooks"]["text"].endswith("did not respond")


def test_clocks_are_compared() -> None:
    """The Date header of Tableau's response decides."""
    late = compare_clocks((NOW - timedelta(minutes=9)).strftime("%a, %d %b %Y %H:%M:%S GMT"), NOW)
    assert (late.state.value, "9 min" in late.text) == ("failed", True)
    near = compare_clocks((NOW - timedelta(seconds=9)).strftime("%a, %d %b %Y %H:%M:%S GMT"), NOW)
    assert (near.state.value, near.text) == ("ok", "within 9 s of Tableau's")
    assert compare_clocks("", NOW).state.value == "skipped"


@pytest.mark.parametrize("url", [(), ("--url", "https://hooks.example.org")])
def test_site_without_webhooks_fails(flask: RunFlask, url: tuple[str, ...]) -> None:
    """Missing webhooks are known without the URL, too: no event would ever arrive."""
    result = flask("doctor", *url, "--json")
    found = results(result)["webhooks"]
    assert result.exit_code == 1
    assert found["state"] == "failed"
    assert "3 webhooks are missing in Tableau: DatasourceRefreshFailed, WorkbookCreated" in found["text"]
    assert "flask webhooks sync" in found["advice"]


def test_one_missing_webhook_is_named(flask: RunFlask, make_flask: MakeFlask, settings: Settings, server: str) -> None:
    """A rule for a new event type needs `flask webhooks sync`; until then, the doctor fails."""
    flask("webhooks", "sync", "--url", server)
    assert results(flask("doctor", "--json"))["webhooks"]["state"] == "ok"
    with settings.rules_file.open("a") as file:
        file.write('[[rule]]\nname = "New"\non = "FlowDeleted"\nnotify = "slack:#bi"\n')
    found = results(make_flask(settings)("doctor", "--json"))["webhooks"]
    assert (found["state"], found["text"]) == ("failed", "1 webhook is missing in Tableau: FlowDeleted")


def test_missing_webhook_of_successes_is_explained(
    flask: RunFlask, make_flask: MakeFlask, settings: Settings, server: str
) -> None:
    """Without it, recoveries would be seen in the job list only; the rule whose incidents need it is named."""
    flask("webhooks", "sync", "--url", server)
    with settings.rules_file.open("a") as file:
        file.write('[[rule]]\nname = "Night"\non = "WorkbookRefreshFailed"\nnotify = "slack:#bi"\n')
    output = make_flask(settings)("doctor", "--json").stdout
    text = "incidents of 'Night' see recoveries in Tableau's job list only: WorkbookRefreshSucceeded missing"
    assert text in output


@pytest.mark.parametrize("with_url", [True, False])
def test_disabled_webhook_and_invalid_notifier_are_reported(
    flask: RunFlask, site: Running, server: str, *, with_url: bool
) -> None:
    """Tableau's reason and Slack's are in the lines."""
    flask("webhooks", "sync", "--url", server)
    with site.world.lock:
        webhook = registered_webhooks(site)[0]
        webhook.is_enabled, webhook.status_change_reason = False, "too many failures"
    inject_fault(site, kind="unauthorized", target="slack")
    found = results(flask("doctor", *(("--url", server) if with_url else ()), "--json"))
    assert "too many failures" in found["webhooks"]["text"]
    assert found["slack"]["state"] == "failed"


def test_webhook_with_another_url_is_reported(flask: RunFlask, server: str) -> None:
    """Its events go elsewhere."""
    flask("webhooks", "sync", "--url", "https://old.example.org")
    found = results(flask("doctor", "--url", server, "--json"))["webhooks"]
    assert (found["state"], "https://old.example.org/webhook/***" in found["text"]) == ("failed", True)


def test_superfluous_webhooks_are_one_warning(flask: RunFlask, server: str) -> None:
    """A webhook that no rule needs costs requests, not events, so the doctor does not fail."""
    flask("webhooks", "sync", "--url", server)
    for event_type in ("SiteCreated", "SiteUpdated"):
        flask("webhooks", "create", event_type, "--url", server)
    result = flask("doctor", "--json")
    found = results(result)["webhooks"]
    text = "not needed by any rule or handler: SiteCreated, SiteUpdated"
    assert (found["state"], found["text"], result.exit_code) == ("warning", text, 0)


@pytest.mark.parametrize(("path", "text"), [("/webhook/wrong", "refuses the token"), ("/nothing", "HTTP 404")])
def test_url_of_another_server_is_reported(flask: RunFlask, server: str, path: str, text: str) -> None:
    """Another program, or a server with another token, responds there."""
    assert text in results(flask("doctor", "--url", f"{server}{path}", "--json"))["address"]["text"]


def test_url_without_a_server_is_reported(flask: RunFlask) -> None:
    """Nothing listens there, so its certificate cannot be checked either."""
    found = results(flask("doctor", "--url", "https://127.0.0.1:9", "--json"))
    assert (found["address"]["state"], found["certificate"]["state"]) == ("failed", "failed")


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    """Serve HTTPS with a certificate that expires after the given time; return the URL and the files."""
    servers: list[tuple[http.server.ThreadingHTTPServer, threading.Thread]] = []

    def serve(valid_for: timedelta) -> tuple[str, certificates.Files]:
        files = certificates.issue(tmp_path, valid_for=valid_for, age=timedelta(days=100))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.chain, files.key)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that distrust it are expected
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return f"https://localhost:{server.server_address[1]}", files

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_certificate_is_checked_as_tableau_does(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trusted certificate gives its days; an unknown authority, another name and an expired one are refused."""
    url, files = secured(timedelta(days=40, hours=1))
    with pytest.raises(certificate.CertificateError, match=r"not trusted: .*; "):
        certificate.fetch(url)
    assert certificate.fetch(url, ca_bundle=files.root).days_left(datetime.now(UTC)) == 40
    monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
    assert certificate.fetch(url).days_left(datetime.now(UTC)) == 40
    with pytest.raises(certificate.CertificateError, match=r"127\.0\.0\.2"):
        certificate.fetch(url.replace("localhost", "127.0.0.2"))
    url, _ = secured(timedelta(days=-1))
    with pytest.raises(certificate.CertificateError, match="expired"):
        certificate.fetch(url)


def test_ca_bundle_is_trusted_by_every_check(secured: Secured, make_flask: MakeFlask, settings: Settings) -> None:
    """One variable names a private authority for Tableau, for the public URL, and for its certificate."""
    url, files = secured(timedelta(days=40, hours=1))
    private = settings.model_copy(update={"tableau_domain": url})
    found = results(make_flask(private)("doctor", "--url", url, "--json"))
    assert "its certificate is not trusted" in found["tableau"]["text"]
    assert "CA_BUNDLE" in found["tableau"]["advice"]
    assert found["certificate"]["state"] == "failed"
    trusting = private.model_copy(update={"ca_bundle": files.root})
    found = results(make_flask(trusting)("doctor", "--url", url, "--json"))
    assert "HTTP 501" in found["tableau"]["text"]  # the response of a server that knows no GET
    assert "HTTP 501" in found["address"]["text"]
    assert found["certificate"]["state"] == "ok"


def test_url_that_does_not_speak_tls(server: str) -> None:
    """Plain HTTP behind an https URL is reported as such."""
    with pytest.raises(certificate.CertificateError, match="does not speak TLS"):
        certificate.fetch(server.replace("http://", "https://"))


def test_certificate_that_expires_soon_is_a_warning(
    secured: Secured, flask: RunFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warning begins three weeks before its end."""
    url, files = secured(timedelta(days=9, hours=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
    found = results(flask("doctor", "--url", url, "--json"))
    assert (found["certificate"]["state"], "9 days" in found["certificate"]["text"]) == ("warning", True)
