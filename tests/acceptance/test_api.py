"""The API of a real server under everything that a generator of requests comes up with, with both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from bench.page_data import fill
from tests.api.test_api import dead
from tests.support.databases import postgres_server, url
from tests.support.server import CREDENTIAL, serving
from webhooks.clock import utc_now
from webhooks.inbox import Inbox

__all__ = ["postgres_server", "url"]

# The whole run has 100 requests for each operation, schemathesis' own number: see CONTRIBUTING.md.
EXAMPLES, SEED = os.environ.get("API_EXAMPLES", "40"), os.environ.get("API_SEED", "7")
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429]
"""

pytestmark = pytest.mark.second_stage


def seeded(url: str) -> str:
    """Fill an inbox with events, runs, incidents, dead letters and silences; return an administrator's token."""
    with closing(Inbox.open(url)) as inbox:
        fill(inbox, number_of_events=600, number_of_resources=30, number_of_runs=300)
        newest = [record.event.id or 0 for record in inbox.events.list(limit=6)]
        dead(inbox, *newest[:3], error="channel not found")
        dead(inbox, *newest[3:], error="invalid_auth")
        now = utc_now()
        for project in ("Finance", "Sales", "People"):
            inbox.silences.add(
                matchers={"project": [project]}, start=now, end=now + timedelta(days=3), by="Ann", reason="upgrade"
            )
        return inbox.sign_ins.create_token(name="tests", role="admin", by="tests", seconds=36_000)


@pytest.mark.timeout(1800)
def test_generated_requests_find_no_fault(tmp_path: Path, url: str) -> None:
    """Every check of schemathesis passes: examples, limits, positive and negative requests, sequences, no 500."""
    token = seeded(url)
    with serving(tmp_path, CREDENTIAL, DATABASE_URL=url, ADMIN_PASSWORD="password-of-the-test") as server:
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        command = [str(Path(sys.executable).with_name("st")), "run", f"{server.url}/api/v1/openapi.json"]
        command += ["--header", f"Authorization: Bearer {token}", "--max-examples", EXAMPLES, "--seed", SEED]
        ended = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=1700)
        assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
        assert "✅ Examples" in ended.stdout
        assert "✅ Stateful" in ended.stdout
        status = requests.get(f"{server.url}/api/v1/status", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert status.json()["open"] >= 0
    assert "Traceback" not in server.log.read_text()
