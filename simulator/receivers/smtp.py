"""A small mail server on loopback for the demo: it accepts and shows every message, without TLS and sign-in.

The tests have a complete one with aiosmtpd, which would be installed with every server for the demo alone.
https://www.rfc-editor.org/rfc/rfc5321
"""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simulator.receivers.mail import refusal, take
from simulator.world.world import World

# Bytes of a line and of a message; seconds without a command after which a connection is closed.
MAX_LINE, MAX_MESSAGE, IDLE_SECONDS = 1000, 10 * 1024 * 1024, 60
RECIPIENTS = 100
ADDRESS = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>(?:\s.*)?", re.IGNORECASE)


class MailServer(socketserver.ThreadingTCPServer):
    """Serves each connection in a thread."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, world: World, port: int) -> None:
        super().__init__(("127.0.0.1", port), Session)
        self.world = world


class Session(socketserver.StreamRequestHandler):
    """One connection: the commands of a client, and the message that it is sending."""

    server: MailServer
    timeout = IDLE_SECONDS
    is_open: bool
    sender: str | None
    recipients: list[str]

    def handle(self) -> None:
        """Respond to commands until the client quits."""
        self.is_open, self.sender, self.recipients = True, None, []
        commands: dict[str, Callable[[str], None]] = {
            **dict.fromkeys(("HELO", "NOOP"), lambda _: self._reply("250 OK")),
            "EHLO": lambda _: self._reply(f"250-simulator\r\n250-SIZE {MAX_MESSAGE}\r\n250-SMTPUTF8\r\n250 8BITMIME"),
            "RSET": lambda _: self._reset(),
            "MAIL": self._begin,
            "RCPT": self._add,
            "DATA": lambda _: self._receive(),
            "QUIT": lambda _: self._close("221 2.0.0 Bye"),
        }
        try:
            self._reply("220 simulator ESMTP")
            while self.is_open and (line := self.rfile.readline(MAX_LINE + 1)):
                if len(line) > MAX_LINE:
                    self._close("500 5.5.2 Line too long")
                    return
                word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                commands.get(word.upper(), self._refuse)(rest)
        except OSError:
            # The client has gone, or sends nothing.
            return

    def _refuse(self, _: str) -> None:
        self._reply("502 5.5.1 Unknown command")

    def _begin(self, rest: str) -> None:
        found = ADDRESS.fullmatch(rest)
        if found:
            self.sender, self.recipients = found[1], []
        self._reply("250 OK" if found else "501 5.5.4 Syntax error in the address")

    def _add(self, rest: str) -> None:
        found = ADDRESS.fullmatch(rest)
        if self.sender is None or found is None:
            self._reply("503 5.5.1 MAIL first" if self.sender is None else "501 5.5.4 Syntax error in the address")
            return
        reply = "452 4.5.3 Too many recipients" if len(self.recipients) >= RECIPIENTS else refusal(found[1])
        if not reply:
            self.recipients.append(found[1])
        self._reply(reply or "250 OK")

    def _receive(self) -> None:
        if not self.recipients:
            self._reply("503 5.5.1 RCPT first")
            return
        self._reply("354 End with a line that has only a dot")
        content = bytearray()
        while (line := self.rfile.readline()) not in {b".\r\n", b".\n"}:
            if not line:
                self.is_open = False
                return
            # Past the limit nothing is collected, but the client may finish.
            if len(content) <= MAX_MESSAGE:
                content += line.removeprefix(b".")
        is_whole = len(content) <= MAX_MESSAGE
        self._reply(take(self.server.world, self.recipients, bytes(content)) if is_whole else "552 5.3.4 Too large")
        self.sender, self.recipients = None, []

    def _reset(self) -> None:
        self.sender, self.recipients = None, []
        self._reply("250 OK")

    def _close(self, text: str) -> None:
        self.is_open = False
        self._reply(text)

    def _reply(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def serving_mail(world: World, *, port: int = 0) -> Iterator[int]:
    """Serve mail on loopback for the length of a `with` block, and give the port."""
    with MailServer(world, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
