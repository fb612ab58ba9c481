"""Run the demo: start the simulator and the server, play a scenario, show the messages."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator.config import Config
from simulator.demo.console import MessageFeed, format_block
from simulator.demo.settings_file import settings_file
from simulator.receivers.smtp import serving_mail
from simulator.serve import running

DATA = Path("data")
LOG = DATA / "demo.log"
SETTINGS_FILE = DATA / "demo.json"
# Seconds until the server must be ready.
START_TIMEOUT = 90
# Seconds between two events of the scenario, and before the recovery, in which the failure can be acknowledged.
PAUSE, RECOVERY_PAUSE = 2.0, 25.0
# Share of webhooks that are sent twice.
DUPLICATES = 0.1

SCENARIO: tuple[Mapping[str, str], ...] = (
    {"event_type": "WorkbookCreated", "name": "Quarterly Review", "project": "Finance"},
    {"event_type": "WorkbookRefreshFailed", "name": "Sales"},
    {"event_type": "DatasourceUpdated"},
    {"event_type": "AdminPromoted"},
    {"event_type": "WorkbookDeleted", "name": "Quarterly Review"},
)
RECOVERY: Mapping[str, str] = {"event_type": "WorkbookRefreshSucceeded", "name": "Sales"}

BEFORE_RECOVERY = """
Sales fails. Press Acknowledge on the pages, or in its message on the page of
the simulated site; it recovers in {seconds:.0f} seconds.
"""

WELCOME = """
  Pages          http://127.0.0.1:{port:<6}  what is broken now; log: {log}
  Simulated site http://127.0.0.1:{simulator_port:<6}  buttons for events, Slack, SMS, mail

  Inspect        .venv/bin/flask events list    (in a second terminal)
  Your own site  cp example-env .env, edit .env, run make run again
  Stop           Ctrl-C"""

SCENARIO_ENDED = """
The scenario has ended. Cause more events on the page of the simulated site;
their messages appear here.
"""


class CannotStart(Exception):
    """The demo cannot start; the text says what to do."""


class ServerEnded(Exception):
    """The server ended while the demo was running."""


def play(*, port: int, simulator_port: int) -> None:
    """Run the demo until it is interrupted. Raises CannotStart and ServerEnded."""
    check_port(port, "PORT")
    check_port(simulator_port, "SIMULATOR_PORT")
    DATA.mkdir(exist_ok=True)
    server_url = f"http://127.0.0.1:{port}"
    config = Config(
        duplicates=DUPLICATES,
        slack_interactions_url=f"{server_url}/slack/interactions",
        twilio_messages_url=f"{server_url}/twilio/messages",
        pagerduty_events_url=f"{server_url}/pagerduty/events",
    )
    with running(config, port=simulator_port) as site, serving_mail(site.world) as mail_port:
        # A separate inbox, and the simulator in place of all vendors.
        inbox = (DATA / "demo.sqlite3").resolve()
        own = {"HOST": "127.0.0.1", "PORT": str(port), "DATABASE_URL": f"sqlite:///{inbox}"}
        # The job list is read every minute for as long as the budget for its queries lasts.
        settings = {**site.environment, **own, "WATCH_MINUTES": "1", "PUBLIC_URL": server_url, "SMS_REPLIES": "true"}
        # Mails and cards have links to acknowledge.
        settings["LINK_SECRET"] = secrets.token_urlsafe(32)
        settings |= config.receiver_variables(site.url) | config.mail_variables(mail_port)
        with server_process(settings) as server, settings_file(settings, SETTINGS_FILE):
            register_webhooks(settings)
            print(WELCOME.format(port=port, simulator_port=simulator_port, log=LOG), flush=True)
            show_warnings(f"http://127.0.0.1:{port}/readyz")
            feed = MessageFeed(site.url)
            for event in SCENARIO:
                cause(site.url, event)
                show_messages(feed, server, PAUSE)
            print(BEFORE_RECOVERY.format(seconds=RECOVERY_PAUSE), flush=True)
            show_messages(feed, server, RECOVERY_PAUSE)
            cause(site.url, RECOVERY)
            show_messages(feed, server, PAUSE)
            print(SCENARIO_ENDED, flush=True)
            while True:
                show_messages(feed, server, 60)


def cause(simulator_url: str, event: Mapping[str, str]) -> None:
    """Let an event of the scenario happen in the simulated Tableau, and print it."""
    answer = post_json(f"{simulator_url}/simulator/events", event)
    text = f"{answer['event']['event_type']}: {answer['event']['resource_name']}"
    sent = "" if answer["deliveries"] else "\nNot sent: no rule needs it, so the site has no webhook for it."
    print(f"\n{format_block('Tableau', text + sent)}", flush=True)


def show_warnings(url: str) -> None:
    """Print what the server warns of, such as an invalid rules file."""
    with urllib.request.urlopen(url, timeout=10) as response:
        warnings: list[str] = json.load(response).get("warnings", [])
    for warning in warnings:
        print(f"\n{format_block('Warning', warning)}", flush=True)
    if warnings:
        print(format_block("", "Check the rules: .venv/bin/flask rules check"), flush=True)


def show_messages(feed: MessageFeed, server: subprocess.Popen[bytes], seconds: float) -> None:
    """Print new messages for a number of seconds. Raises ServerEnded."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise ServerEnded(f"The server has ended. See {LOG}")
        for block in feed.new_messages():
            print(block, flush=True)
        time.sleep(0.2)


@contextmanager
def server_process(settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server under gunicorn for the length of a `with` block, once it is ready. Raises CannotStart."""
    command = [sys.executable, "-m", "gunicorn", "index:app"]
    # In a separate session, so that Ctrl-C stops the server after the demo and not at the same time.
    with (
        LOG.open("ab") as log,
        subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            wait_until_ready(f"http://127.0.0.1:{settings['PORT']}/readyz", process)
            yield process
        finally:
            process.terminate()
            process.wait(40)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server is ready. Raises CannotStart."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _, found, reason = LOG.read_text(encoding="utf-8", errors="replace").rpartition("Error: ")
            raise CannotStart(f"The server did not start. {reason.strip() if found else f'See {LOG}'}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise CannotStart(f"The server was not ready within {START_TIMEOUT} s. See {LOG}")


def register_webhooks(settings: Mapping[str, str]) -> None:
    """Create the webhooks that the rules and handlers need, with the command that does it on a real site.

    It shares the server's session through the inbox: a second sign-in with the token would end that session.
    """
    url = f"http://127.0.0.1:{settings['PORT']}"
    command = [sys.executable, "-m", "flask", "webhooks", "sync", "--url", url]
    ended = subprocess.run(
        command, check=False, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60
    )
    if ended.returncode:
        reason = ended.stderr.strip().rpartition("Error: ")[2]
        print(f"\n{format_block('Warning', f'The webhooks were not created. {reason}')}", flush=True)


def post_json(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON response to a JSON request. Raises CannotStart for an error status."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            content: dict[str, Any] = json.load(response)
            return content
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")[:300]
        raise CannotStart(f"{url} responded with {error.code}: {text}") from error


def check_port(port: int, variable: str) -> None:
    """Raise CannotStart if the port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CannotStart(f"Port {port} is in use. Choose another: {variable}={port + 10} make run") from None
