"""Test that commands start without the parts that they do not use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import Receive
from webhooks.config.settings import ROOT, Settings

UNUSED = {
    "alembic",
    "requests",
    "rich",
    "slack_sdk",
    "sqlalchemy.dialects.postgresql",
    "tableau_rest",
    "webhooks.context",
    "webhooks.monitor",
    "webhooks.rules",
    "webhooks.worker",
}


@pytest.mark.parametrize(
    ("words", "unused"), [(("events", "list", "--json"), UNUSED), (("events", "list"), UNUSED - {"rich"})]
)
def test_listing_events_imports_only_what_it_needs(
    receive: Receive, settings: Settings, words: tuple[str, ...], unused: set[str]
) -> None:
    """Neither rules, handlers, worker and monitor nor the clients of other services are imported."""
    receive()
    environment = {**os.environ, "DATABASE_URL": settings.database_url.get_secret_value(), "FLASK_APP": "index"}
    command = [sys.executable, "-X", "importtime", "-m", "flask", *words]
    ended = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "webhooks.inbox" in imported
    assert imported & unused == set()
