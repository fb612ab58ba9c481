"""Render a message for the services of Apprise as text that none of them interprets. Pure.

Apprise escapes text for the services that take HTML and for most that take Markdown. It does not for services that
read Markdown in plain text, and for no title that is sent beside the body.
"""

from __future__ import annotations

import re

from notifiers.message import Message, facts_of, link_of, mentions_of, table_lines, title_of
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
    title, link = title_of(message), link_of(message)
    facts = (f"{name}: {value}" for name, value in facts_of(message))
    lines = [mentions_of(message), clean(message.text), *facts, *table_lines(message)]
    middle, footer = "\n".join(filter(None, lines)), one_line(message.footer)
    if schema not in LITERAL:
        title, middle, footer = (MENTION_OR_LINK.sub(rf"\g<0>{WORD_JOINER}", text) for text in (title, middle, footer))
    if schema in MARKDOWN_READERS and not markdown:
        title, middle, footer = (escape_markdown(text) for text in (title, middle, footer))
    elif markdown and separate_title:
        title = escape_markdown(title)
    body = "\n".join(filter(None, [middle, f"{link.label}: {link.url}" if link else "", footer]))
    return title, body or title


def escape_markdown(text: str) -> str:
    """Return the text with the characters of Markdown escaped."""
    return MARKDOWN.sub(r"\\\1", text)
