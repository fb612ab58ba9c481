"""Show in a terminal the messages that Slack, Twilio and the other services received."""

from __future__ import annotations

import json
import textwrap
import urllib.request
from collections.abc import Iterator
from html import unescape
from typing import Any

WIDTH = 80
# The column in which texts begin.
INDENT = 10
# Names that fit into it.
NAMES = {"email": "Mail", "teams": "Teams", "pagerduty": "PagerDuty", "post": "POST"}


class MessageFeed:
    """The simulator's messages, each returned once."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/simulator/messages"
        received = self._fetch()
        self._shown = {_key(message) for message in received["slack"]} | {sms["sid"] for sms in received["sms"]}
        self._others = len(received["others"])

    def new_messages(self) -> Iterator[str]:
        """Return a block of lines for each message, and each new version of one, since the last call."""
        received = self._fetch()
        for message in received["slack"]:
            if self._is_new(_key(message)):
                yield format_slack(message)
        for sms in received["sms"]:
            if self._is_new(sms["sid"]):
                yield format_block("SMS", f"to {sms['to']}\n{sms['body']}")
        others = received["others"]
        for other in others[self._others :]:
            kind = NAMES.get(other["kind"], other["kind"])
            yield format_block(kind, f"to {other['place']}\n{other['title']}\n{other['text']}")
        self._others = len(others)

    def _is_new(self, key: str) -> bool:
        if key in self._shown:
            return False
        self._shown.add(key)
        return True

    def _fetch(self) -> dict[str, Any]:
        with urllib.request.urlopen(self._url, timeout=5) as response:
            received: dict[str, Any] = json.load(response)
            return received


def _key(message: dict[str, Any]) -> str:
    return f"{message['channel']} {message['ts']} {len(message['versions'])}"


def format_slack(message: dict[str, Any]) -> str:
    """Return a Slack message: its channel, then its text or the names of its files."""
    if message["files"]:
        names = ", ".join(file["name"] for file in message["files"])
        return format_block("Slack", f"{message['channel_name']} (thread): {names}")
    # Slack's text has &, < and > as entities, https://docs.slack.dev/messaging/formatting-message-text
    marks = {"thread": message["thread_ts"], "edited": message["edited"]}
    marked = "".join(f" ({name})" for name, applies in marks.items() if applies)
    return format_block("Slack", f"{message['channel_name']}{marked}\n{unescape(message['text'])}")


def format_block(sender: str, text: str) -> str:
    """Return a text beside its sender, wrapped at 80 columns; addresses are not broken."""
    lines = []
    for line in filter(str.strip, text.splitlines()):
        lines += textwrap.wrap(line, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"{sender if number == 0 else '':<{INDENT}}{line}" for number, line in enumerate(lines))
