"""A message in Block Kit: Slack's limits are kept, and nothing in it is markup."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers import Link, Message
from notifiers.slack.render import blocks, escape, fallback

NASTY = st.text(st.sampled_from("ab &<>!@#|*:\n\x00\ud800😀é"), max_size=400) | st.text(max_size=40)
LONG = st.builds(lambda text, times: text * times, NASTY, st.sampled_from([1, 1, 30, 500]))
MESSAGES = st.builds(
    Message,
    title=LONG,
    text=LONG,
    facts=st.lists(st.tuples(NASTY, LONG), max_size=60).map(tuple),
    link=st.none() | st.builds(Link, st.sampled_from(["https://e.org/" + "x" * 4000, "https://e.org/?a=1&b=2"]), NASTY),
    severity=st.sampled_from(["info", "good", "warning", "bad"]),
    footer=LONG,
)


def texts(value: Any) -> Iterator[dict[str, Any]]:
    """Every text object in blocks."""
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield value
        yield from texts([item for item in value.values() if isinstance(item, dict | list)])


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_blocks_show_the_whole_message() -> None:
    """Header, text, facts in columns, a button and the footer."""
    message = Message(
        "Refresh failed: A & B",
        text="<!channel> is not a *mention*",
        facts=(("Owner", "Ann"), ("Project", "Finance")),
        link=Link("https://example.org/?a=1&b=2", "Open in Tableau"),
        severity="bad",
        footer="rule 1",
    )
    header, text, facts, button, footer = blocks(message)
    assert header["text"] == {"type": "plain_text", "text": "🔴 Refresh failed: A &amp; B", "emoji": False}
    assert text["text"] == {"type": "plain_text", "text": "&lt;!channel&gt; is not a *mention*", "emoji": False}
    assert [field["text"] for field in facts["fields"]] == ["Owner\nAnn", "Project\nFinance"]
    assert button["elements"][0]["url"] == "https://example.org/?a=1&b=2"
    assert button["elements"][0]["text"]["text"] == "Open in Tableau"
    assert footer["elements"][0]["text"] == "rule 1"


def test_blocks_of_a_title_are_one_header() -> None:
    """Empty parts have no block, as Slack refuses empty ones."""
    assert [block["type"] for block in blocks(Message("Hello"))] == ["header"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "mailto:a@example.org", "https://e.org/" + "x" * 3000])
def test_blocks_have_no_button_for_other_addresses(url: str) -> None:
    """A button leads to a web address that Slack accepts; otherwise there is none."""
    assert [block["type"] for block in blocks(Message("t", link=Link(url)))] == ["header"]


def test_blocks_count_the_facts_that_are_left_out() -> None:
    """Too many facts end with a line that counts the rest."""
    facts = tuple((f"fact {number}", "x" * 700) for number in range(30))
    *_, last = blocks(Message("t", facts=facts))
    shown = sum(len(block.get("fields", [])) for block in blocks(Message("t", facts=facts)))
    assert last["elements"][0]["text"] == f"… and {30 - shown} more"
    assert 9 <= shown < 30


@settings(deadline=None)
@given(MESSAGES)
def test_blocks_keep_every_limit(message: Message) -> None:
    """Any message has at most 50 blocks, each text within its own limit, and all of them within the total."""
    found = blocks(message)
    assert 1 <= len(found) <= 50
    for block in found:
        if block["type"] == "header":
            assert 1 <= units(block["text"]["text"]) <= 150
        assert 1 <= len(block.get("fields", [0])) <= 10
        assert all(1 <= units(field["text"]) <= 2000 for field in block.get("fields", []))
        for element in block.get("elements", []):
            if element["type"] == "button":
                assert 1 <= units(element["text"]["text"]) <= 75
                assert len(element["url"]) <= 3000
    assert all(1 <= units(text["text"]) <= 3000 for text in texts(found))
    assert sum(units(text["text"]) for text in texts(found)) <= 13_200
    assert 1 <= units(fallback(message)) <= 4000
    json.dumps(found).encode()
    json.dumps(found, ensure_ascii=False).encode()


@settings(deadline=None)
@given(MESSAGES)
def test_blocks_hold_nothing_that_slack_interprets(message: Message) -> None:
    """No formatting, no emoji code, no mention, no link: every text is plain, with its special characters escaped."""
    for text in [*texts(blocks(message)), {"type": "plain_text", "text": fallback(message), "emoji": False}]:
        assert "<" not in text["text"]
        assert ">" not in text["text"]
        assert html.escape(html.unescape(text["text"]), quote=False) == text["text"]
        assert (text["type"], text["emoji"]) == ("plain_text", False)


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [("a&b", 7, "a&amp;b"), ("a&b", 6, "a…"), ("<<", 8, "&lt;&lt;"), ("<<", 7, "&lt;…"), ("😀😀", 3, "😀…")],
)
def test_escape_never_cuts_an_entity(text: str, limit: int, cut: str) -> None:
    """The limit counts the escaped text, and half an entity is never sent."""
    assert escape(text, limit) == cut
