"""Serve requests in the main thread of a process if their responses come later, such as those that wait for a commit.

A thread that waits for the commit of one event costs more than all the rest of the request: it has to be given the
request, and to be woken up again. See docs/decisions/039-deferred-responses.md.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.http.errors import NoMoreData  # type: ignore[import-untyped]
from gunicorn.workers.gthread import PollableMethodQueue  # type: ignore[import-untyped]

from webhooks.deferral import KEY, Deferral
from webhooks.gunicorn.reception import REQUEST_SECONDS, has_read_body

# The results of a thread that has served a request: the connection is kept, or ends.
KEPT: Future[bool] = Future()
KEPT.set_result(True)
ENDED: Future[bool] = Future()
ENDED.set_result(False)


class LastingQueue(PollableMethodQueue):  # type: ignore[misc]
    """The calls for the main thread, with a pipe that stays open when the worker has stopped.

    A thread may add one later, such as the one that commits. It writes to a file descriptor, and once that is closed,
    a file of the inbox may have its number.
    """

    def close(self) -> None:
        """Leave that to the end of the process."""


class Output:
    """Collects the response in place of a client's socket; it is sent in one piece when it is complete."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.data = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sendall(self, data: bytes) -> None:
        """Add a part of the response."""
        self.data += data


class Exchange(Deferral):
    """One request and its response."""

    __slots__ = ("began", "connection", "deadline", "environ", "failed", "output", "request", "response")

    def __init__(self, responses: DeferredResponses, connection: Any) -> None:
        super().__init__(responses.complete)
        self.connection = connection
        self.output = Output(connection.sock)
        self.request: Any = None
        self.response: Any = None
        self.environ: dict[str, Any] = {}
        self.failed = False
        self.began = time.monotonic()
        self.deadline = 0.0


class DeferredResponses:
    """The requests of a gunicorn worker that are served in its main thread, and wait for nothing there."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        # By connection, in the order of their deadlines.
        self._waiting: dict[Any, Exchange] = {}
        self._complete: deque[Exchange] = deque()
        self._called = False

    def __len__(self) -> int:
        """Return the number of requests whose response is not known yet."""
        return len(self._waiting)

    def serve(self, connection: Any) -> None:
        """Let the application begin with a request that was received whole, and respond unless it defers that."""
        worker, exchange = self._worker, Exchange(self, connection)
        try:
            exchange.request = request = next(connection.parser)
            worker.cfg.pre_request(worker, request)
            response, environ = wsgi.create(request, exchange.output, connection.client, connection.server, worker.cfg)
            exchange.response, exchange.environ = response, environ
            environ["wsgi.multithread"] = True
            environ[KEY] = exchange
            self._count_request()
            body = worker.wsgi(environ, response.start_response)
            if exchange.respond is not None:
                exchange.deadline = time.monotonic() + exchange.timeout
                self._waiting[connection] = exchange
                return
            self._write(exchange, body)
        except (StopIteration, NoMoreData):
            exchange.failed = True
        except Exception as error:  # noqa: BLE001 - as gunicorn does in its threads
            self._refuse(exchange, error)
        self._finish(exchange)

    def complete(self, exchange: Deferral) -> None:
        """Let the main thread respond; called by any thread."""
        assert isinstance(exchange, Exchange)
        self._complete.append(exchange)
        # One call for many: they are often complete at the same time.
        if not self._called:
            self._called = True
            self._worker.method_queue.defer(self._respond_to_all)

    def seconds_left(self) -> float:
        """Return the time until the first response has to be sent."""
        first = self._first()
        return REQUEST_SECONDS if first is None else max(0.0, first.deadline - time.monotonic())

    def expire(self, now: float) -> None:
        """Respond to those whose time is over."""
        while (first := self._first()) is not None and first.deadline <= now:
            self._respond(first)

    def _first(self) -> Exchange | None:
        return next(iter(self._waiting.values()), None)

    def _respond_to_all(self) -> None:
        self._called = False
        while self._complete:
            exchange = self._complete.popleft()
            # Not one whose time was over before.
            if self._waiting.get(exchange.connection) is exchange:
                self._respond(exchange)

    def _respond(self, exchange: Exchange) -> None:
        del self._waiting[exchange.connection]
        assert exchange.respond is not None
        try:
            self._write(exchange, exchange.respond(exchange.environ, exchange.response.start_response))
        except Exception as error:  # noqa: BLE001 - as above
            self._refuse(exchange, error)
        self._finish(exchange)

    def _count_request(self) -> None:
        worker = self._worker
        worker.nr += 1
        if worker.nr >= worker.max_requests and worker.alive:
            worker.log.info("Autorestarting worker after current request.")
            worker.alive = False

    def _write(self, exchange: Exchange, body: Iterable[bytes]) -> None:
        worker, response = self._worker, exchange.response
        if not worker.alive or not worker.cfg.keepalive or len(worker.keepalived_conns) >= worker.max_keepalived:
            response.force_close()
        try:
            for part in body:
                response.write(part)
            response.close()
        finally:
            # gunicorn collects what a line might have before it finds that no line is wanted.
            if worker.cfg.accesslog:
                duration = timedelta(seconds=time.monotonic() - exchange.began)
                worker.log.access(response, exchange.request, exchange.environ, duration)
            if hasattr(body, "close"):
                body.close()

    def _refuse(self, exchange: Exchange, error: Exception) -> None:
        """Write gunicorn's response to an error in place of what was written so far."""
        exchange.failed = True
        exchange.output.data.clear()
        self._worker.handle_error(exchange.request, exchange.output, exchange.connection.client, error)

    def _finish(self, exchange: Exchange) -> None:
        """Send what was written, and keep the connection or end it."""
        worker, connection, data = self._worker, exchange.connection, exchange.output.data
        if exchange.request is not None:
            try:
                worker.cfg.post_request(worker, exchange.request, exchange.environ, exchange.response)
            except Exception:
                worker.log.exception("Exception in post_request hook")
        kept = not exchange.failed and not exchange.response.should_close()
        if kept and not has_read_body(exchange.request):
            # It was received, so this does not wait.
            kept = bool(connection.parser.finish_body(deadline=time.monotonic() + REQUEST_SECONDS))
        sent = 0
        try:
            with suppress(BlockingIOError):
                sent = connection.sock.send(data) if data else 0
        except OSError:
            worker.finish_request(connection, ENDED)
            return
        if sent == len(data):
            worker.finish_request(connection, KEPT if kept else ENDED)
            return

        # A client that sends requests and reads no responses: a thread waits for it.
        def send_rest() -> bool:
            connection.sock.settimeout(REQUEST_SECONDS)
            connection.sock.sendall(data[sent:])
            return kept

        future = worker.tpool.submit(send_rest)
        future.add_done_callback(lambda done: worker.method_queue.defer(worker.finish_request, connection, done))
