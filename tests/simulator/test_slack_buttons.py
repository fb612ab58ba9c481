"""Buttons of the simulated Slack: presses reach the app signed, and the app can respond."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import slack_sdk
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.webhook import WebhookClient

from simulator import Config, Running, running


def _button(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": text}} | more


BUTTONS = {
    "type": "actions",
    "block_id": "incident-7",
    "elements": [
        _button("Acknowledge", action_id="ack", value="7", style="primary"),
        _button("Snooze", action_id="snooze"),
    ],
}


@pytest.fixture
def message(slack: slack_sdk.WebClient, control: Any, receiver: Any) -> dict[str, Any]:
    """Return channel and ts of a message with two buttons, whose presses go to the receiver."""
    control("POST", "settings", {"slack_interactions_url": receiver.url})
    metadata = {"event_type": "incident", "event_payload": {"id": 7}}
    sent = slack.chat_postMessage(channel="#bi", text="Refresh failed", blocks=[BUTTONS], metadata=metadata)
    return {"channel": sent["channel"], "ts": sent["ts"]}


def _payload(receiver: Any) -> dict[str, Any]:
    [text] = parse_qs(receiver.requests[-1][2].decode())["payload"]
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_press_is_signed(message: dict[str, Any], control: Any, receiver: Any) -> None:
    """Slack's own verifier accepts the raw body with the signing secret, and with no other secret or body."""
    pressed = control("POST", "slack/press", message | {"button": "ack", "user": "ben@acme.example"})
    assert (pressed["status"], pressed["response"], pressed["error"]) == (200, "ok", "")
    _, headers, body = receiver.requests[-1]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert SignatureVerifier("simulated-signing-secret").is_valid_request(body, headers)
    assert not SignatureVerifier("simulated-signing-secret").is_valid_request(body + b" ", headers)
    assert not SignatureVerifier("another").is_valid_request(body, headers)


def test_signature_becomes_too_old(message: dict[str, Any], control: Any, receiver: Any) -> None:
    """The time of the request is signed, so that a recorded press is refused after five minutes."""
    control("POST", "slack/press", message | {"button": "ack"})

    class Later(Clock):
        def now(self) -> float:
            return super().now() + 301

    _, headers, body = receiver.requests[-1]
    assert not SignatureVerifier("simulated-signing-secret", clock=Later()).is_valid_request(body, headers)


def test_payload_says_what_was_pressed(message: dict[str, Any], control: Any, receiver: Any) -> None:
    """The payload has the action, the person, the channel and the message with its metadata."""
    control("POST", "slack/press", message | {"button": "Acknowledge", "user": "ben@acme.example"})
    payload = _payload(receiver)
    [action] = payload["actions"]
    assert payload["type"] == "block_actions"
    assert (action["action_id"], action["block_id"], action["value"]) == ("ack", "incident-7", "7")
    assert payload["user"]["name"] == "ben"
    assert payload["channel"] == {"id": message["channel"], "name": "bi"}
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == message["ts"]
    assert payload["message"]["metadata"]["event_payload"] == {"id": 7}


def test_generated_ids_are_those_of_the_history(slack: slack_sdk.WebClient, control: Any, receiver: Any) -> None:
    """A block or button without an id gets one, which history and payload share."""
    control("POST", "settings", {"slack_interactions_url": receiver.url})
    sent = slack.chat_postMessage(channel="#bi", text="x", blocks=[{"type": "actions", "elements": [_button("Go")]}])
    control("POST", "slack/press", {"channel": sent["channel"], "ts": sent["ts"], "button": "Go"})
    [block] = slack.conversations_history(channel=sent["channel"])["messages"][0]["blocks"]
    [action] = _payload(receiver)["actions"]
    assert (action["block_id"], action["action_id"]) == (block["block_id"], block["elements"][0]["action_id"])


