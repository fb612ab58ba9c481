"""Messages that are kept up to date in the simulated Slack: edits, threads, history, scopes, rate limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import slack_sdk
from slack_sdk.errors import SlackApiError

from simulator import Config, Running, running


def _section(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}} | more


RICH = {"type": "rich_text", "elements": []}


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """Return a clock for the simulator."""
    return Clock()


@pytest.fixture
def timed(clock: Clock) -> Iterator[slack_sdk.WebClient]:
    """Return Slack's client of a simulator that limits rates and edits, under the test's clock."""
    with running(Config(clock=clock, slack_rate_limits=True, slack_edit_window=600)) as simulator:
        yield _client(simulator)


def _client(simulator: Running) -> slack_sdk.WebClient:
    return slack_sdk.WebClient("xoxb-simulator", base_url=f"{simulator.url}/slack/api/", timeout=10)


def _error(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        call(**arguments)
    return str(refused.value.response["error"])


def test_every_version_is_kept(slack: slack_sdk.WebClient, control: Any) -> None:
    """The control API returns each version of a message with its time, and the current one as the message."""
    sent = slack.chat_postMessage(channel="#bi", text="1 failure")
    for number in (2, 3):
        slack.chat_update(channel=sent["channel"], ts=sent["ts"], text=f"{number} failures")
    [message] = control("GET", "messages")["slack"]
    assert (message["text"], message["edited"]) == ("3 failures", True)
    assert [version["text"] for version in message["versions"]] == ["1 failure", "2 failures", "3 failures"]
    times = [datetime.fromisoformat(version["at"]) for version in message["versions"]]
    assert times == sorted(times)


@pytest.mark.parametrize("channel", ["#bi", "bi", "", "C0UNKNOWN", "U000000001"])
def test_update_needs_the_id_of_the_channel(slack: slack_sdk.WebClient, channel: str) -> None:
    """An update by a channel's name, or by a person's id instead of the conversation's, is refused."""
    to = channel if channel.startswith("U") else "#bi"
    sent = slack.chat_postMessage(channel=to, text="x")
    assert sent["channel"][0] in "CD"
    assert _error(slack.chat_update, channel=channel, ts=sent["ts"], text="y") == "channel_not_found"
    assert slack.chat_update(channel=sent["channel"], ts=sent["ts"], text="y")["message"]["text"] == "y"


def _update(slack: slack_sdk.WebClient, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    sent = slack.chat_postMessage(channel="#bi", **before)
    slack.api_call("chat.update", json={"channel": sent["channel"], "ts": sent["ts"]} | after)
    return dict(slack.conversations_history(channel=sent["channel"], include_all_metadata=True)["messages"][0])


META = {"event_type": "incident", "event_payload": {"id": 7}}


@pytest.mark.parametrize(
    ("after", "text", "has_blocks", "metadata"),
    [
        ({"text": "new"}, "new", False, META),
        ({"text": "new", "blocks": [_section("b")]}, "new", True, META),
        ({"attachments": [{"text": "a"}]}, "old", True, META),
        ({"text": "new", "metadata": {}}, "new", False, None),
        ({"text": "new", "metadata": META | {"event_type": "closed"}}, "new", False, META | {"event_type": "closed"}),
    ],
)
def test_parts_that_an_update_leaves_out(
    slack: slack_sdk.WebClient, after: dict[str, Any], text: str, has_blocks: bool, metadata: Any
) -> None:
    """Text without blocks removes the blocks; metadata stay unless they are given."""
    message = _update(slack, {"text": "old", "blocks": [_section("a")], "metadata": META}, after)
    assert (message["text"], "blocks" in message, message.get("metadata")) == (text, has_blocks, metadata)
    # Slack does not mark an edited message that has blocks.
    assert ("edited" in message) is not has_blocks


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ({"text": "x"}, {"text": "x" * 4001}, "msg_too_long"),
        ({"text": "x"}, {}, "no_text"),
        ({"text": "x"}, {"text": "y", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"text": "x"}, {"text": "y", "blocks": [_section("a", block_id="1")] * 2}, "invalid_blocks"),
        ({"text": "x"}, {"text": "y", "ts": "1.000001"}, "message_not_found"),
        ({"text": "x", "blocks": [RICH]}, {"text": "y", "blocks": [_section("a")]}, "block_mismatch"),
        ({"text": "x"}, {"text": "y", "metadata": "{"}, "invalid_metadata_format"),
        ({"text": "x"}, {"text": "y", "metadata": [1]}, "invalid_metadata_format"),
        ({"text": "x"}, {"text": "y", "metadata": {"event_type": "a"}}, "invalid_metadata_schema"),
        ({"text": "x"}, {"text": "y", "reply_broadcast": True}, "no_dual_broadcast_content_update"),
    ],
)
def test_update_is_refused(
    simulator: Running, slack: slack_sdk.WebClient, before: dict[str, Any], after: dict[str, Any], error: str
) -> None:
    """The error has Slack's name, and the message stays as it is."""
    sent = slack.chat_postMessage(channel="#bi", **before)
    arguments = {"channel": sent["channel"], "ts": sent["ts"]} | after
    assert _error(slack.api_call, api_method="chat.update", json=arguments) == error
    assert not simulator.world.slack.messages[-1].edited


