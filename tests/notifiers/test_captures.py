"""The guides of the notifiers show a message as it is: each capture is made from the same message here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.headerregistry import Address
from typing import Any

import pytest

from notifiers import Button, IncidentRef, Link, Message, Timestamp
from notifiers.apprise.render import render as render_apprise
from notifiers.email.render import render as render_email
from notifiers.pagerduty.notifier import dedup_key
from notifiers.pagerduty.render import render as pagerduty_event
from notifiers.post.render import render as post_body
from notifiers.post.signature import parse_secrets, signed_headers
from notifiers.slack.render import blocks
from notifiers.teams.render import render as teams_card
from notifiers.twilio.render import count_segments
from notifiers.twilio.render import render as render_sms
from notifiers.twilio.whatsapp import variables
from simulator.receivers.teams import card_texts
from webhooks.config.settings import ROOT

NOW = datetime(2026, 3, 2, 2, 0, 5, tzinfo=UTC)
SAMPLE = Message(
    "Sales (workbook)",
    "Login failed for user 'etl'.\nCheck the user name and password that are embedded in the data source.",
    (
        ("Since", Timestamp(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))),
        ("Failures", "1"),
        ("Project", "Finance/Reports"),
        ("Owner", "ben@example.org"),
    ),
    Link("https://10ax.online.tableau.com/#/site/finance/workbooks/7", "Open in Tableau"),
    "bad",
    footer="Finance refreshes · incident 7",
    status="Failing",
    incident=IncidentRef("5f3a9c", "open", "Failing: Sales"),
    actions=(Link("https://hooks.example.org/act/…", "Acknowledge"),),
    id="notice 7 message 1",
)


RECIPIENTS = (Address(addr_spec="finance-data@example.org"),)


def teams() -> str:
    """Return the texts of the card, and its buttons in brackets."""
    lines = card_texts(json.loads(teams_card(SAMPLE))["attachments"][0]["content"])
    return "\n".join(re.sub(r"(\[.*\]) .*", r"\1", line) for line in lines)


def slack_webhook() -> str:
    """Return the texts of the blocks, and the buttons in brackets."""
    return shown_blocks(SAMPLE)


def slack() -> str:
    """Return the same with the button and the menu, which need the app."""
    menu = tuple(Button(text, text) for text in ("Snooze 1 h", "Refresh again", "Why?"))
    button = Button("Acknowledge", "acknowledge", style="primary")
    return shown_blocks(replace(SAMPLE, actions=(), buttons=(button,), menu=menu))


def sms() -> str:
    """Return the text, and the number of segments."""
    text = render_sms(replace(SAMPLE, hint="Reply 1 to acknowledge."))
    return f"{text}\n({count_segments(text)} segments)"


def apprise() -> str:
    """Return the title and the text for a service that has both, such as Discord."""
    return "\n".join(render_apprise(SAMPLE, "discord", markdown=True, separate_title=True))


def shown_blocks(message: Message) -> str:
    lines: list[str] = []
    for block in blocks(message):
        texts = [block["text"], *block.get("fields", ())] if "text" in block else block.get("fields", [])
        lines += [text["text"].replace("\n", "  ") for text in texts]
        for element in block.get("elements", ()):
            if element["type"] == "overflow":
                lines.append(f"[⋯ {', '.join(option['text']['text'] for option in element['options'])}]")
                continue
            text = element["text"]
            lines.append(text if isinstance(text, str) else f"[{text['text']}]")
    return re.sub(r"<!date[^|]*\|(.*?)>", r"\1", "\n".join(lines))


def pagerduty() -> str:
    """Return the event without its key."""
    event = json.loads(pagerduty_event(SAMPLE, "trigger", routing_key="R0123…", dedup_key=dedup_key(SAMPLE)))
    return json.dumps(event, ensure_ascii=False, indent=2)


def post() -> str:
    """Return the headers and the body."""
    body = post_body(SAMPLE, NOW)
    secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    headers = signed_headers(parse_secrets(secret), "msg_2f6c0e1b", int(NOW.timestamp()), body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\n".join([*lines, "", json.dumps(json.loads(body), ensure_ascii=False, indent=2)])


def email() -> str:
    """Return the headers and the plain part."""
    mail = render_email(SAMPLE, Address("Tableau Webhooks", addr_spec="bi@example.org"), RECIPIENTS, NOW)
    lines = [f"{name}: {value}" for name, value in mail.items() if name not in {"MIME-Version", "Content-Type"}]
    plain = mail.get_body(("plain",))
    assert plain
    return "\n".join([*lines, "", plain.get_content().strip()])


def whatsapp() -> str:
    """Return the variables of the template."""
    return json.dumps(json.loads(variables(SAMPLE)), ensure_ascii=False, indent=2)


CAPTURES: dict[str, Callable[[], str]] = {
    "teams": teams,
    "slack": slack,
    "slack-webhook": slack_webhook,
    "sms": sms,
    "apprise": apprise,
    "pagerduty": pagerduty,
    "post": post,
    "email": email,
    "whatsapp": whatsapp,
}


@pytest.mark.parametrize("page", CAPTURES)
def test_capture_is_what_is_sent(page: str) -> None:
    """The block after the mark in the guide is the message, word for word."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text(encoding="utf-8")
    found: Any = re.search(r"<!-- capture -->\n```\w*\n(.*?)\n```", text, re.DOTALL)
    assert found, f"docs/howto/{page}.md has no capture"
    assert found[1] == CAPTURES[page]()
