"""One connection to Slack over all processes: who has it, who takes over, and what people get to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifiers import Notifiers, SlackConfig
from notifiers.slack.socket_mode import Socket
from simulator import Config, Running, running
from webhooks.clock import utc_now
from webhooks.inbound.socket_mode import SocketMode, build_socket_mode, socket_status
from webhooks.inbox import Inbox
from webhooks.incidents import IncidentFilter

TOKEN = "xapp-1-simulated"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox.open(f"sqlite:///{tmp_path}/inbox.sqlite3")
    yield inbox
    inbox.close()


@pytest.fixture
def slack() -> Iterator[Running]:
    with running(Config(refresh_seconds=0, slack_app_token=TOKEN)) as slack:
        yield slack


@pytest.fixture
def make(inbox: Inbox, slack: Running) -> Iterator[Callable[[], SocketMode]]:
    """Return a function that starts a process's thread, with short times."""
    started: list[SocketMode] = []

    def start() -> SocketMode:
        config = SlackConfig("xoxb-simulator", "#bi", f"{slack.url}/slack/api/", app_token=TOKEN)
        mode = SocketMode(
            inbox, lambda store: Socket(config, store), round_seconds=0.1, lease_seconds=1.0, alert_seconds=0.3
        )
        mode.start()
        started.append(mode)
        return mode

    yield start
    for mode in started:
        mode.stop()


def wait_until(done: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def connected(inbox: Inbox) -> str:
    """Return the name of the process that is connected; empty if none is."""
    status = socket_status(inbox, utc_now())
    return "" if status.problem else status.owner


def test_one_process_connects_and_another_takes_over(
    inbox: Inbox, slack: Running, make: Callable[[], SocketMode]
) -> None:
    """Of two processes one has the connection; when it stops, the other one has it at once."""
    first = make()
    wait_until(lambda: connected(inbox) == first.name)
    second = make()
    time.sleep(0.3)
    assert (connected(inbox), slack.world.slack.sockets.count) == (first.name, 1)
    first.stop()
    wait_until(lambda: connected(inbox) == second.name)
    wait_until(lambda: slack.world.slack.sockets.count == 1)


def test_lasting_problem_is_an_incident(
    inbox: Inbox, slack: Running, make: Callable[[], SocketMode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack refuses the connection: one incident opens, and closes when it works again."""
    monkeypatch.setattr("webhooks.inbound.socket_mode.RETRY_SECONDS", 0.1)
    slack.world.faults.add(
        {"kind": "error", "target": "slack", "path": "apps.connections.open", "code": "invalid_auth"}
    )
    make()
    wait_until(lambda: inbox.incidents.list(IncidentFilter(states=["open"])))
    (record,) = inbox.incidents.list()
    assert record.incident.resource_name == "The server is not connected to Slack"
    assert "invalid_auth" in record.incident.reason
    assert "invalid_auth" in socket_status(inbox, utc_now()).problem
    slack.world.faults.remove(None)
    wait_until(lambda: connected(inbox))
    wait_until(lambda: not inbox.incidents.list(IncidentFilter(states=["open"])))


def test_status_without_a_server(inbox: Inbox) -> None:
    """Nothing is connected before a server was started, and a report is valid for a minute only."""
    assert socket_status(inbox, utc_now()).problem == "no server has connected yet"
    inbox.state.set("slack socket mode", {"owner": "a", "problem": "", "at": "2026-01-31T09:30:00+00:00"})
    assert socket_status(inbox, utc_now()).problem == "no server is connected"
    inbox.state.set("slack socket mode", {"owner": "a", "problem": "", "at": utc_now().isoformat()})
    assert socket_status(inbox, utc_now()).problem == ""


def test_without_the_token_there_is_no_thread(inbox: Inbox) -> None:
    """The connection is an option for servers without a public address."""
    assert build_socket_mode(inbox, Notifiers(slack=SlackConfig("xoxb-1"))) is None
    assert build_socket_mode(inbox, Notifiers(slack=SlackConfig("xoxb-1", app_token=TOKEN))) is not None
