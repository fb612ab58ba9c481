"""One end for every call: against servers that send, or take, a little now and then and never finish."""

from __future__ import annotations

import gc
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from notifiers import Message, NotifierError, Picture, Receipt, SlackConfig
from notifiers.slack import SlackNotifier
from notifiers.transport import call
from tests.support import certificates

PAUSE = 0.02
HEADS = {
    "head": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "body without a length": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "body of an error": (b"HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n", b" "),
}
BODY = HEADS["body"]


class Slow(ThreadingTCPServer):
    """Sends `first`, then `again` and again; or, where `takes`, reads so many bytes at a time and sends nothing."""

    block_on_close = True
    first, again, takes = b"", b"", 0

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.over, self.context = threading.Event(), context
        super().__init__(("127.0.0.1", 0), Slowly)

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.server_address[1]}"

    def says(self, first: bytes, again: bytes) -> str:
        """What it says to whoever asks; gives its address."""
        self.first, self.again = first, again
        return self.url


class Slowly(StreamRequestHandler):
    server: Slow

    def setup(self) -> None:
        if self.server.context:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        self.connection.recv(65536)
        with suppress(OSError):
            self.connection.sendall(self.server.first)
            while not self.server.over.wait(PAUSE):
                if self.server.takes:
                    self.connection.recv(self.server.takes)
                else:
                    self.connection.sendall(self.server.again)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.connection.close()


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Slow]:
    with Slow(context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def slow() -> Iterator[Slow]:
    """A slow server."""
    with serving() as server:
        yield server


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """A slow server behind TLS, which both clients trust."""
    files = certificates.issue(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.root))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    with serving(context) as server:
        yield server


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole calls end soon; the single steps keep their seconds, which no byte here ever uses up."""
    monkeypatch.setattr("notifiers.slack.client.WHOLE", 0.3)
    monkeypatch.setattr("notifiers.slack.client.UPLOAD", 0.3)
    monkeypatch.setattr("notifiers.transport.LONGEST", 0.3)


def slack(url: str) -> SlackNotifier:
    return SlackNotifier(SlackConfig(token="xoxb-1", channel="#a", api_url=url))


def by_slack(url: str) -> None:
    slack(url).send(Message("Refresh failed"), None)


def by_door(url: str) -> None:
    call("POST", f"{url}/x", service="S", auth=("user", "very-secret"), form={"a": "b"})


CLIENTS = [by_slack, by_door]


@contextmanager
def ending() -> Iterator[None]:
    """What stands inside ends within two seconds."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("part", HEADS)
def test_dripping_answer_holds_no_thread(slow: Slow, part: str, client: Callable[[str], None]) -> None:
    """Whatever drips, the call ends at its time, and whether it was carried out nobody knows."""
    with ending(), pytest.raises(NotifierError, match=r"did not answer") as caught:
        client(slow.says(*HEADS[part]))
    assert (caught.value.permanent, caught.value.uncertain) == (False, True)


@pytest.mark.parametrize("client", CLIENTS)
def test_dripping_answer_through_tls(secure: Slow, client: Callable[[str], None]) -> None:
    """The same where it is encrypted."""
    with ending(), pytest.raises(NotifierError, match=r"did not answer"):
        client(secure.says(*BODY))


# http.client of Python 3.11 leaves a tunnel that fails to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_dripping_proxy_has_surely_not_sent(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the tunnel stands nothing has left: trying again is safe."""
    monkeypatch.setenv("https_proxy", slow.says(*HEADS["head"]))
    monkeypatch.delenv("no_proxy", raising=False)
    with ending(), pytest.raises(NotifierError, match="cannot be reached") as caught:
        by_slack("https://slack.example.org")
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)
    del caught
    gc.collect()


@pytest.mark.parametrize("kind", ["slow", "secure"])
def test_server_that_takes_a_picture_in_drips(
    vendor: Any, says: Any, kind: str, request: pytest.FixtureRequest
) -> None:
    """A picture is sent for its time; one that is not out by then is not there."""
    server: Slow = request.getfixturevalue(kind)
    server.takes = 1000
    vendor.on("files.getUploadURLExternal", says({"ok": True, "upload_url": f"{server.url}/up", "file_id": "F1"}))
    with ending(), pytest.raises(NotifierError, match="cannot be reached") as caught:
        slack(vendor.url).attach(Picture(bytes(30_000_000), "sales.png"), Receipt("C0123", "1"))
    assert not caught.value.permanent
    assert vendor.paths() == ["files.getUploadURLExternal"]


def test_upload_has_a_time_of_its_own(vendor: Any, says: Any, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload whose answer drips ends as well."""
    monkeypatch.setattr("notifiers.slack.client.WHOLE", 20)
    address = slow.says(*BODY)
    vendor.on("files.getUploadURLExternal", says({"ok": True, "upload_url": f"{address}/up", "file_id": "F1"}))
    with ending(), pytest.raises(NotifierError, match="did not answer"):
        slack(vendor.url).attach(Picture(b"\x89PNG", "sales.png"), Receipt("C0123", "1"))
