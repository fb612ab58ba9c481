"""The variables of the notifier for e-mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import Config, variable

# The usual port of each kind of security: https://www.rfc-editor.org/rfc/rfc8314
PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True)
class EmailConfig(Config):
    """The server, how to sign in there, the sender, and the default recipients."""

    address_variable: ClassVar[str] = "SMTP_TO"

    host: str = variable("SMTP_HOST", "SMTP server that sends the mail", required=True)
    port: str = variable("SMTP_PORT", "Its port. If empty, 587, 465 or 25 by `SMTP_SECURITY`")
    security: str = variable(
        "SMTP_SECURITY",
        "`starttls` (required, never skipped), `tls` from the first byte, or `none` for a server on this machine",
        default="starttls",
    )
    username: str = variable("SMTP_USERNAME", "User name at the server; if empty, without a sign-in")
    password: str = variable("SMTP_PASSWORD", "Password of that user", secret=True)
    sender: str = variable(
        "SMTP_FROM", "Sender: `bi@example.org` or `Tableau Webhooks <bi@example.org>`", required=True
    )
    to: str = variable("SMTP_TO", "Recipients of the destination `email`, separated by commas")

    @property
    def port_number(self) -> int:
        """The port. Raises ValueError for an invalid port or kind of security."""
        if self.security not in PORTS:
            raise ValueError(f"SMTP_SECURITY is {self.security!r}. Choose one of: {', '.join(PORTS)}")
        if not self.port:
            return PORTS[self.security]
        if not self.port.isascii() or not self.port.isdigit() or not 1 <= int(self.port) <= 65535:
            raise ValueError(f"SMTP_PORT is {self.port!r}. Write a number from 1 to 65535")
        return int(self.port)

    def service_urls(self) -> list[str]:
        """Return the address of the server."""
        return [f"smtp://{self.host}"]
