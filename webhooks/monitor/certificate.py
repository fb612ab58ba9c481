"""Looks at the certificate that an address shows: is it trusted, and how long is it good for?"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from webhooks.clock import from_timestamp

TIMEOUT_SECONDS = 5.0
ADVICE = {
    "unable to get local issuer certificate": "the server has to send the whole chain, or the issuer is not trusted",
    "self-signed certificate": "Tableau trusts certificates of public authorities only",
    "self-signed certificate in certificate chain": "Tableau trusts certificates of public authorities only",
    "certificate has expired": "it has to be renewed",
}


class CertificateError(Exception):
    """The address cannot be reached over TLS, or shows a certificate that is not trusted; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A trusted certificate: for which host it was shown, and when (UTC) it ends."""

    host: str
    ends_at: datetime

    def days_left(self, now: datetime) -> int:
        """Whole days; negative once it has ended."""
        return (self.ends_at - now).days


def fetch(url: str, *, timeout: float = TIMEOUT_SECONDS) -> Certificate:
    """The certificate that the https address in `url` shows, checked as Tableau does: chain, dates and name.

    Raises CertificateError. SSL_CERT_FILE names other authorities than the machine's own.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            socket.create_connection((host, port), timeout) as connection,
            ssl.create_default_context().wrap_socket(connection, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".")
        raise CertificateError(f"the certificate of {host} is not trusted: {why}; {_advice(why)}") from None
    except ssl.SSLError as error:
        raise CertificateError(f"{host}:{port} does not speak TLS: {error.reason or error}") from None
    except OSError as error:
        raise CertificateError(f"{host}:{port} cannot be reached: {error.strerror or error}") from None
    return Certificate(host, from_timestamp(ssl.cert_time_to_seconds(str(shown["notAfter"]))))


def _advice(why: str) -> str:
    return ADVICE.get(why, "Tableau would refuse it too")
