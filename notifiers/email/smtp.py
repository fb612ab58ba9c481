"""One exchange with an SMTP server, with a total time limit and verified TLS.

`smtplib` speaks the protocol on a socket of ours: its own has no total time limit.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from notifiers import deadline
from notifiers.email.errors import Reply, refusal
from notifiers.errors import NotifierError, redact, safe_cause

# Seconds to connect to one address, for each step, and for the whole exchange; servers may check a message at length.
CONNECT, STEP, TOTAL = 5.0, 30.0, 60.0
READY, START_MAIL = 220, 354


@dataclass(frozen=True)
class Server:
    """The server and the way to sign in; `make_context` makes the settings of TLS."""

    host: str
    port: int
    security: str
    make_context: Callable[[], ssl.SSLContext]
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def secrets(self) -> Iterable[str]:
        """The texts that no error may show."""
        return [self.password]


@contextmanager
def session(server: Server) -> Iterator[smtplib.SMTP]:
    """Give a client that is connected, secured and signed in. Raises NotifierError; inside, OSError is translated."""
    try:
        with deadline.time_limit(TOTAL):
            connection: socket.socket = deadline.connect(server.host, server.port, CONNECT)
            connection.settimeout(STEP)
            # Without a whole name for EHLO, smtplib would ask the resolver for that of this machine.
            name = socket.gethostname()
            client = smtplib.SMTP(local_hostname=name if "." in name and name.isascii() else "[127.0.0.1]")
            with closing(connection):
                if server.security == "tls":
                    connection = server.make_context().wrap_socket(connection, server_hostname=server.host)
                client.sock = connection
                with closing(client):
                    _greet(client, server)
                    yield client
                    with suppress(smtplib.SMTPException, OSError):
                        client.quit()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise _unreachable(server, error) from safe_cause(error, server.secrets)


def send(client: smtplib.SMTP, sender: str, recipients: Sequence[str], content: bytes) -> dict[str, Reply]:
    """Send the message, and return the recipients that the server refused, with its replies.

    Raises NotifierError if the server takes it for none of them; an uncertain one if its last reply was lost.
    """
    reply = client.mail(sender, ["body=8bitmime"] if client.has_extn("8bitmime") else [])
    if reply[0] != 250:
        raise refusal(reply, f"the sender {sender}")
    replies = {to: client.rcpt(to) for to in recipients}
    refused = {to: reply for to, reply in replies.items() if reply[0] not in (250, 251)}
    if len(refused) == len(recipients):
        # One that may be accepted later decides.
        to, reply = min(refused.items(), key=lambda item: item[1][0])
        raise refusal(reply, f"the recipient {to}" if len(recipients) == 1 else f"all recipients, {to}")
    try:
        reply = client.data(content)
    except smtplib.SMTPDataError as error:
        raise refusal((error.smtp_code, _bytes(error.smtp_error)), "the message") from None
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        words = f"The mail server did not confirm the message: {error}"
        raise NotifierError(words, uncertain=True) from error
    if reply[0] != 250:
        raise refusal(reply, "the message")
    return refused


def _greet(client: smtplib.SMTP, server: Server) -> None:
    """Read the greeting, begin TLS where it is asked for, and sign in."""
    reply = client.getreply()
    if reply[0] != READY:
        raise refusal(reply, "the connection")
    client.ehlo_or_helo_if_needed()
    if server.security == "starttls":
        _start_tls(client, server)
    if not server.username:
        return
    try:
        client.login(server.username, server.password)
    except smtplib.SMTPNotSupportedError as error:
        words = f"The mail server offers no known way to sign in: {error}. Leave SMTP_USERNAME empty if it needs none"
        raise NotifierError(words, permanent=True, sent=False) from None
    except smtplib.SMTPAuthenticationError as error:
        text = redact(_bytes(error.smtp_error).decode("utf-8", "replace"), server.secrets)
        raise refusal((error.smtp_code, text.encode()), "the sign-in") from None


def _start_tls(client: smtplib.SMTP, server: Server) -> None:
    """Begin TLS. A server that does not offer it is refused, because someone on the way may have removed the offer."""
    if not client.has_extn("starttls"):
        words = f"The mail server {server.host}:{server.port} does not offer STARTTLS: set SMTP_SECURITY to tls or none"
        raise NotifierError(words, permanent=True, sent=False)
    reply = client.docmd("STARTTLS")
    if reply[0] != READY:
        raise refusal(reply, "STARTTLS")
    assert client.sock is not None
    client.sock = server.make_context().wrap_socket(client.sock, server_hostname=server.host)
    # What was read before TLS must not count: https://www.rfc-editor.org/rfc/rfc3207#section-4.2
    client.file = None
    client.ehlo_resp = client.helo_resp = None
    client.esmtp_features, client.does_esmtp = {}, False
    client.ehlo()


def _unreachable(server: Server, error: Exception) -> NotifierError:
    reason = redact(str(error) or type(error).__name__, server.secrets)
    words = f"The mail server {server.host}:{server.port} cannot be reached: {reason}"
    if isinstance(error, ssl.SSLCertVerificationError):
        words += "; set CA_BUNDLE to the file with the certificate of its authority"
    elif isinstance(error, ssl.SSLError):
        words += "; is SMTP_SECURITY right for this port?"
    return NotifierError(words, sent=False)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
