"""Provide a project folder to run commands in, with a server, a simulated site and stored events."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from simulator import Running, running
from tests.support.server import ROOT, Server, serving, wait_for
from webhooks.cli.trigger.sample import sample
from webhooks.event_types import EVENT_TYPES

KEPT = 45
# Number of stored events, so that there is an event 41.


@pytest.fixture(scope="session")
def site() -> Iterator[Running]:
    with running() as site:
        yield site


@pytest.fixture(scope="session")
def server(site: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server without a token, as in the demo."""
    folder = tmp_path_factory.mktemp("documentation")
    with serving(folder, site.environment, WEBHOOK_TOKEN="", NO_COLOR="1") as server:
        for number in range(KEPT):
            event_type = "WorkbookRefreshFailed" if number == 40 else list(EVENT_TYPES)[number % len(EVENT_TYPES)]
            body = sample(event_type) | {"created_at": f"2026-01-31T09:30:{number:02}Z"}
            response = requests.post(f"{server.url}/webhook", json=body, timeout=30)
            assert response.json()["event"] == number + 1
        wait_for(lambda: "ready" not in {job["state"] for event in server.events() for job in event["jobs"]})
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the project's folder that a command may modify."""
    for entry in ROOT.iterdir():
        if entry.name not in {".git", ".venv", ".env", "data", "rules.toml"}:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    for name in ("rules.toml", "new-rules.toml", "other.toml"):
        (tmp_path / name).write_bytes((ROOT / "rules.toml").read_bytes())
    return tmp_path


@pytest.fixture
def shell(server: Server, site: Running, folder: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return a function that runs shell lines there, with the documented ports replaced by those of the test."""
    environment = server.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(lines: str) -> subprocess.CompletedProcess[str]:
        here = lines.replace("http://127.0.0.1:8000", server.url).replace("http://127.0.0.1:8100", site.url)
        # `make` would start what already runs in a test.
        here = re.sub(r"(?m)^((?:\w+=\S+ )*)make ", r"\1make --dry-run ", here)
        command = ["bash", "-euo", "pipefail", "-c", here]
        return subprocess.run(
            command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=100
        )

    return run
