"""Connections that are used again within a moment: which requests share one, and that none is sent twice."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from notifiers import NotifierError
from notifiers.idle_connections import MOST
from notifiers.slack.client import Client
from notifiers.transport import Request, Transport
from tests.notifiers.raw_server import raw_server, read_head
from tests.support import certificates

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Service:
    """Responds with `responses` in turn on each connection and closes it after them; counts what it sees."""

    def __init__(self, *responses: bytes, context: ssl.SSLContext | None = None) -> None:
        self.responses, self.context = responses, context
        self.heads: list[bytes] = []
        self.opened = 0
        self.closed = threading.Semaphore(0)

    def serve(self, connection: socket.socket) -> None:
        self.opened += 1
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
        try:
            for response in self.responses:
                head = read_head(connection)
                if not head:
                    return
                self.heads.append(head)
                connection.sendall(response)
        finally:
            connection.close()
            self.closed.release()


@contextmanager
def serving(service: Service) -> Iterator[str]:
    with raw_server(service.serve) as server:
        yield f"{'https' if service.context else 'http'}://127.0.0.1:{server.port}/x"
        # What is still open is closed, as nothing else ends the service.
        gc.collect()


def send(transport: Transport, url: str, number: int = 1) -> list[int]:
    return [transport.send(Request("GET", url)).status for _ in range(number)]


@pytest.mark.parametrize("response", [OK, CHUNKED])
def test_requests_share_a_connection(response: bytes) -> None:
    """Requests one after the other use one connection, which does not end with them."""
    service = Service(response, response, response)
    with serving(service) as url:
        assert send(Transport("S", keep_seconds=60), url, 3) == [200, 200, 200]
    assert (service.opened, len(service.heads)) == (1, 3)
    assert all(b"connection: close" not in head.lower() for head in service.heads)


def test_requests_share_a_connection_with_tls(tmp_path: Path) -> None:
    """With TLS there is one handshake for all of them."""
    files = certificates.issue(tmp_path, key_identifiers=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    service = Service(OK, OK, OK, context=context)
    with serving(service) as url:
        assert send(Transport("S", ca_bundle=str(files.root), keep_seconds=60), url, 3) == [200, 200, 200]
    assert (service.opened, len(service.heads)) == (1, 3)


@pytest.mark.parametrize("response", [LAST, OLD])
def test_connection_that_the_service_does_not_keep_is_not_used_again(response: bytes) -> None:
    """A response that announces the end of the connection is its last one."""
    service = Service(response)
    with serving(service) as url:
        assert send(Transport("S", keep_seconds=60), url, 2) == [200, 200]
    assert service.opened == 2


def test_connection_is_not_used_again_later() -> None:
    """After the time that it is kept a request has a new connection; without such a time each has, and says so."""
    for seconds in (1e-9, 0.0):
        service = Service(OK, OK)
        with serving(service) as url:
            assert send(Transport("S", keep_seconds=seconds), url, 2) == [200, 200]
        assert service.opened == 2
        assert all((b"connection: close" in head.lower()) is not bool(seconds) for head in service.heads)


def test_connection_that_the_service_has_closed_is_replaced() -> None:
    """The end of a connection is noticed before a request is written; the request has a new one."""
    service = Service(OK)
    transport = Transport("S", keep_seconds=60)
    with serving(service) as url:
        for _ in range(3):
            assert send(transport, url) == [200]
            assert service.closed.acquire(timeout=60)
    assert (service.opened, len(service.heads)) == (3, 3)


def test_request_that_was_not_written_completely_is_sent_on_a_new_connection() -> None:
    """A service that resets a kept connection while the request is written has not received it."""
    served: list[str] = []
    # More than the buffers of both sockets hold.
    large = bytes(32 * 1024 * 1024)

    def serve(connection: socket.socket) -> None:
        received = len(read_head(connection).partition(b"\r\n\r\n")[2])
        while served and received < len(large):
            received += len(connection.recv(65536))
        served.append("request")
        connection.sendall(OK)
        if len(served) == 1:
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    transport = Transport("S", keep_seconds=60)
    with raw_server(serve) as server:
        url = f"http://127.0.0.1:{server.port}/x"
        assert send(transport, url) == [200]
        assert transport.send(Request("POST", url, body=large)).status == 200
        del transport
        gc.collect()
    assert len(served) == 2


def test_request_without_a_response_is_not_sent_again() -> None:
    """If a kept connection ends after the request, the service may have carried it out: the outcome is unknown."""
    service = Service(OK, b"")
    with serving(service) as url:
        transport = Transport("S", keep_seconds=60)
        assert send(transport, url) == [200]
        with pytest.raises(NotifierError, match="did not respond") as caught:
            send(transport, url)
        assert caught.value.uncertain
    assert (service.opened, len(service.heads)) == (1, 2)


def test_repeatable_request_is_sent_again_on_a_new_connection() -> None:
    """The end of a kept connection fails no request that may be carried out twice; that of a new one does."""
    service = Service(OK, b"")
    with serving(service) as url:
        transport, edit = Transport("S", keep_seconds=60), Request("GET", url, repeatable=True)
        assert transport.send(edit).status == 200
        assert transport.send(edit).status == 200
        assert (service.opened, len(service.heads)) == (2, 3)
        service.responses = (b"",)
        with pytest.raises(NotifierError, match="did not respond"):
            Transport("S", keep_seconds=60).send(edit)
        del transport
    assert service.opened == 3


def test_edit_in_slack_is_repeatable_and_a_post_is_not() -> None:
    """An edit whose kept connection ends is made at once; a post is not repeated, as it may have been received."""
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        for _ in range(2):
            request = b""
            while b"the end" not in request:
                if not (piece := connection.recv(65536)):
                    return
                request += piece
            received.append(request.split()[1])
            if len(received) == 2:
                break
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}')

    for method, repeated in (("chat_update", True), ("chat_postMessage", False)):
        received.clear()
        with raw_server(serve) as server:
            transport = Transport("Slack", keep_seconds=60)
            client = Client(
                token="x",
                api_url=f"http://127.0.0.1:{server.port}/",
                transport=transport,
                clock=lambda: datetime.now(UTC),
            )
            call = partial(getattr(client, method), channel="C1", ts="1.1", text="the end")
            call()
            with nullcontext() if repeated else pytest.raises(NotifierError, match="did not respond"):
                call()
            # The last connection ends with its transport.
            del transport, client, call
            gc.collect()
        assert len(received) == (3 if repeated else 2)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b" " * 2000000,
        OK + b"more",
    ],
)
def test_connection_with_a_rest_of_a_response_is_not_used_again(response: bytes) -> None:
    """The rest of one response must not be read as the next one."""
    service = Service(response)
    with serving(service) as url:
        transport = Transport("S", keep_seconds=60)
        try_to_send: Callable[[], object] = lambda: send(transport, url)  # noqa: E731 - used twice
        if b"more" in response:
            try_to_send()
            assert service.closed.acquire(timeout=60)
            try_to_send()
        else:
            for _ in range(2):
                with pytest.raises(NotifierError):
                    try_to_send()
    assert service.opened == 2


def test_connections_are_few_and_closed_with_their_transport() -> None:
    """A few are kept; all are closed with their transport."""
    together = threading.Barrier(MOST + 2)

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        together.wait(60)
        connection.sendall(OK)
        assert connection.recv(1) == b""
        closed.release()

    closed = threading.Semaphore(0)
    transport = Transport("S", keep_seconds=60)
    with raw_server(serve) as server:
        url = f"http://127.0.0.1:{server.port}/x"
        threads = [threading.Thread(target=send, args=(transport, url)) for _ in range(MOST + 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(2):
            assert closed.acquire(timeout=60)
        assert not closed.acquire(blocking=False)
        del transport, threads
        gc.collect()
        for _ in range(MOST):
            assert closed.acquire(timeout=60)


def test_forked_process_uses_no_connection_of_its_parent() -> None:
    """Two processes on one connection would mix their requests; the parent goes on with it."""
    service = Service(OK, OK)
    with serving(service) as url:
        transport = Transport("S", keep_seconds=60)
        send(transport, url)
        child = os.fork()
        if child == 0:
            os._exit(0 if send(transport, url) == [200] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert send(transport, url) == [200]
    assert (service.opened, len(service.heads)) == (2, 3)
