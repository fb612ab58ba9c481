"""Requests that are served in the main thread, by a real worker on a real socket, with an application of the test."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import PollableMethodQueue

from tests.support.server import wait_for
from webhooks.deferral import KEY, Deferral
from webhooks.gunicorn.sharing_worker import ABSENT, SharingWorker

LONG = 30.0
LARGE = b"x" * 3_000_000


class Application:
    """Defers responses to /webhook/later; others name the thread that served them."""

    def __init__(self) -> None:
        self.deferred: list[Deferral] = []
        self.timeout = LONG
        self.body = b"stored"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Respond, or defer that; a path that ends with `error` raises an exception at once or later."""
        path = environ["PATH_INFO"]
        environ["wsgi.input"].read()
        if path.startswith("/webhook/later"):
            deferral: Deferral = environ[KEY]
            deferral.respond, deferral.timeout = self.respond, self.timeout
            self.deferred.append(deferral)
            return ()
        if path.endswith("error"):
            raise ZeroDivisionError
        text = threading.current_thread().name.split("-")[0].encode()
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return (text,)

    def respond(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Respond to what was deferred."""
        if environ["PATH_INFO"].endswith("error"):
            raise ZeroDivisionError
        start_response("200 OK", [("Content-Length", str(len(self.body)))])
        return (self.body,)


class Served:
    """A worker that serves the application in a thread, until `stop`."""

    def __init__(self, **settings: Any) -> None:
        self.application = Application()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        # A large response does not fit into what the system stores for a client that does not read.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
        cfg = Config()
        for name, value in {"threads": 2, "keepalive": 5, "graceful_timeout": 5, **settings}.items():
            cfg.set(name, value)
        SharingWorker.connections = [0]
        self.worker = worker = SharingWorker(
            1, os.getppid(), [self.listener], SimpleNamespace(), cfg.timeout, cfg, Logger(cfg)
        )
        worker.defers = lambda request: request.startswith(b"POST /webhook/")
        worker.wsgi = self.application
        worker.tpool = worker.get_thread_pool()
        worker.method_queue.init()
        worker.poller = selectors.DefaultSelector()
        self.thread = threading.Thread(target=worker.run, name="main")
        self.thread.start()

    def client(self) -> socket.socket:
        """Return a new connection to the worker."""
        client = socket.create_connection(self.listener.getsockname())
        client.settimeout(LONG)
        return client

    def deferrals(self, count: int) -> list[Deferral]:
        """Return what the application has deferred, once there are `count`."""
        wait_for(lambda: len(self.application.deferred) >= count, what=f"deferral {count}")
        return self.application.deferred

    def stop(self) -> None:
        """Stop as at SIGTERM, and wait for the end."""
        self.worker.handle_exit(None, None)
        self.thread.join(LONG)
        assert not self.thread.is_alive()
        # The process would end now.
        PollableMethodQueue.close(self.worker.method_queue)
        self.worker.tmp.close()


@pytest.fixture
def served() -> Iterator[Served]:
    """A worker, stopped at the end; it holds no connection then."""
    served = Served()
    yield served
    served.stop()
    assert served.worker.nr_conns == 0


def request(path: str, *, close: bool = False, version: str = "1.1") -> bytes:
    """Return a request with a body."""
    field = "Connection: close\r\n" if close else ""
    return f"POST {path} HTTP/{version}\r\nHost: x\r\n{field}Content-Length: 2\r\n\r\n{{}}".encode()


def response(client: socket.socket) -> tuple[int, bool, bytes]:
    """Return the status of the next response, whether the connection stays open, and the body."""
    # Without a buffer, so that the next response is left in the socket.
    with client.makefile("rb", buffering=0) as file:
        status = int(file.readline().split()[1])
        fields = {}
        while line := file.readline().strip():
            name, _, value = line.decode().partition(":")
            fields[name.lower()] = value.strip()
        body, length = b"", int(fields["content-length"])
        while len(body) < length:
            body += file.read(length - len(body)) or b""
        return status, fields.get("connection") != "close", body


def test_a_deferred_response_needs_no_thread(served: Served) -> None:
    """With two threads, twenty requests wait at the same time, and another path is served meanwhile."""
    waiting = [served.client() for _ in range(20)]
    for client in waiting:
        client.sendall(request("/webhook/later"))
    deferrals = served.deferrals(20)
    with served.client() as other:
        other.sendall(request("/page"))
        assert response(other) == (200, True, b"ThreadPoolExecutor")
    for deferral in reversed(deferrals):
        deferral.complete()
    for client in waiting:
        assert response(client) == (200, True, b"stored")
        client.close()


def test_a_connection_is_used_again(served: Served) -> None:
    """Deferred, at once, by a thread, and two requests in one piece: responses come in the order of the requests."""
    with served.client() as client:
        for _ in range(2):
            client.sendall(request("/webhook/later"))
            served.deferrals(1).pop().complete()
            assert response(client) == (200, True, b"stored")
            client.sendall(request("/webhook/now"))
            assert response(client) == (200, True, b"main")
            client.sendall(request("/page"))
            assert response(client) == (200, True, b"ThreadPoolExecutor")
        client.sendall(request("/webhook/now") + request("/webhook/now", close=True))
        assert response(client)[:2] == (200, True)
        assert response(client)[:2] == (200, False)
        assert client.recv(1) == b""


def test_a_request_that_follows_early_waits_for_its_turn(served: Served) -> None:
    """A client that does not wait for a deferred response gets both responses in order."""
    with served.client() as client:
        client.sendall(request("/webhook/later"))
        (deferral,) = served.deferrals(1)
        client.sendall(request("/webhook/now"))
        with served.client() as other:
            other.sendall(request("/webhook/now"))
            assert response(other)[0] == 200
        deferral.complete()
        assert response(client)[2] == b"stored"
        assert response(client)[2] == b"main"


@pytest.mark.parametrize(("path", "version"), [("/webhook/now", "1.0"), ("/webhook/later", "1.0")])
def test_an_old_client_gets_a_closed_connection(served: Served, path: str, version: str) -> None:
    """HTTP/1.0 keeps no connection."""
    with served.client() as client:
        client.sendall(request(path, version=version))
        if path.endswith("later"):
            served.deferrals(1)[0].complete()
        assert response(client)[:2] == (200, False)
        assert client.recv(1) == b""


def test_the_application_responds_when_the_time_is_over(served: Served) -> None:
    """Nothing completes it; what completes it afterwards has no effect, also not on the next request."""
    served.application.timeout = 0.05
    with served.client() as client:
        client.sendall(request("/webhook/later"))
        assert response(client) == (200, True, b"stored")
        served.application.timeout = LONG
        client.sendall(request("/webhook/later"))
        first, second = served.deferrals(2)
        first.complete()
        with served.client() as other:
            other.sendall(request("/webhook/now"))
            assert response(other)[0] == 200
        served.application.body = b"second"
        second.complete()
        assert response(client)[2] == b"second"


def test_completion_by_another_thread_may_come_at_any_moment(served: Served) -> None:
    """Many requests on four connections are completed by a thread as soon as they are deferred."""
    ended = threading.Event()

    def complete() -> None:
        done = 0
        while not ended.is_set():
            for deferral in served.application.deferred[done:]:
                deferral.complete()
                done += 1
            time.sleep(0)

    thread = threading.Thread(target=complete)
    thread.start()
    clients = [served.client() for _ in range(4)]
    for _ in range(100):
        for client in clients:
            client.sendall(request("/webhook/later"))
        for client in clients:
            assert response(client) == (200, True, b"stored")
    ended.set()
    thread.join()
    for client in clients:
        client.close()


@pytest.mark.parametrize("path", ["/webhook/error", "/webhook/later/error"])
def test_an_error_of_the_application_is_500(served: Served, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets the server's response to an error, and the worker continues."""
    with served.client() as client:
        client.sendall(request(path))
        if "later" in path:
            served.deferrals(1)[0].complete()
        assert response(client)[:2] == (500, False)
        assert client.recv(1) == b""
    assert "ZeroDivisionError" in caplog.text
    with served.client() as client:
        client.sendall(request("/webhook/now"))
        assert response(client)[0] == 200


def test_a_request_that_is_invalid_is_refused(served: Served) -> None:
    """A request that gunicorn's parser refuses gets a problem document, and does not end the process."""
    with served.client() as client:
        client.sendall(b"POST /webhook/now HTTP/1.1\r\nHost: x\r\nBad name: 1\r\nContent-Length: 0\r\n\r\n")
        status, kept, body = response(client)
        assert (status, kept) == (400, False)
        assert b"about:blank" in body


def test_a_client_that_closes_leaves_nothing_behind(served: Served) -> None:
    """Its response cannot be sent, whether it closed or reset the connection; the worker holds no connection then."""
    for reset in (False, True):
        client = served.client()
        client.sendall(request("/webhook/later"))
        deferral = served.deferrals(1).pop()
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        with served.client() as other:
            other.sendall(request("/webhook/now"))
            assert response(other)[0] == 200
        deferral.complete()
    wait_for(lambda: served.worker.nr_conns == 0, what="the end of all connections")


def test_a_client_that_reads_slowly_does_not_stop_the_others(served: Served) -> None:
    """A thread sends the rest of its response."""
    served.application.body = LARGE
    with served.client() as client, served.client() as other:
        client.sendall(request("/webhook/later"))
        served.deferrals(1)[0].complete()
        for _ in range(3):
            other.sendall(request("/webhook/now"))
            assert response(other)[0] == 200
        assert len(served.worker.tpool._threads) == 1
        assert response(client) == (200, True, LARGE)
        client.sendall(request("/webhook/now"))
        assert response(client)[2] == b"main"


def test_responses_are_sent_while_the_worker_stops(served: Served) -> None:
    """The worker waits for the response, and closes the connection afterwards."""
    with served.client() as client:
        client.sendall(request("/webhook/later"))
        (deferral,) = served.deferrals(1)
        served.worker.handle_exit(None, None)
        wait_for(lambda: not served.worker._accepting, what="the stop")
        # Other processes leave no connection to this one any more.
        wait_for(lambda: served.worker.connections[0] == ABSENT, what="the end of its part")
        deferral.complete()
        assert response(client) == (200, False, b"stored")


def test_a_late_completion_writes_into_no_file(served: Served, tmp_path: Path) -> None:
    """A commit may end after the worker has; files that were opened meanwhile have the numbers of what it closed."""
    served.application.timeout = 0.05
    with served.client() as client:
        client.sendall(request("/webhook/later"))
        assert response(client)[0] == 200
        (deferral,) = served.deferrals(1)
    served.worker.handle_exit(None, None)
    served.thread.join(LONG)
    files = [tmp_path / str(number) for number in range(8)]
    with ExitStack() as stack:
        for file in files:
            stack.enter_context(file.open("wb"))
        deferral.complete()
    assert [file.read_bytes() for file in files] == [b""] * 8
