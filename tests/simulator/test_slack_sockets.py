"""Socket Mode of the simulated Slack, driven by slack_sdk's own client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import slack_sdk
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from simulator import Config, Running, running

TOKEN = "xapp-1-simulated"
BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Ack"}, "action_id": "ack", "value": "7"}


@pytest.fixture
def simulator() -> Iterator[Running]:
    with running(Config(refresh_seconds=0, slack_app_token=TOKEN)) as simulator:
        yield simulator


@pytest.fixture
def web(simulator: Running) -> slack_sdk.WebClient:
    return slack_sdk.WebClient("xoxb-simulator", base_url=f"{simulator.url}/slack/api/", timeout=10)


@pytest.fixture
def received() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def app(simulator: Running, web: slack_sdk.WebClient, received: list[dict[str, Any]]) -> Iterator[SocketModeClient]:
    """Return a connected client that acknowledges everything."""

    def respond(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        received.append(request.payload)
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    client = SocketModeClient(TOKEN, web_client=web, ping_interval=0.5)
    client.socket_mode_request_listeners.append(respond)
    client.connect()
    yield client
    client.auto_reconnect_enabled = False
    simulator.world.slack.sockets.cut()
    client.close()


def wait_until(done: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def press(simulator: Running, web: slack_sdk.WebClient) -> dict[str, Any]:
    sent = web.chat_postMessage(channel="#bi", text="x" * 2000, blocks=[{"type": "actions", "elements": [BUTTON]}])
    body = {"channel": sent["channel"], "ts": sent["ts"], "button": "ack"}
    pressed: dict[str, Any] = requests.post(f"{simulator.url}/simulator/slack/press", json=body, timeout=10).json()
    return pressed


def test_press_arrives_and_is_acknowledged(
    simulator: Running, web: slack_sdk.WebClient, app: SocketModeClient, received: list[dict[str, Any]]
) -> None:
    """The payload is that of the HTTP request; the acknowledgement of the app is the success of the press."""
    wait_until(lambda: simulator.world.slack.sockets.count == 1)
    pressed = press(simulator, web)
    assert (pressed["status"], pressed["error"]) == (200, "")
    assert received[0]["actions"][0]["value"] == "7"
    assert received[0]["type"] == "block_actions"


@pytest.mark.second_stage
def test_app_connects_again(
    simulator: Running, web: slack_sdk.WebClient, app: SocketModeClient, received: list[dict[str, Any]]
) -> None:
    """After the announced end of a connection and after one without a word, presses arrive over a new one."""
    sockets = simulator.world.slack.sockets
    for body in ({}, {"cut": True}):
        wait_until(lambda: sockets.count == 1)
        before, old = len(received), app.session_id()
        requests.post(f"{simulator.url}/simulator/slack/sockets", json=body, timeout=10)
        wait_until(lambda: app.session_id() != old and sockets.count >= 1)  # noqa: B023 - called at once
        wait_until(lambda: press(simulator, web)["status"] == 200)
        assert len(received) > before


def test_press_without_a_connection_or_an_acknowledgement(
    simulator: Running, web: slack_sdk.WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack shows the person an error, as after a request that fails."""
    assert "no connection" in press(simulator, web)["error"]
    monkeypatch.setattr("simulator.slack.interactions.TIMEOUT", 0.2)
    silent = SocketModeClient(TOKEN, web_client=web)
    threading.Thread(target=silent.connect).start()
    wait_until(lambda: simulator.world.slack.sockets.count == 1)
    assert "did not acknowledge" in press(simulator, web)["error"]
    silent.auto_reconnect_enabled = False
    simulator.world.slack.sockets.cut()
    silent.close()


def test_wrong_token_and_ticket_are_refused(simulator: Running, web: slack_sdk.WebClient) -> None:
    """The method needs the app's token, not the bot's, and each address opens one connection."""
    with pytest.raises(SlackApiError, match="invalid_auth"):
        web.apps_connections_open(app_token="xoxb-simulator")
    url = str(web.apps_connections_open(app_token=TOKEN)["url"]).replace("ws://", "http://")
    assert requests.get(url, timeout=10).status_code == 400
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "a"}
    assert requests.get(url.replace("ticket=", "ticket=x"), headers=headers, timeout=10).status_code == 403
