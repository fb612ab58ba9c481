"""Test that commands start without the parts that they do not use: these take most of their start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Receive
from webhooks.config.settings import ROOT, Settings
from webhooks.inbox import Inbox

DATABASE = {"sqlalchemy", "alembic", "psycopg"}
CLIENTS = {"requests", "slack_sdk", "notifiers.transport"}
HEAVY = {"rich", "cryptography", "apprise", "asyncio", "gunicorn"}
# What serves requests: commands have no routes.
ROUTES = {"webhooks.routes", "webhooks.api", "webhooks.dashboard", "webhooks.receiver", "webhooks.health"}
# Packages that are imported by commands about events only for what they show.
NOT_FOR_EVENTS = {
    "alembic",
    "requests",
    "rich",
    "slack_sdk",
    "sqlalchemy.dialects.postgresql",
    "tableau_rest",
    "webhooks.context",
    "webhooks.monitor",
    "webhooks.rules",
    "webhooks.worker",
}
# Parts of the inbox that commands about events do not use, and what these import.
INCIDENTS = {
    "webhooks.incidents",
    "webhooks.inbox.incidents.incidents",
    "webhooks.inbox.limits.budgets",
    "webhooks.inbox.notices.notices",
}

# What a server imports while its first process serves.
NOT_FOR_THE_FIRST_EVENT = {
    "alembic",
    "requests",
    "rich",
    "slack_sdk",
    "tableau_rest.transport",
    "webhooks.api.operations",
    "webhooks.context",
    "webhooks.dashboard.pages",
    "webhooks.handlers",
    "webhooks.incidents",
    "webhooks.monitor",
    "webhooks.planner",
    "webhooks.registry",
    "webhooks.rules",
    "webhooks.worker",
}


def imported(words: tuple[str, ...], settings: Settings) -> set[str]:
    """Return the modules that `flask` with these words imports."""
    environment = {**os.environ, "DATABASE_URL": settings.database_url.get_secret_value(), "FLASK_APP": "index"}
    command = [sys.executable, "-X", "importtime", "-m", "flask", *words]
    ended = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    return {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (("events", "list", "--json"), NOT_FOR_EVENTS | INCIDENTS),
        (("events", "list"), NOT_FOR_EVENTS - {"rich"} | INCIDENTS),
        # The group has a command about Tableau; the client's package alone is small.
        (("incidents", "list", "--json"), NOT_FOR_EVENTS - {"tableau_rest"} | {"tableau_rest.transport"}),
        (("incidents", "list"), NOT_FOR_EVENTS - {"rich", "tableau_rest"} | {"tableau_rest.transport"}),
    ],
)
def test_listing_events_imports_only_what_it_needs(
    receive: Receive, settings: Settings, words: tuple[str, ...], unused: set[str]
) -> None:
    """Neither rules, handlers, worker and monitor nor the clients of other services are imported."""
    receive()
    modules = imported(words, settings)
    assert "webhooks.inbox" in modules
    assert modules & (unused | ROUTES) == set()


@pytest.mark.parametrize(("words", "may"), [(("status", "--json"), set()), (("status",), {"rich"})])
def test_status_imports_only_what_it_needs(
    receive: Receive, settings: Settings, words: tuple[str, ...], may: set[str]
) -> None:
    """It is quick, and neither clients of other services nor rules are imported: nothing is asked."""
    receive()
    # The site's settings need the client's rules for versions, which are small.
    unused = NOT_FOR_EVENTS - may - {"tableau_rest"} | {"tableau_rest.transport"}
    assert imported(words, settings) & (unused | ROUTES) == set()


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        (("--help",), DATABASE | CLIENTS | HEAVY),
        (("webhooks", "--help"), DATABASE | CLIENTS),
        (("events", "--help"), DATABASE | CLIENTS | HEAVY),
        (("incidents", "--help"), DATABASE | CLIENTS | HEAVY),
        (("refresh", "--help"), DATABASE | CLIENTS | HEAVY),
        (("silences", "--help"), DATABASE | CLIENTS | HEAVY),
        (("status", "--help"), DATABASE | CLIENTS | HEAVY),
        (("events", "replay", "--help"), DATABASE | CLIENTS | HEAVY),
        (("inbox", "--help"), DATABASE | CLIENTS | HEAVY),
        (("doctor", "--help"), DATABASE | CLIENTS | HEAVY),
        (("listen", "--help"), DATABASE | CLIENTS),
        (("notify", "list"), DATABASE | CLIENTS),
        (("rules", "check"), DATABASE | CLIENTS | {"cryptography", "apprise", "asyncio", "tableau_rest.transport"}),
        (("trigger", "--help"), DATABASE | CLIENTS | HEAVY),
    ],
)
def test_commands_without_events_import_no_database(
    settings: Settings, words: tuple[str, ...], unused: set[str]
) -> None:
    """The database alone takes more than a tenth of a second."""
    modules = imported(words, settings)
    assert "webhooks.services" in modules
    assert modules & (unused | ROUTES) == set()


def test_routes_are_listed(settings: Settings) -> None:
    """Flask's own command for routes shows them, although commands are found without any."""
    environment = {**os.environ, "DATABASE_URL": settings.database_url.get_secret_value(), "FLASK_APP": "index"}
    command = [sys.executable, "-m", "flask", "routes"]
    ended = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert "/webhook" in ended.stdout
    assert "/api/v1/incidents" in ended.stdout


