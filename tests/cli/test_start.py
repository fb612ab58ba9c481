"""Errors at the start of the server are sentences without a traceback."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from flask.cli import run_command

from webhooks.app import _prepare_flask_run, check_startup
from webhooks.config.settings import ROOT, Settings
from webhooks.garbage_collection import LONG_AFTER
from webhooks.services import Services

SITE = {"TABLEAU_DOMAIN": "http://127.0.0.1:9", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b", "PORT": "0"}
GUNICORN = ("-m", "gunicorn", "index:app")


def start(*words: str, **variables: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(
        [sys.executable, *words], check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(("command", "processes"), [(GUNICORN, 2), (GUNICORN, 1), (("index.py",), 1)])
def test_invalid_rules_end_the_start_with_every_error(command: tuple[str, ...], processes: int, tmp_path: Path) -> None:
    """Every error of the file is printed without a traceback, and the exit code is 1."""
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nname = "A"\non = "*"\nnotfy = "slack"\n', encoding="utf-8")
    given = {"RULES_FILE": file, "DATABASE_URL": f"sqlite:///{tmp_path / 'inbox.sqlite3'}"}
    ended = start(*command, **SITE, **given, WEB_CONCURRENCY=processes)
    assert ended.returncode == 1
    assert 'rule 1 "A" (line 4): notfy is not known; did you mean notify?' in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", [GUNICORN, ("index.py",)])
def test_missing_credentials_end_the_start(command: tuple[str, ...], tmp_path: Path) -> None:
    """One sentence names all missing variables."""
    ended = start(*command, TABLEAU_AUTH="jwt", DATABASE_URL=f"sqlite:///{tmp_path / 'inbox.sqlite3'}", PORT="0")
    assert ended.returncode == 1
    assert "Error: TABLEAU_AUTH=jwt needs TABLEAU_DOMAIN, TABLEAU_USERNAME" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_probable_mistakes_are_logged_at_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A rule for an unknown event type does not prevent the start; the log has a warning."""
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nname = "A"\non = "WorkbookCreatd"\nnotify = "console"\n', encoding="utf-8")
    known = {"tableau_domain": "http://127.0.0.1:9", "tableau_pat_name": "a", "tableau_pat_secret": "b"}
    with caplog.at_level("WARNING"):
        check_startup(Services(Settings(_env_file=None, rules_file=file, **known)))
    assert 'rule 1 "A" (line 3): WorkbookCreatd is not a known event type' in caplog.text


def test_flask_run_collects_garbage_as_a_server() -> None:
    """The thresholds for commands, which end soon, are not those of `flask run`."""
    known = {"tableau_domain": "http://127.0.0.1:9", "tableau_pat_name": "a", "tableau_pat_secret": "b"}
    context, before = click.Context(run_command), gc.get_threshold()
    context.params = {"reload": True}
    gc.set_threshold(LONG_AFTER)
    try:
        _prepare_flask_run(context, Services(Settings(_env_file=None, **known)))
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*before)
