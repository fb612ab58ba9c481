"""Posts an event to a server as Tableau does: with its headers, its patience, and no redirects."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from webhooks.webhook_url import mask_url

# Seen at Tableau Server 2020.3: webhooks.http.timeout.connect and .read.
CONNECT_SECONDS = 5.0
READ_SECONDS = 3.0

# The sender is Java's HttpURLConnection, which explains the odd ones.
HEADERS = {
    "User-Agent": "TableauWebhooks/1.0",
    "Content-Type": "application/json",
    "charset": "utf-8",
    "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
}
SHOWN = 500
"""Characters of an unexpected answer that are shown."""


class NoResponse(Exception):
    """The server did not answer; the text says why and what to do, without the URL's secret."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a server said: its status, its body as text, how long it took in seconds."""

    status: int
    body: str
    seconds: float

    @property
    def content(self) -> Mapping[str, Any]:
        """The body's JSON object; empty where it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Sender:
    """Posts bodies to one URL over one connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers.clear()
        self._session.headers.update(HEADERS)
        # A proxy for the outside world must not get between two programs on one machine.
        self._session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}

    def post(self, body: bytes) -> Response:
        """The server's answer, whatever its status. Raises NoResponse."""
        started = time.monotonic()
        try:
            answer = self._session.post(
                self._url, data=body, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False
            )
        except requests.RequestException as error:
            raise NoResponse(_why(error, mask_url(self._url))) from None
        return Response(answer.status_code, answer.text[: SHOWN * 10], time.monotonic() - started)

    def close(self) -> None:
        self._session.close()


def _why(error: requests.RequestException, url: str) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"The certificate of {url} is not trusted; Tableau would refuse it too."
    if isinstance(error, requests.ReadTimeout):
        return f"{url} took longer than {READ_SECONDS:g} s; Tableau would give up here, and try again three times."
    if isinstance(error, requests.ConnectTimeout):
        return f"{url} cannot be reached within {CONNECT_SECONDS:g} s."
    if isinstance(error, requests.ConnectionError):
        return f"Nothing answers at {url}. Is the server running? Start it with make run or gunicorn index:app."
    return f"{url} cannot be asked: {type(error).__name__}."
