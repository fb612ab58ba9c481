"""A worker that has a certificate itself: gunicorn's own threads serve all requests then."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gunicorn.test_main_thread import LONG, Served, request, response
from tests.support.certificates import issue
from tests.support.server import wait_for


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """Return the context of a client, and write the certificate's files."""
    return ssl.create_default_context(cafile=str(issue(tmp_path).root))


@pytest.fixture
def served(tmp_path: Path, certificate: ssl.SSLContext) -> Iterator[Served]:
    """A worker, stopped at the end; it holds no connection then."""
    files = issue(tmp_path)
    served = Served(certfile=str(files.chain), keyfile=str(files.key), keepalive=60)
    yield served
    served.stop()
    assert served.worker.nr_conns == 0


def test_a_connection_that_makes_room_is_forgotten(served: Served, certificate: ssl.SSLContext) -> None:
    """The poller would refuse the next connection, which has the same number."""
    worker = served.worker
    with certificate.wrap_socket(served.client(), server_hostname="localhost") as client:
        client.sendall(request("/webhook/page"))
        assert response(client) == (200, True, b"ThreadPoolExecutor")
        wait_for(lambda: worker.keepalived_conns, what="the connection to be kept")
        descriptor = worker.keepalived_conns[0].sock.fileno()
        assert descriptor in worker.poller.get_map()
        worker.method_queue.defer(worker._evict)
        wait_for(lambda: not worker.nr_conns, what="the end of the connection")
        assert descriptor not in worker.poller.get_map()


def test_a_client_without_a_handshake_is_counted_once(served: Served) -> None:
    """Health checks of load balancers connect and close; other processes would leave all connections to this one."""
    counts = []
    for _ in range(3):
        with socket.create_connection(served.listener.getsockname(), timeout=LONG):
            wait_for(lambda: served.worker.nr_conns == 1, what="the connection")
        wait_for(lambda: served.worker.nr_conns < 1, what="its end")
        counts.append(served.worker.nr_conns)
    assert counts == [0, 0, 0]
