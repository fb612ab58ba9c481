"""Clients that are silent, slow, or too many: events are acknowledged meanwhile, and no process ends."""

from __future__ import annotations

import fcntl
import json
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import pytest

from tests.acceptance.test_load import children
from tests.support.server import CREDENTIAL, GUNICORN, TOKEN, Server, serving, wait_for
from webhooks.inbox import Inbox

# Tableau gives up after this time, which is much less than any deadline of the server.
ACKNOWLEDGED_SECONDS = 3.0
# REQUEST_SECONDS and a few for a loaded machine.
DEADLINE_SECONDS = 15.0

LENGTH = b"Content-Length: 60000\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
EXPECT = b"Expect: 100-continue\r\nContent-Length: 60000\r\n\r\n"


def head(target: str, method: str = "POST") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n".encode()


GOOD, WRONG, HEALTH = head(f"/webhook/{TOKEN}"), head("/webhook/wrong"), head("/healthz", "GET")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), CREDENTIAL, WORKER_THREADS="0", WEB_CONCURRENCY="2") as running:
        yield running


def connect(server: Server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((str(address.hostname), address.port), timeout=DEADLINE_SECONDS)


def acknowledge(server: Server, number: int) -> tuple[str, float]:
    """Send an event over a new connection, and return the status of the response and the seconds it took."""
    body = json.dumps({"event_type": "WorkbookCreated", "resource_name": f"{time.monotonic()} {number}"})
    began = time.monotonic()
    with connect(server) as connection:
        request = GOOD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        connection.sendall(request)
        status = connection.makefile("rb").readline()[9:12].decode()
    return status, time.monotonic() - began


@contextmanager
def clients(server: Server, count: int, start: bytes, drip: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections, send the start on each, then `drip` twice a second for as long as the context lasts."""
    connections = [connect(server) for _ in range(count)]
    stop = threading.Event()

    def send() -> None:
        while drip and not stop.wait(0.5):
            for connection in connections:
                with suppress(OSError):
                    connection.send(drip)

    sender = threading.Thread(target=send)
    try:
        for connection in connections:
            connection.sendall(start)
        sender.start()
        time.sleep(0.3)
        yield connections
    finally:
        stop.set()
        sender.join()
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    ("count", "start", "drip"),
    [
        pytest.param(200, b"", b"", id="silent"),
        pytest.param(200, b"P", b"", id="one byte, then silent"),
        pytest.param(24, WRONG, b"A: b\r\n", id="slow head"),
        pytest.param(24, b"\r\n" * 100, b"\r\n", id="empty lines before the head"),
        pytest.param(24, WRONG + LENGTH, b"x", id="slow body, wrong token"),
        pytest.param(24, WRONG + CHUNKED, b"1\r\nx\r\n", id="slow chunks, wrong token"),
        pytest.param(24, WRONG + EXPECT, b"x", id="slow body after 100-continue, wrong token"),
        pytest.param(24, HEALTH + LENGTH, b"x", id="slow body of a GET"),
        pytest.param(24, HEALTH + CHUNKED, b"1\r\nx\r\n", id="slow chunks of a GET"),
        pytest.param(24, HEALTH + CHUNKED, b"1;" + b"e" * 50, id="slow chunk extension"),
        pytest.param(40, GOOD + LENGTH, b"x", id="slow body, right token"),
        pytest.param(40, GOOD + CHUNKED, b"1\r\nx\r\n", id="slow chunks, right token"),
        pytest.param(40, GOOD + EXPECT, b"x", id="slow body after 100-continue, right token"),
        pytest.param(24, HEALTH + b"Connection: close\r\n\r\n", b"", id="never closes after the response"),
        pytest.param(24, HEALTH + b"Connection: close\r\n\r\n", b"x", id="sends after the response"),
        pytest.param(24, HEALTH + b"\r\n" + WRONG, b"A: b\r\n", id="slow second head"),
    ],
)
def test_events_are_acknowledged_meanwhile(server: Server, count: int, start: bytes, drip: bytes) -> None:
    """No client holds a thread that an event needs, and none the thread that accepts connections."""
    with clients(server, count, start, drip):
        responses = [acknowledge(server, number) for number in range(30)]
    assert {status for status, _ in responses} == {"200"}
    assert median(seconds for _, seconds in responses) < ACKNOWLEDGED_SECONDS


def require_waiting(server: Server, count: int) -> None:
    """Let events be refused, all of them after their time and not one after the other; /healthz responds meanwhile."""
    with ThreadPoolExecutor(count) as senders:
        began = time.monotonic()
        sent = [senders.submit(acknowledge, server, number) for number in range(count)]
        with connect(server) as health:
            health.sendall(HEALTH + b"Connection: close\r\n\r\n")
            assert health.makefile("rb").readline()[9:12] == b"200"
        assert not all(one.done() for one in sent)
        assert {one.result()[0] for one in sent} == {"503"}
        assert time.monotonic() - began < DEADLINE_SECONDS


def test_a_locked_database_stops_nothing_else(tmp_path: Path) -> None:
    """All senders get their 503 at the same time, /healthz responds meanwhile, and then events are stored again."""
    with serving(tmp_path, CREDENTIAL, WORKER_THREADS="0", WEB_CONCURRENCY="2") as server:
        # Each process has the database open.
        wait_for(lambda: {acknowledge(server, number)[0] for number in range(20)} == {"200"})
        with (tmp_path / "inbox.sqlite3.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            require_waiting(server, 150)
        assert acknowledge(server, 0)[0] == "200"


def test_a_database_that_was_locked_before_the_start_stops_nothing_else(tmp_path: Path) -> None:
    """No process has it open yet: the same holds, and then events are stored."""
    file = tmp_path / "inbox.sqlite3"
    Inbox.open(f"sqlite:///{file}").close()
    shell = sqlite3.connect(file, isolation_level=None)
    shell.execute("PRAGMA locking_mode=EXCLUSIVE")
    shell.execute("BEGIN EXCLUSIVE")
    with serving(tmp_path, CREDENTIAL, path="/healthz", WORKER_THREADS="0", WEB_CONCURRENCY="2") as server:
        require_waiting(server, 150)
        shell.close()
        wait_for(lambda: acknowledge(server, 0)[0] == "200")


def test_a_database_server_that_accepts_and_is_silent_stops_nothing_else(tmp_path: Path) -> None:
    """PostgreSQL's port is open, but the connection is never completed."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        more = {"DATABASE_URL": f"postgresql://a:b@127.0.0.1:{listener.getsockname()[1]}/c", "WORKER_THREADS": "0"}
        with serving(tmp_path, CREDENTIAL, path="/healthz", WEB_CONCURRENCY="2", **more) as server:
            require_waiting(server, 150)


@pytest.mark.parametrize(
    ("start", "drip", "status"),
    [
        (b"", b"", b""),
        (WRONG, b"A: b\r\n", b"408"),
        (GOOD + LENGTH, b"x", b"408"),
        (GOOD + CHUNKED, b"1\r\nx\r\n", b"408"),
        (HEALTH + b"\r\n", b"", b"200"),
    ],
    ids=["silent", "head", "body", "chunks", "kept alive"],
)
def test_one_deadline_holds_for_the_whole_request(server: Server, start: bytes, drip: bytes, status: bytes) -> None:
    """A client that sends a byte now and then does not extend it."""
    began = time.monotonic()
    with clients(server, 6, start, drip) as connections:
        for connection in connections:
            received = b""
            with suppress(ConnectionError):
                while data := connection.recv(4096):
                    received += data
            assert received[9:12] == status, received
            if status == b"200":
                # It ends in order: a request that crosses the end is not reset.
                connection.sendall(HEALTH + b"\r\n")
                assert connection.recv(4096) == b""
    assert time.monotonic() - began < 4 * DEADLINE_SECONDS


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (WRONG + LENGTH, b"401"),
        (WRONG + CHUNKED, b"401"),
        (GOOD + b"Content-Length: 9999999\r\n\r\n", b"413"),
        (head("/webhook", "PUT") + LENGTH, b"405"),
        (head("/nothing") + LENGTH, b"404"),
        (HEALTH + LENGTH, b"200"),
    ],
    ids=["401", "401 chunks", "413", "405", "404", "200"],
)
def test_responses_that_need_no_body_do_not_wait_for_it(server: Server, start: bytes, status: bytes) -> None:
    """The response says that the connection is closed, and it is: the rest of the body would be taken for a request."""
    with connect(server) as connection:
        connection.settimeout(ACKNOWLEDGED_SECONDS)
        connection.sendall(start)
        file = connection.makefile("rb")
        received = file.read()
    assert received[9:12] == status
    assert b"\r\nConnection: close\r\n" in received


