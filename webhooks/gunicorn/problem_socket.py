"""Respond with a problem document to requests that gunicorn refuses before the application sees them."""

from __future__ import annotations

import html
import json
import re
from typing import Any

# gunicorn's own response, with the reason in a page.
PAGE = re.compile(rb"HTTP/1\.1 (?P<status>[0-9]{3}) .*</h1>(?P<reason>.*)</body>", re.DOTALL)


class ProblemSocket:
    """A client's socket that replaces the page which gunicorn sends about an error; all else passes unchanged."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sendall(self, data: bytes) -> None:
        """Send the response as a problem document."""
        self._connection.sendall(as_problem(data))


def as_problem(response: bytes) -> bytes:
    """Return a response of gunicorn about an error as a problem document; any other one as it is."""
    found = PAGE.match(response)
    if found is None:
        return response
    from webhooks.problem import CONTENT_TYPE, title_of  # noqa: PLC0415 - gunicorn's main process needs no Flask

    status = int(found["status"])
    title, reason = title_of(status), html.unescape(found["reason"].decode("latin-1")).strip()
    detail = f"{reason or title}."
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}) + "\n"
    head = f"HTTP/1.1 {status} {title}\r\nConnection: close\r\nContent-Type: {CONTENT_TYPE}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("latin-1")
