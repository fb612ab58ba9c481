"""The transport: which requests were surely not sent, which may have been carried out, and no secret in any error."""

from __future__ import annotations

import socket
import ssl
import struct
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from notifiers import NotifierError
from notifiers.transport import LARGEST, Request, Response, Transport, basic_auth
from tests.notifiers.raw_server import raw_server, read_head
from tests.support import certificates

SECRET = "very-secret"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def send(url: str, *, ca_bundle: Path | None = None, body: bytes = b"b=%C3%BC") -> Response:
    """Post a small form, as the notifiers do."""
    transport = Transport("S", secrets=[SECRET], ca_bundle=str(ca_bundle or ""))
    return transport.send(Request("POST", url, basic_auth("user", SECRET) | FORM, body))


def tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the context of a TLS server, and the file with the root that its clients have to trust."""
    # As many private authorities issue it; by default Python 3.13 refuses it.
    files = certificates.issue(folder, key_identifiers=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    return context, files.root


def test_send_returns_the_response_whatever_its_status(vendor: Any, reply: Any) -> None:
    """Any status is a response; the request has our name and the credentials."""
    vendor.on("/x", reply({"a": 1}, status=418, headers={"X-Y": "z"}))
    response = send(f"{vendor.url}/x?q=1")
    assert (response.status, response.json(), response.headers["x-y"]) == (418, {"a": 1}, "z")
    request = vendor.requests[0]
    assert (request.form, request.query) == ({"b": "ü"}, {"q": "1"})
    assert request.headers["User-Agent"] == "tableau-webhooks"
    assert request.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_response_without_an_object_is_an_empty_one(vendor: Any, reply: Any, body: bytes) -> None:
    """A body that is not a JSON object reads as an empty object."""
    vendor.on("/x", reply(body))
    assert send(f"{vendor.url}/x").json() == {}


def test_redirect_is_not_followed(vendor: Any, reply: Any) -> None:
    """Credentials go to no other address."""
    vendor.on("/x", reply(status=307, headers={"Location": f"{vendor.url}/y"}))
    assert send(f"{vendor.url}/x").status == 307
    assert vendor.paths() == ["x"]


def hang_up_in_handshake(connection: socket.socket) -> None:
    connection.recv(1024)


def speak_plain(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("behaviour", [hang_up_in_handshake, speak_plain])
def test_failed_handshake_was_not_sent(behaviour: Callable[[socket.socket], None]) -> None:
    """A peer that hangs up, or speaks something else, before TLS is established has not seen the request."""
    with raw_server(behaviour) as server, pytest.raises(NotifierError, match="S cannot be reached") as caught:
        send(f"https://127.0.0.1:{server.port}/x")
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


def test_untrusted_certificate_was_not_sent_and_names_the_variable(tmp_path: Path) -> None:
    """A certificate that is not trusted stops before the request; the error says what to set."""
    context, root = tls(tmp_path)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            read_head(secure)
            secure.sendall(OK)

    with raw_server(serve) as server:
        with pytest.raises(NotifierError, match=r"CERTIFICATE_VERIFY_FAILED.*CA_BUNDLE") as caught:
            send(f"https://127.0.0.1:{server.port}/x")
        assert (caught.value.sent, caught.value.uncertain) == (False, False)
        assert send(f"https://127.0.0.1:{server.port}/x", ca_bundle=root, body=b"").status == 200


def test_unreadable_ca_bundle_is_permanent(tmp_path: Path) -> None:
    """A wrong path in CA_BUNDLE does not get better by itself."""
    with pytest.raises(NotifierError, match=r"no-such\.pem") as caught:
        send("https://127.0.0.1:1/x", ca_bundle=tmp_path / "no-such.pem")
    assert caught.value.permanent


def test_refused_connection_was_not_sent(refusing_url: str) -> None:
    """Nothing left: it is safe to retry."""
    with pytest.raises(NotifierError, match="S cannot be reached") as caught:
        send(refusing_url)
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


def test_unknown_host_was_not_sent() -> None:
    """A name that does not resolve is like a refused connection."""
    with pytest.raises(NotifierError, match="S cannot be reached") as caught:
        send("http://no-such-host.invalid/x")
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("trouble", [{"hang": True}, {"drop": True}])
def test_silence_after_sending_is_uncertain(vendor: Any, reply: Any, trouble: dict[str, bool]) -> None:
    """No response in time, or a connection that breaks: the request may have been carried out."""
    vendor.on("/x", reply(**trouble))
    with pytest.raises(NotifierError, match="S did not respond") as caught:
        send(f"{vendor.url}/x")
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, True, True)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_incomplete_response_is_uncertain(response: bytes) -> None:
    """After an incomplete or malformed response, the request was sent whole and may have been carried out."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(response)

    with raw_server(serve) as server, pytest.raises(NotifierError, match="S did not respond") as caught:
        send(f"http://127.0.0.1:{server.port}/x", body=b"")
    assert (caught.value.sent, caught.value.uncertain) == (True, True)


