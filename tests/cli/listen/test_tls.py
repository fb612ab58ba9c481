"""gunicorn's own TLS for `flask listen --cert`: stalled clients block no other, and little is reachable."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.support import certificates
from tests.support.simulated_site import TOKEN
from webhooks.cli.listen.server import bind_listener, run_server
from webhooks.cli.listen.tls import CLIENT_SECONDS, server_context
from webhooks.config.settings import Settings

HELLO = b"\x16\x03\x01\x02\x00\x01"  # the beginning of a TLS handshake


@pytest.fixture
def files(tmp_path: Path) -> certificates.Files:
    return certificates.issue(tmp_path)


@contextmanager
def serve(settings: Settings, files: certificates.Files, host: str = "127.0.0.1") -> Iterator[int]:
    """Run the server with this certificate; yield its port."""
    listener = bind_listener(host, 0)
    port: int = listener.getsockname()[1]
    options = [f"--certfile={files.chain}", f"--keyfile={files.key}"]
    with run_server(settings, listener, {}, threading.Event(), tls_options=options):
        yield port


@pytest.fixture
def port(settings: Settings, files: certificates.Files) -> Iterator[int]:
    with serve(settings, files) as port:
        yield port


def post(
    port: int, files: certificates.Files, path: str = f"/webhook/{TOKEN}", host: str = "127.0.0.1"
) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(f"https://{host}:{port}{path}", data=b"{}", verify=str(files.root), timeout=30)


@contextmanager
def stalled_clients(port: int, files: certificates.Files) -> Iterator[list[socket.socket]]:
    """Open 240 connections: 100 silent ones, 100 that stop in the handshake, 40 that stop in their request."""
    trusting = ssl.create_default_context(cafile=str(files.root))
    with ExitStack() as stack:

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))

        silent = [connect() for _ in range(100)]
        started = [connect() for _ in range(100)]
        for connection in started:
            connection.sendall(HELLO)
        halves: list[socket.socket] = []
        for _ in range(40):
            secured = trusting.wrap_socket(connect(), server_hostname="localhost")
            halves.append(stack.enter_context(secured))
            secured.sendall(b"POST /webhook/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        yield [*silent, *started, *halves]


def test_stalled_clients_block_no_other(port: int, files: certificates.Files) -> None:
    """With 240 connections that stop before, in and after the handshake, the next request gets its response at once."""
    with stalled_clients(port, files):
        began = time.monotonic()
        assert post(port, files).json() == {"status": "test"}
        assert time.monotonic() - began < CLIENT_SECONDS


def test_stalled_clients_are_disconnected(port: int, files: certificates.Files) -> None:
    """A client that stops in its handshake or in its request holds a thread for seconds only."""
    with stalled_clients(port, files) as clients:
        began = time.monotonic()
        for connection in clients:
            connection.settimeout(60)
            with suppress(ConnectionError, ssl.SSLError):
                while connection.recv(4096):
                    pass
        assert time.monotonic() - began < 2 * CLIENT_SECONDS + 20


def test_server_stops_in_time_with_stalled_clients(settings: Settings, files: certificates.Files) -> None:
    """They do not delay the end of the command beyond their time limit."""
    with ExitStack() as stack:
        with serve(settings, files) as port:
            stack.enter_context(stalled_clients(port, files))
            began = time.monotonic()
        assert time.monotonic() - began < CLIENT_SECONDS + 20


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/metrics", 404),
        ("/login", 404),
        ("/webhooks", 404),
        ("/healthz/x", 404),
        ("/webhook", 401),
        (f"/webhook/{TOKEN}", 200),
        ("/readyz", 405),
    ],
)
def test_only_the_webhook_and_the_health_checks_are_reachable(
    port: int, files: certificates.Files, path: str, status: int
) -> None:
    """Nothing else of the server is exposed to the internet."""
    response = post(port, files, path)
    assert response.status_code == status
    assert response.headers["Content-Type"] in {"application/json", "application/problem+json"}


def test_plain_http_and_scanners_do_no_harm(port: int, files: certificates.Files) -> None:
    """Garbage instead of a handshake ends that connection only."""
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 50, b"SSH-2.0-x\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(garbage)
            with suppress(ConnectionError):
                connection.recv(1000)
    assert post(port, files).status_code == 200


def test_bodies_arrive_whole(port: int, files: certificates.Files) -> None:
    """60,000 bytes over several TLS records reach the receiver; 70,000 are too many."""
    for size, status in ((60_000, 422), (70_000, 413)):
        with requests.Session() as session:
            session.trust_env = False
            body = b'"' + b"x" * size + b'"'
            url = f"https://127.0.0.1:{port}/webhook/{TOKEN}"
            assert session.post(url, data=body, verify=str(files.root), timeout=30).status_code == status


def test_key_with_a_password_is_refused_instead_of_asked_for(tmp_path: Path) -> None:
    """There may be no terminal; the error comes before the server starts."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    files = certificates.issue(tmp_path)
    encryption = serialization.BestAvailableEncryption(b"secret")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files.key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, encryption))
    with pytest.raises(OSError, match=r"(?i)pem|decrypt|password"):
        server_context(str(files.chain), str(files.key))
