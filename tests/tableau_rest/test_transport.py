"""The transport over real sockets: deadlines, proxies, certificates, limits, and whether a request was sent."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import certifi
import pytest

from tableau_rest import ConnectionFailed, InvalidResponse, MemorySessions, PersonalAccessToken, Tableau
from tableau_rest.errors import NotFound, ServerError, TableauError
from tableau_rest.transport import Response, Timeouts, Transport
from tests.support.certificates import Files, issue
from tests.tableau_rest.tiny import Reply, TinyTableau

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
QUICK = Timeouts(connect=1, read=0.5, total=0.6)


@pytest.fixture
def certificates(tmp_path: Path) -> Files:
    return issue(tmp_path)


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept connections, serve each in a thread, and yield the port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve_one(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with closing(server):
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(65536)
        if not received:
            raise ConnectionError
        head += received
    return head


def respond(connection: socket.socket) -> None:
    """Respond to requests until the client closes the connection."""
    while True:
        read_head(connection)
        connection.sendall(OK)


def over_tls(files: Files, serve: Callable[[socket.socket], object]) -> Callable[[socket.socket], object]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)

    def serve_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            serve(tls)

    return serve_tls


def tunnel(connection: socket.socket) -> None:
    """Be a proxy that opens the tunnels of CONNECT."""
    host, _, port = read_head(connection).split()[1].decode().rpartition(":")
    with closing(socket.create_connection((host, int(port)))) as target:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def copy(source: socket.socket, to: socket.socket) -> None:
            # The other thread may have closed both sockets meanwhile.
            with suppress(OSError):
                while data := source.recv(65536):
                    to.sendall(data)

        back = threading.Thread(target=copy, args=(target, connection), daemon=True)
        back.start()
        copy(connection, target)


def drip(head: bytes) -> Callable[[socket.socket], object]:
    """Send a head that never ends, byte by byte."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        for byte in head + b"X: " + b"x" * 10_000:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    return serve


def get(
    url: str, *, method: str = "GET", ca_bundle: str = "", timeouts: Timeouts = QUICK, body: bytes | None = None
) -> Response:
    transport = Transport("tests", ca_bundle=ca_bundle, sleep=lambda _: None)
    with closing(transport):
        return transport.send(method, url, headers={}, body=body, timeouts=timeouts)


def fail(url: str, *, method: str = "POST", timeouts: Timeouts = QUICK, body: bytes | None = b"{}") -> ConnectionFailed:
    """Return the error of a call, which must end with its total timeout; without one, it would never end."""
    started = time.monotonic()
    with pytest.raises(ConnectionFailed) as raised:
        get(url, method=method, timeouts=timeouts, body=body)
    assert time.monotonic() - started < timeouts.total + 30
    return raised.value


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# --- deadlines ----------------------------------------------------------------------------------------------------


def test_a_head_that_arrives_byte_by_byte_ends_at_the_deadline() -> None:
    """No single read takes long, the whole does."""
    with listening(drip(b"HTTP/1.1 200 OK\r\n")) as port:
        error = fail(f"http://127.0.0.1:{port}/")
    assert "did not respond in time" in str(error)
    assert not error.unsent
    assert not error.permanent


def test_a_deadline_applies_to_a_connection_that_is_reused(tiny: TinyTableau) -> None:
    """The second call on a kept connection ends at its deadline, too."""
    tiny.replies["GET /api/2.4/serverinfo"] = [Reply({}), Reply({"a": "b" * 1000}, drip=0.02)]
    url = f"{tiny.url}/api/2.4/serverinfo"
    with closing(Transport("tests")) as transport:
        assert transport.send("GET", url, headers={}, timeouts=QUICK).body == b"{}"
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match="in time"):
            transport.send("GET", url, headers={}, timeouts=QUICK)
    assert time.monotonic() - started < 60
    assert tiny.connections == 1


def test_a_proxy_that_answers_byte_by_byte_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its response to CONNECT has the same deadline, and the request has not been sent."""
    with listening(drip(b"HTTP/1.1 200 OK\r\n")) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = fail("https://tableau.example.org/")
    assert error.unsent


def test_a_server_that_does_not_read_ends_at_the_deadline() -> None:
    """A large request cannot block the thread that sends it."""
    with listening(lambda connection: time.sleep(3)) as port:
        error = fail(f"http://127.0.0.1:{port}/", body=b"x" * 20_000_000)
    assert not error.unsent


def test_a_tls_handshake_that_never_ends_is_given_up() -> None:
    """The server accepts the connection and says nothing."""
    with listening(lambda connection: time.sleep(3)) as port:
        error = fail(f"https://127.0.0.1:{port}/", timeouts=Timeouts(connect=0.3, read=0.3, total=0.6))
    assert error.unsent


# --- was it sent? -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serve", "scheme", "unsent"),
    [
        (lambda connection: None, "https", True),  # closes the connection in the handshake
        (lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "https", True),
        (read_head, "http", False),  # reads the request and closes the connection
        (lambda connection: (read_head(connection), connection.sendall(OK[:20])), "http", False),
        (lambda connection: (read_head(connection), connection.sendall(OK[:17])), "http", False),
    ],
)
def test_the_error_says_whether_the_request_was_sent(
    serve: Callable[[socket.socket], object], scheme: str, unsent: bool
) -> None:
    """A failure before the request leaves is unsent, for every type of error that the libraries raise."""
    with listening(serve) as port:
        assert fail(f"{scheme}://127.0.0.1:{port}/").unsent == unsent


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "https://127.0.0.1:9/", "http://no-such-host.invalid/"])
def test_a_server_that_cannot_be_reached_was_sent_nothing(url: str) -> None:
    """Refused connections and unknown names are unsent."""
    assert fail(url).unsent


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status is in the error, and the request has not been sent."""
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with listening(lambda connection: (read_head(connection), connection.sendall(refusal))) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass@127.0.0.1:{port}")
        error = fail("https://tableau.example.org/")
    assert error.unsent
    assert "through the proxy" in str(error)
    assert "407" in str(error)
    assert "pass@" not in str(error)


