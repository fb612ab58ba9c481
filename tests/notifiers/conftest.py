"""A small real HTTP server that plays Slack, Twilio or any other service, and records its requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from notifiers.transport import Timeouts


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: EmailMessage
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One response: `body` is a JSON value or raw bytes; `hang` holds the request, `drop` closes the connection."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False


class Vendor:
    """Replies to each path from its own list; the last one of a list is repeated."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.released = threading.Event()
        self._replies: dict[str, list[Reply]] = {}
        self._lock = threading.Lock()
        self.url = ""

    def on(self, path: str, *replies: Reply) -> None:
        """Set the replies to requests whose path ends with `path`."""
        self._replies[path] = list(replies)

    def paths(self) -> list[str]:
        """Return the last part of every requested path."""
        return [request.path.rsplit("/", 1)[-1] for request in self.requests]

    def reply_to(self, request: ReceivedRequest) -> Reply:
        with self._lock:
            self.requests.append(request)
            for path, replies in self._replies.items():
                if request.path.endswith(path) or f"{request.method} {request.path}".endswith(path):
                    return replies.pop(0) if len(replies) > 1 else replies[0]
        return Reply({"error": "nothing here"}, status=404)


class Handler(BaseHTTPRequestHandler):
    vendor: Vendor

    def serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        reply = self.vendor.reply_to(ReceivedRequest(self.command, url.path, query, self.headers, body))
        if reply.hang:
            self.vendor.released.wait(20)
        if reply.hang or reply.drop:
            self.close_connection = True
            return
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = serve  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """Start a vendor on an ephemeral port of loopback."""
    vendor = Vendor()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"vendor": vendor}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    yield vendor
    vendor.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def refusing_url() -> str:
    """Return the address of a port that refuses connections."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def reply() -> type[Reply]:
    """Return the class of a response."""
    return Reply


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set time limits short enough for a test."""
    monkeypatch.setattr("notifiers.transport.CALL_TIMEOUTS", Timeouts(step=0.5))
