"""Teams, PagerDuty, Slack's webhooks and programs, against the simulator, which validates as they do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from notifiers import Button, IncidentRef, Link, Mention, Message, NotifierError, Notifiers, Table, Timestamp
from notifiers.post.render import render as post_body
from notifiers.post.signature import parse_secrets, signed_headers
from notifiers.teams.render import MAX_BYTES
from notifiers.teams.render import render as teams_card
from simulator import Running, running
from simulator.receivers.teams import card_texts
from tests.notifiers.slack.test_render import MESSAGES

AT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
HOSTILE = "<at>all</at> **bold** [x](https://evil.example) {{DATE(2026-01-01)}} ${x} <script> @here"
INCIDENT = IncidentRef("5f3a", "open", "Failing: Sales")
MESSAGE = Message(
    f"Sales {HOSTILE}",
    f"Disk full\n{HOSTILE}",
    (("Since", Timestamp(AT)), ("Owner", HOSTILE)),
    Link("https://tableau.example/#/workbooks/7", "Open in Tableau"),
    "bad",
    status="Failing",
    footer="Finance · incident 7",
    mentions=(Mention("here"), Mention("id", "U0123456"), Mention("name", "data")),
    buttons=(Button("Acknowledge", "ack", "7"),),
    actions=(Link("https://hooks.example/act/7", "Acknowledge"),),
    incident=INCIDENT,
    id="notice 7",
)
TABLE = Table(("Name", "State"), tuple((f"Sales {number} {HOSTILE}", "Failing") for number in range(200)))


@pytest.fixture(scope="module")
def started() -> Iterator[Running]:
    """Start one simulator for this file; every test begins with an empty world."""
    with running() as simulator:
        yield simulator


@pytest.fixture
def world(started: Running) -> Iterator[Any]:
    started.world.reset()
    return started.world


@pytest.fixture
def notifiers(started: Running, world: Any) -> Notifiers:
    return Notifiers.from_variables(world.config.receiver_variables(started.url))


def test_slack_webhook_posts_to_its_channel(notifiers: Notifiers, world: Any) -> None:
    """The message is in the channel with its links and without buttons; mentions that need no lookup work."""
    notifiers["slack_webhook"].send(replace(MESSAGE, table=TABLE), "bi")
    (message,) = world.slack.messages
    assert world.slack.channels[message.channel].name == "bi"
    shown = json.dumps(message.blocks)
    assert "<!here> <@U0123456>" in shown
    assert "Not found in Slack: @data" in shown
    elements = next(block["elements"] for block in message.blocks if block["type"] == "actions")
    assert [(one["text"]["text"], one.get("url", "")) for one in elements] == [
        ("Acknowledge", "https://hooks.example/act/7"),
        ("Open in Tableau", "https://tableau.example/#/workbooks/7"),
    ]


def test_teams_shows_the_message_as_text(notifiers: Notifiers, world: Any) -> None:
    """Title, text, facts and links are on the card; nothing from outside is markup, a mention or a function."""
    notifiers["teams"].send(MESSAGE, None)
    (taken,) = world.taking.of("teams")
    assert taken.title.startswith("🔴 Failing: Sales <at>all</at> **bold**")
    assert "Since: 2026-03-01 02:00 UTC" in taken.text
    assert "[Acknowledge] https://hooks.example/act/7\n[Open in Tableau] https://tableau.example" in taken.text
    card = json.dumps(taken.data)
    # Only runs, in which Teams reads no Markdown; no entities, so that no <at> is a mention.
    assert '"TextBlock"' not in card
    assert "entities" not in card
    assert "{{" not in card


@pytest.mark.parametrize(
    "message",
    [
        replace(MESSAGE, text="é" * 40_000),
        replace(MESSAGE, text="\n" * 30_000 + '"' * 30_000),
        replace(MESSAGE, table=TABLE),
        replace(MESSAGE, facts=tuple((f"F{number}", "😀" * 500) for number in range(200))),
        replace(MESSAGE, facts=tuple((f"F{number}", '"\\' * 500) for number in range(200)), table=TABLE),
    ],
)
def test_large_message_is_cut_with_a_note(message: Message, notifiers: Notifiers, world: Any) -> None:
    """A card has at most 28 KB, keeps its title and links, and says that it was shortened."""
    notifiers["teams"].send(message, None)
    (taken,) = world.taking.of("teams")
    assert "Failing: Sales" in taken.title
    assert "[Open in Tableau]" in taken.text
    assert "Shortened: Teams accepts 28 KB." in taken.text or "… and 170 more" in taken.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES)
def test_every_message_makes_a_valid_card(message: Message) -> None:
    """The card of any message is valid, within the limit, and free of functions."""
    body = teams_card(message)
    card = json.loads(body)["attachments"][0]["content"]
    assert len(body) <= MAX_BYTES
    assert "{{" not in "".join(card_texts(card))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES)
def test_every_message_is_valid_json_for_a_program(message: Message) -> None:
    """The body is JSON in UTF-8 with all facts."""
    data = json.loads(post_body(message, AT))["data"]
    assert len(data["facts"]) == len(message.facts)


def test_pagerduty_follows_the_incident(notifiers: Notifiers, world: Any) -> None:
    """One alert per incident: triggered, triggered again, acknowledged, resolved; a later failure makes a new one."""
    pagerduty = notifiers["pagerduty"]
    posted = pagerduty.post(MESSAGE, "data", client_id="notice 7 message 1")
    states = [("open", "Failing"), ("acknowledged", "Acknowledged"), ("closed", "Recovered"), ("open", "Failing")]
    for state, status in states:
        pagerduty.edit(posted, replace(MESSAGE, status=status, incident=replace(INCIDENT, state=state)))  # type: ignore[arg-type]
    first, second = world.taking.alerts
    assert (first.status, first.log) == ("resolved", ["trigger", "trigger", "acknowledge", "resolve"])
    assert (second.status, second.log, second.key == first.key) == ("triggered", ["trigger"], True)
    assert first.summary.startswith("Failing: Sales <at>all</at>")
    event = world.taking.of("pagerduty")[0].data
    assert event["payload"]["severity"] == "critical"
    assert event["payload"]["custom_details"]["Since"] == "2026-03-01 02:00 UTC"
    assert [link["text"] for link in event["links"]] == ["Acknowledge", "Open in Tableau"]


def test_pagerduty_keeps_incidents_and_messages_apart(notifiers: Notifiers, world: Any) -> None:
    """Another incident and a message without one have alerts of their own; a repeated message has the same alert."""
    other = replace(MESSAGE, incident=replace(INCIDENT, key="6a"))
    plain = Message("Token expires", severity="warning", id="job 1")
    for message in (MESSAGE, other, plain, plain, replace(plain, id="")):
        notifiers["pagerduty"].send(message, None)
    assert [alert.log for alert in world.taking.alerts] == [["trigger"], ["trigger"], ["trigger"] * 2, ["trigger"]]
    assert [alert.severity for alert in world.taking.alerts] == ["critical", "critical", "warning", "warning"]


def test_pagerduty_incident_that_is_acknowledged_already(notifiers: Notifiers, world: Any) -> None:
    """A destination that learns of an incident late gets an alert in the incident's state."""
    notifiers["pagerduty"].post(replace(MESSAGE, incident=replace(INCIDENT, state="acknowledged")), None)
    (alert,) = world.taking.alerts
    assert (alert.status, alert.log) == ("acknowledged", ["trigger", "acknowledge"])


