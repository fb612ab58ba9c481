"""The checks of our webhooks, the certificate and the stream of events: each finding is alerted once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from simulator import Running
from tests.support.simulated_site import TOKEN, RunFlask, inject_fault, registered_webhooks
from webhooks.event import MONITOR
from webhooks.inbox import Inbox
from webhooks.monitor import Check
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.certificate import Certificate, CertificateError, Untrusted
from webhooks.monitor.checks import CertificateCheck, DesiredWebhooks, GapCheck, WebhookCheck
from webhooks.services import Services

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
URL = f"https://hooks.example.org/webhook/{TOKEN}"
RunCheck = Callable[..., list[str]]


@pytest.fixture
def run(inbox: Inbox) -> Callable[[Check, float], list[str]]:
    """Run a check at NOW plus some minutes; return the alerts, "title: text"."""

    def run(check: Check, minutes: float) -> list[str]:
        before = {record.event.id for record in inbox.events.list(limit=100)}
        check.run(NOW + timedelta(minutes=minutes))
        alerts = [record.event for record in inbox.events.list(limit=100) if record.event.id not in before]
        assert {event.origin for event in alerts} <= {MONITOR}
        return [f"{event.resource_name}: {event.payload['text']}" for event in alerts]

    return run


@pytest.fixture
def check_webhooks(services: Services, run: Callable[[Check, float], list[str]]) -> RunCheck:
    def check_webhooks(minutes: float = 0, *, repair: bool = True, outage: float | None = None) -> list[str]:
        desired = DesiredWebhooks(services.desired_event_types(), URL, "tableau-webhooks", repair)
        last_outage = None if outage is None else (NOW + timedelta(minutes=outage)).timestamp()
        check = WebhookCheck(Alerts(services.inbox), services.client, desired, last_outage=lambda: last_outage)
        return run(check, minutes)

    return check_webhooks


@pytest.fixture
def check_certificate(inbox: Inbox, run: Callable[[Check, float], list[str]]) -> RunCheck:
    def check_certificate(days: float, fetch: Callable[[str], Certificate]) -> list[str]:
        return run(CertificateCheck(Alerts(inbox), URL, fetch=fetch), days * 24 * 60)

    return check_certificate


@pytest.fixture
def in_sync(flask: RunFlask) -> None:
    """Register the webhooks that the rules need."""
    assert flask("webhooks", "sync", "--url", "https://hooks.example.org").exit_code == 0


def disable(site: Running, reason: str = "too many failures") -> str:
    with site.world.lock:
        webhook = next(one for one in registered_webhooks(site) if one.event == "WorkbookCreated")
        webhook.is_enabled, webhook.status_change_reason = False, reason
    return webhook.luid


@pytest.mark.usefixtures("in_sync")
def test_correct_webhooks_are_not_alerted(check_webhooks: RunCheck) -> None:
    """Nothing is sent while all is well."""
    assert check_webhooks() == []


@pytest.mark.usefixtures("in_sync")
def test_disabled_webhook_is_enabled_again_and_alerted(check_webhooks: RunCheck, site: Running) -> None:
    """The alert says Tableau's reason, and is sent each time it happens."""
    luid = disable(site)
    (alert,) = check_webhooks()
    assert alert.startswith("1 webhook enabled again in Tableau: ")
    assert "The webhook for WorkbookCreated is disabled: too many failures. It has been enabled again." in alert
    assert site.world.home.webhooks[luid].is_enabled
    assert check_webhooks(5) == []
    disable(site)
    assert len(check_webhooks(10)) == 1


@pytest.mark.usefixtures("in_sync")
def test_webhook_that_is_disabled_repeatedly_stays_disabled(check_webhooks: RunCheck, site: Running) -> None:
    """After three repairs within a day a person has to find the reason; that is alerted once."""
    for minute in (0, 5, 10):
        disable(site)
        check_webhooks(minute)
    luid = disable(site)
    (alert,) = check_webhooks(15)
    assert "It was enabled 3 times within a day and stays disabled now." in alert
    assert "flask webhooks sync" in alert
    assert not site.world.home.webhooks[luid].is_enabled
    assert check_webhooks(20) == []
    check_webhooks(25 * 60)
    assert site.world.home.webhooks[luid].is_enabled


@pytest.mark.usefixtures("in_sync")
def test_repairs_after_an_outage_of_our_own_are_not_counted(check_webhooks: RunCheck, site: Running) -> None:
    """Only what Tableau disabled without such a reason needs a person, also in between."""
    for minute in range(0, 50, 10):
        luid = disable(site)
        (alert,) = check_webhooks(minute, outage=minute - 1)
        assert "It has been enabled again.\nThis server was started, or could not accept events" in alert
    assert check_webhooks(60, outage=49) == []
    for minute in (100, 110, 120):
        luid = disable(site)
        (alert,) = check_webhooks(minute, outage=49)
        assert "This server was started" not in alert
    disable(site)
    assert "stays disabled now" in check_webhooks(130, outage=49)[0]
    assert not site.world.home.webhooks[luid].is_enabled
    assert "enabled again" in check_webhooks(140, outage=139)[0]
    assert site.world.home.webhooks[luid].is_enabled


