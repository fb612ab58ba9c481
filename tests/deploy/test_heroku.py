"""Test the Procfile and app.json, which Heroku and a local honcho use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from simulator import Running
from tests.deploy.tools import ROOT, run
from tests.support.server import TOKEN, free_port, wait_for
from webhooks.cli.trigger.sample import sample
from webhooks.config.settings import REQUIRED, Settings

BIN = Path(sys.executable).parent
PROCFILE = dict(re.findall(r"(?m)^(\w+): (.+)$", (ROOT / "Procfile").read_text(encoding="utf-8")))
APP: dict[str, Any] = json.loads((ROOT / "app.json").read_text(encoding="utf-8"))


def release(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the release command with only these variables."""
    url = {"DATABASE_URL": f"sqlite:///{tmp_path / 'inbox.sqlite3'}"}
    environment = {"PATH": os.environ["PATH"], **url, **variables}
    return run(sys.executable, "-m", "deploy.release", env=environment)


def test_procfile_has_the_three_processes() -> None:
    """The server is the first line: honcho gives the first process $PORT and each next one 100 more."""
    assert list(PROCFILE) == ["web", "worker", "release"]
    assert "$PORT" in PROCFILE["web"]


def test_release_prepares_a_fresh_database(tmp_path: Path, site: Running) -> None:
    ended = release(tmp_path, **site.environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "rules" in ended.stdout
    assert (tmp_path / "inbox.sqlite3").stat().st_size > 0


def test_release_names_what_is_missing(tmp_path: Path) -> None:
    """A version that cannot sign in is not released."""
    ended = release(tmp_path, TABLEAU_DOMAIN="tableau.example")
    assert ended.returncode == 1
    assert "TABLEAU_PAT_NAME, TABLEAU_PAT_SECRET" in ended.stderr


def test_release_refuses_rules_with_a_fault(tmp_path: Path, site: Running) -> None:
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "x"\non = "*"\nnotfy = "slack"\n', encoding="utf-8")
    ended = release(tmp_path, **site.environment, RULES_FILE=str(tmp_path / "rules.toml"))
    assert ended.returncode == 1
    assert "did you mean notify" in ended.stderr


def test_release_refuses_a_database_that_does_not_answer(tmp_path: Path, site: Running) -> None:
    """An unreachable database stops the release without showing its password."""
    ended = release(tmp_path, **site.environment, DATABASE_URL="postgres://u:s3kret@127.0.0.1:9/inbox")
    assert ended.returncode == 1
    assert "Not released." in ended.stderr
    assert "s3kret" not in ended.stdout + ended.stderr


def test_release_refuses_a_file_on_a_dyno(tmp_path: Path, site: Running) -> None:
    """A dyno's disk is ephemeral, so SQLite is refused there."""
    ended = release(tmp_path, **site.environment, DYNO="release.1")
    assert ended.returncode == 1
    assert "PostgreSQL" in ended.stderr


def test_app_json_names_known_variables_and_asks_for_what_is_needed() -> None:
    required = {name for name, given in APP["env"].items() if given.get("required", "value" not in given)}
    generated = {name for name, given in APP["env"].items() if given.get("generator") == "secret"}
    assert set(APP["env"]) <= {name.upper() for name in Settings.model_fields}
    assert required - generated == {name.upper() for name in REQUIRED["pat"]}
    assert generated == {"WEBHOOK_TOKEN", "ADMIN_PASSWORD"}


def test_app_json_starts_processes_of_the_procfile_with_a_database() -> None:
    assert set(APP["formation"]) <= set(PROCFILE)
    assert any(addon.startswith("heroku-postgresql") for addon in APP["addons"])


def test_gunicorn_keeps_the_token_out_of_the_log_even_where_heroku_switches_it_on(
    site: Running, tmp_path: Path
) -> None:
    """Heroku's Python buildpack enables the access log with GUNICORN_CMD_ARGS; the token is not logged anyway."""
    with honcho(site, tmp_path, "web", GUNICORN_CMD_ARGS="--access-logfile -") as started:
        assert started.post().status_code == 200
    assert TOKEN not in started.log.read_text(encoding="utf-8")


@pytest.mark.timeout(180)
def test_honcho_starts_everything_on_the_port_it_is_given(site: Running, tmp_path: Path) -> None:
    """An event sent to $PORT becomes a message; when honcho stops, every process stops."""
    with honcho(site, tmp_path) as started:
        response = started.post()
        assert response.json()["status"] == "accepted"
        wait_for(lambda: site.world.slack.messages, what="a message in Slack")
        wait_for(lambda: "Ready to serve" in started.log.read_text(encoding="utf-8"), what="the release")
        below = psutil.Process(started.process.pid).children(recursive=True)
        assert len(below) >= 3
    assert not psutil.wait_procs(below, timeout=5)[1]
    text = started.log.read_text(encoding="utf-8")
    assert "Ready to serve" in text
    assert "Worker started: " in text


@dataclass
class Started:
    """A running honcho and its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def post(self) -> requests.Response:
        body = sample("AdminPromoted") | {"created_at": "2026-01-31T09:30:00Z"}
        return requests.post(f"http://127.0.0.1:{self.port}/webhook/{TOKEN}", json=body, timeout=30)


@contextmanager
def honcho(site: Running, folder: Path, *processes: str, **more: str) -> Iterator[Started]:
    """Run `honcho start` with these processes, or all, during a `with` block."""
    port = free_port()
    mine = {"PORT": str(port), "DATABASE_URL": f"sqlite:///{folder / 'inbox.sqlite3'}", "WEBHOOK_TOKEN": TOKEN}
    path = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    environment = {**os.environ, **site.environment, **mine, **path, **more}
    # An empty file in place of .env: honcho would take a developer's own variables from it.
    (folder / "empty").touch()
    command = [BIN / "honcho", "--env", folder / "empty", "start", *processes]
    with (folder / "honcho.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        started = Started(process, port, folder / "honcho.log")
        try:
            wait_for(started.ready, seconds=40, what="the server")
            yield started
        finally:
            process.terminate()
            process.wait(60)