def test_program_gets_each_state_once(notifiers: Notifiers, world: Any) -> None:
    """Each state is a request of its own; a repeated one has the same id, so that the program recognizes it."""
    post = notifiers["post"]
    posted = post.post(MESSAGE, "ops", client_id="notice 7 message 1")
    for _ in range(2):
        closed = replace(MESSAGE, id="notice 7 edit 2", incident=replace(INCIDENT, state="closed"))
        post.edit(posted, closed)
    first, second = world.taking.of("post")
    assert (first.data["type"], second.data["type"]) == ("incident.open", "incident.closed")
    assert first.data["data"]["incident"] == {"key": "5f3a", "state": "open", "title": "Failing: Sales"}
    assert first.data["data"]["facts"][0] == {"name": "Since", "value": "2026-03-01T02:00:00+00:00"}
    assert len(world.taking.ids) == 2


def test_signature_is_that_of_standard_webhooks() -> None:
    """The package of the standard accepts our requests, with either secret, and refuses changed ones."""
    old, new = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIz"
    body, now = post_body(MESSAGE, AT), int(datetime.now(UTC).timestamp())
    headers = signed_headers(parse_secrets(f"{new} {old}"), "msg_1", now, body)
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers)["data"]["status"] == "Failing"
    for wrong in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(now - 301)}, {"webhook-signature": "v1,AAAA"}):
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(body, headers | wrong)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "whsec_" + "QUFB" * 30])
def test_secret_that_is_none_is_explained(secret: str) -> None:
    """The error says how to create a secret, and does not show the wrong one."""
    if not secret:
        assert parse_secrets(secret) == []
        return
    with pytest.raises(ValueError, match=r"24 to 64 bytes in Base64\. Create one: python -c") as caught:
        parse_secrets(secret)
    assert secret == "whsec_" or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "fault", "permanent"),
    [
        ("teams", {"target": "teams", "kind": "throttled", "seconds": 5}, False),
        ("teams", {"target": "teams", "kind": "unauthorized"}, True),
        ("pagerduty", {"target": "pagerduty", "kind": "error", "code": "500"}, False),
        ("post", {"target": "post", "kind": "refuse"}, False),
        ("post", {"target": "post", "kind": "error", "code": "422"}, True),
        ("slack_webhook", {"target": "slack", "kind": "throttled", "seconds": 5}, False),
        ("slack_webhook", {"target": "slack", "kind": "error", "code": "no_active_hooks"}, True),
    ],
)
def test_faults_of_the_simulator(
    kind: str, fault: dict[str, Any], permanent: bool, notifiers: Notifiers, world: Any
) -> None:
    """The simulator fails as the services do, and the message comes through afterwards."""
    world.faults.add({**fault, "times": 1})
    with pytest.raises(NotifierError) as caught:
        notifiers[kind].send(MESSAGE, None)
    assert caught.value.permanent is permanent
    notifiers[kind].send(MESSAGE, None)
