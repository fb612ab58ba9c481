"""A total time limit for every call, against servers that send, or take, a few bytes now and then and never finish."""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from notifiers import AppriseConfig, Message, NotifierError, Picture, Receipt, SlackConfig
from notifiers.apprise import AppriseNotifier
from notifiers.deadline import LimitedSocket, time_limit
from notifiers.slack import SlackNotifier
from notifiers.slack.client import UPLOAD_TIMEOUTS
from notifiers.transport import Request, Timeouts, Transport
from tests.notifiers.raw_server import raw_server, read_head
from tests.support import certificates

PAUSE = 0.02
RESPONSES = {
    "head": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "body without a length": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "body of an error": (b"HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n", b" "),
}
BODY = RESPONSES["body"]


class Slow:
    """Sends `first`, then `again` repeatedly; or reads `takes` bytes at a time and sends nothing."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.over, self.context = threading.Event(), context
        self.first, self.again, self.takes, self.url = b"", b"", 0, ""

    def responding(self, first: bytes, again: bytes) -> str:
        """Set the response, and return the server's address."""
        self.first, self.again = first, again
        return self.url

    def serve(self, connection: socket.socket) -> None:
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
        with connection:
            read_head(connection)
            connection.sendall(self.first)
            while not self.over.wait(PAUSE):
                if self.takes:
                    connection.recv(self.takes)
                else:
                    connection.sendall(self.again)


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Slow]:
    slow = Slow(context)
    with raw_server(slow.serve) as server:
        slow.url = f"{'https' if context else 'http'}://127.0.0.1:{server.port}"
        try:
            yield slow
        finally:
            slow.over.set()


@pytest.fixture
def slow() -> Iterator[Slow]:
    """Start a slow server."""
    with serving() as server:
        yield server


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """Start a slow server behind TLS, which the clients trust."""
    files = certificates.issue(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    with serving(context) as server:
        yield server


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole calls end soon; the single steps keep their seconds, which no byte here ever uses up."""
    monkeypatch.setattr("notifiers.transport.CALL_TIMEOUTS", Timeouts(total=0.3))
    monkeypatch.setattr("notifiers.slack.client.UPLOAD_TIMEOUTS", Timeouts(total=0.3))


def slack(url: str) -> SlackNotifier:
    return SlackNotifier(SlackConfig(token="xoxb-1", channel="#a", api_url=url))


def by_slack(url: str) -> None:
    slack(url).send(Message("Refresh failed"), None)


def by_transport(url: str) -> None:
    Transport("S").send(Request("POST", f"{url}/x", body=b"a=b"))


CLIENTS = [by_slack, by_transport]


@contextmanager
def ending() -> Iterator[None]:
    """Fail where the block takes much longer than its deadline of 0.3 s; without one, it would never end."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("part", RESPONSES)
def test_dripping_response_holds_no_thread(slow: Slow, part: str, client: Callable[[str], None]) -> None:
    """The call ends in time for each part that drips, and it is unknown whether it was carried out."""
    with ending(), pytest.raises(NotifierError, match="did not respond") as caught:
        client(slow.responding(*RESPONSES[part]))
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, True, True)


@pytest.mark.parametrize("client", CLIENTS)
def test_dripping_response_through_tls(secure: Slow, client: Callable[[str], None]) -> None:
    """The same holds for an encrypted connection."""
    with ending(), pytest.raises(NotifierError, match="did not respond") as caught:
        client(secure.responding(*BODY))
    assert caught.value.uncertain


def dripping_handshake(connection: socket.socket) -> None:
    """Send the header of a TLS record of 16 KiB, then its bytes one by one."""
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x03\x40\x00")
    while True:
        connection.sendall(b"\x02")
        time.sleep(PAUSE)


def test_dripping_handshake_has_surely_not_sent() -> None:
    """A server that never finishes its TLS handshake holds no thread either, and has not seen the request."""
    with (
        raw_server(dripping_handshake) as server,
        ending(),
        pytest.raises(NotifierError, match="cannot be reached") as caught,
    ):
        by_transport(f"https://127.0.0.1:{server.port}")
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


def test_dripping_proxy_has_surely_not_sent(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the tunnel is open nothing has left: it is safe to retry."""
    monkeypatch.setenv("https_proxy", slow.responding(*RESPONSES["head"]))
    monkeypatch.delenv("no_proxy", raising=False)
    with ending(), pytest.raises(NotifierError, match="cannot be reached") as caught:
        by_slack("https://slack.example.org")
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


@pytest.mark.parametrize("kind", ["slow", "secure"])
def test_server_that_takes_a_picture_in_drips(
    vendor: Any, reply: Any, kind: str, request: pytest.FixtureRequest
) -> None:
    """The time for sending a picture is limited; one that was not sent whole has not arrived."""
    server: Slow = request.getfixturevalue(kind)
    server.takes = 1000
    vendor.on("files.getUploadURLExternal", reply({"ok": True, "upload_url": f"{server.url}/up", "file_id": "F1"}))
    with ending(), pytest.raises(NotifierError, match="cannot be reached") as caught:
        slack(vendor.url).attach(Picture(bytes(30_000_000), "sales.png"), Receipt("C0123", "1"))
    assert not caught.value.permanent
    assert vendor.paths() == ["files.getUploadURLExternal"]


def test_upload_has_its_own_time_limit(vendor: Any, reply: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload whose response drips ends as well."""
    monkeypatch.setattr("notifiers.transport.CALL_TIMEOUTS", Timeouts(total=20))
    address = slow.responding(*BODY)
    vendor.on("files.getUploadURLExternal", reply({"ok": True, "upload_url": f"{address}/up", "file_id": "F1"}))
    with ending(), pytest.raises(NotifierError, match="did not respond") as caught:
        slack(vendor.url).attach(Picture(b"\x89PNG", "sales.png"), Receipt("C0123", "1"))
    assert caught.value.uncertain


def test_upload_may_take_its_whole_time_for_one_step() -> None:
    """A picture is written by one operation, so a shorter limit of a step would be the limit of the upload."""
    assert UPLOAD_TIMEOUTS.step == UPLOAD_TIMEOUTS.total == 60


def test_dripping_service_of_apprise_holds_no_worker(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apprise has no total limit for a request, so we stop waiting for it; the message may have arrived."""
    pytest.importorskip("apprise")
    monkeypatch.setattr("notifiers.apprise.notifier.TIMEOUT", 0.3)
    address = slow.responding(*BODY).replace("http://", "json://")
    notifier = AppriseNotifier(AppriseConfig(address))
    # The import of the library, which takes a second.
    notifier.check()
    with ending(), pytest.raises(NotifierError, match="no response") as caught:
        notifier.send(Message("Refresh failed"), None)
    assert (caught.value.sent, caught.value.uncertain) == (True, True)


def test_threads_are_left_behind_by_no_call(slow: Slow) -> None:
    """The limit needs no helper thread that would wait for the server in place of the caller."""
    before = threading.active_count()
    with pytest.raises(NotifierError):
        by_transport(slow.responding(*BODY))
    # The server's own thread for the connection goes on.
    assert threading.active_count() <= before + 1


def test_limits_nest_and_end_with_their_block() -> None:
    """An inner limit cannot extend an outer one, and a socket's own timeout is as before afterwards."""
    near, far = socket.socketpair()
    with far, LimitedSocket(fileno=near.detach()) as limited:
        limited.settimeout(5)
        with ending(), time_limit(0.1), time_limit(math.inf), pytest.raises(TimeoutError):
            limited.recv(1)
        assert limited.gettimeout() == 5
        far.sendall(b"a")
        assert limited.recv(1) == b"a"
