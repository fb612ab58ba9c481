"""Messages by e-mail through an SMTP server: https://www.rfc-editor.org/rfc/rfc5321."""

from __future__ import annotations

import re
from email.utils import parseaddr
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from notifiers.config import Config
from notifiers.email.config import EmailConfig
from notifiers.errors import NotifierError, PartlyDelivered, redact
from notifiers.message import EMAIL, Message, Receipt
from notifiers.notifier import Capabilities, Notifier

if TYPE_CHECKING:
    import ssl
    from email.headerregistry import Address

    from notifiers.email.smtp import Server

# Recipients of one message, who see each other's addresses.
MAX_RECIPIENTS = 50


class EmailNotifier(Notifier):
    """Sends e-mail; what belongs to one incident is one conversation."""

    kind: ClassVar[str] = "email"
    label: ClassVar[str] = "E-mail"
    config_class: ClassVar[type[Config]] = EmailConfig
    capabilities: ClassVar[Capabilities] = Capabilities(actions=True)
    example: ClassVar[str] = "email:ann@example.org"
    # A single address; whether that is a mailing list cannot be known.
    personal: ClassVar[re.Pattern[str]] = re.compile(r"[^,]+")

    config: EmailConfig

    @staticmethod
    def parse_address(text: str) -> str:
        """Return one or several e-mail addresses, separated by commas. Raises ValueError."""
        parts = [part.strip() for part in text.split(",")]
        for part in parts:
            if not _is_address(part):
                raise ValueError(f"{part!r} is not an e-mail address such as ann@example.org")
        if len(parts) > MAX_RECIPIENTS:
            raise ValueError(
                f"{len(parts)} recipients are too many; the most are {MAX_RECIPIENTS}. Write a list's address"
            )
        return ",".join(dict.fromkeys(parts))

    def deliver(self, message: Message, address: str) -> Receipt:
        """Send one e-mail to all recipients of the address.

        Raises PartlyDelivered if the server refused some of them; the others have the message.
        """
        from email.headerregistry import Address  # noqa: PLC0415 - processes that send no mail need no parser of it

        from notifiers.email import smtp  # noqa: PLC0415 - commands that send nothing start without it
        from notifiers.email.errors import refused_recipients  # noqa: PLC0415 - as above
        from notifiers.email.render import render  # noqa: PLC0415 - as above

        try:
            recipients = self.parse_address(address).split(",")
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from error
        server, sender = self._server, self._sender
        mail = render(message, sender, [Address(addr_spec=to) for to in recipients], self.clock())
        with smtp.session(server) as client:
            refused = smtp.send(client, sender.addr_spec, recipients, mail.as_bytes())
        receipt = Receipt(address, str(mail["Message-ID"]))
        if refused:
            words = f"The mail server refused {redact(refused_recipients(refused), server.secrets)}. "
            raise PartlyDelivered(f"{words}The other recipients have the message, so it is not repeated", receipt)
        return receipt

    def check(self) -> str:
        """Connect to the server and sign in; nothing is sent."""
        from notifiers.email import smtp  # noqa: PLC0415 - as above

        self.require_configured()
        server, sender = self._server, self._sender
        with smtp.session(server):
            pass
        user = f", signed in as {server.username}" if server.username else ""
        return f"E-mail: {server.host}:{server.port} ({server.security}){user}, from {sender.addr_spec}"

    @cached_property
    def _server(self) -> Server:
        from notifiers.email.smtp import Server  # noqa: PLC0415 - as above

        config = self.config
        try:
            port = config.port_number
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        return Server(config.host, port, config.security, self._make_context, config.username, config.password)

    @cached_property
    def _sender(self) -> Address:
        name, address = parseaddr(self.config.sender)
        if not _is_address(address):
            words = f"SMTP_FROM is {self.config.sender!r}; write an address such as bi@example.org"
            raise NotifierError(words, permanent=True, sent=False)
        from email.headerregistry import Address  # noqa: PLC0415 - as above

        return Address(name, addr_spec=address)

    def _make_context(self) -> ssl.SSLContext:
        from notifiers.tls import make_context  # noqa: PLC0415 - as above

        try:
            return make_context(self.ca_bundle)
        except OSError as error:
            words = f"The CA bundle {self.ca_bundle} is not readable: {error}"
            raise NotifierError(words, permanent=True, sent=False) from error


def _is_address(text: str) -> bool:
    # Other characters would need a server with SMTPUTF8; a domain can be written as xn--….
    if not text.isascii() or not EMAIL.fullmatch(text):
        return False
    from email.headerregistry import Address  # noqa: PLC0415 - as above

    try:
        Address(addr_spec=text)
    except (ValueError, IndexError):
        return False
    return True
