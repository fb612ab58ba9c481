"""Requests of the Slack notifier for messages that are kept up to date, and its reading of strange responses."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifiers import CannotEdit, CannotReply, Mention, Message, NotifierError, Posted, SlackConfig, Unknown
from notifiers.slack import SlackNotifier
from notifiers.slack.directory import REMEMBERED, Memory

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
POSTED = {"ok": True, "channel": "C0123", "ts": "1718.0001"}
NOTICE = Posted("slack", "C0123", "1718.0001", "notice-7")
BOT = {"ok": True, "bot_id": "B1"}


@pytest.fixture
def slack(vendor: Any) -> SlackNotifier:
    """Return a notifier whose Slack is the vendor."""
    return SlackNotifier(SlackConfig(token="xoxb-1", channel="#bi", api_url=f"{vendor.url}/api"), clock=lambda: NOW)


def stored(client_id: str, ts: str = "1718.0001", **more: Any) -> dict[str, Any]:
    """Return a message of a history."""
    metadata = {"event_type": "notification", "event_payload": {"id": client_id}}
    return {"ts": ts, "bot_id": "B1", "metadata": metadata, **more}


def test_our_id_travels_in_the_metadata(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """In a new message, in a reply and in an edit; the answer's channel id is used from then on."""
    vendor.on("chat.postMessage", reply(POSTED))
    vendor.on("chat.update", reply({"ok": True}))
    posted = slack.post(Message("t"), None, client_id="notice-7")
    assert posted == NOTICE
    assert slack.reply(posted, Message("r"), client_id="notice-7 ack").client_id == "notice-7 ack"
    slack.edit(posted, Message("u"))
    post, answer, update = (request.json for request in vendor.requests)
    assert post["metadata"] == {"event_type": "notification", "event_payload": {"id": "notice-7"}}
    assert (answer["channel"], answer["thread_ts"]) == ("C0123", "1718.0001")
    assert answer["metadata"]["event_payload"] == {"id": "notice-7 ack"}
    assert update["metadata"] == post["metadata"]
    assert (update["channel"], update["ts"], update["text"]) == ("C0123", "1718.0001", "u")
    assert (update["parse"], update["link_names"]) == ("none", False)


