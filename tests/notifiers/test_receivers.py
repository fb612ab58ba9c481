"""The notifiers of services that only take messages (Teams, PagerDuty, Slack's webhooks, programs): their failures."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifiers import KINDS, IncidentRef, Message, Notifier, NotifierError, Notifiers, Receipt
from notifiers.apprise.config import AppriseConfig
from notifiers.kinds import secrets
from notifiers.named import NamedConfig
from notifiers.pagerduty import PagerDutyConfig
from notifiers.post import PostConfig

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "Zx8_aToken-not-to-be-seen,1"
KEY = "R0" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5"
WHSEC = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
RECEIVERS = ["slack_webhook", "teams", "pagerduty", "post"]
SUCCESS = {
    "slack_webhook": (200, b"ok"),
    "teams": (202, b""),
    "pagerduty": (202, {"status": "success"}),
    "post": (204, b""),
}
# Repeating these is safe, because the receiver recognizes an event that comes again.
IDEMPOTENT = {"pagerduty", "post"}


def variables(url: str) -> dict[str, str]:
    """Return the variables of all receivers at this address, each with two names."""
    return {
        "SLACK_WEBHOOK_URLS": f"bi={url}/services/{TOKEN}, ops={url}/services/other",
        "TEAMS_URLS": f"bi={url}/workflows/1?sig={TOKEN}&api-version=1 ops={url}/workflows/2?sig=x",
        "PAGERDUTY_KEYS": f"bi={KEY},ops=R1{KEY}",
        "PAGERDUTY_API_URL": url,
        "POST_URLS": f"bi={url}/hooks/{TOKEN} ops={url}/hooks/other",
        "POST_SECRET": WHSEC,
        "POST_ALLOW": "127.0.0.1",
    }


def notifier(kind: str, url: str, **changes: str) -> Notifier:
    values = {**variables(url), **changes}
    configs = {name: KINDS[name].config_class.from_variables(values) for name in RECEIVERS}
    return Notifiers(clock=lambda: NOW, **configs)[kind]


MESSAGE = Message("Sales", "Disk full", status="Failing", incident=IncidentRef("i1", "open", "Failing: Sales"), id="n1")


@pytest.mark.parametrize("kind", RECEIVERS)
def test_message_is_taken_under_each_name(kind: str, vendor: Any, reply: Any) -> None:
    """A destination without a name means the first value; a name chooses; the receipt has the name."""
    status, body = SUCCESS[kind]
    vendor.on("", reply(body, status))
    made = notifier(kind, vendor.url)
    assert [made.send(MESSAGE, to).channel for to in (None, "bi", "ops")] == ["default", "bi", "ops"]
    first, named, other = vendor.requests
    assert (first.path, named.method) == (named.path, "POST")
    different = (
        first.json["routing_key"] != other.json["routing_key"] if kind == "pagerduty" else first.path != other.path
    )
    assert different
    if kind == "teams":
        assert first.query == {"sig": TOKEN, "api-version": "1"}


@pytest.mark.parametrize("kind", RECEIVERS)
def test_failures_say_what_to_do_next(kind: str, vendor: Any, reply: Any, refusing_url: str) -> None:
    """A rate limit names its time, a refusal is permanent, an outage is not, and a lost response is uncertain."""
    wait, minute = NOW + timedelta(seconds=30), NOW + timedelta(minutes=1)
    vendor.on(
        "",
        reply({}, 429, {"Retry-After": "30"}),
        reply({}, 429),
        reply({}, 404),
        reply({}, 500),
        reply({}, 503, {"Retry-After": "30"}),
        reply({}, 504),
        reply({}, 302, {"Location": "http://169.254.169.254/"}),
        reply(drop=True),
    )
    made, found = notifier(kind, vendor.url), []
    for _ in range(8):
        with pytest.raises(NotifierError, match=f"Could not deliver to {kind}:bi") as caught:
            made.send(MESSAGE, "bi")
        found.append((caught.value.permanent, caught.value.retry_at, caught.value.uncertain))
    maybe = kind not in IDEMPOTENT
    expected = [(False, wait, False), (False, minute, False), (True, None, False), (False, None, False)]
    expected += [(False, wait, False), (False, None, maybe), (True, None, False), (False, None, maybe)]
    assert found == expected
    with pytest.raises(NotifierError) as caught:
        notifier(kind, refusing_url).send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("kind", RECEIVERS)
def test_service_that_hangs_is_given_up(kind: str, vendor: Any, reply: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The call ends after its time, and no error and no log line shows the address's secret or the key."""
    caplog.set_level(logging.DEBUG)
    vendor.on("", reply(hang=True))
    with pytest.raises(NotifierError, match="did not respond") as caught:
        notifier(kind, vendor.url).send(MESSAGE, None)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(notifier(kind, vendor.url).config)
    assert not any(secret in shown for secret in (TOKEN, KEY, WHSEC, "MDEyMzQ1"))


