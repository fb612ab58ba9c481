"""A small real server that plays Slack, Twilio or anything else, and remembers what it was asked."""

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
class Asked:
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
class Says:
    """One answer: `body` a JSON value or raw bytes; `hang` keeps the request and answers nothing; `drop` closes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False


class Vendor:
    """Answers each path from its own list; the last answer of a list stays."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.released = threading.Event()
        self._answers: dict[str, list[Says]] = {}
        self._lock = threading.Lock()
        self.url = ""

    def on(self, path: str, *answers: Says) -> None:
        """What to say to requests whose path ends so."""
        self._answers[path] = list(answers)

    def paths(self) -> list[str]:
        """The last part of every path that was asked for."""
        return [asked.path.rsplit("/", 1)[-1] for asked in self.asked]

    def answer(self, asked: Asked) -> Says:
        with self._lock:
            self.asked.append(asked)
            for path, answers in self._answers.items():
                if asked.path.endswith(path) or f"{asked.method} {asked.path}".endswith(path):
                    return answers.pop(0) if len(answers) > 1 else answers[0]
        return Says({"error": "nothing here"}, status=404)


class Handler(BaseHTTPRequestHandler):
    vendor: Vendor

    def serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        says = self.vendor.answer(Asked(self.command, url.path, query, self.headers, body))
        if says.hang:
            self.vendor.released.wait(20)
        if says.hang or says.drop:
            self.close_connection = True
            return
        content = says.body if isinstance(says.body, bytes) else json.dumps(says.body).encode()
        self.send_response(says.status)
        for name, value in {"Content-Type": "application/json", **says.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = serve  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor on an ephemeral port of loopback."""
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
def nobody() -> str:
    """The address of a port that refuses connections."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def says() -> type[Says]:
    """How a test words an answer."""
    return Says


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits short enough for a test."""
    monkeypatch.setattr("notifiers.transport.CALL_TIMEOUTS", Timeouts(step=0.5))
