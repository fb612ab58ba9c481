"""The Slack notifier against a small server that responds like Slack."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifiers import Link, Message, NotifierError, Picture, Receipt, SlackConfig
from notifiers.slack import SlackNotifier
from notifiers.slack.errors import refusal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "xoxb-not-to-be-seen"
POSTED = {"ok": True, "channel": "C0123", "ts": "1718.0001"}
MESSAGE = Message("Refresh failed: <Sales>", "why", (("Owner", "Ann"),), Link("https://example.org/"), "bad")
PICTURE = Picture(b"\x89PNG picture", "sales.png", "Sales as it looks now")


@pytest.fixture(params=["/api", "/api/"])
def slack(vendor: Any, request: pytest.FixtureRequest) -> SlackNotifier:
    """Return a notifier whose Slack is the vendor, its address with and without a trailing slash."""
    config = SlackConfig(token=TOKEN, channel="#default", api_url=vendor.url + request.param)
    return SlackNotifier(config, clock=lambda: NOW)


def test_send_posts_blocks_and_text(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """One request with layout and plain text; the receipt has the channel's id and the time stamp."""
    vendor.on("/api/chat.postMessage", reply(POSTED))
    assert slack.send(MESSAGE, "#finance") == Receipt("C0123", "1718.0001")
    (request,) = vendor.requests
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.json["channel"] == "#finance"
    assert request.json["text"].startswith("Refresh failed: &lt;Sales&gt;\nwhy")
    assert [block["type"] for block in request.json["blocks"]] == ["header", "section", "section", "actions"]
    assert not request.json["link_names"]
    assert not request.json["unfurl_links"]
    assert request.json["mrkdwn"] is False


