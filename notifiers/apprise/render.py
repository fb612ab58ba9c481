"""Render a message for the services of Apprise as text that none of them interprets. Pure.

Apprise escapes text for the services that take HTML and for most that take Markdown. It does not for services that
read Markdown in plain text, and for no title that is sent beside the body.
"""

from __future__ import annotations

import re

from notifiers.message import Message, facts_of, link_of, link_to_rows, mentions_of, table_lines, title_of
from notifiers.text import clean, one_line

TYPES = {"info": "info", "good": "success", "warning": "warning", "bad": "failure"}
# These read Markdown although Apprise hands them plain text.
MARKDOWN_READERS = frozenset(["discord", "dingtalk", "guilded", "mmost", "mmosts", "ryver", "ryvers"])
# These show text unchanged, or pass it on as data.
LITERAL = frozenset(["form", "forms", "json", "jsons", "mailto", "mailtos", "xml", "xmls"])
MARKDOWN = re.compile(r"([\\`*_\[\]~<>#|])")
# The beginnings of @here, @channel and @everyone, a person's name, <@id>, <!channel>, <users/all>, <at>address</at>,
# and the middle of [a link](address): some services, such as Zulip, read Markdown and know no escape for it.
MENTION_OR_LINK = re.compile(r"(?<!\w)@(?=[\w*])|<(?=[!@#&/\w])|\](?=[(\[])")
# An invisible character that joins words and cannot be part of a mention.
WORD_JOINER = "\u2060"


def render(message: Message, schema: str, *, markdown: bool, separate_title: bool) -> tuple[str, str]:
    """Return title and body for a service with this scheme.

    `markdown`: Apprise escapes the body for Markdown. `separate_title`: the title is sent beside the body, unescaped.
    """
    literal = schema in LITERAL
    title = title_of(message) if literal else break_marks(title_of(message))
    escapes_body = schema in MARKDOWN_READERS and not markdown

    def inert(text: str) -> str:
        text = text if literal else break_marks(text)
        return escape_markdown(text) if escapes_body else text

    if escapes_body or (markdown and separate_title):
        title = escape_markdown(title)
    facts = (f"{name}: {value}" for name, value in facts_of(message))
    lines = [mentions_of(message), clean(message.text), *facts, *table_lines(message)]
    # An address with an escape in it would lead elsewhere.
    links = [f"{inert(link.label)}: {link.url}" for link in (link_of(message), link_to_rows(message)) if link]
    body = "\n".join(filter(None, [inert("\n".join(filter(None, lines))), *links, inert(one_line(message.footer))]))
    return title, body or title


def break_marks(text: str) -> str:
    """Return the text with an invisible character in whatever could be a mention or a link."""
    return MENTION_OR_LINK.sub(rf"\g<0>{WORD_JOINER}", text)


def escape_markdown(text: str) -> str:
    """Return the text with the characters of Markdown escaped."""
    return MARKDOWN.sub(r"\\\1", text)
