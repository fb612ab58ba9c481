"""Messages, what they may contain, receipts, and a message as plain text."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from notifiers import (
    Button,
    Link,
    Mention,
    Message,
    Picture,
    Posted,
    Receipt,
    Table,
    Timestamp,
    map_texts,
    parse_mention,
)
from notifiers.message import link_of, plain_text

FULL = Message(
    "Refresh failed: Sales",
    text="Sign-in to the database was refused.",
    facts=(("Owner", "Ann"), ("Project", "Finance / Reports")),
    link=Link("https://example.org/#/workbooks/7", "Open in Tableau"),
    severity="bad",
    footer="rule: Finance refresh failures",
)


def test_plain_text_has_everything_one_fact_a_line() -> None:
    """Title, text, facts, link and footer follow in this order."""
    assert plain_text(FULL).splitlines() == [
        "Refresh failed: Sales",
        "Sign-in to the database was refused.",
        "Owner: Ann",
        "Project: Finance / Reports",
        "Open in Tableau: https://example.org/#/workbooks/7",
        "rule: Finance refresh failures",
    ]


def test_plain_text_leaves_out_what_is_empty() -> None:
    """A message may be a title alone; a fact without a value has a dash."""
    assert plain_text(Message("Hello")) == "Hello"
    assert plain_text(Message("Hello", facts=(("Owner", ""), ("", "lost")))) == "Hello\nOwner: -"
    assert plain_text(Message(" \n ")) == "(no title)"


def test_plain_text_keeps_a_fact_on_its_line() -> None:
    """A name from outside cannot forge a line."""
    assert plain_text(Message("a\nb", facts=(("Owner\n", "Ann\nReason: none"),))) == "a b\nOwner: Ann Reason: none"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("http://127.0.0.1:8100/#/views/x", "http://127.0.0.1:8100/#/views/x"),
        ("https://example.org/Ümsatz%20A", "https://example.org/%C3%9Cmsatz%20A"),
        ("javascript:alert(1)", None),
        ("ftp://example.org", None),
        ("https://", None),
        ("https://example.org/a b", None),
        ("https://example.org/|x", None),
        ("https://example.org/\n", None),
        ("", None),
    ],
)
def test_link_is_shown_only_if_it_is_a_web_address(url: str, shown: str | None) -> None:
    """No notifier shows another kind of address; letters outside ASCII are percent-encoded."""
    link = link_of(Message("t", link=Link(url)))
    assert (link.url if link else None) == shown


def test_receipt_survives_json() -> None:
    """A receipt that was stored as JSON is equal when read back."""
    receipt = Receipt("C0123", "1718.0001")
    assert Receipt.from_dict(json.loads(json.dumps(receipt.as_dict()))) == receipt


def test_message_is_frozen_and_does_not_print_its_picture() -> None:
    """A message cannot change on its way, and its repr does not contain the bytes of its picture."""
    message = dataclasses.replace(FULL, picture=Picture(b"\x89PNG" * 1000, "sales.png", "Sales"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.title = "x"  # type: ignore[misc]
    assert "PNG" not in repr(message)


NOTICE = Message(
    "Sales",
    status="Failing",
    facts=(("Since", Timestamp(datetime(2026, 3, 29, 0, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))),),
    table=Table(("Workbook", "Since"), (("A", Timestamp(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))), ("B",))),
    buttons=(Button("Acknowledge", "acknowledge", "7"),),
    mentions=(Mention("name", "finance-oncall"), Mention("here")),
)


def test_plain_text_of_a_notice_has_status_mentions_times_and_table() -> None:
    """The status is a word, each time is in its zone, and buttons are left out."""
    assert plain_text(NOTICE).splitlines() == [
        "Failing: Sales",
        "@finance-oncall @here",
        "Since: 2026-03-29 01:30 CET",
        "Workbook · Since",
        "A · 2026-01-31 09:30 UTC",
        "B · -",
    ]


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("@finance-oncall", Mention("name", "finance-oncall")),
        (" @here ", Mention("here")),
        ("here", Mention("here")),
        ("@channel", Mention("channel")),
        ("ann@example.org", Mention("email", "ann@example.org")),
        ("U012ABCDE", Mention("id", "U012ABCDE")),
        ("S012ABCDE", Mention("id", "S012ABCDE")),
    ],
)
def test_mention_is_parsed(text: str, mention: Mention) -> None:
    """A rule's author writes a mention as people write it in Slack."""
    assert parse_mention(text) == mention


@pytest.mark.parametrize("text", ["", "@", "@a b", "<!here>", "@<x>", "ann", "everyone", "@a|b", "x" * 200])
def test_other_text_is_no_mention(text: str) -> None:
    """The error shows the forms that are valid."""
    with pytest.raises(ValueError, match=r"is not a mention\. Write @here"):
        parse_mention(text)


def test_time_without_a_zone_is_refused() -> None:
    """A time means the same in every zone, or it is no time."""
    with pytest.raises(ValueError, match="no time zone"):
        Timestamp(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("at", [datetime(9999, 12, 31, 23, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
def test_time_at_an_end_of_the_calendar_is_shown(at: datetime) -> None:
    """A time that does not exist in the reader's zone is shown in its own."""
    for hours in (14, -14):
        time = Timestamp(at, timezone(timedelta(hours=hours)))
        assert str(time)
        assert plain_text(Message("t", facts=(("At", time),)))


def test_every_text_of_a_message_is_mapped() -> None:
    """All shown texts pass through the function, such as the one that masks secrets; values of buttons do not."""
    link = Link("s", "s")
    message = Message(
        "s",
        "s",
        (("s", "s"), ("s", Timestamp(datetime(2026, 1, 1, tzinfo=UTC)))),
        link,
        footer="s",
        status="s",
        table=Table(("s",), (("s",), (link,)), link=link),
        buttons=(Button("s", "act", "value"),),
    )
    masked = map_texts(message, lambda text: text.replace("s", "*"))
    assert "'s'" not in repr(masked)
    assert masked.buttons == (Button("*", "act", "value"),)
    assert masked.facts[1][1] == message.facts[1][1]


@pytest.mark.parametrize("button", [("", ""), ("x" * 256, ""), ("x", "v" * 2001)])
def test_button_that_slack_would_refuse_is_refused(button: tuple[str, str]) -> None:
    """An id or value is never cut: the press could not be recognized."""
    with pytest.raises(ValueError, match="Invalid button 'Go'"):
        Button("Go", *button)


def test_two_buttons_with_one_action_id_are_refused() -> None:
    """Slack refuses a message with them."""
    with pytest.raises(ValueError, match="same action_id: a, a"):
        Message("t", buttons=(Button("A", "a", "1"), Button("B", "a", "2")))


def test_posted_survives_json() -> None:
    """A stored one is equal when it is read back, and gives the receipt for pictures and delivery."""
    posted = Posted("slack", "C0123", "1718.0001", "notice-7", "https://acme.slack.com/archives/C0123/p17180001")
    assert Posted.from_dict(json.loads(json.dumps(posted.as_dict()))) == posted
    assert Posted.from_dict({"kind": "twilio", "channel": "+1555", "id": "SM1"}) == Posted("twilio", "+1555", "SM1")
    assert posted.receipt == Receipt("C0123", "1718.0001")
