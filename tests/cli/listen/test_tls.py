"""HTTPS in front of the server: clients that get stuck block nobody, and little is reachable."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.support import certificates
from webhooks.cli.listen.tls import Front, Refused, context, read_head
from webhooks.cli.support.server_process import bound


@pytest.fixture
def behind() -> Iterator[int]:
    """A server that says what it got, at the port that this gives."""

    @Request.application
    def say(request: Request) -> Response:
        kept = {name: value for name, value in request.headers if name.startswith(("X-", "Connection"))}
        return Response(f"{request.method} {request.full_path} {kept} {len(request.data)}")

    server = make_server("127.0.0.1", 0, say, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def files(tmp_path: Path) -> certificates.Files:
    return certificates.issue(tmp_path)


@pytest.fixture
def front(behind: int, files: certificates.Files) -> Iterator[str]:
    """The front's address."""
    listener = bound("127.0.0.1", 0)
    port = listener.getsockname()[1]
    made = Front(listener, context(str(files.chain), str(files.key)), behind)
    made.start()
    yield f"https://127.0.0.1:{port}"
    made.stop()


def post(url: str, files: certificates.Files, body: bytes = b"{}", **headers: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data=body, headers=headers, verify=str(files.root), timeout=3)


def test_requests_reach_the_server_behind(front: str, files: certificates.Files) -> None:
    """With their body and headers, but not with what only a proxy of ours could know."""
    answer = post(f"{front}/webhook/t?x=1", files, b"x" * 60_000, **{"X-Forwarded-For": "10.0.0.1", "X-Mine": "1"})
    assert answer.status_code == 200
    assert answer.text == "POST /webhook/t?x=1 {'X-Mine': '1', 'Connection': 'close'} 60000"


def test_stuck_clients_block_nobody(front: str, files: certificates.Files) -> None:
    """Two hundred that stop before, in and after the handshake: the next request is answered at once."""
    port = int(front.rpartition(":")[2])
    stuck = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for number, one in enumerate(stuck):
        if number % 2:
            one.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a handshake
    halves = [_half_a_request(port, files) for _ in range(40)]
    try:
        assert post(f"{front}/webhook/t", files).elapsed.total_seconds() < 2
    finally:
        for connection in (*stuck, *halves):
            connection.close()


def _half_a_request(port: int, files: certificates.Files) -> ssl.SSLSocket:
    trusting = ssl.create_default_context(cafile=str(files.root))
    connection = trusting.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    connection.sendall(b"POST /webhook/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    return connection


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 404), ("/events", 404), ("/metrics", 404), ("/login", 404), ("/webhook", 200), ("/healthz", 200)],
)
def test_only_the_hook_is_reachable(front: str, files: certificates.Files, path: str, status: int) -> None:
    """To the server behind everybody seems to be on this machine, so its pages stay closed."""
    assert post(f"{front}{path}", files).status_code == status


def test_server_that_is_away_is_a_503(files: certificates.Files) -> None:
    """The front itself never hangs."""
    closed = bound("127.0.0.1", 0)
    nobody = closed.getsockname()[1]
    closed.close()
    listener = bound("127.0.0.1", 0)
    made = Front(listener, context(str(files.chain), str(files.key)), nobody)
    url = f"https://127.0.0.1:{listener.getsockname()[1]}/webhook"
    made.start()
    try:
        assert post(url, files).status_code == 503
    finally:
        made.stop()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /webhook SPDY/9\r\n\r\n", 400),
        (b"POST http://h/webhook HTTP/1.1\r\n\r\n", 404),
        (b"POST /webhook/../events HTTP/1.1\r\n\r\n", 404),
        (b"POST /webhook HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /webhook HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /webhook HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST /webhook HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(head: bytes, status: int) -> None:
    """Nothing is handed on that the server behind might take for something else."""
    with pytest.raises(Refused) as raised:
        read_head(head)
    assert raised.value.status == status
