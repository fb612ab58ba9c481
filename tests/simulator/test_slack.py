"""Slack's rules for posting, and the errors of refused calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import slack_sdk
from slack_sdk.errors import SlackApiError

from simulator import Config, Running, running
from simulator.slack.blocks import count_characters, validate


def _text(length: int, kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": "x" * length}


def _section(length: int) -> dict[str, Any]:
    return {"type": "section", "text": _text(length)}


def _button(**changes: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": [{"type": "button", "text": _text(5, "plain_text")} | changes]}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "header", "text": _text(150, "plain_text")},
        _section(3000),
        {"type": "section", "fields": [_text(2000)] * 5},
        {"type": "context", "elements": [_text(10)] * 10},
        {"type": "context", "elements": [{"type": "image", "image_url": "https://x.org/a.png", "alt_text": "a"}]},
        {"type": "divider"},
        _button(url="https://example.org", style="primary"),
        {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a"},
        {"type": "markdown", "text": "# hello"},
    ],
)
def test_allowed_block(block: dict[str, Any]) -> None:
    """Blocks that Slack shows are accepted."""
    assert validate([block]) == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "header", "text": _text(151, "plain_text")},
        {"type": "header", "text": _text(10, "mrkdwn")},
        {"type": "header", "text": _text(0, "plain_text")},
        _section(3001),
        {"type": "section"},
        {"type": "section", "text": "plain"},
        {"type": "section", "fields": [_text(1)] * 11},
        {"type": "section", "fields": [_text(2001)]},
        {"type": "context", "elements": [_text(1)] * 11},
        {"type": "context", "elements": []},
        {"type": "actions", "elements": [{"type": "button", "text": _text(76, "plain_text")}]},
        _button(url="https://" + "x" * 3000),
        _button(style="green"),
        {"type": "image", "image_url": "https://x.org/a.png"},
        {"type": "image", "alt_text": "a"},
        {"type": "carousel"},
        {"type": "section", "text": _text(5), "fileds": []},
        {"type": "section", "text": _text(5) | {"emoji": True}},
        _button(colour="red"),
        {"type": "divider", "block_id": "x" * 256},
        "text",
    ],
)
def test_refused_block(block: Any) -> None:
    """Each limit of Block Kit is checked, and the problem has its place."""
    [problem, *_] = validate([block])
    assert "[json-pointer:/blocks/0" in problem


def test_too_many_blocks() -> None:
    """A message can have fifty blocks."""
    assert validate([{"type": "divider"}] * 50) == []
    assert validate([{"type": "divider"}] * 51) == ["no more than 50 items allowed [json-pointer:/blocks]"]


def test_invalid_blocks_say_where(simulator: Running, slack: slack_sdk.WebClient) -> None:
    """The error carries Slack's messages, and nothing is posted."""
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel="#bi", text="x", blocks=[_section(3001)])
    response = refused.value.response
    assert response["error"] == "invalid_blocks"
    assert response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    assert simulator.world.slack.messages == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": ""}, "no_text"),
        ({"text": "x", "blocks": [_section(3000)] * 5}, "msg_blocks_too_long"),
        ({"text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ({"text": "x", "channel": ""}, "channel_not_found"),
        ({"text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ({"text": "x", "attachments": {"a": 1}}, "invalid_attachments"),
    ],
)
def test_message_is_refused(slack: slack_sdk.WebClient, arguments: dict[str, Any], error: str) -> None:
    """The error has Slack's name."""
    with pytest.raises(SlackApiError) as refused:
        slack.api_call("chat.postMessage", json={"channel": "#bi"} | arguments)
    assert refused.value.response["error"] == error


def test_characters_are_counted_over_all_blocks() -> None:
    """Texts at any depth are counted."""
    assert count_characters([_section(10), {"type": "section", "fields": [_text(5), _text(6)]}]) == 21


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth")])
def test_token_is_checked(simulator: Running, token: str, error: str) -> None:
    """The status is 200, and the reason is in the body."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = requests.post(f"{simulator.url}/slack/api/auth.test", headers=headers, timeout=30)
    assert (response.status_code, response.json()) == (200, {"ok": False, "error": error})


def test_token_can_be_in_the_form(simulator: Running) -> None:
    """The older way of authentication is accepted."""
    form = {"token": "xoxb-simulator", "channel": "bi", "text": "hello"}
    assert requests.post(f"{simulator.url}/slack/api/chat.postMessage", data=form, timeout=30).json()["ok"]


def test_unknown_method(slack: slack_sdk.WebClient) -> None:
    """A method that is not simulated has an error."""
    with pytest.raises(SlackApiError, match="unknown_method"):
        slack.api_call("chat.shout")


def test_upload_needs_an_id_and_a_member(simulator: Running, slack: slack_sdk.WebClient) -> None:
    """An upload to a channel's name, or to a channel without the bot, is refused."""
    general = next(channel.id for channel in simulator.world.slack.channels.values() if channel.name == "general")
    for channel, error in (("#bi", "channel_not_found"), (general, "not_in_channel")):
        with pytest.raises(SlackApiError, match=error):
            slack.files_upload_v2(channel=channel, content=b"x", filename="x.png")
    slack.chat_postMessage(channel="#general", text="posting is allowed")


def test_upload_must_have_the_announced_length(simulator: Running, slack: slack_sdk.WebClient) -> None:
    """Bytes of another length than announced are refused, and such a file cannot be shared."""
    announced = slack.files_getUploadURLExternal(filename="x.png", length=3)
    assert requests.post(announced["upload_url"], data=b"four", timeout=30).status_code == 400
    with pytest.raises(SlackApiError, match="file_not_found"):
        slack.files_completeUploadExternal(files=[{"id": announced["file_id"]}], channel_id="C000000002")
    assert requests.post(announced["upload_url"], files={"file": b"abc"}, timeout=30).ok
    done = slack.files_completeUploadExternal(
        files=[{"id": announced["file_id"], "title": "t"}], channel_id="C000000002"
    )
    assert done["files"][0]["title"] == "t"
    with pytest.raises(SlackApiError, match="file_not_found"):
        slack.files_completeUploadExternal(files=[{"id": announced["file_id"]}], channel_id="C000000002")


@pytest.mark.parametrize("length", [0, -1, "x"])
def test_empty_file_cannot_be_announced(slack: slack_sdk.WebClient, length: Any) -> None:
    """A file must have at least one byte."""
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        slack.api_call("files.getUploadURLExternal", params={"filename": "x", "length": length})


def test_history_lists_the_messages(slack: slack_sdk.WebClient) -> None:
    """The newest message is first; threads are read separately."""
    first = slack.chat_postMessage(channel="#bi", text="one")
    slack.chat_postMessage(channel="#bi", text="two")
    slack.chat_postMessage(channel="#bi", text="reply", thread_ts=first["ts"])
    channel = first["channel"]
    assert [message["text"] for message in slack.conversations_history(channel=channel)["messages"]] == ["two", "one"]
    replies = slack.conversations_replies(channel=channel, ts=first["ts"])["messages"]
    assert [message["text"] for message in replies] == ["one", "reply"]
    slack.chat_delete(channel=channel, ts=first["ts"])
    assert slack.chat_getPermalink(channel=channel, message_ts=replies[1]["ts"])["permalink"].startswith("https://")


@pytest.mark.parametrize(
    ("configured", "to"),
    [("#data-alerts", "#data-alerts"), ("data-alerts", "#data-alerts"), ("C0123ABCD", "C0123ABCD")],
)
def test_configured_channel_exists(configured: str, to: str) -> None:
    """The channel of SLACK_CHANNEL exists, by name or by id, and accepts uploads."""
    with running(Config(slack_channel=configured)) as simulator:
        client = slack_sdk.WebClient("xoxb-simulator", base_url=f"{simulator.url}/slack/api/")
        sent = client.chat_postMessage(channel=to, text="x")
        assert client.files_upload_v2(channel=sent["channel"], content=b"x", filename="x.txt")["ok"]


def test_unknown_user_is_not_found(slack: slack_sdk.WebClient) -> None:
    """The error is users_not_found for a lookup and user_not_found for a conversation."""
    with pytest.raises(SlackApiError, match="users_not_found"):
        slack.users_lookupByEmail(email="nobody@acme.example")
    with pytest.raises(SlackApiError, match="user_not_found"):
        slack.conversations_open(users="U999")


@pytest.mark.parametrize(
    ("scope", "call"),
    [
        ("channels:read", lambda slack: slack.conversations_list()),
        ("groups:read", lambda slack: slack.conversations_list(types="public_channel,private_channel")),
        ("channels:read", lambda slack: slack.conversations_info(channel="C000000002")),
        ("users:read.email", lambda slack: slack.users_lookupByEmail(email="ann@acme.example")),
        ("users:read", lambda slack: slack.users_info(user="U000000001")),
        ("chat:write", lambda slack: slack.chat_postMessage(channel="#bi", text="x")),
        ("files:write", lambda slack: slack.files_getUploadURLExternal(filename="x.png", length=1)),
        ("im:write", lambda slack: slack.conversations_open(users="U000000001")),
    ],
)
def test_missing_scope_is_refused_as_by_slack(
    simulator: Running, slack: slack_sdk.WebClient, scope: str, call: Callable[[slack_sdk.WebClient], object]
) -> None:
    """The error names the scope that is needed, and those that the app has."""
    call(slack)
    with simulator.world.lock:
        simulator.world.slack.scopes.remove(scope)
    with pytest.raises(SlackApiError) as caught:
        call(slack)
    assert (caught.value.response["error"], caught.value.response["needed"]) == ("missing_scope", scope)
    assert scope not in caught.value.response["provided"].split(",")


def test_public_channel_without_membership(simulator: Running, slack: slack_sdk.WebClient) -> None:
    """Only chat:write.public allows to post to a channel that the app is not a member of."""
    slack.chat_postMessage(channel="#general", text="x")
    with simulator.world.lock:
        simulator.world.slack.scopes.remove("chat:write.public")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        slack.chat_postMessage(channel="#general", text="x")
