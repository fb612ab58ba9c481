"""The watch over our webhooks: one process looks, what it finds is told once, a disabled one is switched on again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulator import Running
from tests.acceptance.server import serving, wait_for
from tests.support.simulated_site import DESIRED, TOKEN, RunFlask, inject_fault, registered_webhooks, slack_messages
from webhooks.event import MONITOR, build
from webhooks.inbox import Inbox
from webhooks.monitor import DesiredWebhooks, Monitor, WebhookCheck
from webhooks.monitor.certificate import Certificate, CertificateError
from webhooks.services import Services

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
URL = f"https://hooks.example.org/webhook/{TOKEN}"
Check = Callable[..., list[str]]


def good(_: str) -> Certificate:
    return Certificate("hooks.example.org", NOW + timedelta(days=80))


@pytest.fixture
def look(services: Services) -> Check:
    """One round, later by `minutes`; gives the texts of what it found worth telling."""

    def once(minutes: float = 0, *, repair: bool = True, shown: Callable[[str], Certificate] = good) -> list[str]:
        before = {record.event.id for record in services.inbox.events.list(limit=100)}
        aims = DesiredWebhooks(services.wanted(), URL, "tableau-webhooks", repair)
        WebhookCheck(services.inbox, lambda: services.tableau, aims, look_at=shown).look(
            NOW + timedelta(minutes=minutes)
        )
        found = [record.event for record in services.inbox.events.list(limit=100) if record.event.id not in before]
        assert all(event.type.from_monitor and event.origin == MONITOR for event in found)
        return [str(event.payload["text"]) for event in found]

    return once


@pytest.fixture
def in_place(flask: RunFlask) -> None:
    """The webhooks that the rules need."""
    assert flask("webhooks", "sync", "--url", "https://hooks.example.org").exit_code == 0


def disable(site: Running, reason: str = "too many failures") -> str:
    with site.world.lock:
        hook = next(one for one in registered_webhooks(site) if one.event == "WorkbookCreated")
        hook.is_enabled, hook.status_change_reason = False, reason
    return hook.luid


@pytest.mark.usefixtures("in_place")
def test_all_in_place_is_no_news(look: Check) -> None:
    """Nothing is told."""
    assert look() == []


@pytest.mark.usefixtures("in_place")
def test_disabled_webhook_is_switched_on_again_and_told(look: Check, site: Running) -> None:
    """With Tableau's reason; and again each time it happens."""
    luid = disable(site)
    (text,) = look()
    assert "too many failures. It is switched on again" in text
    assert site.world.home.webhooks[luid].is_enabled
    assert look(5) == []
    disable(site)
    assert len(look(10)) == 1


@pytest.mark.usefixtures("in_place")
def test_webhook_that_is_switched_off_again_and_again_stays_off(look: Check, site: Running) -> None:
    """After three times in a day a person has to look; that is told once."""
    for minute in (0, 5, 10):
        disable(site)
        look(minute)
    luid = disable(site)
    (text,) = look(15)
    assert "flask webhooks sync" in text
    assert not site.world.home.webhooks[luid].is_enabled
    assert look(20) == []
    look(25 * 60)
    assert site.world.home.webhooks[luid].is_enabled


@pytest.mark.usefixtures("in_place")
def test_repair_can_be_switched_off(look: Check, site: Running) -> None:
    """Then it is only told, once."""
    luid = disable(site)
    (text,) = look(repair=False)
    assert "too many failures" in text
    assert look(5, repair=False) == []
    assert not site.world.home.webhooks[luid].is_enabled


@pytest.mark.usefixtures("in_place")
def test_missing_and_moved_webhooks_are_told_once_per_change(look: Check, site: Running) -> None:
    """In one message; another change is another message, and being right again is none."""
    with site.world.lock:
        gone, moved, _ = registered_webhooks(site)
        del site.world.home.webhooks[gone.luid]
        before, moved.url = moved.url, "https://elsewhere.example.org/webhook/their-secret"
    (text,) = look()
    assert "there is no webhook for it" in text
    assert "points to https://elsewhere.example.org/webhook/***" in text
    assert look(5) == []
    with site.world.lock:
        moved.url = before
    assert look(10) == []
    with site.world.lock:
        moved.url = "https://third.example.org/webhook/x"
    assert len(look(15)) == 1


