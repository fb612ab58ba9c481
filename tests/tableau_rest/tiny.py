"""A very small Tableau over real HTTP: signs in, keeps one live session per token, answers what a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SITE = "6b7a1111-2222-4333-8444-555566667777"
USER = "0aaa1111-2222-4333-8444-555566667777"
LUID = "e3411111-2222-4333-8444-555566667777"
OTHER = "0c1d1111-2222-4333-8444-555566667777"
EXPIRED = {
    "error": {"code": "401002", "summary": "Unauthorized Access", "detail": "Invalid authentication credentials"}
}


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; `path` is what follows /api/{version}/sites/{site}/, or the whole path."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer as a test writes it: a document, or bytes with their type; `cut` breaks off after so many bytes.

    `drip` sends byte by byte, with so many seconds between.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: float = 0
    chunked: bool = False

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answering = Reply | Callable[[Asked], Reply]


class TinyTableau:
    """Answers are looked up by "GET path"; a list is used up from the front, its last stays."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[Asked] = []
        self.answers: dict[str, Answering | list[Answering]] = {}
        self.slow: dict[str, Callable[[Asked], Reply]] = {}  # answered side by side, outside the lock
        self.tokens: dict[str, str] = {}  # live token of each credential
        self.sign_ins = self.connections = 0
        self.version = "3.27"
        self.lock = threading.Lock()
        self.expired: Reply = Reply(EXPIRED, 401)

    def expire(self) -> None:
        """Every session is dead from now on."""
        self.tokens.clear()

    def calls(self, what: str) -> list[Asked]:
        """The requests of that method and path."""
        method, _, path = what.partition(" ")
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def answer(self, asked: Asked) -> Reply:
        with self.lock:
            self.asked.append(asked)
            name = f"{asked.method} {asked.path}"
            given = self.answers.get(name)
            if isinstance(given, list):
                given = given.pop(0) if len(given) > 1 else given[0]
            if asked.path.endswith("/serverinfo"):
                return self._told(given, asked) or Reply(
                    {"serverInfo": {"productVersion": {"value": "2025.3.1"}, "restApiVersion": self.version}}
                )
            if asked.path.endswith("/auth/signin"):
                return self._told(given, asked) or self._sign_in(asked)
            if asked.headers.get("x-tableau-auth") not in self.tokens.values():
                return self.expired
        if name in self.slow:
            return self.slow[name](asked)
        missing = Reply({"error": {"code": "404003", "summary": "Not Found", "detail": name}}, 404)
        return self._told(given, asked) or missing

    def _told(self, given: Answering | None, asked: Asked) -> Reply | None:
        return given(asked) if callable(given) else given

    def _sign_in(self, asked: Asked) -> Reply:
        proof = asked.json["credentials"]
        who = proof.get("personalAccessTokenName") or proof.get("name") or "jwt"
        self.sign_ins += 1
        self.tokens[who] = f"session|{self.sign_ins}|{SITE}"
        site = {"id": SITE, "contentUrl": proof["site"]["contentUrl"]}
        return Reply({"credentials": {"site": site, "user": {"id": USER}, "token": self.tokens[who]}})


def parts_of(reply: Reply, data: bytes) -> Iterator[bytes]:
    """The body in the pieces it is sent in."""
    if reply.chunked:
        data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:20], data[20:])) + b"0\r\n\r\n"
    if reply.drip:
        yield from (bytes([byte]) for byte in data)
    else:
        yield data[: reply.cut]


def running() -> Iterator[TinyTableau]:
    """A TinyTableau on a port of its own, until the generator is closed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            tiny.connections += 1

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError):
                self.close_connection = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            short = path.split(f"/sites/{SITE}/", 1)[-1]
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.reply(tiny.answer(Asked(self.command, short, query, headers, body)))

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  the names are http.server's

        def reply(self, reply: Reply) -> None:
            data = reply.bytes
            length = {"Transfer-Encoding": "chunked"} if reply.chunked else {"Content-Length": str(len(data))}
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **length, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for part in parts_of(reply, data):
                self.wfile.write(part)
                time.sleep(reply.drip)
            self.close_connection = self.close_connection or reply.cut is not None

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    tiny = TinyTableau(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield tiny
    server.shutdown()
    server.server_close()
    thread.join()
