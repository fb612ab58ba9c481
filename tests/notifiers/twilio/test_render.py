"""A message as an SMS: cheap and short, with the essential parts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers import Link, Message
from notifiers.twilio.render import GSM, SEGMENTS, count_segments, gsm_width, is_gsm, render, simplify

URL = "https://10ax.online.tableau.com/#/site/marketing/workbooks/17"


def segments(body: str) -> int:
    """Return what Twilio would count; a character of two units is not split between segments."""
    single, each = (160, 153) if is_gsm(body) else (70, 67)
    width = gsm_width if is_gsm(body) else (lambda character: 2 if ord(character) > 0xFFFF else 1)
    sizes = [width(character) for character in body]
    if sum(sizes) <= single:
        return 1
    count, used = 1, 0
    for size in sizes:
        if used + size > each:
            count, used = count + 1, 0
        used += size
    return count


def test_gsm_alphabet_is_complete() -> None:
    """127 characters; the 128th is the escape to the extension."""
    assert len(GSM) == 127


def test_sms_has_title_text_facts_and_link() -> None:
    """A short message is sent whole, without its footer."""
    message = Message("Refresh failed: Sales", "Login refused.", (("Owner", "Ann"),), Link(URL), footer="rule 1")
    assert render(message) == f"Refresh failed: Sales\nLogin refused.\nOwner: Ann\n{URL}"


def test_sms_cuts_the_middle_and_keeps_title_and_link() -> None:
    """The end of the facts is cut first; title and link stay complete."""
    message = Message("Refresh failed: Sales", "x " * 400, (("Owner", "Ann"),), Link(URL))
    body = render(message)
    assert body.startswith("Refresh failed: Sales\nx x")
    assert body.endswith(f"x...\n{URL}")
    assert segments(body) == 3


def test_sms_drops_a_link_that_would_fill_it() -> None:
    """A link is never cut, and one that leaves no room for words is left out."""
    body = render(Message("Refresh failed", "why", link=Link("https://example.org/" + "x" * 400)))
    assert body == "Refresh failed\nwhy"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\u201cSales\u201d \u2013 Q1\u2026", '"Sales" - Q1...'),
        ("it\u2019s", "it's"),
        ("Übersicht für Größe", "Übersicht für Größe"),
        ("e\u0301te\u0301", "été"),
        ("São Paulo, Kraków", "Sao Paulo, Kraków".replace("ó", "o")),
        ("a\u00a0b", "a b"),
        ("🔥 hot", "hot"),
        ("Sales 🔥 failed", "Sales failed"),
        ("a 🔥 🔥\u200d🔥  b", "a b"),
        ("a 🔥\n🔥 b", "a\nb"),
        ("a  b 🔥", "a  b"),
        ("a🔥b", "ab"),
        ("½", "½"),
        ("Привет", "Привет"),
    ],
)
def test_simplify_prefers_the_cheap_alphabet(text: str, plain: str) -> None:
    """Quotes, dashes, accents and emoji are replaced; fractions and other scripts, which carry meaning, stay."""
    assert simplify(text) == plain


def test_sms_in_another_script_is_shorter_and_unharmed() -> None:
    """Text outside GSM-7 is sent in Unicode, vowel signs and emoji included, in the same number of segments."""
    assert render(Message("बिक्री 🔥", "विफल")) == "बिक्री 🔥\nविफल"
    body = render(Message("Продажи", "ошибка " * 200, link=Link(URL)))
    assert not is_gsm(body)
    assert body.endswith(URL)
    assert segments(body) <= 3


def test_sms_of_emoji_alone_is_not_empty() -> None:
    """Twilio refuses an empty body."""
    assert render(Message("🔥🔥")) == "🔥🔥"


@settings(deadline=None)
@given(
    st.builds(
        Message,
        st.text(max_size=300),
        st.text(max_size=600),
        st.lists(st.tuples(st.text(max_size=20), st.text(max_size=60)), max_size=10).map(tuple),
        st.none() | st.integers(0, 500).map(lambda size: Link("https://e.org/~" + "x" * size)),
    )
)
def test_sms_never_needs_more_than_three_segments(message: Message) -> None:
    """Any message costs three segments at most and is never empty; its link is complete or left out."""
    body = render(message)
    assert body
    assert segments(body) <= 3
    assert len(body) <= 1600
    assert "https://e.org" not in body or message.link is None or body.endswith(message.link.url)


def test_sms_may_be_held_to_one_segment() -> None:
    """The number of segments is an argument."""
    assert segments(render(Message("t", "word " * 100, link=Link(URL)), segments=1)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # 153 is odd, so the last place of a segment stays empty.
        ("€" * 152, 2),
        ("€" * 153, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 66, 2),
        ("😀" * 67, 3),
        ("a" * 70 + "я", 2),
    ],
)
def test_segments_are_counted_as_twilio_does(text: str, expected: int) -> None:
    """160 or 153 units in GSM-7, 70 or 67 in UCS-2; one character decides about all of the message."""
    assert count_segments(text) == expected == segments(text)


def test_rendered_message_has_at_most_three_segments() -> None:
    """The limit per message and the count agree."""
    for letter in ("a", "€", "я", "😀"):
        message = Message(letter * 500, letter * 2000, (("Owner", letter * 500),))
        assert count_segments(render(message)) <= SEGMENTS
