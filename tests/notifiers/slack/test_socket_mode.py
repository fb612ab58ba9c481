"""Socket Mode: presses that the server gets over a connection of its own, from a simulated Slack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import requests
import slack_sdk

from notifiers import NotifierError, SlackConfig
from notifiers.slack.interactions import Press
from notifiers.slack.socket_mode import Socket, is_slacks_socket
from simulator import Config, Running, running

TOKEN = "xapp-1-simulated"
BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Ack"}, "action_id": "ack", "value": "7"}


@pytest.fixture
def slack() -> Iterator[Running]:
    with running(Config(refresh_seconds=0, slack_app_token=TOKEN)) as slack:
        yield slack


def config(slack: Running, token: str = TOKEN) -> SlackConfig:
    return SlackConfig("xoxb-simulator", "#bi", f"{slack.url}/slack/api/", app_token=token)


def wait_until(done: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def press(slack: Running) -> str:
    """Press a button, and return the error that the person sees."""
    web = slack_sdk.WebClient("xoxb-simulator", base_url=f"{slack.url}/slack/api/", timeout=10)
    sent = web.chat_postMessage(channel="#bi", text="x", blocks=[{"type": "actions", "elements": [BUTTON]}])
    body = {"channel": sent["channel"], "ts": sent["ts"], "button": "ack", "user": "ben@acme.example"}
    return str(requests.post(f"{slack.url}/simulator/slack/press", json=body, timeout=10).json()["error"])


def test_press_is_stored_before_it_is_acknowledged(slack: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A press that cannot be stored is not acknowledged: Slack shows the person an error, as after a 503."""
    monkeypatch.setattr("simulator.slack.interactions.TIMEOUT", 0.5)
    stored: list[Press] = []
    works = [True]

    def store(press: Press) -> bool:
        stored.append(press)
        return works[0]

    socket = Socket(config(slack), store)
    socket.open()
    wait_until(socket.is_open)
    assert press(slack) == ""
    assert (stored[0].action, stored[0].value, stored[0].user_name) == ("ack", "7", "ben")
    works[0] = False
    assert "did not acknowledge" in press(slack)
    socket.close()
    assert socket.problem() == "not connected"


def test_connection_without_a_hello_is_a_problem(slack: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection over which Slack sends nothing looks alive, and is not."""
    monkeypatch.setattr("notifiers.slack.socket_mode.HELLO_SECONDS", 0.5)
    slack.world.set({"slack_socket_hello": False})
    socket = Socket(config(slack), lambda _: True)
    socket.open()
    wait_until(socket.problem)
    assert not socket.is_open()
    assert "has not said hello" in socket.problem()
    socket.close()


@pytest.mark.second_stage
def test_old_connection_is_replaced(slack: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one takes over before the old one ends, and presses arrive."""
    socket = Socket(config(slack), lambda _: True)
    socket.open()
    wait_until(socket.is_open)
    socket.renew()
    assert socket.is_open()
    monkeypatch.setattr("notifiers.slack.socket_mode.RENEW_SECONDS", 0.0)
    socket.renew()
    wait_until(socket.is_open)
    assert press(slack) == ""
    socket.close()


def test_wrong_token_is_refused(slack: Running) -> None:
    """The error names Slack's reason and not the token."""
    socket = Socket(config(slack, "xapp-wrong"), lambda _: True)
    with pytest.raises(NotifierError, match="invalid_auth") as caught:
        socket.open()
    assert "xapp-wrong" not in str(caught.value)
    socket.close()


API = "https://slack.com/api/"


@pytest.mark.parametrize(
    ("url", "api_url", "expected"),
    [
        ("wss://wss-primary.slack.com/link/?ticket=1", API, True),
        ("wss://wss-primary.slack.com:443/link/", API, True),
        ("wss://wss-primary.slack-gov.com/link/", "https://slack-gov.com/api/", True),
        ("wss://wss-primary.slack.com/link/", "https://gateway.example.org/slack/", True),
        ("ws://127.0.0.1:8100/slack/socket/", "http://127.0.0.1:8100/slack/api/", True),
        # The library would not encrypt another port.
        ("wss://wss-primary.slack.com:8443/link/", API, False),
        ("ws://wss-primary.slack.com/link/", API, False),
        ("wss://slack.com.evil.example/link/", API, False),
        ("wss://evilslack.com/link/", API, False),
        ("wss://ann@wss-primary.slack.com/link/", API, False),
        ("wss://169.254.169.254/latest/", API, False),
        ("ws://127.0.0.1:8100/", API, False),
        ("ws://127.0.0.1:9/", "http://127.0.0.1:8100/slack/api/", False),
        ("https://wss-primary.slack.com/", API, False),
        ("wss://wss-primary.slack.com:port/", API, False),
        ("", API, False),
    ],
)
def test_address_is_slacks_own(url: str, api_url: str, expected: bool) -> None:
    """A response of Slack, or of someone in its place, cannot lead the connection elsewhere or switch TLS off."""
    assert is_slacks_socket(url, api_url) == expected
