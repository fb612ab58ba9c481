"""Names from outside in messages about incidents: no markup, no mention, no hidden direction, no endless text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from notifiers import Message
from notifiers.apprise.render import render as apprise
from notifiers.console.render import render as console
from notifiers.slack.render import blocks, fallback, plain_blocks
from notifiers.twilio.render import render as twilio
from tests.incidents.building import MIDNIGHT, act, at, event
from webhooks.incidents import DestinationPolicy, Incident, Policy, wanted_notices
from webhooks.incidents.evidence import evidence
from webhooks.incidents.run import runs
from webhooks.incidents.state import state
from webhooks.messages.group_message import Member, group_message
from webhooks.messages.incident_message import IncidentDetails, change_message, incident_message, incident_values

# Control characters except for the line feed, and those that change the direction of text.
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Mentions and links that Slack acts on, except for its dates, which this server writes.
SLACK_MARKUP = re.compile(r"<(?!!date\^\d+\^\{date_short_pretty\} \{time\}\|[^<>|]*>)")
# Those that readers of Markdown act on.
ACTIVE = re.compile(r"<[!@#]|(?<!\w)@(?:here|channel|everyone)\b|(?<!\\)\]\(http")
HOSTILE = [
    "<!channel> <@U000000001> <#C000000001|x> <https://evil.example|click>",
    "@here @channel @everyone <at>ann@example.org</at> <users/all>",
    "[click](https://evil.example) **bold** `code` ~strike~ # heading | cell",
    "invoice\u202egpj.exe \u2066x\u2069 \u200e",
    "Sales\r\nRecovered: all is well\x1b[2J\x1b[31m\x00",
    "{name} {reason.__class__} {0} %s %(x)s",
    "&lt;!channel&gt; &amp; <script>alert(1)</script>",
    "x" * 65_536,
    "\U0001f4a3" * 20_000,
    "a\u0301" * 30_000,
]


def incident_of(name: str) -> Incident:
    """Return an incident that was acknowledged, closed and opened again, with this text in every field."""
    failed = [evidence(event("WorkbookRefreshFailed", clock, resource_name=name)) for clock in ("2:00", "3:20")]
    cured = evidence(event("WorkbookRefreshSucceeded", "3:00", resource_name=name))
    pieces: list[Any] = []
    for number, one in enumerate([*failed, cured], 1):
        assert one is not None
        pieces.append(
            type(one)(**{field: getattr(one, field) for field in one.__dataclass_fields__} | {"event_id": number})
        )
    (bare,) = state(runs(pieces), [], MIDNIGHT)
    times = {"acknowledge": "2:10", "note": "3:30"}
    acts = [act(kind, clock, bare.id, by=name, text=name) for kind, clock in times.items()]
    acts.append(act("snooze", "3:40", bare.id, by=name, until="9:00"))
    (made,) = state(runs(pieces), acts, at("4:00"))
    return made


def messages_of(name: str) -> Iterator[Message]:
    """Yield each message about incidents with this text in every field."""
    incident = incident_of(name)
    details = IncidentDetails(
        1, rule="Refresh failures", project=name, owner=name, link="https://t.example/1", problem=name
    )
    values = incident_values(incident, details)
    yield incident_message(incident, details)
    yield incident_message(incident, details, title="{name}".format_map(values), text="{owner}".format_map(values))
    yield group_message([Member(incident, details)] * 7)
    policy = Policy("R", (DestinationPolicy("slack:#bi"),))
    for one in wanted_notices(incident, policy, at("4:00")):
        yield change_message(incident, one.text)


def texts(value: object) -> Iterator[tuple[str, str]]:
    """Yield the type of each element of Slack's blocks that has a text, with the text."""
    if isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield str(value.get("type")), value["text"]
        for one in value.values():
            yield from texts(one)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_slack_shows_names_as_text(name: str) -> None:
    """In Slack no name mentions, links or formats, in blocks, in tables as text and in the fallback; all fit."""
    for message in messages_of(name):
        text = fallback(message)
        assert not SLACK_MARKUP.search(text)
        assert not HARMFUL.search(text)
        assert len(text) <= 4000
        for layout in (blocks(message), blocks(message, native_table=False), plain_blocks(message)):
            assert len(layout) <= 50
            for kind, shown in texts(layout):
                assert not HARMFUL.search(shown)
                assert len(shown) <= 3000
                assert kind != "mrkdwn" or not SLACK_MARKUP.search(shown)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_other_media_show_names_as_text(name: str) -> None:
    """The console, text messages and the services of Apprise show each name as text, and of its beginning at most."""
    for message in messages_of(name):
        line = console(message, MIDNIGHT, terminal=False)
        sms = twilio(message)
        assert len(line) < 12_000
        assert len(sms) <= 3 * 153
        shown = [line, sms]
        for schema, markdown in (("discord", False), ("slack", True), ("mailto", False), ("workflows", True)):
            title, body = apprise(message, schema, markdown=markdown, separate_title=False)
            assert len(title) + len(body) < 20_000
            shown += [title, body]
            assert schema == "mailto" or not ACTIVE.search(title + "\n" + body)
        assert not any(HARMFUL.search(one) for one in shown)