# --- certificates -------------------------------------------------------------------------------------------------


def test_an_untrusted_certificate_leads_to_the_ca_bundle(certificates: Files) -> None:
    """The advice names the setting and the argument, and the request has not been sent."""
    with listening(over_tls(certificates, respond)) as port:
        error = fail(f"https://127.0.0.1:{port}/")
    assert "not trusted" in str(error)
    assert "CA_BUNDLE" in str(error)
    assert "ca_bundle" in str(error)
    assert error.unsent


def test_a_private_certificate_authority_is_trusted(certificates: Files) -> None:
    """This holds also on a connection that is reused."""
    with listening(over_tls(certificates, respond)) as port:
        url = f"https://localhost:{port}/"
        with closing(Transport("tests", ca_bundle=str(certificates.root))) as transport:
            for _ in range(3):
                assert transport.send("GET", url, headers={}).body == b"{}"


def test_a_private_certificate_without_key_identifiers_is_trusted(tmp_path: Path) -> None:
    """Many private authorities issue such certificates, which Python 3.13 refuses by default."""
    files = issue(tmp_path, key_identifiers=False)
    with listening(over_tls(files, respond)) as port:
        assert get(f"https://localhost:{port}/", ca_bundle=str(files.root)).body == b"{}"


def test_a_ca_bundle_is_trusted_in_addition(certificates: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authorities of REQUESTS_CA_BUNDLE, or of certifi, are still trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.root))
    with listening(over_tls(certificates, respond)) as port:
        assert get(f"https://localhost:{port}/", ca_bundle=certifi.where()).body == b"{}"


def test_a_private_certificate_authority_is_trusted_through_a_proxy(
    certificates: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel leads to the same server with the same certificate."""
    with listening(over_tls(certificates, respond)) as port, listening(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        assert get(f"https://localhost:{port}/", ca_bundle=str(certificates.root)).body == b"{}"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_bundle_that_cannot_be_read_is_refused(tmp_path: Path, content: str | None) -> None:
    """It raises ValueError when the client is created, and names the file."""
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(ValueError, match=r"ca\.pem"):
        Tableau("https://tableau.example.org", "mk", PersonalAccessToken("bot", "x"), ca_bundle=bundle)


def test_a_missing_bundle_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file and the variables."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/ca.pem")
    error = fail("https://127.0.0.1:9/")
    assert "/no/such/ca.pem" in str(error)
    assert "REQUESTS_CA_BUNDLE" in str(error)


def test_the_client_passes_its_ca_bundle_on(certificates: Files) -> None:
    """The sign-in uses it, and the official client as well."""
    sign_in = (
        b'{"credentials":{"token":"t|t|t","site":{"id":"6b7a1111-2222-4333-8444-555566667777"},"user":{"id":"u"}}}'
    )

    def serve(connection: socket.socket) -> None:
        while True:
            head = read_head(connection)
            body = sign_in if b"/auth/signin" in head else b'{"serverInfo":{"restApiVersion":"3.27"}}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    token = PersonalAccessToken("bot", "secret-value")
    with listening(over_tls(certificates, serve)) as port:
        url = f"https://localhost:{port}"
        with Tableau(url, "mk", token, sessions=MemorySessions(), ca_bundle=certificates.root) as client:
            assert client.session().token == "t|t|t"
            session = client.as_tsc().session
            assert session.get(url, timeout=30).status_code == 200


# --- limits -------------------------------------------------------------------------------------------------------


def test_a_response_that_unpacks_to_too_much_is_refused(tiny: TinyTableau) -> None:
    """A few kilobytes of gzip can hold gigabytes."""
    bomb = Reply(gzip.compress(b"\0" * 80_000_000), headers={"Content-Encoding": "gzip"})
    tiny.replies["GET /api/2.4/serverinfo"] = bomb
    with pytest.raises(InvalidResponse, match="larger than 64 MiB"):
        get(f"{tiny.url}/api/2.4/serverinfo", timeouts=Timeouts())


def test_endless_headers_are_an_error() -> None:
    """More headers than a server has reason to send end the call."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(5000)) + b"\r\n")

    with listening(serve) as port:
        assert not fail(f"http://127.0.0.1:{port}/").unsent


@pytest.mark.parametrize(
    ("error", "unavailable"),
    [
        (ServerError("x", status=503), True),
        (ServerError("x", status=503, retry_at=datetime.now(UTC)), False),
        (InvalidResponse("a proxy's page", status=502), True),
        (InvalidResponse("a login page", status=200), False),
        (NotFound("x", status=404), False),
    ],
)
def test_unavailable_is_what_every_call_would_meet(error: TableauError, *, unavailable: bool) -> None:
    """Jobs wait for Tableau after such an error."""
    assert error.unavailable is unavailable


@pytest.mark.parametrize(
    ("method", "repeat", "unavailable"), [("GET", None, True), ("POST", None, False), ("POST", True, True)]
)
def test_a_call_that_may_have_been_carried_out_shows_no_outage(
    method: str, *, repeat: bool | None, unavailable: bool
) -> None:
    """Its job would be attempted more often because of that."""
    with listening(read_head) as port, pytest.raises(ConnectionFailed) as caught:
        Transport("test", sleep=lambda _: None).send(method, f"http://127.0.0.1:{port}/x", headers={}, repeat=repeat)
    assert (caught.value.unsent, caught.value.unavailable) == (False, unavailable)
