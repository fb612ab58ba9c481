"""A handler that ends its process: the server goes on, and the job ends as a dead letter."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.support.server import serving, wait_for

CREDENTIAL = {"TABLEAU_DOMAIN": "127.0.0.1", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}
# A server whose handler for one event type ends the process that runs it.
SERVER = """
import os, signal, sys
from webhooks.registry import on
@on("WorkbookCreated")
def fatal(event):
    {statement}
from gunicorn.app.wsgiapp import run
sys.argv = ["gunicorn", "index:app"]
run()
"""
CRASHES = ["os._exit(3)", "os._exit(4)", "os.kill(os.getpid(), signal.SIGKILL)"]


@pytest.mark.parametrize("statement", CRASHES)
def test_handler_cannot_stop_the_server(tmp_path: Path, statement: str) -> None:
    """gunicorn stops with all its processes after some exit codes of a worker; one that served is replaced instead."""
    (tmp_path / "rules.toml").write_text("")
    more = {"LEASE_SECONDS": "1", "WEB_CONCURRENCY": "2", "RULES_FILE": str(tmp_path / "rules.toml")}
    code = SERVER.format(statement=statement)
    with serving(tmp_path, CREDENTIAL, command=("-c", code), **more) as server:
        event = {"event_type": "WorkbookCreated", "resource_name": "Sales"}
        assert requests.post(server.hook, json=event, timeout=10).status_code == 200

        def dead() -> bool:
            return any(job["state"] == "dead" for event in server.events() for job in event["jobs"])

        wait_for(dead, seconds=60, what="the dead letter")
        assert server.process.poll() is None
        another = {"event_type": "WorkbookDeleted", "resource_name": "Sales"}
        wait_for(lambda: requests.post(server.hook, json=another, timeout=10).status_code == 200)


def test_server_that_cannot_start_ends(tmp_path: Path) -> None:
    """An inbox that cannot be opened ends the start of every process, and so the server, as before."""
    (tmp_path / "inbox.sqlite3").write_bytes(b"this is no database" * 1000)
    with pytest.raises(AssertionError), serving(tmp_path, CREDENTIAL, WEB_CONCURRENCY="1"):
        pass
    assert "Worker failed to boot" in (tmp_path / "server.log").read_text()
