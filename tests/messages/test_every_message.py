"""Every message that the server sends, at every notifier, with hostile names: within its limits, and without markup."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from functools import cache
from html.parser import HTMLParser
from itertools import cycle, islice
from typing import Any

import pytest

from notifiers import Message
from notifiers.apprise.render import render as render_apprise
from notifiers.console.render import render as render_console
from notifiers.email.render import render as render_email
from notifiers.pagerduty.notifier import dedup_key
from notifiers.pagerduty.render import render as render_pagerduty
from notifiers.post.render import render as render_post
from notifiers.slack.render import Mentioned, blocks, fallback, plain_blocks
from notifiers.teams.render import render as render_teams
from notifiers.twilio.render import SEGMENTS, count_segments
from notifiers.twilio.render import render as render_sms
from notifiers.twilio.whatsapp import variables
from simulator.receivers.teams import MAX_BYTES, card_texts
from simulator.slack.blocks import MAX_CHARACTERS, count_characters, validate
from simulator.slack.data_blocks import count_problems
from simulator.twilio.whatsapp import rendered
from tests.messages.every_message import LINK, PAGE, TYPES, about_event, incident_makers, server_makers, templates
from tests.support.hostile_names import HOSTILE_NAMES
from tests.support.naughty_strings import NAUGHTY_STRINGS

NOW = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
SENDER = Address("Tableau Webhooks", addr_spec="bi@example.org")
RECIPIENT = Address(addr_spec="ann@example.org")
OURS = (LINK, PAGE)
# Characters that move a cursor, end a line, or reverse what people read.
HARMFUL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c\u2028\u2029\ufeff]"
)
# Slack's own marks that we make: times, mentions that were resolved, and the link below a table.
SLACK_MARKS = re.compile(r"<!date\^-?\d+\^\{date_short_pretty\} \{time\}\|[^<>|^]*>|<@U1>|<!here>")
# Links with a text of its own, pictures, and what alerts people, as services read them that have no escapes.
LIVE = re.compile(r"(?<!\\)\](?=[(\[])|(?<!\\)<(?=[!@#&/\w])|(?<![\w\\])@(?=[\w*])")
TAGS = frozenset(["html", "head", "meta", "body", "div", "h1", "p", "b", "br", "table", "tr", "td", "th", "a"])
STANDARD_HEADERS = frozenset(["subject", "from", "to", "date", "message-id", "mime-version", "content-type"])
HEADERS = STANDARD_HEADERS | {"in-reply-to", "references", "auto-submitted", "x-auto-response-suppress", "importance"}


@cache
def messages() -> tuple[Message, ...]:
    """Return each kind of message, each event type with each template, and each name, in changing combinations."""
    names, owned = cycle(HOSTILE_NAMES), cycle(HOSTILE_NAMES[7:])
    found = [about_event(next(names), next(owned), name, one) for name in TYPES for one in templates()]
    makers = [*incident_makers(), *server_makers()]
    count = max(len(makers), len(HOSTILE_NAMES))
    found += [make(next(names), next(owned)) for make in islice(cycle(makers), count)]
    # These are many and short, so several are one name.
    joined = [" ".join(NAUGHTY_STRINGS[start : start + 8]) for start in range(0, len(NAUGHTY_STRINGS), 8)]
    found += [make(name, joined[-1 - number]) for number, (name, make) in enumerate(zip(joined, cycle(makers)))]
    return tuple(found)


def is_shown(text: str) -> bool:
    """Return whether people see something of the text."""
    return any(unicodedata.category(one)[0] not in "CZ" and one not in "\u3164\u115f" for one in text)


def check_texts(texts: list[str], *, one_line: bool = False) -> None:
    for text in texts:
        assert not HARMFUL.search(text)
        text.encode()
        assert not (one_line and "\n" in text)


def strings(value: Any) -> Iterator[str]:
    """Yield every text in JSON, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def check_links(urls: list[str]) -> None:
    """Every link leads to Tableau or to this server."""
    assert all(url.startswith(OURS) for url in urls), urls


