"""Presses of buttons in Slack: the signature, the payload, the person, and messages that only one person sees."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from slack_sdk.signature import SignatureVerifier

from notifiers import Message, NotifierError, Person, SlackConfig, TwilioConfig
from notifiers.kinds import KINDS
from notifiers.slack import SlackNotifier
from notifiers.slack.interactions import InvalidInteraction, is_signed, parse_press
from notifiers.twilio import TwilioNotifier
from tests.support.slack_press import form, press_payload

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
SECONDS = NOW.timestamp()
# The example of https://docs.slack.dev/authentication/verifying-requests-from-slack
EXAMPLE_SECRET, EXAMPLE_TIME = "8f742231b10e8888abcd99yyyzzz85a5", "1531420618"
EXAMPLE_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
EXAMPLE_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


@pytest.fixture
def slack(vendor: Any) -> SlackNotifier:
    """Return a notifier whose Slack is the vendor."""
    return SlackNotifier(SlackConfig(token="xoxb-1", channel="#bi", api_url=f"{vendor.url}/api"), clock=lambda: NOW)


def test_slacks_own_example_is_signed() -> None:
    """Slack's documentation has a request with its signature; it holds for five minutes before and after."""
    at = float(EXAMPLE_TIME)
    for now in (at - 300, at, at + 300):
        assert is_signed(EXAMPLE_SECRET, EXAMPLE_BODY, EXAMPLE_TIME, EXAMPLE_SIGNATURE, now)
    for now in (at - 301, at + 301):
        assert not is_signed(EXAMPLE_SECRET, EXAMPLE_BODY, EXAMPLE_TIME, EXAMPLE_SIGNATURE, now)
    assert not is_signed(EXAMPLE_SECRET, EXAMPLE_BODY + b" ", EXAMPLE_TIME, EXAMPLE_SIGNATURE, at)
    assert not is_signed("another", EXAMPLE_BODY, EXAMPLE_TIME, EXAMPLE_SIGNATURE, at)


@pytest.mark.parametrize("time", [None, "", "now", "1e9", "9" * 5000, "\u0661", "NaN", "-1"])
def test_odd_times_are_not_signed(time: str | None) -> None:
    """Times that are no number, and those that only Python takes for one, are refused without an error."""
    signature = SignatureVerifier("s").generate_signature(timestamp=time or "", body=b"a")
    assert not is_signed("s", b"a", time, signature, SECONDS)


def test_press_has_what_slack_reports() -> None:
    """The person, the workspace, the message and the button; one press has one key, another press another one."""
    payload = press_payload("incident_acknowledge", "7 abc")
    press = parse_press(form(payload))
    assert press
    assert (press.action, press.value, press.user, press.user_name) == ("incident_acknowledge", "7 abc", "U0ANN", "ann")
    assert (press.team, press.is_member, press.channel, press.message) == ("T0ACME", True, "C0BI", "1795600000.000100")
    assert parse_press(form(payload | {"trigger_id": "other", "response_url": "other"})) == press
    again = {**payload["actions"][0], "action_ts": "1795600001.5"}
    others = [{"actions": [again]}, {"user": {"id": "U0BEN", "team_id": "T0ACME"}}, {"team": {"id": "T0OTHER"}}]
    keys = {parsed.key for other in others if (parsed := parse_press(form(payload | other)))}
    assert len(keys | {press.key}) == 4


def test_choice_in_a_menu_is_a_press() -> None:
    """The chosen entry has the action and its value; one that opens an address, and other menus, are none."""

    def chosen(option: Any, **more: str) -> Any:
        action = {
            "type": "overflow",
            "action_id": "menu",
            "block_id": "b1",
            "action_ts": "1.5",
            "selected_option": option,
        }
        return parse_press(form(press_payload("", "", actions=[action | more])))

    press = chosen({"text": {"type": "plain_text", "text": "Snooze 1 h"}, "value": "incident_snooze 7 abc"})
    assert (press.action, press.value, press.user) == ("incident_snooze", "7 abc", "U0ANN")
    assert chosen({"value": "link", "url": "https://hooks.example.org"}) is None
    assert chosen({"value": "incident_snooze 7 abc"}, action_id="of another app") is None
    for odd in (None, [], {}, {"value": None}, {"value": {"a": 1}}):
        assert chosen(odd) is None


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({}, True),
        ({"user": {"id": "U1", "team_id": "T0OTHER"}}, False),
        ({"user": {"id": "U1", "team_id": "T0OTHER"}, "enterprise": {"id": "E1", "name": "acme"}}, True),
        ({"user": {"id": "U1"}}, True),
    ],
)
def test_membership(changes: dict[str, Any], member: bool) -> None:
    """A person of another workspace is a member only if both belong to one organization."""
    press = parse_press(form(press_payload("a", "b", **changes)))
    assert press
    assert press.is_member is member