def test_message_without_an_id_has_no_metadata(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """Ordinary messages are sent as before."""
    vendor.on("chat.postMessage", reply(POSTED))
    slack.send(Message("t"), None)
    assert "metadata" not in vendor.requests[0].json


def test_history_is_read_by_page_with_metadata(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """From some minutes before, as Slack's clock may differ; only as far as needed."""
    first = {"ok": True, "messages": [stored("other")], "response_metadata": {"next_cursor": "c2"}}
    second = {"ok": True, "messages": [stored("notice-7", "9.9")], "response_metadata": {"next_cursor": "c3"}}
    vendor.on("conversations.history", reply(first), reply(second))
    vendor.on("auth.test", reply(BOT))
    assert slack.find("C0123", "notice-7", NOW) == Posted("slack", "C0123", "9.9", "notice-7")
    forms = [request.form for request in vendor.requests if request.path.endswith("history")]
    assert [form.get("cursor") for form in forms] == [None, "c2"]
    assert forms[0]["oldest"] == f"{(NOW - timedelta(minutes=5)).timestamp():.6f}"
    assert (forms[0]["include_all_metadata"], forms[0]["channel"]) == ("1", "C0123")


def test_thread_is_read_for_a_reply(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """A lost reply is looked up among the replies to its message."""
    vendor.on("conversations.replies", reply({"ok": True, "messages": [stored("notice-7"), stored("ack", "2.2")]}))
    vendor.on("auth.test", reply(BOT))
    assert slack.find(None, "ack", NOW, thread=NOTICE) == Posted("slack", "C0123", "2.2", "ack")
    assert vendor.requests[0].form["ts"] == "1718.0001"


@pytest.mark.parametrize(
    "message",
    [
        stored("notice-7", bot_id="B2"),
        {**stored("notice-7"), "ts": ["1"]},
        stored("notice-7", "<!channel>"),
        {"ts": "1", "text": "notice-7", "bot_id": "B1"},
        stored("notice-7", metadata=None),
        stored("notice-7", metadata={"event_type": "other", "event_payload": {"id": "notice-7"}}),
        stored("notice-7", metadata={"event_type": "notification", "event_payload": ["notice-7"]}),
        "notice-7",
        None,
    ],
)
def test_message_of_another_app_is_not_ours(slack: SlackNotifier, vendor: Any, reply: Any, message: object) -> None:
    """Other apps can write what looks like our metadata; it must not suppress our message."""
    vendor.on("conversations.history", reply({"ok": True, "messages": [message]}))
    vendor.on("auth.test", reply(BOT))
    assert slack.find("C0123", "notice-7", NOW) is None


def test_too_long_history_is_unknown(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """A history without an end is not read forever."""
    vendor.on("conversations.history", reply({"ok": True, "messages": [], "response_metadata": {"next_cursor": "c"}}))
    outcome = slack.find("C0123", "notice-7", NOW)
    assert outcome == Unknown("Slack: more than 1000 messages since then in C0123")
    assert len(vendor.requests) == 10


def test_large_page_of_a_history_is_read(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """A hundred messages with their blocks are more than the limit of other responses, and there is one as well."""
    padding = [{"type": "section", "text": {"type": "plain_text", "text": "x" * 3000}}] * 4
    many = [stored(f"notice-{number}", f"{number}.1", blocks=padding) for number in range(100)]
    vendor.on("conversations.history", reply({"ok": True, "messages": many}), reply(b"[" + b" " * (8 * 1024**2) + b"]"))
    vendor.on("auth.test", reply(BOT))
    assert slack.find("C0123", "notice-99", NOW) == Posted("slack", "C0123", "99.1", "notice-99")
    with pytest.raises(NotifierError, match="larger than 8 MiB") as caught:
        slack.find("C0123", "notice-99", NOW)
    assert not caught.value.uncertain


@pytest.mark.parametrize("answer", [{"ok": True}, {"ok": True, "channel": "<x>", "ts": ["1"]}])
def test_message_that_slack_did_not_name_cannot_be_changed(
    slack: SlackNotifier, vendor: Any, reply: Any, answer: dict[str, Any]
) -> None:
    """It was posted; neither an edit nor a reply is attempted."""
    vendor.on("chat.postMessage", reply(answer))
    posted = slack.post(Message("t"), None)
    assert (posted.channel, posted.id) == ("#bi", "")
    with pytest.raises(CannotEdit) as caught:
        slack.edit(posted, Message("u"))
    assert caught.value.gone
    with pytest.raises(CannotReply):
        slack.reply(posted, Message("r"))
    assert vendor.paths() == ["chat.postMessage"]


def test_error_of_a_post_names_the_destination(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """The error of any other message does the same."""
    vendor.on("chat.postMessage", reply({"ok": False, "error": "channel_not_found"}))
    with pytest.raises(NotifierError, match=r"Could not deliver to slack:#bi \(SLACK_CHANNEL\)\. Slack: channel_not"):
        slack.post(Message("t"), None)


@pytest.mark.parametrize("url", ["javascript:alert(1)", None, 7])
def test_permalink_is_a_web_address(slack: SlackNotifier, vendor: Any, reply: Any, url: object) -> None:
    """Pages link to it."""
    vendor.on("chat.getPermalink", reply({"ok": True, "permalink": url}))
    assert slack.permalink(NOTICE).permalink == ""


@pytest.mark.parametrize(
    ("groups", "members", "token"),
    [
        ([{"id": "S1", "handle": "ops"}], [], "<!subteam^S1>"),
        ([{"id": "S<1", "handle": "ops"}], [{"id": "U1", "name": "ops"}], "<@U1>"),
        ([], [{"id": "U1", "name": "x", "profile": {"display_name": "Ops"}}], "<@U1>"),
        ([], [{"id": "U1", "name": "ops"}, {"id": "U2", "name": "y", "profile": {"display_name": "ops"}}], None),
        ([], [{"id": "U1", "name": "ops", "deleted": True}, {"id": "U2", "name": "ops", "is_bot": True}], None),
        ([], [{"id": "U1><!channel", "name": "ops"}], None),
        ("ops", ["ops", None], None),
    ],
)
def test_name_is_a_group_or_exactly_one_member(
    slack: SlackNotifier, vendor: Any, reply: Any, *, groups: object, members: object, token: str | None
) -> None:
    """A name of two members mentions neither, and an id that is none becomes no markup."""
    vendor.on("usergroups.list", reply({"ok": True, "usergroups": groups}))
    vendor.on("users.list", reply({"ok": True, "members": members}))
    vendor.on("chat.postMessage", reply(POSTED))
    slack.post(Message("t", mentions=(Mention("name", "ops"),)), None)
    text = vendor.requests[-1].json["text"]
    assert text == (f"{token} t" if token else "t\n@ops")


def test_members_are_listed_by_a_bounded_number_of_pages(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """A workspace of any size costs at most ten calls."""
    vendor.on("usergroups.list", reply({"ok": True, "usergroups": []}))
    page = {"ok": True, "members": [], "response_metadata": {"next_cursor": "more"}}
    vendor.on("users.list", reply(page))
    vendor.on("chat.postMessage", reply(POSTED))
    slack.post(Message("t", mentions=(Mention("name", "ops"),)), None)
    assert vendor.paths().count("users.list") == 10


def test_many_mentions_are_bounded(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """Twenty alert people, the others are text."""
    vendor.on("chat.postMessage", reply(POSTED))
    slack.post(Message("t", mentions=tuple(Mention("id", f"U{number:09d}") for number in range(30))), None)
    assert vendor.requests[-1].json["text"].count("<@U") == 20


def test_threads_ask_slack_once(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """Many messages at the same moment cost one lookup, so that a storm does not meet Slack's rate limits."""
    vendor.on("usergroups.list", reply({"ok": True, "usergroups": [{"id": "S1", "handle": "ops"}]}))
    vendor.on("users.lookupByEmail", reply({"ok": True, "user": {"id": "U7"}}))
    vendor.on("chat.postMessage", reply(POSTED))
    message = Message("t", mentions=(Mention("name", "ops"), Mention("email", "ann@example.org")))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: slack.post(message, "ann@example.org"), range(8)))
    counts = Counter(vendor.paths())
    assert counts == {"usergroups.list": 1, "users.lookupByEmail": 1, "chat.postMessage": 8}


def test_memory_is_bounded_and_forgets_a_missing_name_soon() -> None:
    """The oldest answers go first; that there is none is asked again after ten minutes."""
    times = [NOW]
    memory = Memory(lambda: times[0])
    for number in range(REMEMBERED + 10):
        memory.put(str(number), "U1")
    assert ("9" in memory, "10" in memory) == (False, True)
    answers = iter([None, "U2"])
    assert memory.get("ann", lambda: next(answers)) is None
    assert memory.get("ann", lambda: next(answers)) is None
    times[0] += timedelta(minutes=11)
    assert memory.get("ann", lambda: next(answers)) == "U2"
    assert memory._asking == {}