@pytest.mark.usefixtures("in_sync")
def test_repair_can_be_switched_off(check_webhooks: RunCheck, site: Running) -> None:
    """A disabled webhook is then only alerted, once."""
    luid = disable(site)
    (alert,) = check_webhooks(repair=False)
    assert "too many failures" in alert
    assert check_webhooks(5, repair=False) == []
    assert not site.world.home.webhooks[luid].is_enabled


@pytest.mark.usefixtures("in_sync")
def test_missing_and_moved_webhooks_are_alerted_once_per_change(check_webhooks: RunCheck, site: Running) -> None:
    """All differences are in one alert; a further difference is another alert, a correction is none."""
    with site.world.lock:
        missing, moved, _ = registered_webhooks(site)
        del site.world.home.webhooks[missing.luid]
        before, moved.url = moved.url, "https://elsewhere.example.org/webhook/their-secret"
    (alert,) = check_webhooks()
    assert alert.startswith("2 webhooks in Tableau need attention: ")
    assert f"The webhook for {missing.event} is missing." in alert
    assert f"The webhook for {moved.event} points to https://elsewhere.example.org/webhook/***." in alert
    assert alert.endswith("To correct this, run flask webhooks sync.")
    assert check_webhooks(5) == []
    with site.world.lock:
        moved.url = before
    assert check_webhooks(10) == []
    with site.world.lock:
        moved.url = "https://third.example.org/webhook/x"
    assert len(check_webhooks(15)) == 1


def test_missing_webhooks_are_counted_in_the_title(check_webhooks: RunCheck) -> None:
    """A site without webhooks is named as such."""
    (alert,) = check_webhooks()
    assert alert.startswith("3 webhooks are missing in Tableau: ")


def test_unavailable_tableau_is_not_alerted_but_a_refusal_is(check_webhooks: RunCheck, site: Running) -> None:
    """A refusal is alerted once, and again only after a check that succeeded."""
    inject_fault(site, kind="html", target="tableau", path="webhooks", status=503, times=20)
    assert check_webhooks() == []
    site.world.faults.remove()
    inject_fault(site, kind="error", target="tableau", path="webhooks", code="403004")
    (alert,) = check_webhooks(5)
    assert alert.startswith("The webhooks in Tableau cannot be checked: ")
    assert "403004" in alert
    assert check_webhooks(10) == []


def test_expiring_certificate_is_alerted_in_stages(check_certificate: RunCheck) -> None:
    """14, 7, 3 and 1 days before it expires, each once; a new certificate is not alerted."""

    def old(_: str) -> Certificate:
        return Certificate("hooks.example.org", NOW + timedelta(days=20, hours=1))

    def new(_: str) -> Certificate:
        return Certificate("hooks.example.org", NOW + timedelta(days=80))

    alerts = [check_certificate(day, old) for day in (0, 7, 8, 14, 18, 20)]
    assert [len(alert) for alert in alerts] == [0, 1, 0, 1, 1, 1]
    assert "expires on 2026-02-20 (in 13 days). Renew it" in alerts[1][0]
    assert "expires on 2026-02-20 (today)" in alerts[5][0]
    assert check_certificate(20.01, old) == []
    assert check_certificate(21, new) == []


def test_untrusted_certificate_is_alerted_but_an_unreachable_address_is_not(check_certificate: RunCheck) -> None:
    """The server's own address may be unreachable from inside its network."""

    def raising(error: CertificateError) -> Callable[[str], Certificate]:
        def fetch(_: str) -> Certificate:
            raise error

        return fetch

    unreachable = raising(CertificateError("cannot connect to h:443: timed out"))
    assert check_certificate(0, unreachable) == []
    expired = raising(Untrusted("the certificate of h is not trusted: certificate has expired; renew it"))
    (alert,) = check_certificate(1, expired)
    assert "Tableau does not deliver to https://hooks.example.org/webhook/***: the certificate of h" in alert
    assert check_certificate(2, expired) == []


def test_unusual_gap_is_alerted_once(
    inbox: Inbox, run: Callable[[Check, float], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until an event is received, after which the next unusual gap is alerted again."""
    last = NOW.timestamp()
    times = [last - hour * 3600.0 for hour in range(100)]
    monkeypatch.setattr(inbox.events, "received_times", lambda: times)
    check = GapCheck(Alerts(inbox))
    assert run(check, 30) == []
    (alert,) = run(check, 60 * 10)
    assert alert.startswith("No events received for 10 hours: The last event was received at 2026-01-31 09:30 UTC.")
    assert run(check, 60 * 11) == []
    times.insert(0, last + 11 * 3600)
    assert run(check, 60 * 12) == []
    assert len(run(check, 60 * 72)) == 1