def test_payload_that_names_no_one_is_invalid() -> None:
    """Every part that identifies the press is required, with Slack's characters."""
    for changes in ({"user": 1}, {"container": []}, {"team": {"id": 7}, "user": {"id": "U1"}}, {"user": {"id": "u/1"}}):
        with pytest.raises(InvalidInteraction):
            parse_press(form(press_payload("a", "b", **changes)))


def test_person_has_name_address_and_workspace(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """Slack is asked once for each person."""
    profile = {"real_name": "Ann\nLee", "email": "ann@example.org"}
    vendor.on("users.info", reply({"ok": True, "user": {"id": "U1", "team_id": "T1", "profile": profile}}))
    people = [slack.find_person("U1") for _ in range(2)]
    assert people == [Person("U1", "Ann Lee", "ann@example.org", "T1")] * 2
    assert str(people[0]) == "Ann Lee (ann@example.org)"
    assert vendor.paths() == ["users.info"]


@pytest.mark.parametrize(
    "user",
    [
        None,
        [],
        {"profile": {"email": ["ann@example.org"]}},
        {"profile": {"email": "ann"}},
        {"profile": {"email": "ann@example.org"}, "is_bot": True},
        {"profile": {"email": "ann@example.org\nben@example.org"}},
    ],
)
def test_odd_person_has_no_address(slack: SlackNotifier, vendor: Any, reply: Any, user: Any) -> None:
    """A text that is no e-mail address of a person gives no one a role."""
    vendor.on("users.info", reply({"ok": True, "user": user}))
    assert slack.find_person("U1") == Person("U1", "U1")


def test_person_without_the_scope_is_unknown(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """A refusal is no error, an outage is one."""
    vendor.on("users.info", reply({"ok": False, "error": "missing_scope"}))
    assert slack.find_person("U1") is None
    vendor.on("users.info", reply({"ok": False, "error": "internal_error"}))
    with pytest.raises(NotifierError):
        slack.find_person("U2")


def test_message_for_one_person(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """It is ephemeral; where Slack shows the person none, it is a direct message."""
    vendor.on(
        "chat.postEphemeral", reply({"ok": True, "message_ts": "1.1"}), reply({"ok": False, "error": "not_in_channel"})
    )
    vendor.on("chat.postMessage", reply({"ok": True, "channel": "D1", "ts": "1.2"}))
    slack.whisper(Message("<!here>", "it is acknowledged"), channel="C1", person="U1")
    slack.whisper(Message("t"), channel="C1", person="U1")
    first, _, direct = (request.json for request in vendor.requests)
    shown = json.dumps(first)
    assert (first["channel"], first["user"], "<!here>" in shown) == ("C1", "U1", False)
    assert direct["channel"] == "U1"


def test_other_failures_of_a_message_for_one_person_are_raised(slack: SlackNotifier, vendor: Any, reply: Any) -> None:
    """A refusal that a direct message would meet as well is the caller's."""
    vendor.on("chat.postEphemeral", reply({"ok": False, "error": "invalid_auth"}))
    with pytest.raises(NotifierError, match="invalid_auth"):
        slack.whisper(Message("t"), channel="C1", person="U1")
    assert vendor.paths() == ["chat.postEphemeral"]


def test_buttons_need_the_secret_and_the_kind() -> None:
    """Only Slack has buttons, and only with the secret that verifies their presses."""
    assert not SlackNotifier(SlackConfig(token="t")).has_buttons
    assert SlackNotifier(SlackConfig(token="t", signing_secret="s")).has_buttons
    twilio = TwilioNotifier(TwilioConfig())
    assert not twilio.has_buttons
    assert twilio.find_person("U1") is None
    with pytest.raises(NotifierError, match="no messages for one person"):
        twilio.whisper(Message("t"), channel="c", person="p")


def test_only_slack_has_a_manifest() -> None:
    """The manifest has every scope of the notifier; without an address there is no interactivity."""
    manifests = {kind: notifier.manifest("https://h.example/slack/interactions") for kind, notifier in KINDS.items()}
    (slack,) = filter(None, manifests.values())
    assert slack["oauth_config"]["scopes"]["bot"] == [one.name for one in SlackNotifier.permissions]
    assert slack["settings"]["interactivity"]["request_url"] == "https://h.example/slack/interactions"
    assert "interactivity" not in (SlackNotifier.manifest("") or {})["settings"]
