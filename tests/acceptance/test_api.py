"""The API of a real server under everything that a generator of requests comes up with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.server import CREDENTIAL, serving
from webhooks.inbox import Inbox

# An address that is too long is refused by gunicorn, before the API sees it.
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429]
"""

pytestmark = pytest.mark.second_stage


@pytest.mark.timeout(600)
def test_generated_requests_find_no_fault(tmp_path: Path) -> None:
    """The full run of schemathesis passes: positive and negative requests, sequences, credentials, and no 500."""
    with serving(tmp_path, CREDENTIAL, ADMIN_PASSWORD="password-of-the-test") as server:
        event = {
            "event_type": "WorkbookRefreshFailed",
            "resource_name": "Sales",
            "resource_luid": "e3417f6a-1c11-4a07-9f2e-000000000001",
        }
        assert requests.post(server.hook, json=event, timeout=10).status_code == 200
        inbox = Inbox.open(server.environment["DATABASE_URL"])
        token = inbox.sign_ins.create_token(name="tests", role="admin", by="tests", seconds=3600)
        inbox.close()
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        command = [str(Path(sys.executable).with_name("st")), "run", f"{server.url}/api/v1/openapi.json"]
        command += ["--header", f"Authorization: Bearer {token}", "--max-examples", "40", "--seed", "7"]
        ended = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=550)
        assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
        status = requests.get(f"{server.url}/api/v1/status", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert json.loads(status.text)["open"] >= 0
    assert "Traceback" not in server.log.read_text()