@pytest.mark.parametrize("kind", RECEIVERS)
def test_mistakes_in_the_settings_are_permanent(kind: str, vendor: Any) -> None:
    """A name that does not exist, or a value that is none, is explained without showing it, and nothing is sent."""
    variable = notifier(kind, vendor.url).config.list_variable
    with pytest.raises(NotifierError, match=rf"No value of {variable} has the name fin\. Names: bi, ops") as caught:
        notifier(kind, vendor.url).send(MESSAGE, "fin")
    assert (caught.value.permanent, caught.value.sent) == (True, False)
    broken = notifier(kind, vendor.url, **{variable: "bi=nonsense-secret"})
    for use in (broken.check, lambda: broken.send(MESSAGE, None)):
        with pytest.raises(NotifierError, match=rf"Part 1 of {variable} is not a value such as name=") as caught:
            use()
        assert caught.value.permanent
        assert "nonsense" not in str(caught.value)
    with pytest.raises(NotifierError, match=f"{variable} is not set"):
        notifier(kind, vendor.url, **{variable: ""}).send(MESSAGE, None)
    assert vendor.requests == []


def test_every_secret_is_masked() -> None:
    """The values, their signatures and keys are secrets; hosts and names are not."""
    found = secrets(variables("https://prod.example.org"))
    assert {TOKEN, KEY, WHSEC, f"https://prod.example.org/hooks/{TOKEN}"} <= set(found)
    assert not {"bi", "ops", "prod.example.org"} & set(found)


@pytest.mark.parametrize("kind", RECEIVERS)
def test_check_names_the_values_and_sends_nothing(kind: str, vendor: Any) -> None:
    """`flask doctor` shows which names exist."""
    assert "bi, ops" in notifier(kind, vendor.url).check()
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("kind", "status", "body", "words"),
    [
        ("slack_webhook", 404, b"no_service", "no_service: the webhook was removed"),
        ("slack_webhook", 410, b"channel_is_archived", "archived"),
        ("slack_webhook", 403, b"action_prohibited", "an administrator"),
        ("teams", 401, {"error": {"code": "DirectApiAuthorizationRequired", "message": "x"}}, "everything after sig="),
        ("teams", 400, {"error": {"code": "WorkflowTriggerIsNotEnabled"}}, "turned off"),
        ("teams", 404, b"", "was deleted"),
        ("pagerduty", 400, {"message": "invalid", "errors": ["'routing_key' is invalid"]}, "'routing_key' is invalid"),
        ("post", 410, b"", "remove it from POST_URLS"),
        ("post", 301, b"", "redirects are not followed"),
    ],
)
def test_refusals_have_advice(kind: str, status: int, body: Any, words: str, vendor: Any, reply: Any) -> None:  # noqa: PLR0917 - fixtures
    """The reason of the service is in the error, with what to do."""
    vendor.on("", reply(body, status))
    with pytest.raises(NotifierError) as caught:
        notifier(kind, vendor.url).send(MESSAGE, None)
    assert words in str(caught.value)
    assert caught.value.permanent


def test_slack_webhook_sends_a_simpler_layout(vendor: Any, reply: Any) -> None:
    """A layout that Slack refuses is followed by one block of text; a page instead of `ok` is no success."""
    vendor.on("", reply(b"invalid_blocks", 400), reply(b"ok"), reply(b"<html>"))
    made = notifier("slack_webhook", vendor.url)
    assert made.send(MESSAGE, None) == Receipt("default", "")
    assert [len(request.json["blocks"]) for request in vendor.requests] == [2, 1]
    with pytest.raises(NotifierError, match="unexpected response") as caught:
        made.send(MESSAGE, None)
    assert caught.value.uncertain


@pytest.mark.parametrize("end", ["", ",", ", ", "\n", "\r\n", " ,\n", "\t,, "])
def test_each_value_in_use_is_masked(end: str) -> None:
    """Separators and line ends before, between and after the values of a list do not hide one from masking."""
    addresses = ("SLACK_WEBHOOK_URLS", "TEAMS_URLS", "POST_URLS", "APPRISE_URLS")
    tokens = {
        name: [f"{name.replace('_', '').lower()}{number}abcdefgh" for number in (1, 2)]
        for name in (*addresses, "PAGERDUTY_KEYS", "PAGERDUTY_WEBHOOK_SECRET", "POST_TOKENS")
    }
    used = tokens | {
        name: [f"https://h.example/x/{tokens[name][0]}", f"https://h.example/x?s={tokens[name][1]}"]
        for name in addresses
    }
    values = {name: f"{end}a={first}{end or ' '}b={second}{end}" for name, (first, second) in used.items()}
    values["PAGERDUTY_WEBHOOK_SECRET"] = values["PAGERDUTY_WEBHOOK_SECRET"].replace("a=", "").replace("b=", "")
    masked, found = set(secrets(values)), []
    for config in (kind.config_class.from_variables(values) for kind in KINDS.values()):
        if isinstance(config, NamedConfig):
            found += [one.value for one in config.entries()]
        if isinstance(config, PostConfig):
            found += config.token_values().values()
        elif isinstance(config, PagerDutyConfig):
            found += config.webhook_secrets()
        elif isinstance(config, AppriseConfig):
            found += [one.url for one in config.entries()]
    assert sorted(found) == sorted(value for pair in used.values() for value in pair)
    assert set(found) <= masked
