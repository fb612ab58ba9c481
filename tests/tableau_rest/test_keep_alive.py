"""A credential that is used in time, and a warning before it ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tableau_rest import MemorySessions, Password, PersonalAccessToken, Tableau
from tableau_rest.endpoints.keep_alive import warning_of
from tests.tableau_rest.tiny import Reply, TinyTableau

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        (date(2026, 5, 1), ""),
        (date(2026, 3, 31), "ends in 30 days, on 2026-03-31"),
        (date(2026, 3, 1), "ends today"),
        (date(2026, 2, 1), "has ended"),
    ],
)
def test_a_known_end_is_warned_of_in_time(expires: date, said: str) -> None:
    """Thirty days before, and afterwards."""
    warning = warning_of(PersonalAccessToken("bot", "x", expires=expires), NOW - timedelta(days=300), NOW)
    assert said in warning
    assert bool(warning) == bool(said)


@pytest.mark.parametrize(("days", "warned"), [(1, False), (149, False), (150, True), (364, True)])
def test_an_unknown_end_is_warned_of_by_age(days: int, warned: bool) -> None:
    """Tableau does not tell the date, so the time it has been in use has to do."""
    warning = warning_of(PersonalAccessToken("bot", "x"), NOW - timedelta(days=days), NOW)
    assert bool(warning) == warned
    assert not warned or f"{days} days" in warning


def test_a_password_does_not_age() -> None:
    """Not in a way that could be seen."""
    assert warning_of(Password("ann", "x"), NOW - timedelta(days=900), NOW) == ""


def test_the_age_of_a_token_survives_sessions_and_restarts(tiny: TinyTableau) -> None:
    """It is kept with the shared session, and begins anew with a new secret."""
    now, store = NOW, MemorySessions()
    tiny.answers["GET /api/3.27/sessions/current"] = Reply({"session": {}})

    def kept(secret: str) -> Tableau:
        return Tableau(tiny.url, "mk", PersonalAccessToken("bot", secret), sessions=store, clock=lambda: now)

    with kept("one") as client:
        assert client.keep_alive().first_used_at == NOW
    now += timedelta(days=160)
    with kept("one") as client:
        standing = client.keep_alive()
        assert (standing.first_used_at, standing.signed_in_at) == (NOW, now)
        assert "160 days" in standing.warning
    with kept("two") as client:
        assert client.keep_alive().warning == ""


def test_keep_alive_renews_a_dead_session(tiny: TinyTableau, client: Tableau) -> None:
    """401 is what it is there to find."""
    tiny.answers["GET /api/3.27/sessions/current"] = Reply({"session": {}})
    client.keep_alive()
    tiny.expire()
    client.keep_alive()
    assert tiny.sign_ins == 2
