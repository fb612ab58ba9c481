"""A reload (SIGHUP) of a real gunicorn with settings that are invalid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.config.test_environment import PARTS
from tests.support.server import free_port, wait_for
from webhooks.config.settings import ROOT

pytestmark = pytest.mark.second_stage

TOKEN = "token-of-the-reload"


class Project:
    """A copy of the program with an env file, and a gunicorn that serves it."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()
        self.log = root / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, root / part)

    def write(self, *lines: str) -> None:
        """Write the env file: these lines after those that are valid."""
        valid = (
            "TABLEAU_DOMAIN=http://127.0.0.1:9",
            "TABLEAU_PAT_NAME=a",
            "TABLEAU_PAT_SECRET=secret-of-the-reload",
            f"WEBHOOK_TOKEN={TOKEN}",
            "DATABASE_URL=sqlite:///inbox.sqlite3",
            f"PORT={self.port}",
            "WORKER_THREADS=0",
        )
        (self.root / ".env").write_text("\n".join([*valid, *lines]), encoding="utf-8")

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TABLEAU_")}
        environment = {**inherited, "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as file:
            command = [sys.executable, "-m", "gunicorn", "index:app"]
            self.process = subprocess.Popen(command, cwd=self.root, env=environment, stdout=file, stderr=file)
        wait_for(self.accepts, seconds=30, what="the server")

    def reload(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGHUP)

    def accepts(self) -> bool:
        """Return whether a test request with the token is accepted; fails if the server has ended."""
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        try:
            url = f"http://127.0.0.1:{self.port}/webhook/{TOKEN}"
            return requests.post(url, data=b"", timeout=30).json() == {"status": "test"}
        except requests.RequestException:
            return False

    def said(self, text: str) -> int:
        return self.log.read_text().count(text)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    root = tmp_path / "project"
    root.mkdir()
    made = Project(root)
    made.write()
    made.start()
    yield made
    if made.process and made.process.poll() is None:
        made.process.terminate()
        made.process.wait(40)


KEPT = "Settings invalid, the server keeps the previous ones"


def test_server_survives_a_reload_with_invalid_settings(project: Project) -> None:
    """It keeps the previous settings, logs one line per reload that names the reason and no secret, and can recover."""
    with socket.create_server(("127.0.0.1", 0)) as used:
        cases = {
            "line 8: WEBHOOK_TOKEN: the quotation mark ' is not closed": "WEBHOOK_TOKEN='abc-secret",
            "PORT": "PORT=eighty",
            "RETENTION_DAYS": "RETENTION_DAYS=-1",
            f"port {used.getsockname()[1]} of 127.0.0.1 is in use": f"PORT={used.getsockname()[1]}",
            "'no-address.invalid' is not an address": "HOST=no-address.invalid",
            "FORWARDED_ALLOW_IPS: 'proxy' is not a list of addresses": "FORWARDED_ALLOW_IPS=proxy",
        }
        for number, (reason, line) in enumerate(cases.items(), 1):
            project.write(line)
            project.reload()
            wait_for(lambda number=number: project.said(KEPT) == number, what=reason)  # type: ignore[misc]
            assert reason in project.log.read_text().rpartition(KEPT)[2].splitlines()[0]
            wait_for(project.accepts, what="the server after the reload")
    assert project.said("abc-secret") == 0
    starts = project.said("Booting worker")
    project.write("RETENTION_DAYS=5", "WEB_CONCURRENCY=3")
    project.reload()
    wait_for(lambda: project.said("Booting worker") >= starts + 3, what="three new processes")
    wait_for(project.accepts, what="the server after the last reload")
    assert project.said(KEPT) == len(cases)


def test_server_does_not_start_with_invalid_settings(project: Project) -> None:
    """Only a reload has previous settings to keep."""
    project.write("PORT=eighty")
    command = [sys.executable, "-m", "gunicorn", "index:app"]
    ended = subprocess.run(command, check=False, cwd=project.root, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "Error: " in ended.stderr
    assert KEPT not in ended.stderr
