"""A credential that is used in time, and a warning before it expires."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tableau_rest import MemorySessions, Password, PersonalAccessToken, Tableau
from tableau_rest.endpoints.keep_alive import expiry_warning
from tests.tableau_rest.tiny import Reply, TinyTableau

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        (date(2026, 5, 1), ""),
        (date(2026, 3, 31), "expires in 30 days, on 2026-03-31"),
        (date(2026, 3, 1), "expires today"),
        (date(2026, 2, 1), "has expired"),
    ],
)
def test_a_known_expiry_date_is_warned_of_in_time(expires: date, expected: str) -> None:
    """The warning begins thirty days before and continues afterwards."""
    warning = expiry_warning(PersonalAccessToken("bot", "x", expires=expires), NOW - timedelta(days=300), NOW)
    assert expected in warning
    assert bool(warning) == bool(expected)


@pytest.mark.parametrize(("days", "warned"), [(1, False), (149, False), (150, True), (364, True)])
def test_an_unknown_expiry_date_is_warned_of_by_age(days: int, warned: bool) -> None:
    """Tableau does not return the date, so the time the token has been in use decides."""
    warning = expiry_warning(PersonalAccessToken("bot", "x"), NOW - timedelta(days=days), NOW)
    assert bool(warning) == warned
    assert not warned or f"{days} days" in warning


def test_a_password_causes_no_warning() -> None:
    """Its age is unknown."""
    assert expiry_warning(Password("ann", "x"), NOW - timedelta(days=900), NOW) == ""


def test_the_age_of_a_token_survives_sessions_and_restarts(tiny: TinyTableau) -> None:
    """It is stored with the shared session; a new secret has age zero."""
    now, store = NOW, MemorySessions()
    tiny.replies["GET /api/3.27/sessions/current"] = Reply({"session": {}})

    def client_with(secret: str) -> Tableau:
        return Tableau(tiny.url, "mk", PersonalAccessToken("bot", secret), sessions=store, clock=lambda: now)

    with client_with("one") as client:
        assert client.keep_alive().first_used_at == NOW
    now += timedelta(days=160)
    with client_with("one") as client:
        status = client.keep_alive()
        assert (status.first_used_at, status.signed_in_at) == (NOW, now)
        assert "160 days" in status.warning
    with client_with("two") as client:
        assert client.keep_alive().warning == ""


def test_keep_alive_renews_an_ended_session(tiny: TinyTableau, client: Tableau) -> None:
    """After a 401 it signs in."""
    tiny.replies["GET /api/3.27/sessions/current"] = Reply({"session": {}})
    client.keep_alive()
    tiny.expire()
    client.keep_alive()
    assert tiny.sign_ins == 2
