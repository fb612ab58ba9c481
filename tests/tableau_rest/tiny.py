"""A very small Tableau over real HTTP: signs in, keeps one valid session per credential, responds as a test says."""

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

    @property
    def page(self) -> int:
        """The number of the requested page."""
        return int(dict(pair.split("=") for pair in self.query.split("&"))["pageNumber"])


@dataclass(frozen=True)
class Reply:
    """A response: a document, or bytes with a type.

    `cut` closes the connection after that number of bytes; `drip` sends the body byte by byte with that many seconds in
    between, `head_drip` the head.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: float = 0
    head_drip: float = 0
    chunked: bool = False

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Replying = Reply | Callable[[Asked], Reply]


def refused(code: str, detail: str = "") -> Reply:
    """Return one of Tableau's errors by its code, whose first digits are the status."""
    return Reply({"error": {"code": code, "summary": f"Error {code}", "detail": detail}}, int(code[:3]))


class ChangingList:
    """A list in pages of two, which `change` may alter before a page is sent; counts the requests.

    `names` are those of the list and of its items, `item` returns an item by its number. A page after the last one is
    empty, or refused as Tableau does if `refuses` is set.
    """

    def __init__(
        self,
        count: int,
        change: Callable[[list[int], int], object],
        *,
        names: tuple[str, str],
        item: Callable[[int], dict[str, object]],
        refuses: bool = False,
    ) -> None:
        self.numbers = list(range(count))
        self.requests = 0
        self._change, self._names, self._item, self._refuses = change, names, item, refuses

    def __call__(self, asked: Asked) -> Reply:
        self.requests += 1
        self._change(self.numbers, self.requests)
        items = [self._item(number) for number in self.numbers[(asked.page - 1) * 2 : asked.page * 2]]
        if not items and asked.page > 1 and self._refuses:
            return refused("400006")
        paging = {"pageNumber": str(asked.page), "pageSize": "2", "totalAvailable": str(len(self.numbers))}
        several, one = self._names
        return Reply({"pagination": paging, several: {one: items} if items else {}})


class TinyTableau:
    """Responses are found by "GET path"; of a list of responses the first is used up, the last remains."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[Asked] = []
        self.replies: dict[str, Replying | list[Replying]] = {}
        self.slow: dict[str, Callable[[Asked], Reply]] = {}  # handled in parallel, outside the lock
        self.tokens: dict[str, str] = {}  # the valid token of each credential
        self.sign_ins = self.connections = 0
        self.version = "3.27"
        self.lock = threading.Lock()
        self.expired: Reply = Reply(EXPIRED, 401)

    def expire(self) -> None:
        """End every session."""
        self.tokens.clear()

    def calls(self, call: str) -> list[Asked]:
        """Return the requests of a method and path."""
        method, _, path = call.partition(" ")
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def reply_to(self, asked: Asked) -> Reply:
        with self.lock:
            self.asked.append(asked)
            name = f"{asked.method} {asked.path}"
            given = self.replies.get(name)
            if isinstance(given, list):
                given = given.pop(0) if len(given) > 1 else given[0]
            reply = given(asked) if callable(given) else given
            if asked.path.endswith("/serverinfo"):
                info = {"productVersion": {"value": "2025.3.1"}, "restApiVersion": self.version}
                return reply or Reply({"serverInfo": info})
            if asked.path.endswith("/auth/signin"):
                return reply or self._sign_in(asked)
            if asked.headers.get("x-tableau-auth") not in self.tokens.values():
                return self.expired
        if name in self.slow:
            return self.slow[name](asked)
        return reply or refused("404003", name)

    def _sign_in(self, asked: Asked) -> Reply:
        credentials = asked.json["credentials"]
        who = credentials.get("personalAccessTokenName") or credentials.get("name") or "jwt"
        self.sign_ins += 1
        self.tokens[who] = f"session|{self.sign_ins}|{SITE}"
        site = {"id": SITE, "contentUrl": credentials["site"]["contentUrl"]}
        return Reply({"credentials": {"site": site, "user": {"id": USER}, "token": self.tokens[who]}})


def parts_of(reply: Reply, data: bytes) -> Iterator[bytes]:
    """Yield the body in the pieces in which it is sent."""
    if reply.chunked:
        data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:20], data[20:])) + b"0\r\n\r\n"
    if reply.drip:
        yield from (bytes([byte]) for byte in data)
    else:
        yield data[: reply.cut]


def running() -> Iterator[TinyTableau]:
    """Run a TinyTableau on a free port until the generator is closed."""

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
            self.reply(tiny.reply_to(Asked(self.command, short, query, headers, body)))

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names are http.server's

        def reply(self, reply: Reply) -> None:
            data = reply.bytes
            length = {"Transfer-Encoding": "chunked"} if reply.chunked else {"Content-Length": str(len(data))}
            for byte in b"HTTP/1.1 200 OK\r\nX-Drip: " + b"x" * 1000 if reply.head_drip else b"":
                self.wfile.write(bytes([byte]))
                time.sleep(reply.head_drip)
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
