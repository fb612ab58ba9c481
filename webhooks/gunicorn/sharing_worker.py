"""gunicorn's threaded worker, made to give threads to whole requests only, and connections to a less busy process.

It uses attributes of gunicorn's worker that are not documented, so it is used only with the versions it was tested
with; with any other version the server runs with gunicorn's own threaded worker. See
docs/decisions/008-shared-connections.md, docs/decisions/014-connections.md and
docs/decisions/039-deferred-responses.md.
"""

from __future__ import annotations

import errno
import selectors
import time
from collections.abc import Callable, MutableSequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import takewhile
from typing import Any, ClassVar

from gunicorn import http  # type: ignore[import-untyped]
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker  # type: ignore[import-untyped]

from webhooks.gunicorn.lingering import LINGER_SECONDS, RECEIVE_BYTES, Lingering, has_received, unblock
from webhooks.gunicorn.main_thread import DeferredResponses, LastingQueue
from webhooks.gunicorn.problem_socket import ProblemSocket
from webhooks.gunicorn.reception import REQUEST_SECONDS, TIMED_OUT, LimitedSource, Reception, has_read_body

# As in pyproject.toml.
SUPPORTED = "27.0."
# Seconds for other processes to accept a connection first, for each connection that one of them holds fewer, and at
# most. That process may be unable to accept, so this is also the price of a connection then.
YIELD_SECONDS = 0.001
MAX_YIELD_SECONDS = 0.005
# The number of connections of a process that does not exist.
ABSENT = 1_000_000
# Seconds without accepting connections after the process had no file descriptor or memory for one.
ACCEPT_PAUSE_SECONDS = 1.0
# Seconds between two log lines about that.
LOG_SECONDS = 600.0
# accept(2) on Linux; the connection stays in the queue of the listening socket.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class SharingWorker(ThreadWorker):  # type: ignore[misc]
    """Receives requests without a thread, and leaves connections to other processes while it is busy.

    The main thread collects each request and hands it to a thread when it is whole, or serves it if the response can be
    deferred. At most half of the threads serve requests whose head is complete and whose body is not: refusals do not
    need the body. One deadline holds for head and body. A connection that ends is closed without waiting for the client
    in a thread or in the main thread.

    All processes wait on the same socket. The process that happens to be awake would accept every connection, while
    the others idle; so it leaves the next connection to the others for a moment if one of them holds fewer.
    """

    # How many connections each process holds, in memory shared by all; set before the fork.
    connections: ClassVar[MutableSequence[int]] = []
    # The position of this process in it.
    place: int = 0
    # Of gunicorn's worker.
    nr_conns: int
    # Returns whether a request, of which these are the first bytes, is served in the main thread: the application must
    # not wait for anything before it responds or defers the response. Set by the configuration.
    defers: Callable[[bytes], bool] = staticmethod(lambda _: False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = LastingQueue()
        # In the order of their deadlines.
        self._receptions: dict[Any, Reception] = {}
        self._lingering = Lingering(self)
        self._deferred = DeferredResponses(self)
        self._seats = max(1, self.cfg.threads // 2)
        self._accept_after = self._logged_at = 0.0
        # Whether other processes could accept the connection that is accepted next.
        self._yielded = False

    # Accept.

    def accept(self, listener: Any) -> None:
        """Accept one connection, after a pause if another process holds fewer or no file descriptor is left."""
        more = self.nr_conns - min(self.connections) - 1
        self._yielded = more > 0 and not self._yielded
        if self._yielded:
            self._pause_accepting(min(more * YIELD_SECONDS, MAX_YIELD_SECONDS))
            return
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._pause_accepting(ACCEPT_PAUSE_SECONDS)
            now = time.monotonic()
            if not self._logged_at or now > self._logged_at + LOG_SECONDS:
                self._logged_at = now
                self.log.error("Connections cannot be accepted, retrying: %s", error)  # noqa: TRY400 - says why
        self.connections[self.place] = self.nr_conns

    def _pause_accepting(self, seconds: float) -> None:
        self._accept_after = time.monotonic() + seconds
        self.set_accept_enabled(False)

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
        unblock(conn.sock)
        if conn.parser is not None and (buffered := conn.parser.unreader.take_buffered()):
            reception.request.add(buffered)
        self._receive(reception)
        # Most requests have arrived whole by now.
        if conn in self._receptions and not reception.request.full:
            self.watch(conn)

    def watch(self, connection: Any) -> None:
        """Let the poller call `_on_readable` when the client sends something or closes.

        A connection stays in the poller while a request is served in the main thread.
        """
        if not getattr(connection, "watched", False):
            connection.watched = True
            self.poller.register(connection.sock, selectors.EVENT_READ, lambda _: self._on_readable(connection))

    def _on_readable(self, connection: Any) -> None:
        if connection in self._receptions:
            self._receive(self._receptions[connection])
        elif connection in self._lingering:
            self._lingering.discard(connection)
        elif getattr(connection, "kept", False):
            connection.kept = False
            self.keepalived_conns.remove(connection)
            self.enqueue_req(connection)
        else:
            # The client sends more, or has closed, while its response is deferred.
            self._unwatch(connection)

    def _receive(self, reception: Reception) -> None:
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
            self._unwatch(reception.connection)

    def _hand_over(self, reception: Reception) -> None:
        """Let a thread serve the request, from what was received and what follows until the deadline."""
        connection, request = reception.connection, reception.request
        del self._receptions[connection]
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
        received = bytes(request.received)
        # While the response is deferred, the body is in memory once.
        request.received.clear()
        connection.parser.unreader.unread(received)
        # Not if another request follows: it would be served within this call.
        if request.length == len(received) and self.defers(received):
            self._deferred.serve(connection)
        else:
            self._unwatch(connection)
            super().enqueue_req(connection)

    def _drop(self, reception: Reception) -> None:
        del self._receptions[reception.connection]
        self.close(reception.connection)

    def _unwatch(self, connection: Any) -> None:
        if getattr(connection, "watched", False):
            connection.watched = False
            with suppress(OSError, KeyError, ValueError):
                self.poller.unregister(connection.sock)

    def close(self, connection: Any) -> None:
        """Close a connection in any state."""
        self._unwatch(connection)
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
        if self.cfg.is_ssl:
            before = self.nr_conns
            super().finish_request(conn, fs)
            # gunicorn counts the end of a client twice that closes before the handshake.
            self.nr_conns = max(self.nr_conns, before - 1)
        elif fs.cancelled() or fs.exception() is not None:
            self.close(conn)
        elif fs.result():
            self._keep(conn)
        else:
            self._lingering.add(conn)

    def _keep(self, connection: Any) -> None:
        """Do as gunicorn does, but leave the connection in the poller if it is there."""
        if connection.parser.unreader.buf.getvalue():
            self.enqueue_req(connection)
            return
        connection.set_timeout()
        if not self.alive:
            connection.timeout = min(connection.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        connection.kept = True
        self.keepalived_conns.append(connection)
        unblock(connection.sock)
        self.watch(connection)

    def _seat_next(self) -> None:
        """Hand over the oldest request that waits for a thread with an incomplete body."""
        if self._seats <= 0:
            return
        for reception in self._receptions.values():
            if reception.request.served:
                self._hand_over(reception)
                return

    # Deadlines, in the main thread; gunicorn calls this at least every second.

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait no longer than until a deferred response has to be sent, or connections are accepted again."""
        pause = self._accept_after - time.monotonic()
        if pause > 0:
            timeout = min(timeout, pause)
        super().wait_for_and_dispatch_events(min(timeout, self._deferred.seconds_left()))

    def murder_keepalived(self, force: bool = False) -> None:
        """End connections that were kept long enough; one whose next request has just arrived is served.

        To close a socket with unread data resets the connection, so the client would not learn what became of it.
        """
        if self.cfg.is_ssl or force:
            super().murder_keepalived(force)
            return
        now = time.monotonic()
        while self.keepalived_conns and self.keepalived_conns[0].timeout <= now:
            connection = self.keepalived_conns[0]
            if has_received(connection.sock):
                self._on_readable(connection)
            else:
                connection.kept = False
                self.keepalived_conns.popleft()
                self._lingering.add(connection)

    def murder_pending(self) -> None:
        """Close connections whose time is over, and the oldest that need none if there are too many."""
        super().murder_pending()
        now = time.monotonic()
        self._deferred.expire(now)
        self._lingering.expire(now)
        # A process that stops does not wait for clients that are silent.
        silent = now if self.alive else now + REQUEST_SECONDS - LINGER_SECONDS
        for reception in list(takewhile(lambda one: one.deadline <= silent, self._receptions.values())):
            if reception.deadline <= now or not reception.request.received:
                self._end_reception(reception)
        while self.nr_conns >= self.worker_connections and self._evict():
            pass
        # One that stops accepts none.
        self.connections[self.place] = self.nr_conns if self.alive else ABSENT

    def _end_reception(self, reception: Reception) -> None:
        if reception.connection not in self._receptions:
            return
        if reception.request.served:
            # The thread reads no more, and responds that the body ended early, or refuses for another reason.
            self._hand_over(reception)
            return
        if not reception.request.received:
            self._drop(reception)
            return
        with suppress(OSError):
            reception.connection.sock.send(TIMED_OUT)
        del self._receptions[reception.connection]
        self._lingering.add(reception.connection)

    def _evict(self) -> bool:
        """Close the oldest connection that has its last response, has not sent its head, or else was kept alive."""
        if self._lingering.close_oldest():
            return True
        for reception in self._receptions.values():
            if not reception.request.served:
                self._drop(reception)
                return True
        if not self.keepalived_conns:
            return False
        if not self.cfg.is_ssl and has_received(self.keepalived_conns[0].sock):
            self._on_readable(self.keepalived_conns[0])
            return True
        connection = self.keepalived_conns.popleft()
        # Over TLS, gunicorn has put it into the poller.
        connection.watched = True
        self.close(connection)
        return True


def choose_worker_class(version: str) -> type[SharingWorker] | str:
    """Return the worker class for this version of gunicorn; "gthread", gunicorn's own, for an unsupported one."""
    return SharingWorker if version.startswith(SUPPORTED) else "gthread"