def test_commands_collect_no_garbage_and_close_the_inbox(tmp_path: Path) -> None:
    """The collections before the end took a third of a command's time; files of SQLite's log could be left instead."""
    url = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    Inbox.open(url).close()
    code = (
        "import atexit, gc, sys; last = lambda: print(gc.get_freeze_count(), gc.get_stats()[2]['collections']);"
        "atexit.register(last); sys.argv = ['flask', 'events', 'list']; import flask.__main__"
    )
    environment = {**os.environ, "DATABASE_URL": url, "FLASK_APP": "index"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    frozen, collections = map(int, ended.stdout.split()[-2:])
    assert frozen > 0
    assert collections == 0
    assert {path.name for path in tmp_path.iterdir()} == {"inbox.sqlite3", "inbox.sqlite3.lock"}


def test_first_process_of_a_server_is_forked_with_what_it_needs_to_acknowledge(tmp_path: Path) -> None:
    """Nothing else delays the first response; the master process imports the rest before it forks further processes."""
    code = (
        "import gunicorn.arbiter, runpy, sys; runpy.run_path('gunicorn.conf.py')['nworkers_changed'](None, 2, None)\n"
        "from index import app\n"
        "print(*sys.modules)\n"
        "from webhooks.app import check_handlers; services = app.extensions['webhooks']; check_handlers(services)\n"
        "services.import_clients()\n"
        "print(*sys.modules)"
    )
    site = {
        "TABLEAU_DOMAIN": "http://127.0.0.1:9",
        "TABLEAU_PAT_NAME": "a",
        "TABLEAU_PAT_SECRET": "b",
        "SLACK_TOKEN": "c",
    }
    environment = {**os.environ, **site, "DATABASE_URL": f"sqlite:///{tmp_path / 'inbox.sqlite3'}"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    first, complete = (set(line.split()) for line in ended.stdout.splitlines()[-2:])
    assert NOT_FOR_THE_FIRST_EVENT & first == set()
    assert {"webhooks.receiver", "webhooks.inbox.events.events", "webhooks.inbox.databases.sqlite"} <= first
    assert {
        "webhooks.worker.worker",
        "webhooks.handlers.notify",
        "webhooks.rules",
        "webhooks.monitor.checks",
        "webhooks.planner",
        "tableau_rest.client",
        "notifiers.slack.client",
    } <= complete


def test_servers_import_the_inbox_before_they_fork(tmp_path: Path) -> None:
    """Processes share its parts and no press waits for an import; the monitor starts without the HTTP library."""
    code = (
        "import sys; from webhooks.app import create_app; create_app(); from webhooks.inbox import PARTS, Inbox\n"
        "print([name for name in Inbox.__annotations__ if f'webhooks.inbox.{PARTS[name][0]}' not in sys.modules])\n"
        "names = ('webhooks.inbox.databases.sqlite', 'webhooks.worker.worker', 'webhooks.monitor.checks', 'requests')\n"
        "print([name in sys.modules for name in names])"
    )
    site = {"TABLEAU_DOMAIN": "http://127.0.0.1:9", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}
    environment = {**os.environ, **site, "DATABASE_URL": f"sqlite:///{tmp_path / 'inbox.sqlite3'}"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.stdout.splitlines()[-2:] == ["[]", "[True, True, True, False]"]
