"""The demo: a simulated site and the server beside it, a short scenario, and what people read because of it."""

from __future__ import annotations

import json
import os
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
from simulator.demo.console import Told
from simulator.demo.settings_file import settings_file
from simulator.serve import Running, running
from simulator.world.payload import RESOURCES

DATA = Path("data")
LOG = DATA / "demo.log"
SETTINGS_FILE = DATA / "demo.json"
START_SECONDS = 30
PAUSE_SECONDS = 2.0

SCENARIO: tuple[Mapping[str, str], ...] = (
    {"event_type": "WorkbookCreated", "name": "Quarterly Review", "project": "Finance"},
    {"event_type": "WorkbookRefreshFailed"},
    {"event_type": "WorkbookRefreshSucceeded"},
    {"event_type": "DatasourceUpdated"},
    {"event_type": "AdminPromoted"},
    {"event_type": "WorkbookDeleted", "name": "Quarterly Review"},
)


class CannotStart(Exception):
    """What is in the way, and what to do about it."""


class Ended(Exception):
    """The server is gone, although nobody stopped the demo."""


def play(*, port: int, simulator_port: int) -> None:
    """Runs the demo until it is interrupted."""
    _free(port, "PORT")
    _free(simulator_port, "SIMULATOR_PORT")
    DATA.mkdir(exist_ok=True)
    config = Config(duplicates=0.1)
    with (
        running(config, port=simulator_port) as site,
        _server(variables := _variables(site, port)) as server,
        settings_file(variables, SETTINGS_FILE),
    ):
        _register(site, f"http://127.0.0.1:{port}/webhook")
        print(_welcome(port, simulator_port), flush=True)
        told = Told(site.url)
        for wish in SCENARIO:
            _happen(site, wish)
            _watch(told, server, PAUSE_SECONDS)
        print(
            "\nThat was the scenario. Make more happen on the simulator's page; what people are told shows up here.\n"
        )
        while True:
            _watch(told, server, 60)


def _welcome(port: int, simulator_port: int) -> str:
    return "\n".join(
        (
            "",
            f"  The server           http://127.0.0.1:{port}        log in {LOG}",
            f"  The simulated site   http://127.0.0.1:{simulator_port}        with what Slack received, and buttons",
            "  Why and what next    .venv/bin/flask events list       in a second terminal, as every flask command",
            "  Your own site        cp example-env .env, fill it in, make run again",
            "  Ctrl-C ends all of it.",
            "",
        )
    )


def _happen(site: Running, wish: Mapping[str, str]) -> None:
    event = _post(f"{site.url}/simulator/events", wish)["event"]
    print(f"Tableau  {event['event_type']}: {event['resource_name']}", flush=True)


def _watch(told: Told, server: subprocess.Popen[bytes], seconds: float) -> None:
    """Prints what people are told for so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise Ended(f"the server ended by itself; its log is {LOG}")
        for line in told.news():
            print(line, flush=True)
        time.sleep(0.2)


def _variables(site: Running, port: int) -> dict[str, str]:
    """The server's: an inbox of its own, and the simulator for the outside world."""
    inbox = (DATA / "demo.sqlite3").resolve()
    return {**site.environment, "HOST": "127.0.0.1", "PORT": str(port), "DATABASE_URL": f"sqlite:///{inbox}"}


@contextmanager
def _server(variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The real server, as gunicorn serves it."""
    environment = {**os.environ, **variables}
    command = [sys.executable, "-m", "gunicorn", "index:app"]
    # A session of its own, so that Ctrl-C reaches the server through us and in order.
    with (
        LOG.open("ab") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{variables['PORT']}/readyz", process)
            yield process
        finally:
            process.terminate()
            process.wait(40)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CannotStart(f"the server ended at once; its log is {LOG}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise CannotStart(f"the server was not ready within {START_SECONDS} s; its log is {LOG}")


def _register(site: Running, url: str) -> None:
    """One webhook for each event type, as an administrator would make them by REST.

    By password: a second sign-in with the server's token would end the server's session.
    """
    config = site.world.config
    who = {"name": config.username, "password": config.password, "site": {"contentUrl": config.content_url}}
    api = f"{site.url}/api/{config.api_version}"
    signed_in = _post(f"{api}/auth/signin", {"credentials": who})["credentials"]
    for event_type in RESOURCES:
        destination = {"webhook-destination-http": {"method": "POST", "url": url}}
        webhook = {"name": f"tableau-webhooks {event_type}", "event": event_type, "webhook-destination": destination}
        _post(f"{api}/sites/{signed_in['site']['id']}/webhooks", {"webhook": webhook}, signed_in["token"])


def _post(url: str, body: Mapping[str, Any], token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Tableau-Auth": token}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
            return document
    except urllib.error.HTTPError as error:
        raise CannotStart(f"{url} answered {error.code}: {error.read().decode(errors='replace')[:300]}") from error


def _free(port: int, variable: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CannotStart(f"port {port} is taken; choose another: {variable}={port + 10} make run") from None
