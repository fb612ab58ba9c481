"""The real server in processes of its own: gunicorn or a development server, with an inbox on disk."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "way-token"
# A credential for a Tableau server that does not exist.
CREDENTIAL = {"TABLEAU_DOMAIN": "127.0.0.1", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}
GUNICORN = ("-m", "gunicorn", "index:app")


@dataclass
class Server:
    """A running server: its address, its environment for commands, and its log."""

    url: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def hook(self) -> str:
        """Return the webhook URL, with the token."""
        return f"{self.url}/webhook/{TOKEN}"

    def flask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `flask` command on the same inbox."""
        command = [sys.executable, "-m", "flask", *words]
        return subprocess.run(
            command, check=False, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=100
        )

    def events(self) -> list[dict[str, Any]]:
        """Return the output of `flask events list --json`."""
        listed = self.flask("events", "list", "--json", "--limit", "1000")
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def kill(self) -> None:
        """Kill the master process and all its workers at once, with SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def serving(
    folder: Path,
    simulated: Mapping[str, str],
    *,
    command: Sequence[str] = GUNICORN,
    port: int = 0,
    path: str = "/readyz",
    **more: str,
) -> Iterator[Server]:
    """Start a server whose files are in `folder`, wait until it responds 200 at `path`, and stop it at the end.

    `simulated` are the variables for Tableau, Slack and Twilio, `more` any others. `command` is what Python runs;
    `{port}` in it is the port, a free one unless `port` is given.
    """
    port = port or free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TABLEAU_")}
    own = {
        "PORT": str(port),
        "WEBHOOK_TOKEN": TOKEN,
        "DATABASE_URL": f"sqlite:///{folder / 'inbox.sqlite3'}",
        "FLASK_APP": "index",
        "PYTHONUNBUFFERED": "1",
    }
    environment = {**inherited, **own, **simulated, **more}
    log = folder / "server.log"
    # The first process is ready before the others exist.
    processes = int(environment.get("WEB_CONCURRENCY", "2")) if "gunicorn" in " ".join(command) else 0
    with log.open("ab") as file:
        written = file.tell()
        words = [sys.executable, *(word.format(port=port) for word in command)]
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True)
        server = Server(f"http://127.0.0.1:{port}", environment, log, process)
        try:
            wait_until_ready(server, path)
            wait_for(lambda: log.read_bytes()[written:].count(b"Booting worker") >= processes, what="all processes")
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            # The reloader of a development server has a child of its own.
            if command is not GUNICORN:
                kill_group(process.pid)


def kill_group(group: int) -> None:
    """Kill what is left of a process group."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def is_ready(server: Server, path: str = "/readyz") -> bool:
    """Return whether it responds 200 at the path; fails if the server has ended."""
    assert server.process.poll() is None, server.log.read_text()
    try:
        return requests.get(f"{server.url}{path}", timeout=2).status_code == 200
    except (requests.ConnectionError, requests.Timeout):
        return False


def wait_until_ready(server: Server, path: str = "/readyz") -> None:
    """Wait until it responds 200 at the path; fail with the server's log."""
    try:
        wait_for(lambda: is_ready(server, path), seconds=90, what="the server to be ready")
    except AssertionError as error:
        raise AssertionError(f"{error}: {server.log.read_text()}") from None


def wait_for(condition: Callable[[], T], *, seconds: float = 60, what: str = "it") -> T:
    """Return the value of `condition` as soon as it is true; fail after `seconds`, which a loaded machine may need."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found


def send_lines(server: Server, lines: Sequence[str], body: str = "") -> str:
    """Return the whole response to a request with exactly these lines before its empty line."""
    address = urlsplit(server.url)
    with socket.create_connection((str(address.hostname), address.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", body]).encode())
        return connection.makefile("rb").read().decode("latin-1")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
