"""HTTPS in front of the server, for `flask listen --cert`: a client that gets stuck blocks nobody.

One thread serves all connections. Only a request that has arrived whole is handed on, so whoever stops in the middle of
a handshake or of a body holds neither a thread of the server nor anybody else's connection. Only the hook and the
health checks are reachable this way: to the server behind, everybody seems to be on this machine.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
import threading
from dataclasses import dataclass

from webhooks import problem
from webhooks.event import MAX_BYTES

log = logging.getLogger(__name__)

CLIENT_SECONDS = 10.0
"""So long a client may take for its handshake, and again for its request."""
SERVER_SECONDS = 20.0
HEAD_BYTES = 16 * 1024
ANSWER_BYTES = 1024 * 1024
OPEN = re.compile(r"/(webhook(/[^\s]*)?|healthz|readyz)(\?[^\s]*)?")
DROPPED = ("connection:", "keep-alive:", "forwarded:", "x-forwarded-", "upgrade:", "expect:")
"""Headers that speak of the connection to us, and those that only a proxy of ours could know."""


class Refused(Exception):
    """A request that is answered here and not handed on."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


@dataclass(frozen=True, slots=True)
class Head:
    """A request's first lines: as they are handed on, and how many bytes follow."""

    text: bytes
    length: int


def context(cert: str, key: str | None) -> ssl.SSLContext:
    """What serves the certificate chain in the file `cert`. Raises OSError and ssl.SSLError (an OSError, too)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # A key with a password would be asked for on the terminal; there may be none.
    made.load_cert_chain(cert, key or None, password=lambda: "")
    made.set_alpn_protocols(["http/1.1"])
    return made


def read_head(raw: bytes) -> Head:
    """The head of a request as it is handed on: one request a connection. Raises Refused."""
    lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Refused(400, "This is not HTTP/1.1.")
    if not OPEN.fullmatch(words[1]) or ".." in words[1]:
        raise Refused(404, "Only the hook is here.")
    lengths = {line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("content-length:")}
    if any(line.lower().startswith("transfer-encoding:") for line in lines[1:]):
        raise Refused(411, "The request needs a Content-Length.")
    if len(lengths) > 1 or not all(length.isascii() and length.isdecimal() for length in lengths):
        raise Refused(400, "Content-Length is not a number.")
    length = int(next(iter(lengths), "0"))
    if length > MAX_BYTES:
        raise Refused(413, f"Over {MAX_BYTES // 1024} KiB.")
    kept = [line for line in lines if not line.lower().startswith(DROPPED)]
    return Head("\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1"), length)


class Front:
    """Serves HTTPS on a bound socket and hands requests on to a port of this machine, in a thread of its own."""

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext, port: int) -> None:
        self._listener, self._tls, self._port = listener, tls, port
        self._loop = asyncio.new_event_loop()
        # Handshakes that fail are their clients' business.
        self._loop.set_exception_handler(lambda _, given: log.debug("%s", given.get("message")))
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls", daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)

    def stop(self) -> None:
        """Closes the socket and drops what is under way."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve,
            sock=self._listener,
            ssl=self._tls,
            limit=HEAD_BYTES,
            ssl_handshake_timeout=CLIENT_SECONDS,
            ssl_shutdown_timeout=1.0,
        )

    async def _close(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await self._answer(reader))
            async with asyncio.timeout(CLIENT_SECONDS):
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            log.debug("A client went away: %s", type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                head = read_head(await reader.readuntil(b"\r\n\r\n"))
                body = await reader.readexactly(head.length)
            return await self._hand_on(head.text + body)
        except Refused as refusal:
            return _refusal(refusal.status, refusal.detail)
        except asyncio.LimitOverrunError:
            return _refusal(431, "The headers are too large.")

    async def _hand_on(self, request: bytes) -> bytes:
        try:
            async with asyncio.timeout(SERVER_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(request)
                    await writer.drain()
                    return await _whole(reader)
                finally:
                    writer.close()
        except (TimeoutError, OSError):
            return _refusal(503, "The server does not answer.")


async def _whole(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while (part := await reader.read(65536)) and len(answer) < ANSWER_BYTES:
        answer += part
    return answer


def _refusal(status: int, detail: str) -> bytes:
    body = problem.problem(status, detail)
    head = f"HTTP/1.1 {status} {problem.title(status)}\r\nContent-Type: {problem.CONTENT_TYPE}\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