@pytest.mark.parametrize("name", ["block_id", "action_id"])
def test_duplicate_id_says_where(slack: slack_sdk.WebClient, name: str) -> None:
    """A second block or button with the same id is refused with its place."""
    button = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "go"}
    twice = [_section("a", block_id="b")] * 2 if name == "block_id" else [{"type": "actions", "elements": [button] * 2}]
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel="#bi", text="x", blocks=twice)
    assert f"{name} already exists" in refused.value.response["errors"][0]


def test_message_of_another_author_cannot_be_updated(slack: slack_sdk.WebClient, control: Any) -> None:
    """An app updates and deletes only its own messages, and no ephemeral ones."""
    written = control("POST", "slack/messages", {"channel": "#bi", "text": "on it", "user": "ben@acme.example"})
    channel, user = written["channel"], slack.users_lookupByEmail(email="ben@acme.example")["user"]["id"]
    shown = slack.chat_postEphemeral(channel="#bi", user=user, text="only you")
    for ts in (written["ts"], shown["message_ts"]):
        assert _error(slack.chat_update, channel=channel, ts=ts, text="y") == "cant_update_message"
        assert _error(slack.chat_delete, channel=channel, ts=ts) == "cant_delete_message"
    [message] = slack.conversations_history(channel=channel)["messages"]
    assert (message["text"], message["user"]) == ("on it", user)
    assert control("GET", "messages")["slack"][1]["ephemeral_for"] == "Ben Duarte"


def test_edit_window(timed: slack_sdk.WebClient, clock: Clock) -> None:
    """A workspace can allow edits for a time only."""
    sent = timed.chat_postMessage(channel="#bi", text="x")
    clock.move(600)
    timed.chat_update(channel=sent["channel"], ts=sent["ts"], text="y")
    clock.move(1)
    assert _error(timed.chat_update, channel=sent["channel"], ts=sent["ts"], text="z") == "edit_window_closed"


def test_history_by_page(slack: slack_sdk.WebClient) -> None:
    """Each message is on one page, also when new messages arrive between two pages."""
    channel = slack.chat_postMessage(channel="#bi", text="0")["channel"]
    for number in range(1, 7):
        slack.chat_postMessage(channel="#bi", text=str(number))
    pages, cursor = [], None
    while cursor != "":
        page = slack.conversations_history(channel=channel, limit=3, cursor=cursor)
        pages.append([message["text"] for message in page["messages"]])
        cursor = page.get("response_metadata", {}).get("next_cursor", "")
        slack.chat_postMessage(channel="#bi", text="late")
    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"cursor": "x"}, "invalid_cursor"),
        ({"cursor": "bmV4dF90czoxLjAwMDAwMQ=="}, "invalid_cursor"),
        ({"limit": 1000}, "invalid_limit"),
        ({"oldest": "yesterday"}, "invalid_ts_oldest"),
        ({"channel": "#bi"}, "channel_not_found"),
    ],
)
def test_history_is_refused(slack: slack_sdk.WebClient, arguments: dict[str, Any], error: str) -> None:
    """The error has Slack's name; a channel's name is not accepted."""
    channel = slack.chat_postMessage(channel="#bi", text="x")["channel"]
    assert _error(slack.api_call, api_method="conversations.history", json={"channel": channel} | arguments) == error


def test_time_range_of_history(slack: slack_sdk.WebClient) -> None:
    """The limits of the range are exclusive unless they are included."""
    sent = [slack.chat_postMessage(channel="#bi", text=str(number)) for number in range(4)]
    channel, limits = sent[0]["channel"], {"oldest": sent[1]["ts"], "latest": sent[3]["ts"]}
    for inclusive, expected in ((False, ["2"]), (True, ["3", "2", "1"])):
        page = slack.conversations_history(channel=channel, inclusive=inclusive, **limits)
        assert [message["text"] for message in page["messages"]] == expected


def test_thread(slack: slack_sdk.WebClient, control: Any) -> None:
    """Replies are counted at their root; only a broadcast one is also in the channel."""
    root = slack.chat_postMessage(channel="#bi", text="root", metadata=META)
    channel, ts = root["channel"], root["ts"]
    slack.chat_postMessage(channel=channel, text="quiet", thread_ts=ts)
    slack.chat_postMessage(channel=channel, text="loud", thread_ts=ts, reply_broadcast=True)
    loud, top = slack.conversations_history(channel=channel)["messages"]
    assert (loud["text"], loud["subtype"], top["reply_count"], top["latest_reply"]) == (
        "loud",
        "thread_broadcast",
        2,
        loud["ts"],
    )
    assert "metadata" not in top
    thread = slack.conversations_replies(channel=channel, ts=ts, include_all_metadata=True)["messages"]
    assert [message["text"] for message in thread] == ["root", "quiet", "loud"]
    assert thread[0]["metadata"] == META
    assert f"thread_ts={ts}" in slack.chat_getPermalink(channel=channel, message_ts=loud["ts"])["permalink"]
    assert _error(slack.conversations_replies, channel=channel, ts="1.000001") == "thread_not_found"
    assert [message["broadcast"] for message in control("GET", "messages")["slack"]] == [False, False, True]


