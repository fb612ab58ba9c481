"""Mail that the simulator accepts and shows, and a complete mail server for tests, which needs the package aiosmtpd.

Recipients whose name begins with `refused`, `full` or `later` are refused: for good, for now, and the message as well.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from simulator.receivers.state import Taken
from simulator.world.world import World

REPLIES = {
    "refused": "550 5.1.1 No such user here",
    "full": "452 4.2.2 Mailbox full",
    "later": "451 4.7.1 Greylisted, try again later",
}
USER, PASSWORD = "simulator", "simulated-mail-password"


def refusal(address: str) -> str:
    """Return the reply that refuses a recipient; empty for one that is accepted."""
    return next((reply for word, reply in REPLIES.items() if address.startswith(word)), "")


def take(world: World, recipients: Sequence[str], content: bytes) -> str:
    """Show a message, and return the reply to the client."""
    fault = world.faults.hit("email", "DATA", "/email")
    if fault:
        return f"{fault[0].code or 451} Simulated fault"
    mail = message_from_bytes(content, _class=EmailMessage, policy=default)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    headers = {name: str(value) for name, value in mail.items()}
    data = {"headers": headers, "html": html.get_content() if html else ""}
    title, text = headers.get("Subject", ""), plain.get_content().replace("\r\n", "\n") if plain else ""
    with world.lock:
        world.taking.messages.append(Taken("email", ", ".join(recipients), title, text, world.now(), data))
        world.changed()
    return "250 OK: taken"


class Mailbox:
    """Takes the messages into the world. The methods have the names that aiosmtpd calls."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Accept or refuse a recipient."""
        if reply := refusal(address):
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a message."""
        return take(self._world, envelope.rcpt_tos, envelope.content)


@contextmanager
def mail_server(
    world: World, *, port: int = 0, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve mail on loopback for the length of a `with` block, and give the port.

    With `starttls`, mail is refused before it and without a sign-in; with `tls` the connection begins with it.
    """
    from aiosmtpd.controller import Controller  # noqa: PLC0415 - only tests have it
    from aiosmtpd.smtp import AuthResult, LoginPassword  # noqa: PLC0415 - as above

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)

    if not port:
        # aiosmtpd connects to the port to see whether it serves, so it has to know it.
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    controller = Controller(
        Mailbox(world),
        hostname="127.0.0.1",
        port=port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=bool(starttls),
        authenticator=authenticate,
        # Without STARTTLS, aiosmtpd warns of required sign-ins, also for TLS from the first byte.
        auth_required=bool(starttls),
        auth_require_tls=not tls,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