@pytest.mark.parametrize("size", [1000, 50, 7])
def test_connections_are_kept_and_may_be_used_ahead(server: Server, size: int) -> None:
    """Several requests in one piece, and in pieces of any size, are served in their order over one connection."""
    body = b'{"event_type": "Test"}'
    event = GOOD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    unread = HEALTH + b"Content-Length: 20\r\n\r\n" + b"GET /x HTTP/1.1\r\n\r\n\n" if size == 1000 else b""
    end = head("/nothing", "GET") + b"Connection: close\r\n\r\n"
    requests = event + unread + HEALTH + b"\r\n" + event + event + end
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(0, len(requests), size):
            connection.sendall(requests[position : position + size])
            time.sleep(0.005)
        received = connection.makefile("rb").read()
    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200"] * (5 if unread else 4) + [b"404"], received


def test_an_early_end_is_answered(server: Server) -> None:
    """A client that closes its side in the middle of the body still reads the response."""
    for start in (GOOD + b"Content-Length: 10\r\n\r\nabc", GOOD + CHUNKED + b"5\r\nab"):
        with connect(server) as connection:
            connection.sendall(start)
            connection.shutdown(socket.SHUT_WR)
            assert connection.makefile("rb").readline()[9:12] in {b"408", b"400"}


LIMITED = (
    "import resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))\n"
    "from gunicorn.app.wsgiapp import run\nsys.argv = ['gunicorn', 'index:app'{more}]\nrun()\n"
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("more", "start"),
    [
        pytest.param("", b"", id="as configured"),
        pytest.param("", HEALTH + b"Connection: close\r\n\r\n", id="never close after the response"),
        pytest.param(", '--worker-connections', '1000'", b"", id="descriptors used up"),
    ],
)
def test_more_connections_than_file_descriptors(tmp_path: Path, more: str, start: bytes) -> None:
    """No process ends, the log has one line about it, and events are acknowledged, at the latest when it is over."""
    code = LIMITED.format(files=128, more=more)
    with serving(tmp_path, CREDENTIAL, command=("-c", code), WORKER_THREADS="0", WEB_CONCURRENCY="2") as server:
        workers = wait_for(lambda: children(server.process.pid)[1:] and children(server.process.pid), what="both")
        with clients(server, 400, start):
            if not more:
                responses = [acknowledge(server, number) for number in range(10)]
                assert {status for status, _ in responses} == {"200"}
                seconds = [seconds for _, seconds in responses]
                # Whether the first one waits for those before it.
                assert (seconds[0] if start else median(seconds)) < ACKNOWLEDGED_SECONDS
            time.sleep(2)
        assert acknowledge(server, 11)[0] == "200"
        assert children(server.process.pid) == workers
        lines = server.log.read_text().count("Connections cannot be accepted")
        assert lines == 0 if not more else 1 <= lines <= len(workers)


def test_a_stop_does_not_wait_for_silent_clients(tmp_path: Path) -> None:
    """Clients that have sent nothing are closed soon; a deployment need not wait for them."""
    with serving(tmp_path, CREDENTIAL, command=GUNICORN, WORKER_THREADS="0") as server, clients(server, 20, b""):
        began = time.monotonic()
        server.process.terminate()
        server.process.wait(60)
        # Connections that are waited for last until the graceful timeout of 30 s.
        assert time.monotonic() - began < 20