def test_reaction(slack: slack_sdk.WebClient) -> None:
    """A reaction is shown with the message, and added once."""
    sent = slack.chat_postMessage(channel="#bi", text="x")
    where = {"channel": sent["channel"], "timestamp": sent["ts"]}
    slack.reactions_add(name="eyes", **where)
    assert _error(slack.reactions_add, name="eyes", **where) == "already_reacted"
    assert _error(slack.reactions_add, name="no such emoji", **where) == "invalid_name"
    [message] = slack.conversations_history(channel=sent["channel"])["messages"]
    assert [(reaction["name"], reaction["count"]) for reaction in message["reactions"]] == [("eyes", 1)]


def test_groups_of_users(slack: slack_sdk.WebClient) -> None:
    """Groups are listed with their handles, and with their users on demand."""
    assert [group["handle"] for group in slack.usergroups_list()["usergroups"]] == ["bi-team", "data-stewards"]
    assert slack.usergroups_list(include_users=True)["usergroups"][0]["users"]


@pytest.mark.parametrize(
    ("api_method", "arguments", "needed"),
    [
        ("conversations.history", {"channel": "C000000002"}, "channels:history"),
        ("conversations.history", {"channel": "C000000005"}, "groups:history"),
        ("conversations.replies", {"channel": "C000000002"}, "channels:history"),
        ("conversations.list", {"types": "public_channel,private_channel"}, "channels:read"),
        ("conversations.info", {"channel": "C000000002"}, "channels:read"),
        ("users.lookupByEmail", {"email": "ben@acme.example"}, "users:read.email"),
        ("usergroups.list", {}, "usergroups:read"),
        ("reactions.add", {"channel": "C000000002"}, "reactions:write"),
        ("files.getUploadURLExternal", {"filename": "a", "length": 1}, "files:write"),
        ("conversations.open", {"users": "U000000001"}, "im:write"),
    ],
)
def test_missing_scope(control: Any, slack: slack_sdk.WebClient, api_method: str, arguments: Any, needed: str) -> None:
    """The error names the scope that is needed and those of the token."""
    control("POST", "settings", {"slack_scopes": "chat:write"})
    with pytest.raises(SlackApiError) as refused:
        slack.api_call(api_method, json=arguments)
    response = refused.value.response
    assert (response["error"], response["needed"], response["provided"]) == ("missing_scope", needed, "chat:write")
    assert response.headers["X-OAuth-Scopes"] == "chat:write"


def test_public_channel_without_the_scope(control: Any, slack: slack_sdk.WebClient) -> None:
    """Without chat:write.public, the app posts only to the channels it is in."""
    control("POST", "settings", {"slack_scopes": "chat:write"})
    slack.chat_postMessage(channel="#bi", text="x")
    assert _error(slack.chat_postMessage, channel="#general", text="x") == "not_in_channel"


def test_messages_per_second(timed: slack_sdk.WebClient, clock: Clock) -> None:
    """A channel accepts a short burst and then one message per second; another channel is not affected."""
    for _ in range(4):
        timed.chat_postMessage(channel="#bi", text="x")
    with pytest.raises(SlackApiError) as refused:
        timed.chat_postMessage(channel="#bi", text="x")
    response = refused.value.response
    assert (response.status_code, response["error"], response.headers["Retry-After"]) == (429, "ratelimited", "1")
    timed.chat_postMessage(channel="#finance-data", text="x")
    for _ in range(3):
        clock.move(1)
        timed.chat_postMessage(channel="#bi", text="x")
        assert _error(timed.chat_postMessage, channel="#bi", text="x") == "ratelimited"


def test_calls_per_minute(timed: slack_sdk.WebClient, clock: Clock) -> None:
    """A method of tier 3 accepts 50 calls in a minute, refused updates included, and says when to continue."""
    sent = timed.chat_postMessage(channel="#bi", text="x")
    for number in range(50):
        clock.move(0.1)
        timed.chat_update(channel=sent["channel"], ts=sent["ts"], text=str(number))
    with pytest.raises(SlackApiError) as refused:
        timed.chat_update(channel=sent["channel"], ts=sent["ts"], text="x")
    assert refused.value.response.headers["Retry-After"] == "56"
    timed.conversations_history(channel=sent["channel"])
    clock.move(55.1)
    timed.chat_update(channel=sent["channel"], ts=sent["ts"], text="x")


def test_limits_are_off_by_default(slack: slack_sdk.WebClient) -> None:
    """A simulator without the setting accepts any number of messages."""
    for _ in range(10):
        slack.chat_postMessage(channel="#bi", text="x")
