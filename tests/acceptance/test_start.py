"""The start of the server: with a worker in every way to serve, and with an inbox that is not available yet."""

from __future__ import annotations

import fcntl
import grp
import os
import re
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
from tests.acceptance.simulation import EVENT, finished_events, slack_messages
from tests.support.server import GUNICORN, ROOT, TOKEN, free_port, serving, wait_for

FLASK_RUN = ("-m", "flask", "run", "--port", "{port}")


@contextmanager
def starting(folder: Path, site: Running, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a server that need not become ready."""
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


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    "command",
    [GUNICORN, ("index.py",), FLASK_RUN, (*FLASK_RUN, "--reload")],
    ids=["gunicorn", "python index.py", "flask run", "flask run --reload"],
)
def test_every_way_to_serve_has_a_worker(command: tuple[str, ...], site: Running, tmp_path: Path) -> None:
    """It runs before the first event arrives, and an event becomes one message: a reloader's parent has no worker."""
    with serving(tmp_path, site.environment, command=command, FLASK_DEBUG="", WEB_CONCURRENCY="1") as server:
        response = requests.post(server.hook, json=EVENT, timeout=10)
        assert response.json()["status"] == "accepted"
        wait_for(lambda: finished_events(server), what="the end of the job")
        assert len(slack_messages(site)) == 1
        assert len(re.findall("webhooks.worker.worker: Worker (?:started|[^ ]+ runs)", server.log.read_text())) == 1


def test_backlog_is_worked_off_without_a_new_event(site: Running, tmp_path: Path) -> None:
    """Events that were stored while no worker ran are planned when one starts."""
    with serving(tmp_path, site.environment, command=FLASK_RUN, WORKER_THREADS="0") as server:
        assert requests.post(server.hook, json=EVENT, timeout=10).status_code == 200
        assert [event["state"] for event in server.events()] == ["received"]
    with serving(tmp_path, site.environment, command=FLASK_RUN) as server:
        wait_for(lambda: finished_events(server), what="the end of the job")
    assert len(slack_messages(site)) == 1


def test_first_process_is_replaced_when_it_is_quiet(site: Running, tmp_path: Path) -> None:
    """It started alone and shares little memory; no event is refused meanwhile, and what it accepted is notified."""
    configuration = tmp_path / "at_once.py"
    configuration.write_text(
        "import runpy\nfrom webhooks.gunicorn import processes\nprocesses.ALONE_SECONDS = 0.0\n"
        f"globals().update(runpy.run_path({str(ROOT / 'gunicorn.conf.py')!r}))\n"
    )
    command = (*GUNICORN, "--config", str(configuration))
    with serving(tmp_path, site.environment, command=command, PYTHONPATH=str(ROOT), WEB_CONCURRENCY="2") as server:
        statuses = [requests.post(server.hook, json=EVENT, timeout=30).status_code]

        def replaced() -> bool:
            # One message a second is sent to a channel, so there is none for these.
            event = {**EVENT, "event_type": "NoRuleMatches", "resource_luid": str(len(statuses))}
            statuses.append(requests.post(server.hook, json=event, timeout=30).status_code)
            return server.log.read_text().count("Booting worker") == 3

        wait_for(replaced, what="the process that replaces the first one")
        wait_for(lambda: len(finished_events(server)) == len(statuses), what="the end of all jobs")
        log = server.log.read_text()
    assert set(statuses) == {200}
    assert log.count("Process stopping, replaced by one that shares memory with the others") == 1
    assert log.count("Booting worker") == 3


def test_other_process_runs_jobs_after_a_kill(site: Running, tmp_path: Path) -> None:
    """One process runs all jobs; after kill -9 the other one, or the one that replaces it, goes on within a second."""
    with serving(tmp_path, site.environment, WEB_CONCURRENCY="2") as server:

        def workers() -> list[str]:
            return re.findall(r"Worker started: id=[^:]*:(\d+):\w+ threads=8", server.log.read_text())

        wait_for(lambda: workers() and "Worker not started" in server.log.read_text(), what="both processes")
        assert requests.post(server.hook, json=EVENT, timeout=30).status_code == 200
        wait_for(lambda: finished_events(server), what="the end of the first job")
        os.kill(int(workers()[0]), signal.SIGKILL)
        began = time.monotonic()
        assert requests.post(server.hook, json={**EVENT, "event_type": "NoRuleMatches"}, timeout=30).status_code == 200
        wait_for(lambda: len(workers()) == 2, what="another worker")
        print(f"started after {time.monotonic() - began:.2f} s")
        wait_for(lambda: len(finished_events(server)) == 2, what="the end of the second event")
        assert len(workers()) == 2


def test_server_without_a_worker_is_not_ready(site: Running, tmp_path: Path) -> None:
    """A WSGI server that does not start the worker stores events, and /readyz says what is missing."""
    script = "import index, werkzeug.serving as w; w.run_simple('127.0.0.1', {port}, index.app, threaded=True)"
    port = free_port()
    environment = {**os.environ, **site.environment, "WEBHOOK_TOKEN": TOKEN}
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    process = subprocess.Popen([sys.executable, "-c", script.format(port=port)], cwd=ROOT, env=environment)
    try:
        wait_for(lambda: is_listening(port), what="the port")
        assert requests.post(f"http://127.0.0.1:{port}/webhook/{TOKEN}", json=EVENT, timeout=10).status_code == 200
        response = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10)
        assert (response.status_code, response.json()["detail"]) == (
            503,
            "The embedded worker is not running, or plans nothing.",
        )
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("command", [("-m", "flask", "run", "--port", "0"), ("-m", "flask", "run", "--reload")])
def test_flask_run_checks_the_settings(command: tuple[str, ...], tmp_path: Path) -> None:
    """It ends with a sentence, as gunicorn does, instead of serving events that cannot be handled."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "A"\non = "*"\nnotfy = "slack"\n', encoding="utf-8")
    given = {"TABLEAU_DOMAIN": "http://127.0.0.1:9", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}
    environment = {**os.environ, **given, "FLASK_APP": "index", "RULES_FILE": str(rules)}
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    ended = subprocess.run(
        [sys.executable, *command], check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "notfy is not known" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_signal_during_a_migration_ends_the_server(site: Running, tmp_path: Path) -> None:
    """While another process holds the inbox's lock, SIGTERM ends the server, and the port is free afterwards."""
    with (tmp_path / "inbox.sqlite3.lock").open("a") as lock, starting(tmp_path, site) as (process, port):
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        wait_for(lambda: is_listening(port), what="the port")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: "Handling signal: term" in (tmp_path / "log").read_text(), what="the signal to be handled")
        fcntl.flock(lock.fileno(), fcntl.LOCK_UN)
        assert process.wait(60) == 0
        assert not is_listening(port)
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start it as another user")
def test_inbox_belongs_to_the_user_of_the_processes(site: Running, tmp_path: Path) -> None:
    """A server started by root creates a new inbox with the rights of its processes, so that they can write it."""
    group = grp.getgrnam("nogroup")
    with starting(tmp_path, site, "--group", group.gr_name) as (_, port):
        wait_for(lambda: is_listening(port), what="the port")
        assert requests.post(f"http://127.0.0.1:{port}/webhook/{TOKEN}", json=EVENT, timeout=20).status_code == 200
    assert {file.stat().st_gid for file in tmp_path.glob("inbox.sqlite3*")} == {group.gr_gid}
