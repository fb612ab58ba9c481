"""The credential is used once a day, and people are alerted before it expires."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from simulator import Running
from tableau_rest import PersonalAccessToken, Tableau
from tests.support.handler_context import inbox
from webhooks.event import MONITOR
from webhooks.inbox import Inbox
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.credential import CredentialCheck

__all__ = ["inbox"]

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
Check = Callable[..., list[str]]


@pytest.fixture
def check(inbox: Inbox, site: Running) -> Check:
    """Run one check, `days` later, with a token that expires on a day; return the texts of the alerts."""

    def run(days: float = 0, *, expires: date | None = None, secret: str | None = None, server: str = "") -> list[str]:
        config = site.world.config
        token = PersonalAccessToken(config.pat_name, secret or config.pat_secret, expires)
        now = NOW + timedelta(days=days)
        before = {record.event.id for record in inbox.events.list(limit=100)}
        with Tableau(
            server or site.url, config.content_url, token, clock=lambda: now, sessions=inbox.sessions
        ) as tableau:
            CredentialCheck(Alerts(inbox), lambda: tableau).run(now)
        alerts = [record.event for record in inbox.events.list(limit=100) if record.event.id not in before]
        assert {event.origin for event in alerts} <= {MONITOR}
        return [f"{event.resource_name}: {event.payload['text']}" for event in alerts]

    return run


def sign_ins(site: Running) -> int:
    return site.world.sessions.sign_ins.total()


def test_credential_is_used_once_a_day(check: Check, site: Running) -> None:
    """A token lapses after 15 days without a sign-in; asking more often than daily would be noise."""
    assert check() == []
    assert sign_ins(site) == 1
    assert check(0.9) == []
    assert sign_ins(site) == 1
    assert check(1.1) == []
    assert sign_ins(site) == 2


def test_approaching_expiry_is_alerted_once(check: Check) -> None:
    """The alert is not repeated as the number of days decreases."""
    expires = date(2026, 2, 10)
    (alert,) = check(expires=expires)
    assert alert.startswith("The credential for Tableau expires soon: ")
    assert "2026-02-10" in alert
    assert check(2, expires=expires) == []


def test_rejected_token_is_alerted_once(check: Check) -> None:
    """An expired or revoked token stops everything that asks Tableau, so it is alerted, without the secret."""
    (alert,) = check(secret="no-longer-good")
    assert alert.startswith("Tableau rejects the credential: ")
    assert "no-longer-good" not in alert
    assert check(2, secret="no-longer-good") == []
    assert check(4) == []


def test_credential_that_was_accepted_again_is_alerted_when_it_is_rejected_again(check: Check) -> None:
    """The same rejection after a time without one is a new alert."""
    assert len(check(secret="no-longer-good")) == 1
    assert check(2) == []
    assert len(check(4, secret="no-longer-good")) == 1


def test_unavailable_tableau_is_not_alerted_and_the_check_is_repeated(check: Check, site: Running) -> None:
    """If Tableau is down at night, the token is used when it is up again."""
    assert check(server="http://127.0.0.1:9") == []
    assert check(0.1) == []
    assert sign_ins(site) == 1