@pytest.mark.usefixtures("in_place")
def test_certificate_is_told_at_its_stages(look: Check) -> None:
    """Two weeks, a week, three days and a day before its end, each once; a new one is no news."""

    def old(_: str) -> Certificate:
        return Certificate("hooks.example.org", NOW + timedelta(days=20, hours=1))

    told = [len(look(day * 24 * 60, shown=old)) for day in (0, 7, 8, 14, 18, 20)]
    assert told == [0, 1, 0, 1, 1, 1]
    assert look(20 * 24 * 60 + 5) == []


@pytest.mark.usefixtures("in_place")
def test_untrusted_certificate_is_told_unreachable_is_not(look: Check) -> None:
    """From inside, our own address may well be out of reach."""

    def refused(text: str) -> Callable[[str], Certificate]:
        def look_at(_: str) -> Certificate:
            raise CertificateError(text)

        return look_at

    assert look(shown=refused("h:443 cannot be reached: timed out")) == []
    expired = refused("the certificate of h is not trusted: certificate has expired; it has to be renewed")
    assert "expired" in look(1, shown=expired)[0]
    assert look(2, shown=expired) == []


def test_tableau_that_is_away_is_no_news_one_that_refuses_is(look: Check, site: Running) -> None:
    """Told once, and again only after it went well in between."""
    inject_fault(site, kind="html", target="tableau", path="webhooks", status=503, times=20)
    assert look() == []
    site.world.faults.remove()
    inject_fault(site, kind="error", target="tableau", path="webhooks", code="403004")
    assert "403004" in look(5)[0]
    assert look(10) == []


@pytest.mark.usefixtures("in_place")
def test_silence_is_told_once(look: Check, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until something comes, and then longer than usual nothing again."""
    last = NOW.timestamp()
    times = [last - hour * 3600.0 for hour in range(100)]
    monkeypatch.setattr(services.inbox.events, "received_times", lambda: times)
    assert look(30) == []
    (text,) = look(60 * 10)
    assert "10 hours ago" in text
    assert look(60 * 11) == []
    times.insert(0, last + 11 * 3600)
    assert look(60 * 12) == []


@pytest.fixture
def watches(services: Services) -> Iterator[Callable[..., Monitor]]:
    """Starts watches on one inbox, as many processes do."""
    started: list[Monitor] = []

    def start(look: Callable[[datetime], None], inbox: Inbox | None = None) -> Monitor:
        watch = Monitor(inbox or services.inbox, [look], 0.002)
        watch.start()
        started.append(watch)
        return watch

    yield start
    for watch in started:
        watch.stop()


def test_one_of_many_looks_and_another_takes_over(watches: Callable[..., Monitor]) -> None:
    """When the first stops, the next begins at once."""
    seen: list[str] = []
    first = watches(lambda _: seen.append("first"))
    wait_for(lambda: seen, what="the first look")
    watches(lambda _: seen.append("second"))
    time.sleep(0.3)
    assert set(seen) == {"first"}
    first.stop()
    wait_for(lambda: "second" in seen, what="the second to take over")


def test_look_that_fails_does_not_end_the_watch(watches: Callable[..., Monitor]) -> None:
    """It is logged, and the next round tries again."""
    seen: list[datetime] = []

    def look(now: datetime) -> None:
        seen.append(now)
        raise ValueError("unforeseen")

    watches(look)
    wait_for(lambda: len(seen) > 2, what="more rounds")


def test_notice_goes_to_whom_dead_letters_go_to(services: Services, site: Running) -> None:
    """Rules are not asked, so that `on = "*"` does not tell it twice."""
    event = build("WebhooksDrifted", origin="monitor", resource_name="x", resource_luid="1")
    assert [(job.handler, dict(job.params)) for job in services.matching(event)] == [
        ("monitor_alert", {"to": "slack:#bi"})
    ]


def test_server_watches_and_tells(site: Running, tmp_path: Path, rules_file: Path, flask: RunFlask) -> None:
    """The real server with two processes: one webhook is switched off, somebody reads of it, it is on again."""
    assert flask("webhooks", "sync", "--url", "https://hooks.example.org").exit_code == 0
    disable(site)
    more = {"WEBHOOK_URL": URL, "RULES_FILE": str(rules_file), "WATCH_MINUTES": "0.02"}
    with serving(tmp_path, site.environment, **more):
        wait_for(lambda: slack_messages(site), seconds=30, what="the message")
        wait_for(lambda: all(one.is_enabled for one in registered_webhooks(site)), what="the repair")
        time.sleep(1.5)
    (message,) = slack_messages(site)
    assert "too many failures" in message
    assert len(registered_webhooks(site)) == len(DESIRED)
    sign_ins = site.world.sessions.sign_ins
    assert sum(count for who, count in sign_ins.items() if who.startswith("pat")) <= 2
