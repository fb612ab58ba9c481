"""The worker class that shares connections, and what happens with a gunicorn that it was not tested with."""

from __future__ import annotations

import inspect
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gunicorn
import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.http import wsgi
from gunicorn.util import write_error
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import TConn, ThreadWorker
from packaging.requirements import Requirement

from webhooks.config.settings import ROOT
from webhooks.gunicorn.problem_socket import ProblemSocket
from webhooks.gunicorn.sharing_worker import SUPPORTED, SharingWorker, choose_worker_class
from webhooks.receiver import RETRY_AFTER_SECONDS


def configuration() -> dict[str, Any]:
    """Return the settings of gunicorn.conf.py in this environment."""
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


def test_installed_version_is_supported() -> None:
    """The pinned gunicorn runs the worker that shares connections."""
    assert choose_worker_class(gunicorn.__version__) is SharingWorker
    assert configuration()["worker_class"] is SharingWorker


@pytest.mark.parametrize("version", ["23.0.0", "26.2.0", "27.1.0", "28.0.0"])
def test_other_versions_run_the_plain_worker(version: str) -> None:
    """The attributes that the class relies on may be different there."""
    assert choose_worker_class(version) == "gthread"


def test_range_in_pyproject_is_what_the_class_supports() -> None:
    """Nothing outside the supported versions can be installed by our own lists."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wanted,) = [Requirement(text) for text in project["dependencies"] if text.startswith("gunicorn")]
    major, minor = map(int, SUPPORTED.strip(".").split("."))
    assert wanted.specifier.contains(f"{major}.{minor}.0")
    assert not wanted.specifier.contains(f"{major}.{minor + 1}.0")
    assert not wanted.specifier.contains(f"{major - 1}.99.0")


def test_connections_are_kept_longer_than_senders_wait_after_a_503() -> None:
    """A sender that waits as long as Retry-After says does not send on a connection that is being closed."""
    assert configuration()["keepalive"] > RETRY_AFTER_SECONDS + 1


def test_attributes_that_the_class_reads_exist() -> None:
    """The undocumented attributes are those of gunicorn's worker."""
    source = Path(sys.modules[ThreadWorker.__module__].__file__ or "").read_text(encoding="utf-8")
    names = ("nr_conns", "keepalived_conns", "max_keepalived", "worker_connections", "poller", "method_queue", "tpool")
    for name in (*names, "alive"):
        assert re.search(rf"self\.{name} = ", source), name
    overridden = {"accept", "enqueue_req", "finish_request", "handle_request", "murder_keepalived", "murder_pending"}
    assert overridden | {"set_accept_enabled", "wait_for_and_dispatch_events"} <= set(vars(ThreadWorker))
    assert list(inspect.signature(wsgi.create).parameters)[:5] == ["req", "sock", "client", "server", "cfg"]
    assert "handle_error" in vars(Worker)
    with socket.socket() as client:
        connection = TConn(SimpleNamespace(), client, None, None)
    assert {"parser", "initialized", "data_ready"} <= vars(connection).keys()
    assert (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR) == (3, 4)


def test_pages_of_gunicorn_about_errors_become_problems() -> None:
    """The detail is gunicorn's reason as text; any other response passes unchanged."""
    near, far = socket.socketpair()
    with near, far:
        write_error(ProblemSocket(near), 414, "URI Too Long", "Line <5000> is too large")
        head, _, body = far.recv(4096).partition(b"\r\n\r\n")
        ProblemSocket(near).sendall(b"HTTP/1.1 200 OK\r\n\r\n<h1>x</h1>")
        assert far.recv(4096).endswith(b"<h1>x</h1>")
    assert head.startswith(b"HTTP/1.1 414 ")
    assert json.loads(body)["detail"] == "Line <5000> is too large."


def test_each_process_has_its_own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are unique while processes are replaced, and free again afterwards."""
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    settings = configuration()
    services = SimpleNamespace(checked=True)
    warnings: list[str] = []
    log = SimpleNamespace(warning=lambda message, *_: warnings.append(message))
    server = SimpleNamespace(
        app=SimpleNamespace(wsgi=lambda: SimpleNamespace(extensions={"webhooks": services})), log=log
    )
    workers = [SimpleNamespace() for _ in range(12)]
    for worker in workers:
        settings["pre_fork"](server, worker)
    assert sorted(worker.place for worker in workers) == list(range(12))
    # More after many SIGTTIN: they are said to be outside, and leave the counts of the others alone.
    for _ in range(2):
        settings["pre_fork"](server, outside := SimpleNamespace())
        settings["child_exit"](None, outside)
    assert len(warnings) == 2
    assert list(SharingWorker.connections) == [0] * 12
    settings["child_exit"](None, workers[1])
    settings["pre_fork"](server, newcomer := SimpleNamespace())
    assert newcomer.place == workers[1].place


def test_python_finds_its_own_modules_when_a_server_is_replaced() -> None:
    """gunicorn starts its file again at SIGUSR2 if it was started as a module; its folder has a package named http."""
    command = [sys.executable, inspect.getfile(gunicorn).replace("__init__", "__main__"), "--check-config", "index:app"]
    settings = {"TABLEAU_DOMAIN": "127.0.0.1", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}
    checked = subprocess.run(
        command, check=False, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0, checked.stderr


def test_unsupported_gunicorn_serves_with_the_plain_worker_and_says_so(tmp_path: Path) -> None:
    """A real server under another version logs the fallback and serves requests."""
    code = (
        "import gunicorn, sys\ngunicorn.__version__ = '28.0.0'\n"
        "from gunicorn.app.wsgiapp import run\nsys.argv = ['gunicorn', 'index:app']\nrun()\n"
    )
    environment = {
        **os.environ,
        "TABLEAU_DOMAIN": "127.0.0.1",
        "TABLEAU_PAT_NAME": "a",
        "TABLEAU_PAT_SECRET": "b",
        "PORT": "0",
        "WORKER_THREADS": "0",
        "WEB_CONCURRENCY": "1",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'inbox.sqlite3'}",
    }
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        ) as server,
    ):
        try:
            deadline = time.monotonic() + 30
            while "Booting worker" not in log.read_text() and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    text = log.read_text()
    assert "gunicorn 28.0.0 is not supported by the worker that shares connections (27.0.x is), using gthread" in text
    assert "Using worker: gthread" in text
    assert "Booting worker" in text
