"""gunicorn's own TLS for `flask listen --cert`, with a time limit for clients that stall.

gunicorn does the handshake in a thread of its pool. A blocking SSL socket retries reads without end, whatever receive
timeout the socket has, so that a few stalled clients would hold every thread for good; see
docs/decisions/011-listen-tls.md.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from webhooks.problem import problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# How long a client may be silent in its handshake or its request. Tableau itself gives up after 3 s.
CLIENT_SECONDS = 5.0
# For each process; most of them never start. Each stalled client holds one for CLIENT_SECONDS.
THREADS = 256


class TimedSocket(ssl.SSLSocket):
    """A server's connection on which reading from a silent client times out after CLIENT_SECONDS."""

    def setblocking(self, flag: bool) -> None:
        super().settimeout(CLIENT_SECONDS if flag else 0.0)

    def settimeout(self, value: float | None) -> None:
        super().settimeout(CLIENT_SECONDS if value is None else value)

    def do_handshake(self, block: bool = False) -> None:
        with self._disconnect_stalled():
            super().do_handshake(block)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        with self._disconnect_stalled():
            return super().recv(buflen, flags)

    @contextmanager
    def _disconnect_stalled(self) -> Iterator[None]:
        """Disconnect on a time-out. gunicorn waits in its only accepting thread, 2 s for each client, for their end."""
        try:
            yield
        except TimeoutError:
            with suppress(OSError):
                self.shutdown(socket.SHUT_RDWR)
            raise


@cache
def server_context(cert: str, key: str | None) -> ssl.SSLContext:
    """Return a context that serves the certificate chain in the file `cert`. Raise OSError if it cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An encrypted key would make OpenSSL ask for its password on the terminal.
    context.load_cert_chain(cert, key or None, password=lambda: "")
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = TimedSocket
    return context


def gunicorn_context(config: Any, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the context for gunicorn's `ssl_context` hook, which is called for each connection."""
    return server_context(config.certfile, config.keyfile)


class WebhookOnly:
    """WSGI middleware that hides everything but the webhook and the health checks from the internet."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in {"/webhook", "/healthz", "/readyz"} or path.startswith("/webhook/"):
            return self._app(environ, start_response)
        return problem(404, "Only the webhook is served here.")(environ, start_response)
