"""The credential is used once a day, and people hear of its end in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from simulator import Running
from tableau_rest import PersonalAccessToken, Tableau
from webhooks.inbox import Inbox
from webhooks.monitor import CredentialCheck

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
Check = Callable[..., list[str]]


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    opened = Inbox.open(f"sqlite:///{tmp_path / 'inbox.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def look(inbox: Inbox, site: Running) -> Check:
    """One look, some days later, with a token that ends on a day; gives what is told."""

    def once(days: float = 0, *, expires: date | None = None, secret: str | None = None, server: str = "") -> list[str]:
        config = site.world.config
        token = PersonalAccessToken(config.pat_name, secret or config.pat_secret, expires)
        now = NOW + timedelta(days=days)
        known = {record.event.id for record in inbox.events.list(limit=100)}
        with Tableau(
            server or site.url, config.content_url, token, clock=lambda: now, sessions=inbox.sessions
        ) as tableau:
            CredentialCheck(inbox, lambda: tableau).look(now)
        found = [record.event for record in inbox.events.list(limit=100) if record.event.id not in known]
        assert all(event.type.from_monitor for event in found)
        return [str(event.payload["text"]) for event in found]

    return once


def sign_ins(site: Running) -> int:
    return site.world.sessions.sign_ins.total()


def test_used_once_a_day(look: Check, site: Running) -> None:
    """A token lapses after 15 days without a sign-in; asking more often than daily would be noise."""
    assert look() == []
    assert sign_ins(site) == 1
    assert look(0.9) == []
    assert sign_ins(site) == 1
    assert look(1.1) == []
    assert sign_ins(site) == 2


def test_near_end_is_told_once(look: Check) -> None:
    """Not again on each day that it comes nearer."""
    ends = date(2026, 2, 10)
    (told,) = look(expires=ends)
    assert "2026-02-10" in told
    assert look(2, expires=ends) == []


def test_refused_token_is_told_once(look: Check) -> None:
    """An expired or revoked token stops everything that asks Tableau; somebody has to know."""
    (told,) = look(secret="no-longer-good")
    assert "no-longer-good" not in told
    assert look(2, secret="no-longer-good") == []
    assert look(4) == []


def test_away_is_no_news_and_tried_again(look: Check, site: Running) -> None:
    """Tableau is down at night; the token is used when it is back."""
    assert look(server="http://127.0.0.1:9") == []
    assert look(0.1) == []
    assert sign_ins(site) == 1
