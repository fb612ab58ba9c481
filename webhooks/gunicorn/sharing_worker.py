"""gunicorn's threaded worker, made to give threads to whole requests only, and connections to a less busy process.

It uses attributes of gunicorn's worker that are not documented, so it is used only with the versions it was tested
with; with any other version the server runs with gunicorn's own threaded worker. See
docs/decisions/008-shared-connections.md and docs/decisions/014-connections.md.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import MutableSequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import takewhile
from typing import Any, ClassVar

from gunicorn import http  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from webhooks.gunicorn.problem_socket import ProblemSocket
from webhooks.gunicorn.reception import REQUEST_SECONDS, TIMED_OUT, LimitedSource, Reception, has_read_body

# As in pyproject.toml.
SUPPORTED = "27.0."
# Seconds for another process, which holds fewer connections, to accept one first: while this process has a free thread,
# and while it has none. The other process may be unable to accept, so this is also the price of a connection then.
YIELD_SECONDS = 0.001
BUSY_YIELD_SECONDS = 0.005
# The number of connections of a process that does not exist.
ABSENT = 1_000_000
# Seconds for a client to read the response and close, after which the connection is closed with what it still sends,
# https://www.rfc-editor.org/rfc/rfc9112#section-9.6
LINGER_SECONDS = 2.0
# Seconds without accepting connections after the process had no file descriptor or memory for one.
ACCEPT_PAUSE_SECONDS = 1.0
# Seconds between two log lines about that.
LOG_SECONDS = 600.0
# accept(2) on Linux; the connection stays in the queue of the listening socket.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
RECEIVE_BYTES = 64 * 1024


class SharingWorker(ThreadWorker):  # type: ignore[misc]
    """Receives requests without a thread, and leaves connections to other processes while it is busy.

    The main thread collects each request and hands it to a thread when it is whole. At most half of the threads serve
    requests whose head is complete and whose body is not: refusals do not need the body. One deadline holds for head
    and body. A connection that ends is closed without waiting for the client in a thread or in the main thread.

    All processes wait on the same socket. The process that happens to be awake would accept every connection, while
    the others idle; so it waits before it accepts a connection if another process holds fewer.
    """

    # How many connections each process holds, in memory shared by all; set before the fork.
    connections: ClassVar[MutableSequence[int]] = []
    # The position of this process in it.
    place: int = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In the order of their deadlines.
        self._receptions: dict[Any, Reception] = {}
        self._lingering: dict[Any, float] = {}
        self._seats = max(1, self.cfg.threads // 2)
        self._accept_after = self._logged_at = 0.0

    # Accept.

    def accept(self, listener: Any) -> None:
        """Accept one connection, or pause if the process has no file descriptor left."""
        if self.nr_conns > min(self.connections) + 1:
            # Connections that wait for their client do not occupy a thread.
            waiting = len(self.keepalived_conns) + len(self._receptions) + len(self._lingering)
            busy = self.nr_conns - waiting >= self.cfg.threads
            time.sleep(BUSY_YIELD_SECONDS if busy else YIELD_SECONDS)
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._pause_accepting(error)
        self.connections[self.place] = self.nr_conns

    def _pause_accepting(self, error: OSError) -> None:
        now = time.monotonic()
        self._accept_after = now + ACCEPT_PAUSE_SECONDS
        self.set_accept_enabled(False)
        if not self._logged_at or now > self._logged_at + LOG_SECONDS:
            self._logged_at = now
            self.log.error("Connections cannot be accepted, retrying: %s", error)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop to accept connections; not within a pause."""
        super().set_accept_enabled(enabled and time.monotonic() >= self._accept_after)

    # Receive, in the main thread.

    def enqueue_req(self, conn: Any) -> None:
        """Receive the next request of a connection that is new, or was kept alive, and then hand it to a thread."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
            return
        reception = self._receptions[conn] = Reception(conn, time.monotonic() + REQUEST_SECONDS)
        conn.sock.setblocking(False)
        if conn.parser is not None:
            reception.request.add(conn.parser.unreader.take_buffered())
        self.poller.register(conn.sock, selectors.EVENT_READ, lambda _: self._receive(reception))
        self._receive(reception)

    def _receive(self, reception: Reception) -> None:
        if reception.connection not in self._receptions:
            return  # closed in the same round
        request = reception.request
        if not request.whole:
            try:
                data = reception.connection.sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                # A client that closes after a part of its request gets a response: it may still read.
                self._hand_over(reception) if request.served else self._drop(reception)
                return
            request.add(data)
        if request.whole or (request.served and self._seats > 0):
            self._hand_over(reception)
        elif request.full:
            # The rest stays in the socket until a thread reads it.
            self._unregister(reception.connection)

    def _hand_over(self, reception: Reception) -> None:
        """Let a thread serve the request, from what was received and what follows until the deadline."""
        connection, request = reception.connection, reception.request
        del self._receptions[connection]
        self._unregister(connection)
        if not request.whole:
            reception.seat = True
            self._seats -= 1
        connection.reception = reception
        connection.data_ready = True
        source = LimitedSource(connection.sock, reception.deadline)
        if connection.parser is None:
            connection.parser = http.get_parser(self.cfg, source, connection.client)
        else:
            connection.parser.unreader.sock = source
        connection.parser.unreader.unread(bytes(request.received))
        super().enqueue_req(connection)

    def _drop(self, reception: Reception) -> None:
        del self._receptions[reception.connection]
        self._close(reception.connection)

    def _unregister(self, connection: Any) -> None:
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(connection.sock)

    def _close(self, connection: Any) -> None:
        self._unregister(connection)
        self.nr_conns -= 1
        connection.close()

    # Serve, in a thread.

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Serve one request; close the connection afterwards if a part of its body may be outstanding."""
        reception = getattr(conn, "reception", None)
        if reception is not None:
            conn.sock.settimeout(REQUEST_SECONDS)
            if not reception.request.keeps_connection:
                wants_close, source = req.should_close, conn.parser.unreader.sock
                # gunicorn asks when the response begins, after the application has read the body, or has not.
                req.should_close = lambda: wants_close() or source.ended or not has_read_body(req)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Refuse a request that cannot be read in the way in which the application refuses one."""
        super().handle_error(req, ProblemSocket(client), addr, exc)

    # Finish, in the main thread.

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Keep the connection for the next request, or end it."""
        reception = getattr(conn, "reception", None)
        if reception is not None and reception.seat:
            reception.seat = False
            self._seats += 1
            self._seat_next()
        if fs.cancelled() or fs.exception() is not None:
            self._close(conn)
        elif fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _seat_next(self) -> None:
        """Hand over the oldest request that waits for a thread with an incomplete body."""
        if self._seats <= 0:
            return
        for reception in self._receptions.values():
            if reception.request.served:
                self._hand_over(reception)
                return

    def _linger(self, connection: Any) -> None:
        """Close the connection as soon as the client does, but without waiting for it in this thread."""
        try:
            connection.sock.setblocking(False)
            connection.sock.shutdown(socket.SHUT_WR)
            self.poller.register(connection.sock, selectors.EVENT_READ, lambda _: self._discard(connection))
        except (OSError, ValueError):
            self._close(connection)
            return
        self._lingering[connection] = time.monotonic() + LINGER_SECONDS
        self._discard(connection)

    def _discard(self, connection: Any) -> None:
        """Read and forget what the client still sends, so that its response is not lost by a reset."""
        if connection not in self._lingering:
            return
        try:
            if connection.sock.recv(RECEIVE_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        del self._lingering[connection]
        self._close(connection)

    # Deadlines, in the main thread; gunicorn calls this at least every second.

    def murder_pending(self) -> None:
        """Close connections whose time is over, and the oldest silent ones if there are too many."""
        super().murder_pending()
        now = time.monotonic()
        for connection, _ in list(takewhile(lambda item: item[1] <= now, self._lingering.items())):
            del self._lingering[connection]
            self._close(connection)
        # A process that stops does not wait for clients that are silent.
        silent = now if self.alive else now + REQUEST_SECONDS - LINGER_SECONDS
        for reception in list(takewhile(lambda one: one.deadline <= silent, self._receptions.values())):
            if reception.deadline <= now or not reception.request.received:
                self._end_reception(reception)
        while self.nr_conns >= self.worker_connections and self._evict():
            pass
        self.connections[self.place] = self.nr_conns

    def _end_reception(self, reception: Reception) -> None:
        if reception.connection not in self._receptions:
            return
        if reception.request.served:
            # The thread reads no more, and responds that the body ended early, or refuses for another reason.
            self._hand_over(reception)
            return
        if reception.request.received:
            with suppress(OSError):
                reception.connection.sock.send(TIMED_OUT)
        self._drop(reception)

    def _evict(self) -> bool:
        """Close the oldest connection that has not sent its head, or else the oldest that was kept alive."""
        for reception in self._receptions.values():
            if not reception.request.served:
                self._drop(reception)
                return True
        if not self.keepalived_conns:
            return False
        self._close(self.keepalived_conns.popleft())
        return True


def choose_worker_class(version: str) -> type[SharingWorker] | str:
    """Return the worker class for this version of gunicorn; "gthread", gunicorn's own, for an unsupported one."""
    return SharingWorker if version.startswith(SUPPORTED) else "gthread"
