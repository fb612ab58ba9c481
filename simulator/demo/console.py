"""What Slack and Twilio received, as lines for a terminal."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from html import unescape
from typing import Any


class Told:
    """Reads the simulator's messages and remembers which ones were shown."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/simulator/messages"
        self._shown = self._keys(self._read())

    def news(self) -> Iterator[str]:
        """A block of lines for each message that has come since the last call."""
        received = self._read()
        for message in received["slack"]:
            if self._is_new(message["ts"]):
                yield _slack(message)
        for sms in received["sms"]:
            if self._is_new(sms["sid"]):
                yield _block(f"SMS to {sms['to']}", sms["body"])

    def _is_new(self, key: str) -> bool:
        if key in self._shown:
            return False
        self._shown.add(key)
        return True

    def _keys(self, received: dict[str, Any]) -> set[str]:
        return {one["ts"] for one in received["slack"]} | {one["sid"] for one in received["sms"]}

    def _read(self) -> dict[str, Any]:
        with urllib.request.urlopen(self._url, timeout=5) as answer:
            received: dict[str, Any] = json.load(answer)
            return received


def _slack(message: dict[str, Any]) -> str:
    where = f"Slack    {message['channel_name']}"
    if message["files"]:
        pictures = ", ".join(file["name"] for file in message["files"])
        return _block(f"{where} (thread)", f"picture {pictures}")
    # Slack's text has &, < and > as entities, https://docs.slack.dev/messaging/formatting-message-text
    return _block(where, unescape(message["text"]))


def _block(head: str, text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join([f"{head}  {lines[0] if lines else ''}", *(f"         {line}" for line in lines[1:])])
