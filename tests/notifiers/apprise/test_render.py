"""A message for the services of Apprise: nothing from outside is markup, a link or a mention."""

from __future__ import annotations

import pytest

from notifiers import Link, Message
from notifiers.apprise.render import MARKDOWN_READERS, WORD_JOINER, escape_markdown, render

HOSTILE = Message(
    "[Sales](https://evil.example) <at>ann@example.org</at>",
    "**bold** `code` @here <!channel> <users/all> @**all** mail ann@example.org",
    (("Owner", "<@U1>"),),
    Link("https://example.org/a_b"),
    footer="_rule_",
)
MENTIONS = ["<at>", "@here", "<!channel>", "<users/all>", "@**all", "@\\*\\*all", "<@U1>"]


def test_title_of_a_teams_card_is_escaped_and_its_body_is_left_to_apprise() -> None:
    """Apprise escapes the body of a Markdown service, but not a title that is sent beside it."""
    title, body = render(HOSTILE, "workflows", markdown=True, separate_title=True)
    assert title.startswith(r"\[Sales\](https://evil.example)")
    assert "**bold**" in body
    for mention in MENTIONS:
        assert mention not in title + body


@pytest.mark.parametrize("schema", sorted(MARKDOWN_READERS))
def test_services_that_read_markdown_get_it_escaped(schema: str) -> None:
    """Where Apprise passes plain text to a service that reads Markdown, title, text and facts are escaped."""
    title, body = render(HOSTILE, schema, markdown=False, separate_title=True)
    assert title.startswith(r"\[Sales\](https://evil.example)")
    assert r"\*\*bold\*\* \`code\`" in body
    assert r"\_rule\_" in body
    assert "Open: https://example.org/a_b" in body
    for mention in MENTIONS:
        assert mention not in title + body


def test_text_is_escaped_once() -> None:
    """Where Apprise escapes the body, and the title with it, nothing is escaped before."""
    title, body = render(HOSTILE, "gchat", markdown=True, separate_title=False)
    assert "\\" not in title + body


def test_other_services_get_the_text_without_mentions() -> None:
    """Addresses of people are no mentions and stay as they are."""
    _, body = render(HOSTILE, "zulip", markdown=False, separate_title=True)
    assert f"@{WORD_JOINER}here" in body
    assert "ann@example.org" in body


@pytest.mark.parametrize("schema", ["json", "xmls", "form", "mailtos"])
def test_data_and_mail_get_the_text_unchanged(schema: str) -> None:
    """Programs get the exact text, and Apprise escapes mail."""
    title, body = render(HOSTILE, schema, markdown=False, separate_title=True)
    assert title == HOSTILE.title
    assert body.startswith(HOSTILE.text)


def test_message_without_a_text_repeats_its_title() -> None:
    """Some services refuse an empty body."""
    assert render(Message("Hello"), "json", markdown=False, separate_title=True) == ("Hello", "Hello")


def test_escape_markdown_keeps_words() -> None:
    """Only the characters of Markdown are escaped."""
    assert escape_markdown("Sales_2026 - 5.5 % (net)") == r"Sales\_2026 - 5.5 % (net)"
