"""What every test starts from: an environment without the developer's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from webhooks.config.settings import Settings

NAMES = [name.upper() for name in Settings.model_fields] + ["TS_PAT_NAME", "TS_PAT_SECRET", "WEB_CONCURRENCY", "DYNO"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    monkeypatch.delenv("FLASK_RUN_FROM_CLI", raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that name a site where nobody answers, a token, and an inbox of this test's own."""
    return Settings.read(
        _env_file=None,
        tableau_domain="http://127.0.0.1:9",
        tableau_pat_name="test",
        tableau_pat_secret="pat-secret-of-the-test",
        webhook_token="token-of-the-test",
        database_url=f"sqlite:///{tmp_path / 'inbox.sqlite3'}",
        worker_threads=0,
    )
