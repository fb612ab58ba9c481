"""Test that a server on Heroku refuses a database that the next deploy deletes."""

from __future__ import annotations

import pytest

from webhooks.app import create_app
from webhooks.config.settings import Settings


def test_sqlite_is_refused_on_a_dyno(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not start with a file that the next deploy deletes, and says what to do."""
    monkeypatch.setenv("DYNO", "web.1")
    with pytest.raises(RuntimeError, match="heroku addons:create heroku-postgresql"):
        create_app(settings)


def test_postgres_is_accepted_on_a_dyno(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heroku's form of the address is accepted."""
    monkeypatch.setenv("DYNO", "web.1")
    Settings.read(_env_file=None, database_url="postgres://user:password@host/name").require_durable()
