"""Handlers that end their process or start others: the server goes on, and nothing of it is left after its end."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests

from tests.acceptance.test_load import children
from tests.support.server import CREDENTIAL, Server, serving, wait_for
from webhooks.config import environment
from webhooks.inbox import Inbox

# A server whose handler for one event type ends the process that runs it.
SERVER = """
import os, signal, sys, time
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


FORKED = """if os.fork() == 0:
        os.execvp("sleep", ["sleep", "300"]) if event.resource_name == "exec" else time.sleep(300)"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["exec", "fork"])
def test_children_of_handlers_do_not_hold_the_address(tmp_path: Path, name: str) -> None:
    """A forked process accepts no connections, and ends with the server."""
    (tmp_path / "rules.toml").write_text("")
    more = {"WEB_CONCURRENCY": "1", "RULES_FILE": str(tmp_path / "rules.toml")}
    code = SERVER.format(statement=FORKED)
    with serving(tmp_path, CREDENTIAL, command=("-c", code), **more) as server:
        (worker,) = children(server.process.pid)
        event = {"event_type": "WorkbookCreated", "resource_name": name}
        assert requests.post(server.hook, json=event, timeout=10).status_code == 200
        (child,) = wait_for(lambda: descendants(worker))
        server.process.terminate()
        server.process.wait(40)
        wait_for(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text())
        environment.require_free_address("127.0.0.1", int(server.environment["PORT"]))


def descendants(pid: int) -> list[int]:
    """Return the children that any thread of the process has started."""
    return [int(child) for one in Path(f"/proc/{pid}/task").glob("*/children") for child in one.read_text().split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_handler_that_is_broken_while_it_serves_ends_no_server(tmp_path: Path, processes: str) -> None:
    """A process that replaces a killed one runs the handlers with which the server started."""
    handlers = tmp_path / "handlers"
    handlers.mkdir()
    file = handlers / "mine.py"
    file.write_text("from webhooks.registry import on\n")
    (tmp_path / "rules.toml").write_text("")
    more = {"WEB_CONCURRENCY": processes, "RULES_FILE": str(tmp_path / "rules.toml"), "HANDLERS_DIR": str(handlers)}
    with serving(tmp_path, CREDENTIAL, **more) as server:
        file.write_text("def\n")
        for worker in (before := children(server.process.pid)):
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: set(children(server.process.pid)) - set(before), what="another process")
        event = {"event_type": "WorkbookCreated", "resource_name": "Sales"}
        wait_for(lambda: accepts(server, event), what="a response")
        assert server.process.poll() is None


def accepts(server: Server, event: dict[str, str]) -> bool:
    """Return whether the server answers the event with 200."""
    with suppress(requests.ConnectionError):
        return requests.post(server.hook, json=event, timeout=10).status_code == 200
    return False


def test_server_that_cannot_start_ends(tmp_path: Path) -> None:
    """An inbox of a newer version ends the start of every process, and so the server, as before."""
    database = tmp_path / "inbox.sqlite3"
    Inbox.open(f"sqlite:///{database}").close()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(AssertionError), serving(tmp_path, CREDENTIAL, WEB_CONCURRENCY="1"):
        pass
    assert "Worker failed to boot" in (tmp_path / "server.log").read_text()