def slack(message: Message) -> None:
    mentioned = Mentioned(("<@U1>", "<!here>"), message.mentions)
    for made in (blocks(message, mentioned), blocks(message, mentioned, native_table=False), plain_blocks(message)):
        assert validate(made) == []
        assert count_problems(made) == []
        assert count_characters(made) <= MAX_CHARACTERS
        check_texts(list(strings(made)))
        for text in marked(made):
            assert not re.search(r"[<>*_~`|]", SLACK_MARKS.sub("", text)), text
        check_links(list(links_in(made)))
    assert is_shown(blocks(message)[0]["text"]["text"])
    text = fallback(message, mentioned)
    assert len(text) <= 4000
    assert not re.search("[<>]", SLACK_MARKS.sub("", text))


def marked(value: Any) -> Iterator[str]:
    """Yield the texts in which Slack reads markup."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from marked(one)


def links_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (value[name] for name in ("url", "href", "client_url") if name in value)
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from links_in(one)


def teams(message: Message) -> None:
    body = render_teams(message)
    assert len(body) <= MAX_BYTES
    card = json.loads(body)["attachments"][0]["content"]
    texts = list(card_texts(card))
    assert is_shown(texts[0])
    check_texts(texts)
    assert "{{" not in body.decode()
    assert {one["type"] for one in card["body"]} <= {"RichTextBlock", "Table"}
    check_links(list(links_in(card)))


class Page(HTMLParser):
    """Collects the elements of an e-mail, and its links."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]


def email(message: Message) -> None:
    raw = render_email(message, SENDER, [RECIPIENT], NOW).as_bytes()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    mail = message_from_bytes(raw)
    assert {name.lower() for name in mail} <= HEADERS
    assert mail["To"] == "ann@example.org"
    subject = str(make_header(decode_header(mail["Subject"])))
    assert is_shown(subject)
    check_texts([subject.replace("\r\n", "")], one_line=True)
    plain, html = (part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in mail.get_payload())
    check_texts([plain, html])
    page = Page()
    page.feed(html)
    page.close()
    assert page.tags <= TAGS
    check_links(page.links)


def twilio(message: Message) -> None:
    text = render_sms(message)
    assert count_segments(text) <= SEGMENTS
    assert is_shown(text)
    check_texts([text])
    form = {"ContentSid": "HX1", "ContentVariables": variables(message)}
    assert rendered(form, "HX1")[1] == 0
    check_texts(list(json.loads(variables(message)).values()), one_line=True)


def pagerduty(message: Message) -> None:
    body = render_pagerduty(message, "trigger", routing_key="R0123", dedup_key=dedup_key(message))
    assert len(body) <= 512 * 1024
    event = json.loads(body)
    assert is_shown(event["payload"]["summary"])
    assert len(event["payload"]["summary"]) <= 1024
    assert len(event.get("dedup_key", "")) <= 255
    assert event["payload"]["severity"] in {"critical", "error", "warning", "info"}
    check_texts(list(strings(event)))
    check_links(list(links_in(event)))


def post(message: Message) -> None:
    content = json.loads(render_post(message, NOW))
    assert re.fullmatch(r"message|incident\.(open|acknowledged|closed)", content["type"])
    check_texts(list(strings(content)))
    check_links(list(links_in(content)))


def apprise(message: Message) -> None:
    for schema in ("slack", "discord", "zulip", "tgram"):
        for markdown in (True, False):
            title, body = render_apprise(message, schema, markdown=markdown, separate_title=True)
            assert is_shown(title)
            assert not LIVE.search(title)
            assert not LIVE.search(body)
            check_texts([title, body])


def console(message: Message) -> None:
    text = render_console(message, NOW, terminal=False)
    assert len(text.encode()) <= 4096
    assert text.endswith("\n\n")
    check_texts([text])


CHECKS: dict[str, Callable[[Message], None]] = {
    one.__name__: one for one in (slack, teams, email, twilio, pagerduty, post, apprise, console)
}


@pytest.mark.parametrize("kind", CHECKS)
def test_every_message_keeps_the_limits_and_has_no_markup_from_outside(kind: str) -> None:
    """With hostile names and reasons, messages are valid and legible, and have no links or mentions but ours."""
    for message in messages():
        try:
            CHECKS[kind](message)
        except Exception as error:
            raise AssertionError(f"{kind}: {message!r:.2000}") from error
