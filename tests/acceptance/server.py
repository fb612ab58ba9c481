"""The real server as a process of its own: gunicorn with two workers, an inbox on disk, a simulated outside world."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "way-token"


@dataclass
class Server:
    """A running server: where it listens, its environment for commands, and its log."""

    url: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def hook(self) -> str:
        return f"{self.url}/webhook/{TOKEN}"

    def flask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a `flask` command against the same inbox."""
        command = [sys.executable, "-m", "flask", *words]
        return subprocess.run(
            command, check=False, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60
        )

    def events(self) -> list[dict[str, Any]]:
        """What `flask events list --json` says."""
        listed = self.flask("events", "list", "--json", "--limit", "1000")
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def kill(self) -> None:
        """-9 for the master and all its workers, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def serving(folder: Path, outside: Mapping[str, str], **more: str) -> Iterator[Server]:
    """Starts a server whose files are in `folder`; `outside` are the variables for Tableau, Slack and Twilio."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TABLEAU_")}
    mine = {
        "PORT": str(port),
        "WEBHOOK_TOKEN": TOKEN,
        "DATABASE_URL": f"sqlite:///{folder / 'inbox.sqlite3'}",
        "FLASK_APP": "index",
        "PYTHONUNBUFFERED": "1",
    }
    environment = {**clean, **mine, **outside, **more}
    log = folder / "server.log"
    with log.open("ab") as file:
        command = [sys.executable, "-m", "gunicorn", "index:app"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True)
        server = Server(f"http://127.0.0.1:{port}", environment, log, process)
        try:
            wait_for(lambda: _ready(server), seconds=30, what=f"the server to be ready; see {log.read_text()}")
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(40)


def _ready(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return requests.get(f"{server.url}/readyz", timeout=2).status_code == 200
    except (requests.ConnectionError, requests.Timeout):
        return False


def wait_for(condition: Any, *, seconds: float = 20, what: str = "it") -> Any:
    """What `condition` gives, as soon as that is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
