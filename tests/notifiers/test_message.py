"""Messages, receipts, and a message as plain text."""

from __future__ import annotations

import dataclasses
import json

import pytest

from notifiers import Link, Message, Picture, Receipt
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
    """Title, text, facts, link and footer, in this order."""
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
