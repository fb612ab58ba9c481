"""How the server starts while its inbox is not at hand, and how it ends then."""

from __future__ import annotations

import fcntl
import grp
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from simulator import Running
from tests.acceptance.server import ROOT, TOKEN, free_port, wait_for


@contextmanager
def starting(folder: Path, site: Running, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server that need not become ready."""
    port = free_port()
    environment = {**os.environ, **site.environment, "PORT": str(port), "WEBHOOK_TOKEN": TOKEN}
    environment["DATABASE_URL"] = f"sqlite:///{folder / 'inbox.sqlite3'}"
    command = [sys.executable, "-m", "gunicorn", *options, "index:app"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process, port
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_signal_during_a_migration_ends_the_server(site: Running, tmp_path: Path) -> None:
    """Another process has the inbox's lock: SIGTERM is heard all the same, and nothing is left behind on the port."""
    with (tmp_path / "inbox.sqlite3.lock").open("a") as lock, starting(tmp_path, site) as (process, port):
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        wait_for(lambda: listens(port), what="the port")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: "Handling signal: term" in (tmp_path / "log").read_text(), what="the signal to be heard")
        fcntl.flock(lock.fileno(), fcntl.LOCK_UN)
        assert process.wait(15) == 0
        assert not listens(port)
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start it as somebody else")
def test_inbox_belongs_to_those_who_use_it(site: Running, tmp_path: Path) -> None:
    """A server that is started by root makes a new inbox as those for whom it serves, so that they can write it."""
    group = grp.getgrnam("nogroup")
    event = {"resource": "USER", "event_type": "AdminPromoted", "created_at": "2026-01-31T09:30:00Z"}
    with starting(tmp_path, site, "--group", group.gr_name) as (_, port):
        wait_for(lambda: listens(port), what="the port")
        assert requests.post(f"http://127.0.0.1:{port}/webhook/{TOKEN}", json=event, timeout=20).status_code == 200
    assert {file.stat().st_gid for file in tmp_path.glob("inbox.sqlite3*")} == {group.gr_gid}
