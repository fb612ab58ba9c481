"""Post an event to a server as Tableau does: with its headers and timeouts, and without following redirects."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from webhooks.cli.support.http_session import http_session
from webhooks.webhook_url import mask_url

# In seconds, as in the configuration of Tableau Server 2020.3: webhooks.http.timeout.connect and .read.
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 3.0

# Tableau's sender is Java's HttpURLConnection, which explains the odd ones.
HEADERS = {
    "User-Agent": "TableauWebhooks/1.0",
    "Content-Type": "application/json",
    "charset": "utf-8",
    "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
}
# Characters of an unexpected response that are shown, and those that are kept.
MAX_SHOWN = 500
MAX_BODY = 5000


class NoResponse(Exception):
    """The server did not respond; the text gives the reason and what to do, without the secret in the URL."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response of the server: its status, the beginning of its body, and how long it took in seconds."""

    status: int
    body: str
    seconds: float

    @property
    def content(self) -> Mapping[str, Any]:
        """The body's JSON object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Sender:
    """Post events to one URL over one connection."""

    def __init__(self, url: str, *, ca_bundle: Path | None = None) -> None:
        self._url = url
        self._session = http_session(ca_bundle)
        self._session.headers.clear()
        self._session.headers.update(HEADERS)
        # A proxy for outgoing traffic must not be used between two programs on one machine.
        self._session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}

    def post(self, body: bytes) -> Response:
        """Return the response of the server, whatever its status. Raises NoResponse."""
        started = time.monotonic()
        try:
            response = self._session.post(
                self._url, data=body, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), allow_redirects=False
            )
        except requests.RequestException as error:
            raise NoResponse(_reason(error, mask_url(self._url))) from None
        return Response(response.status_code, response.text[:MAX_BODY], time.monotonic() - started)

    def close(self) -> None:
        self._session.close()


def _reason(error: requests.RequestException, url: str) -> str:
    """Return the reason for the missing response, with advice."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"The certificate of {url} is not trusted; Tableau would refuse it, too."
    if isinstance(error, requests.ReadTimeout):
        return f"{url} did not respond within {READ_TIMEOUT:g} s; Tableau would time out and retry three times."
    if isinstance(error, requests.ConnectTimeout):
        return f"Cannot connect to {url} within {CONNECT_TIMEOUT:g} s."
    if isinstance(error, requests.ConnectionError):
        return f"No server responds at {url}. Is it running? Start it with make run or gunicorn index:app."
    return f"Cannot send to {url}: {type(error).__name__}."
