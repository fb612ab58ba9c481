"""Isolate every test from the developer's own settings, and assign the long tests to the second stage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tableau_rest import MemorySessions
from tests.support.memory import memory
from webhooks.config.settings import Settings

NAMES = [name.upper() for name in Settings.model_fields] + ["TS_PAT_NAME", "TS_PAT_SECRET", "WEB_CONCURRENCY", "DYNO"]
TESTS = Path(__file__).parent
# Folders and files whose tests kill servers or start other large programs.
SECOND_STAGE = tuple(
    TESTS / name
    for name in (
        "acceptance",
        "cli/listen",
        "cli/test_start.py",
        "config/test_environment.py",
        "deploy/test_container.py",
        "deploy/test_gunicorn.py",
        "deploy/test_heroku.py",
        "deploy/test_proxies.py",
        "deploy/test_pythons.py",
        "deploy/test_systemd.py",
        "docs/test_commands.py",
        "docs/test_sessions.py",
        "monitor/test_heartbeat.py",
        "monitor/test_monitor.py",
        "monitor/test_outages.py",
        "postman",
        "reliability",
        "security/test_bounds.py",
        "security/test_connections.py",
        "security/test_exit_codes.py",
        "security/test_hostile_peers.py",
        "security/test_lost_inbox.py",
        "security/test_readiness.py",
        "simulator/test_page.py",
        "sites/test_sites.py",
        "worker/test_forks.py",
        "worker/test_processes.py",
        "worker/test_uncertain_commits.py",
    )
)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put the temporary files of the first stage into memory: on a disk, SQLite waits for it at every commit.

    The second stage writes to the disk, and so does a run of chosen files.
    """
    folder = memory() if config.option.markexpr == "not second_stage" else None
    if folder is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(path) for path in SECOND_STAGE):
            item.add_marker(pytest.mark.second_stage)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("webhooks.config.environment.ENV_FILE", tmp_path / "absent.env")
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    monkeypatch.delenv("FLASK_RUN_FROM_CLI", raising=False)
    # The session of an earlier simulated site is not valid at a later one that happens to have the same port.
    monkeypatch.setattr("tableau_rest.connection._PROCESS_SESSIONS", MemorySessions())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with an unreachable Tableau, a token and an inbox in the test's folder."""
    return Settings.read(
        _env_file=None,
        tableau_domain="http://127.0.0.1:9",
        tableau_pat_name="test",
        tableau_pat_secret="pat-secret-of-the-test",
        webhook_token="token-of-the-test",
        database_url=f"sqlite:///{tmp_path / 'inbox.sqlite3'}",
        worker_threads=0,
    )
