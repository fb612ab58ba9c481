"""A message in Block Kit: Slack's limits are kept, and nothing in it is markup."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers import Button, Link, Mention, Message, Table, Timestamp
from notifiers.slack.render import SIGNS, Mentioned, blocks, count_characters, escape, fallback

NASTY = st.text(st.sampled_from("ab &<>!@#|*_~`^:\n\x00\ud800😀é"), max_size=400) | st.text(max_size=40)
LONG = st.builds(lambda text, times: text * times, NASTY, st.sampled_from([1, 1, 30, 500]))
LINKS = st.builds(Link, st.sampled_from(["https://e.org/" + "x" * 4000, "https://e.org/?a=1&b=2", "x"]), NASTY)
TIMES = st.builds(
    Timestamp,
    st.datetimes(timezones=st.just(UTC)),
    st.builds(timezone, st.just(timedelta(hours=2)), st.sampled_from(["<!here>", "*|^`", "CEST"])),
)
CELLS = LONG | LINKS | TIMES
TABLES = st.builds(
    lambda columns, rows, times, total, link: Table(tuple(columns), tuple(map(tuple, rows * times)), total, link),
    st.lists(NASTY, min_size=1, max_size=25),
    st.lists(st.lists(CELLS, max_size=25), max_size=4),
    st.sampled_from([1, 1, 40]),
    st.integers(0, 500),
    st.none() | LINKS,
)
MENTIONS = st.builds(Mention, st.sampled_from(["name", "email", "id"]), NASTY)
MESSAGES = st.builds(
    Message,
    title=LONG,
    text=LONG,
    facts=st.lists(st.tuples(NASTY, LONG | TIMES), max_size=60).map(tuple),
    link=st.none() | LINKS,
    severity=st.sampled_from(["info", "good", "warning", "bad"]),
    footer=LONG,
    status=NASTY,
    table=st.none() | TABLES,
    buttons=st.lists(NASTY, max_size=30).map(
        lambda texts: tuple(Button(text, f"act-{number}", "v") for number, text in enumerate(texts))
    ),
    mentions=st.lists(MENTIONS, max_size=5).map(tuple),
)
# What our own markup consists of: times, mentions, and the link below a table, whose texts hold no markup.
PLAIN = r"(?:[^<>&*_~`:|^@#\\]|&(?:amp|lt|gt);)*"
OURS = re.compile(
    rf"<!date\^-?\d+\^\{{date_short_pretty\}} \{{time\}}\|[^<>|^]*>|<(?:@U1|!subteam\^S1|!here)>|<https://e\.org/[^<>|]*\|{PLAIN}>"
)
MENTIONED = Mentioned(("<@U1>", "<!subteam^S1>", "<!here>"), (Mention("name", "<!here>"),))


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
    """They are the header, the text, the facts in columns, a button and the footer."""
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
@given(MESSAGES, st.booleans())
def test_blocks_keep_every_limit(message: Message, native_table: bool) -> None:
    """Any message has at most 50 blocks, each text within its own limit, and all of them within the total."""
    found = blocks(message, MENTIONED, native_table=native_table, ids="x")
    assert 1 <= len(found) <= 50
    for block in found:
        if block["type"] == "header":
            assert 1 <= units(block["text"]["text"]) <= 150
        assert 1 <= len(block.get("fields", [0])) <= 10
        assert all(1 <= units(field["text"]) <= 2000 for field in block.get("fields", []))
        assert 1 <= len(block.get("elements", [0])) <= 25
        for element in block.get("elements", []):
            if element["type"] == "button":
                assert 1 <= units(element["text"]["text"]) <= 75
                assert len(element.get("url", "")) <= 3000
        if block["type"] == "data_table":
            assert 2 <= len(block["rows"]) <= 101
            assert len({len(row) for row in block["rows"]}) == 1
            assert 1 <= len(block["rows"][0]) <= 20
            assert {cell["type"] for cell in block["rows"][0]} == {"raw_text"}
            assert 1 <= block["page_size"] <= 100
            assert count_characters(block) <= 10_000
    assert all(1 <= units(text["text"]) <= 3000 for text in texts(found))
    assert count_characters(found) <= 13_200
    assert len({block["block_id"] for block in found}) == len(found)
    assert 1 <= units(fallback(message, MENTIONED)) <= 4000
    json.dumps(found).encode()
    json.dumps(found, ensure_ascii=False).encode()


@settings(deadline=None)
@given(MESSAGES, st.booleans())
def test_blocks_hold_nothing_that_slack_interprets(message: Message, native_table: bool) -> None:
    """No formatting, no emoji code, no mention, no link: a text is plain and escaped, a cell raw, or made by us."""
    found = blocks(message, MENTIONED, native_table=native_table)
    shown = {"type": "plain_text", "text": fallback(message, Mentioned()), "emoji": False}
    for text in [*texts(found), shown]:
        own = text["type"] == "mrkdwn"
        rest = OURS.sub("", text["text"]) if own else text["text"]
        assert "<" not in rest
        assert ">" not in rest
        assert html.escape(html.unescape(rest), quote=False) == rest
        assert text.get("verbatim") if own else text["emoji"] is False
        assert not own or re.fullmatch(PLAIN, rest.replace(":", "", 1))
    assert "rich_text" not in [block["type"] for block in found]
    for block in found:
        for cell in (cell for row in block.get("rows", []) for cell in row if cell["type"] == "rich_text"):
            (element,) = cell["elements"][0]["elements"]
            assert element["type"] in ("date", "link")


def test_signs_do_not_depend_on_a_colour() -> None:
    """Each severity has a sign of its own shape, and the status is a word."""
    shapes = {re.sub(r"RED |WHITE |HEAVY ", "", unicodedata.name(sign[0])) for sign in SIGNS.values() if sign}
    assert shapes == {"CHECK MARK", "WARNING SIGN", "LARGE CIRCLE"}
    (header, *_) = blocks(Message("Sales", status="Failing", severity="bad"))
    assert header["text"]["text"] == "🔴 Failing: Sales"


def test_time_is_shown_in_the_zone_of_each_reader() -> None:
    """Slack formats the time for each reader; a client that cannot shows it in the given zone."""
    message = Message("t", facts=(("Since", Timestamp(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))), ("Owner", "Ann")))
    (_, facts) = blocks(message)
    since, owner = facts["fields"]
    words = "Since\n<!date^1772357400^{date_short_pretty} {time}|2026-03-01 09:30 UTC>"
    assert since == {"type": "mrkdwn", "text": words, "verbatim": True}
    assert owner["type"] == "plain_text"


def test_mentions_are_markup_and_those_not_found_are_text() -> None:
    """The tokens of people and groups are in a block of their own, and in the text of the notification."""
    message = Message("t", mentions=(Mention("here"), Mention("name", "<!channel>")))
    mentioned = Mentioned(("<!here>",), (Mention("name", "<!channel>"),))
    (_, section, context) = blocks(message, mentioned)
    assert section["text"] == {"type": "mrkdwn", "text": "<!here>", "verbatim": True}
    assert context["elements"][0]["text"] == "Not found in Slack: @&lt;!channel&gt;"
    assert fallback(message, mentioned) == "<!here> t\n@&lt;!channel&gt;"
    assert "<!" not in json.dumps([blocks(message), fallback(message)])


def test_buttons_come_before_the_link() -> None:
    """A button carries its id, value and style; the link is the last one."""
    message = Message(
        "t", link=Link("https://e.org/"), buttons=(Button("Ack", "ack", "7", "primary"), Button("Snooze", "snooze"))
    )
    (_, actions) = blocks(message)
    first, second, link = actions["elements"]
    assert (first["action_id"], first["value"], first["style"]) == ("ack", "7", "primary")
    assert "style" not in second
    assert link["url"] == "https://e.org/"


def test_menu_is_shown_behind_the_buttons() -> None:
    """Its entries have the action and the value in one, or an address; a menu of one entry is a button."""
    entries = (Button("Snooze", "snooze", "7 abc"), Link("https://e.org/7", "Open"), Button("Why?", "why"))
    (_, actions) = blocks(Message("t", buttons=(Button("Ack", "ack"),), menu=entries))
    _, menu = actions["elements"]
    assert (menu["type"], menu["action_id"]) == ("overflow", "menu")
    assert [option["value"] for option in menu["options"]] == ["snooze 7 abc", "link", "why "]
    assert [option.get("url") for option in menu["options"]] == [None, "https://e.org/7", None]
    (_, actions) = blocks(Message("t", menu=(Link("javascript:alert(1)", "Open"), Button("Why?", "why", "7"))))
    (button,) = actions["elements"]
    assert (button["type"], button["action_id"], button["value"]) == ("button", "why", "7")
    assert len(blocks(Message("t", menu=(Link("javascript:alert(1)", "Open"),)))) == 1


def test_menu_that_slack_refuses_is_a_mistake() -> None:
    """More than five entries, or a value longer than Slack takes, would make the whole message fail."""
    for menu in ([Button("x", f"a{number}") for number in range(6)], [Button("x", "a", "7" * 149)]):
        with pytest.raises(ValueError, match="Invalid menu"):
            Message("t", menu=tuple(menu))


def test_table_is_slacks_own_with_times_and_links() -> None:
    """Cells are raw text, which is never markup, a time in the reader's zone, or a link."""
    time = Timestamp(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    table = Table(("Name", "Since"), ((Link("https://e.org/7", "<!here> *A*"), time), ("<!here> & *B*", "")), 40)
    (_, native, rest) = blocks(Message("t", table=table))
    header, first, second = native["rows"]
    assert [cell["text"] for cell in header] == ["Name", "Since"]
    link, date = (cell["elements"][0]["elements"][0] for cell in first)
    assert link == {"type": "link", "url": "https://e.org/7", "text": "<!here> *A*"}
    assert (date["type"], date["timestamp"], date["fallback"]) == ("date", 1772357400, "2026-03-01 09:30 UTC")
    assert second == [{"type": "raw_text", "text": "<!here> & *B*"}, {"type": "raw_text", "text": "-"}]
    assert rest["elements"][0]["text"] == "… and 38 more"


@pytest.mark.parametrize("native_table", [True, False])
def test_rows_left_out_lead_to_all_rows(native_table: bool) -> None:
    """The line below a cut table counts the rows and links to all of them; its label is no markup."""
    table = Table(("Name",), (("x" * 150,),) * 150, 400, Link("https://e.org/?a=1&b=2", "*All*|<x>"))
    *_, rest = blocks(Message("t", table=table), native_table=native_table)
    assert re.fullmatch(r"… and \d+ more: <https://e\.org/\?a=1&b=2\|All &lt;x&gt;>", rest["elements"][0]["text"])


def test_ids_of_blocks_are_new_in_each_version() -> None:
    """Slack asks for new ids whenever a message is edited."""
    message = Message("t", "x")
    assert [block["block_id"] for block in blocks(message, ids="a")] == ["a-0", "a-1"]
    assert "block_id" not in blocks(message)[0]


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [("a&b", 7, "a&amp;b"), ("a&b", 6, "a…"), ("<<", 8, "&lt;&lt;"), ("<<", 7, "&lt;…"), ("😀😀", 3, "😀…")],
)
def test_escape_never_cuts_an_entity(text: str, limit: int, cut: str) -> None:
    """The limit counts the escaped text, and half an entity is never sent."""
    assert escape(text, limit) == cut