def test_same_button_in_two_blocks(slack: slack_sdk.WebClient, control: Any, receiver: Any) -> None:
    """The block distinguishes buttons of a list that share an action id; accessories and attachments count."""
    control("POST", "settings", {"slack_interactions_url": receiver.url})
    text = {"type": "mrkdwn", "text": "x"}
    rows = [
        {"type": "section", "block_id": name, "text": text, "accessory": _button("Ack", action_id="ack", value=name)}
        for name in ("sales", "orders")
    ]
    sent = slack.chat_postMessage(channel="#bi", text="x", blocks=rows[:1], attachments=[{"blocks": rows[1:]}])
    where = {"channel": sent["channel"], "ts": sent["ts"], "button": "ack"}
    for name in ("sales", "orders"):
        control("POST", "slack/press", where | {"block_id": name})
        assert _payload(receiver)["actions"][0]["value"] == name


def test_ephemeral_message(slack: slack_sdk.WebClient, control: Any, receiver: Any) -> None:
    """The payload about a message that only one person sees does not contain the message."""
    control("POST", "settings", {"slack_interactions_url": receiver.url})
    ben = slack.users_lookupByEmail(email="ben@acme.example")["user"]["id"]
    sent = slack.chat_postEphemeral(channel="#bi", user=ben, text="Sure?", blocks=[BUTTONS])
    where = {"channel": "#bi", "ts": sent["message_ts"], "user": "ben@acme.example"}
    assert control("POST", "slack/press", where | {"button": "ack"})["status"] == 200
    payload = _payload(receiver)
    assert "message" not in payload
    assert payload["container"]["is_ephemeral"] is True


MENU = {
    "type": "overflow",
    "action_id": "menu",
    "options": [
        {"text": {"type": "plain_text", "text": "Snooze"}, "value": "snooze 7"},
        {"text": {"type": "plain_text", "text": "Open"}, "value": "link", "url": "https://hooks.example.org"},
    ],
}


def test_menu(slack: slack_sdk.WebClient, control: Any, receiver: Any) -> None:
    """An entry is chosen by its text or value; the payload has the menu with the chosen entry, as Slack's has."""
    control("POST", "settings", {"slack_interactions_url": receiver.url})
    sent = slack.chat_postMessage(channel="#bi", text="x", blocks=[{"type": "actions", "elements": [MENU]}])
    for name in ("Snooze", "snooze 7"):
        control("POST", "slack/press", {"channel": sent["channel"], "ts": sent["ts"], "button": name})
        [action] = _payload(receiver)["actions"]
        assert (action["type"], action["action_id"]) == ("overflow", "menu")
        assert action["selected_option"] == MENU["options"][0]
        assert "options" not in action


@pytest.mark.parametrize(
    "change",
    [
        {"options": MENU["options"][:1]},
        {"options": MENU["options"] * 3},
        {"options": [{"text": {"type": "plain_text", "text": "x"}, "value": "v" * 151}] * 2},
        {"options": [{"text": {"type": "plain_text", "text": "x" * 76}, "value": "v"}] * 2},
        {"options": ["x", "y"]},
        {"style": "primary"},
    ],
)
def test_menu_that_slack_refuses(slack: slack_sdk.WebClient, change: dict[str, Any]) -> None:
    """Fewer than two entries, more than five, and texts over Slack's limits make the message invalid."""
    with pytest.raises(slack_sdk.errors.SlackApiError, match="invalid_blocks"):
        slack.chat_postMessage(channel="#bi", text="x", blocks=[{"type": "actions", "elements": [MENU | change]}])


def test_failure_is_shown(message: dict[str, Any], control: Any, receiver: Any) -> None:
    """A response other than 200 is shown with the message until the next press succeeds."""
    receiver.statuses = [404, 200]
    failed = control("POST", "slack/press", message | {"button": "ack"})
    assert failed["status"] == 404
    assert "responded with 404" in control("GET", "messages")["slack"][0]["press_error"]
    assert "responded with 404" in control("GET", "feed")["messages"][0]["press_error"]
    control("POST", "slack/press", message | {"button": "ack"})
    assert control("GET", "messages")["slack"][0]["press_error"] == ""