def test_send_without_address_uses_the_default_channel(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """The destination `slack` means SLACK_CHANNEL."""
    vendor.on("chat.postMessage", reply(POSTED))
    slack.send(MESSAGE, None)
    assert vendor.requests[0].json["channel"] == "#default"


def test_send_to_an_email_address_is_a_direct_message(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """The user is looked up once and then written to by id; the receipt has the id of the conversation."""
    vendor.on("users.lookupByEmail", reply({"ok": True, "user": {"id": "U7"}}))
    vendor.on("chat.postMessage", reply({"ok": True, "channel": "D9", "ts": "1.2"}))
    assert slack.send(MESSAGE, "ann@example.org") == Receipt("D9", "1.2")
    slack.send(MESSAGE, "ann@example.org")
    assert vendor.paths() == ["users.lookupByEmail", "chat.postMessage", "chat.postMessage"]
    assert vendor.requests[0].form["email"] == "ann@example.org"
    assert vendor.requests[1].json["channel"] == "U7"


def test_send_to_an_unknown_email_address_is_permanent(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """No message is posted, and the error names the reason and the address."""
    vendor.on("users.lookupByEmail", reply({"ok": False, "error": "users_not_found"}))
    with pytest.raises(
        NotifierError, match=r"slack:gone@example\.org\. Slack: users_not_found .*no user with that e-mail"
    ) as caught:
        slack.send(MESSAGE, "gone@example.org")
    assert caught.value.permanent


def test_attach_uploads_into_the_thread(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """Three steps: an address, the bytes, the place; the place is the channel's id and the message's thread."""
    vendor.on("files.getUploadURLExternal", reply({"ok": True, "upload_url": f"{vendor.url}/up/1", "file_id": "F1"}))
    vendor.on("/up/1", reply(b"OK"))
    vendor.on("files.completeUploadExternal", reply({"ok": True, "files": [{"id": "F1"}]}))
    slack.attach(PICTURE, Receipt("C0123", "1718.0001"))
    where, content, place = vendor.requests
    assert where.form == {"filename": "sales.png", "length": str(len(PICTURE.data)), "alt_txt": PICTURE.alt}
    assert content.body == PICTURE.data
    assert place.form["channel_id"] == "C0123"
    assert place.form["thread_ts"] == "1718.0001"


@pytest.mark.parametrize(("status", "permanent"), [(500, False), (429, False), (403, True)])
def test_attach_reports_a_failed_upload(
    slack: SlackNotifier, vendor: Any, reply: Any, status: int, permanent: bool
) -> None:
    """The second step is plain HTTP; its status decides."""
    vendor.on("files.getUploadURLExternal", reply({"ok": True, "upload_url": f"{vendor.url}/up/1", "file_id": "F1"}))
    vendor.on("/up/1", reply(b"no", status=status, headers={"Retry-After": "9"}))
    with pytest.raises(NotifierError, match=f"status {status}") as caught:
        slack.attach(PICTURE, Receipt("C0123", "1"))
    assert caught.value.permanent is permanent


def test_attach_of_an_empty_picture_is_permanent(slack: SlackNotifier, vendor: Any) -> None:
    """Slack refuses an empty file, so no request is made."""
    with pytest.raises(NotifierError, match=r"sales\.png is empty") as caught:
        slack.attach(Picture(b"", "sales.png"), Receipt("C0123", "1"))
    assert caught.value.permanent
    assert vendor.requests == []


def test_rate_limit_says_when_to_come_back_and_does_not_wait(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """429 is raised at once with the time of Retry-After; nothing is sent a second time here."""
    vendor.on(
        "chat.postMessage", reply({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "30"}), reply(POSTED)
    )
    with pytest.raises(NotifierError, match="ratelimited") as caught:
        slack.send(MESSAGE, "#finance")
    assert caught.value.retry_at == NOW + timedelta(seconds=30)
    assert not caught.value.permanent
    assert not caught.value.uncertain
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("name", ["invalid_blocks", "msg_blocks_too_long", "invalid_attachments"])
def test_refused_layout_is_posted_as_text(slack: SlackNotifier, vendor: Any, reply: Any, name: str) -> None:
    """A message whose blocks Slack does not like still arrives."""
    vendor.on("chat.postMessage", reply({"ok": False, "error": name}), reply(POSTED))
    assert slack.send(MESSAGE, "#finance").id == "1718.0001"
    first, second = vendor.requests
    assert "blocks" in first.json
    assert "blocks" not in second.json
    assert second.json["text"] == first.json["text"]


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("trouble", [{"hang": True}, {"drop": True}])
def test_missing_response_is_uncertain_and_not_repeated_here(
    slack: SlackNotifier, vendor: Any, reply: Any, trouble: dict[str, bool]
) -> None:
    """Slack may have posted it before it hung or closed the connection: the error says so, after one request."""
    vendor.on("chat.postMessage", reply(**trouble))
    with pytest.raises(NotifierError, match="did not respond") as caught:
        slack.send(MESSAGE, "#finance")
    assert (caught.value.permanent, caught.value.uncertain) == (False, True)
    assert len(vendor.requests) == 1


def test_refused_connection_was_not_sent(refusing_url: str) -> None:
    """Nothing was posted, so a retry is safe."""
    with pytest.raises(NotifierError, match="cannot be reached") as caught:
        SlackNotifier(SlackConfig(token=TOKEN, channel="#a", api_url=refusing_url)).send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


@pytest.mark.parametrize(
    "body", [b"<html>sign in to the wifi</html>", b"[]", b"null", b"3", b"", b"\xff\xfe", b'{"ok": true, "channel"']
)
def test_answer_that_is_not_slack_is_no_success(slack: SlackNotifier, vendor: Any, reply: Any, body: bytes) -> None:
    """A gateway's page with status 200 is a temporary error."""
    vendor.on("chat.postMessage", reply(body))
    with pytest.raises(NotifierError, match="SLACK_API_URL") as caught:
        slack.send(MESSAGE, "#finance")
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("status", "response", "permanent", "uncertain", "words"),
    [
        (200, {"ok": False, "error": "channel_not_found"}, True, False, "channel_not_found"),
        (200, {"ok": False, "error": "not_in_channel"}, True, False, "/invite"),
        (200, {"ok": False, "error": "invalid_auth"}, True, False, "SLACK_TOKEN"),
        (200, {"ok": False, "error": "missing_scope", "needed": "files:write"}, True, False, "files:write"),
        (200, {"ok": False, "error": "a_name_of_tomorrow"}, True, False, "a_name_of_tomorrow"),
        (
            200,
            {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": ["[ERROR] too long"]}},
            True,
            False,
            "too long",
        ),
        (200, {"ok": False, "error": "ratelimited"}, False, False, "ratelimited"),
        (200, {"ok": False, "error": "message_limit_exceeded"}, False, False, "message limit"),
        (200, {"ok": False, "error": "team_added_to_org"}, False, False, "Enterprise organization"),
        (200, {"ok": False, "error": "org_login_required"}, False, False, "Enterprise organization"),
        (200, {"ok": False, "error": "external_channel_migrating"}, False, False, "being moved"),
        (200, {"ok": False, "error": "update_failed"}, False, False, "update_failed"),
        (200, {"ok": False, "error": "internal_error"}, False, True, "internal_error"),
        (200, {"ok": False, "error": "fatal_error"}, False, True, "fatal_error"),
        (503, {"ok": False, "error": "service_unavailable"}, False, False, "service_unavailable"),
        (200, {"ok": False}, False, True, "status 200"),
        (200, "text", False, True, "status 200"),
        (500, None, False, False, "status 500"),
        (504, None, False, True, "status 504"),
        (404, None, True, False, "SLACK_API_URL"),
        (408, None, False, False, "status 408"),
        (429, None, False, False, "status 429"),
    ],
)
def test_refusal_knows_what_is_final(
    status: int, response: object, permanent: bool, uncertain: bool, words: str
) -> None:
    """Slack's names decide; an unknown name is permanent, a response that is not Slack's is temporary."""
    error = refusal(status, response, {"retry-after": "5"}, NOW)
    assert (error.permanent, error.uncertain) == (permanent, uncertain)
    assert words in str(error)
    assert error.retry_at == (None if permanent else NOW + timedelta(seconds=5))
    assert error.sent


@pytest.mark.parametrize(
    ("status", "response", "perhaps_posted"),
    [
        (200, {"ok": False, "error": "fatal_error"}, True),
        (200, None, True),
        (504, None, True),
        (500, None, False),
        (503, None, False),
    ],
)
def test_refusal_separates_what_may_be_posted_from_an_outage(
    status: int, response: object, *, perhaps_posted: bool
) -> None:
    """An outage is retried with back-off; a message that Slack may have posted is not repeated over and over."""
    assert refusal(status, response, {}, NOW).uncertain is perhaps_posted


@pytest.mark.parametrize("token", [None, ""])
def test_missing_token_names_the_variable(token: str | None) -> None:
    """Used without being configured: a permanent error that says what to set."""
    with pytest.raises(NotifierError, match="SLACK_TOKEN is not set") as caught:
        SlackNotifier(SlackConfig(token=token)).send(MESSAGE, "#a")
    assert caught.value.permanent


def test_missing_channel_names_the_variable() -> None:
    """Without a channel in rule or settings there is nowhere to post."""
    with pytest.raises(NotifierError, match="SLACK_CHANNEL") as caught:
        SlackNotifier(SlackConfig(token=TOKEN)).send(MESSAGE, None)
    assert caught.value.permanent


@pytest.mark.parametrize("token", ["xoxb-1\r\nX: y", "xoxb-ü", "xoxb 1", "https://hooks.slack.com/services/T/B/X"])
def test_impossible_token_is_not_shown(token: str) -> None:
    """A token that cannot be a header is refused before it is sent, and not quoted."""
    with pytest.raises(NotifierError, match="SLACK_TOKEN is not a bot token") as caught:
        SlackNotifier(SlackConfig(token=token, channel="#a")).send(MESSAGE, None)
    assert token not in "".join(traceback.format_exception(caught.value))


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(
    "response",
    [
        {"body": {"ok": False, "error": "invalid_auth"}},
        {"body": {"ok": False, "error": f"bad token {TOKEN}"}},
        {"body": {"ok": False, "error": "invalid_arguments", "response_metadata": {"messages": [TOKEN]}}},
        {"body": TOKEN.encode()},
        {"hang": True},
        {"drop": True},
    ],
)
def test_token_is_in_no_error_and_no_log(
    slack: SlackNotifier, vendor: Any, reply: Any, caplog: pytest.LogCaptureFixture, response: dict[str, Any]
) -> None:
    """Neither the message, nor the chained errors, nor any log line down to DEBUG shows the token."""
    caplog.set_level(logging.DEBUG)
    vendor.on("chat.postMessage", reply(**response))
    with pytest.raises(NotifierError) as caught:
        slack.send(MESSAGE, "#finance")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(SlackConfig(token=TOKEN))


def test_proxy_of_the_environment_is_not_used_for_excepted_hosts(
    vendor: Any, reply: Any, refusing_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY holds, so that a simulator on loopback works behind a company's proxy."""
    monkeypatch.setenv("http_proxy", refusing_url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    vendor.on("chat.postMessage", reply(POSTED))
    assert SlackNotifier(SlackConfig(token=TOKEN, channel="#a", api_url=vendor.url)).send(MESSAGE, None)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_token_does_not_follow_a_redirect(slack: SlackNotifier, vendor: Any, reply: Any, status: int) -> None:
    """The sign-in page of a network gets neither the message nor the token, and is not a success."""
    vendor.on("chat.postMessage", reply(b"", status, {"Location": f"{vendor.url}/elsewhere"}))
    vendor.on("/elsewhere", reply(POSTED))
    with pytest.raises(NotifierError, match=f"status {status}.*SLACK_API_URL"):
        slack.send(MESSAGE, "#finance")
    assert vendor.paths() == ["chat.postMessage"]


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_upload_goes_by_http_only(slack: SlackNotifier, vendor: Any, reply: Any, url: str) -> None:
    """An address of another kind, which only a fake Slack would name, is not opened."""
    vendor.on("files.getUploadURLExternal", reply({"ok": True, "upload_url": url, "file_id": "F1"}))
    with pytest.raises(NotifierError, match="not its own"):
        slack.attach(PICTURE, Receipt("C0123", "1"))


def test_check_names_the_bot_and_the_missing_scopes(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """auth.test names the bot, its response header the scopes."""
    who = {"ok": True, "user": "tableau", "team": "Acme", "url": "https://acme.slack.com/"}
    scopes = {one.name for one in SlackNotifier.permissions} - {"chat:write", "files:write", "im:write"}
    vendor.on("auth.test", reply(who), reply(who, headers={"X-OAuth-Scopes": ",".join(scopes)}))
    assert slack.check() == "Slack: tableau in Acme (https://acme.slack.com/)"
    words = "missing scopes: chat:write for messages, files:write for pictures; optional scopes not granted: im:write"
    assert slack.check().endswith(words)


def test_check_of_a_bad_token_raises(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """The error is the one that sending would raise."""
    vendor.on("auth.test", reply({"ok": False, "error": "invalid_auth"}))
    with pytest.raises(NotifierError, match="invalid_auth"):
        slack.check()


@pytest.mark.parametrize(
    ("status", "body"), [(429, None), (429, {"error": "ratelimited"}), (200, {"error": "message_limit_exceeded"})]
)
def test_rate_limit_without_retry_after_names_a_time_as_well(status: int, body: object) -> None:
    """A rate limit always says when to retry, because a wait with a time costs no attempt."""
    assert refusal(status, body, {}, NOW).retry_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(("to", "place"), [("#bi", r"slack:#bi\."), (None, r"slack:#default \(SLACK_CHANNEL\)\.")])
def test_error_names_the_channel_and_where_it_was_configured(
    slack: SlackNotifier, vendor: Any, reply: Any, to: str | None, place: str
) -> None:
    """A dead letter, a log line and `notify test` show which channel was not found, and which variable names it."""
    vendor.on("chat.postMessage", reply({"ok": False, "error": "channel_not_found"}))
    with pytest.raises(NotifierError, match=f"Could not deliver to {place} Slack: channel_not_found"):
        slack.send(MESSAGE, to)


def test_failed_lookup_of_a_person_is_not_uncertain(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """A lookup posts nothing, so it may be repeated as often as any other failure."""
    vendor.on("users.lookupByEmail", reply(drop=True))
    with pytest.raises(NotifierError, match="did not respond") as caught:
        slack.send(MESSAGE, "ann@example.org")
    assert not caught.value.uncertain


def test_error_of_a_picture_names_the_channel(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """The log says which picture is missing from which channel."""
    vendor.on("files.getUploadURLExternal", reply({"ok": False, "error": "missing_scope", "needed": "files:write"}))
    with pytest.raises(NotifierError, match=r"Could not add the picture sales\.png to the message in slack:C0123\."):
        slack.attach(PICTURE, Receipt("C0123", "1"))