def reset(connection: socket.socket) -> None:
    # Closing with unread data and without lingering makes the kernel send a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_request_that_was_not_read_whole_was_not_sent() -> None:
    """A server that breaks the connection in the middle of the request cannot have carried it out."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        reset(connection)

    with raw_server(serve) as server, pytest.raises(NotifierError, match="S cannot be reached") as caught:
        send(f"http://127.0.0.1:{server.port}/x", body=bytes(30_000_000))
    assert (caught.value.sent, caught.value.uncertain) == (False, False)


def test_early_refusal_is_the_response() -> None:
    """A server that refuses a request before it has read it whole is understood."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        time.sleep(0.1)

    with raw_server(serve) as server:
        assert send(f"http://127.0.0.1:{server.port}/x", body=bytes(30_000_000)).status == 413


@pytest.mark.parametrize(
    "url",
    ["no-scheme/x", "ftp://example.org/x", "http://", "http://a b/", "http://[::1/x", "http://h:port/", "http://h/ü"],
)
def test_impossible_address_is_permanent(url: str) -> None:
    """A wrong setting does not get better by itself."""
    with pytest.raises(NotifierError, match="S cannot be called") as caught:
        send(url)
    assert (caught.value.permanent, caught.value.sent) == (True, False)


def test_secret_is_in_no_error(refusing_url: str) -> None:
    """Messages and chained errors are printed without the secret, even where it is part of the address."""
    with pytest.raises(NotifierError) as caught:
        send(f"{refusing_url}/{SECRET}")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_secret_is_in_no_response(vendor: Any, reply: Any) -> None:
    """A server that quotes the request does not make us log the secret."""
    vendor.on("/x", reply({"message": f"no user with {SECRET}"}, status=401))
    assert send(f"{vendor.url}/x").json()["message"] == "no user with ***"


def test_flood_of_a_response_is_cut_off(vendor: Any, reply: Any) -> None:
    """A response without end is not read to its end."""
    vendor.on("/x", reply(b" " * (4 * LARGEST)))
    with pytest.raises(NotifierError, match="larger than 1 MiB") as caught:
        send(f"{vendor.url}/x")
    assert caught.value.uncertain


@pytest.fixture
def by_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets requests go through a proxy on that port."""

    def use(port: int) -> None:
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", f"http://me:p%40ss@127.0.0.1:{port}")

    return use


def test_proxy_reads_a_plain_request(by_proxy: Callable[[int], None]) -> None:
    """Without TLS the proxy gets the whole address and its own credentials."""
    heads = []

    def serve(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(OK)

    with raw_server(serve) as server:
        by_proxy(server.port)
        assert send("http://service.invalid/x?q=1", body=b"").status == 200
    assert heads[0].startswith(b"POST http://service.invalid/x?q=1 HTTP/1.1\r\nHost: service.invalid\r\n")
    assert b"\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in heads[0]


def test_proxy_opens_a_tunnel_for_tls(by_proxy: Callable[[int], None], tmp_path: Path) -> None:
    """With TLS the proxy sees the host only; the request and its credentials go through the tunnel."""
    context, root = tls(tmp_path)
    heads = []

    def serve(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as secure:
            heads.append(read_head(secure))
            secure.sendall(OK)

    with raw_server(serve) as server:
        by_proxy(server.port)
        assert send("https://localhost/x", ca_bundle=root, body=b"").status == 200
    assert heads[0] == (
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n"
    )
    assert heads[1].startswith(b"POST /x HTTP/1.1\r\nHost: localhost\r\n")
    assert b"Proxy-Authorization" not in heads[1]


@pytest.mark.parametrize(
    "response", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"", b"SSH-2.0-x\r\n\r\n", b"x" * 100_000]
)
def test_proxy_without_a_tunnel_means_not_sent(by_proxy: Callable[[int], None], response: bytes) -> None:
    """A proxy that refuses, or is none, has not passed anything on."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(response)

    with raw_server(serve) as server:
        by_proxy(server.port)
        with pytest.raises(NotifierError, match="S cannot be reached") as caught:
            send("https://service.invalid/x")
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://"])
def test_proxy_of_another_kind_is_permanent(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A proxy that we cannot speak to is a wrong setting."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(NotifierError, match=r"the proxy for service\.invalid") as caught:
        send("http://service.invalid/x")
    assert caught.value.permanent


def test_no_proxy_is_obeyed(vendor: Any, reply: Any, monkeypatch: pytest.MonkeyPatch, refusing_url: str) -> None:
    """NO_PROXY names the hosts that are called directly."""
    monkeypatch.setenv("http_proxy", refusing_url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    vendor.on("/x", reply({}))
    assert send(f"{vendor.url}/x").status == 200