def test_no_server(message: dict[str, Any], control: Any) -> None:
    """A server that cannot be reached is an error without a status."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/slack/interactions"
        control("POST", "settings", {"slack_interactions_url": url})
        pressed = control("POST", "slack/press", message | {"button": "ack"})
    assert pressed["status"] is None
    assert "cannot be reached" in pressed["error"]


@pytest.mark.parametrize(
    "change", [{"button": "resolve"}, {"ts": "1.000001"}, {"channel": "#nowhere"}, {"user": "nobody@acme.example"}]
)
def test_press_of_nothing(message: dict[str, Any], control: Any, receiver: Any, change: dict[str, str]) -> None:
    """An unknown button, message, channel or user is refused with its name, and nothing is sent."""
    refused = control("POST", "slack/press", message | {"button": "ack"} | change, status=400)
    assert next(iter(change.values())) in refused["error"]
    assert receiver.requests == []


def test_app_updates_the_message_while_it_handles_the_press(
    message: dict[str, Any], control: Any, receiver: Any, slack: slack_sdk.WebClient
) -> None:
    """The simulator accepts calls of the app before the app has responded."""
    receiver.on_request = lambda: slack.chat_update(**message, text="Acknowledged by Ben", blocks=[])
    assert control("POST", "slack/press", message | {"button": "ack"})["status"] == 200
    assert control("GET", "messages")["slack"][0]["text"] == "Acknowledged by Ben"


def test_response_url(message: dict[str, Any], control: Any, receiver: Any) -> None:
    """The app can replace the original, add a message for the person or the channel, and delete the original."""
    control("POST", "slack/press", message | {"button": "ack", "user": "ben@acme.example"})
    client = WebhookClient(_payload(receiver)["response_url"])
    assert client.send(text="Acknowledged", replace_original=True).body == "ok"
    assert client.send(text="Thank you").status_code == 200
    assert client.send(text="Ben has it", response_type="in_channel").status_code == 200
    first, second, third = control("GET", "messages")["slack"]
    assert (first["text"], first["edited"], first["blocks"]) == ("Acknowledged", True, [])
    assert (second["text"], second["ephemeral_for"]) == ("Thank you", "Ben Duarte")
    assert (third["text"], third["ephemeral_for"]) == ("Ben has it", None)
    assert client.send(delete_original=True).status_code == 200
    assert [message["text"] for message in control("GET", "messages")["slack"]] == ["Thank you", "Ben has it"]


def test_response_url_is_used_up(message: dict[str, Any], control: Any, receiver: Any) -> None:
    """After five responses the address is used up."""
    control("POST", "slack/press", message | {"button": "ack"})
    client = WebhookClient(_payload(receiver)["response_url"])
    responses = [client.send(text="x") for _ in range(6)]
    assert [response.status_code for response in responses] == [200] * 5 + [404]
    assert "used_url" in responses[-1].body


def test_response_url_expires(receiver: Any) -> None:
    """After half an hour the address is expired."""
    now = [datetime(2026, 11, 26, 8, 0, tzinfo=UTC)]
    with running(Config(clock=lambda: now[0], slack_interactions_url=receiver.url)) as simulator:
        client = _response_client(simulator, receiver)
        now[0] += timedelta(minutes=31)
        assert "expired_url" in client.send(text="x").body


def _response_client(simulator: Running, receiver: Any) -> WebhookClient:
    slack = slack_sdk.WebClient("xoxb-simulator", base_url=f"{simulator.url}/slack/api/", timeout=10)
    sent = slack.chat_postMessage(channel="#bi", text="x", blocks=[BUTTONS])
    with simulator.app.test_client() as page:
        body = {"channel": sent["channel"], "ts": sent["ts"], "button": "ack"}
        assert page.post("/simulator/slack/press", json=body, base_url=simulator.url).status_code == 200
    return WebhookClient(_payload(receiver)["response_url"])


def test_secret_and_address_come_from_the_environment() -> None:
    """The server gets the signing secret with its other settings."""
    config = Config(slack_signing_secret="s3cret")
    assert config.environment("http://x")["SLACK_SIGNING_SECRET"] == "s3cret"
