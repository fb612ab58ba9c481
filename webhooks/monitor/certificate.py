"""Fetch the certificate of an https address: whether Tableau would trust it, and when it expires."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from webhooks.clock import from_timestamp

TIMEOUT_SECONDS = 5.0
# By OpenSSL's words for the fault, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/.
ADVICE = {
    "unable to get local issuer certificate": "configure the server to send the whole chain, with the intermediate "
    "certificates, or use an issuer that Tableau trusts",
    "self-signed certificate": "use a certificate of a public authority; Tableau trusts no other",
    "self-signed certificate in certificate chain": "use a certificate of a public authority; Tableau trusts no other",
    "certificate has expired": "renew it",
}


class CertificateError(Exception):
    """The certificate cannot be fetched."""


class Untrusted(CertificateError):
    """The address presents a certificate that is not trusted."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A trusted certificate: the host that presented it, and when (UTC) it expires."""

    host: str
    expires_at: datetime

    def days_left(self, now: datetime) -> int:
        """Return the number of whole days until it expires; negative if it has expired."""
        return (self.expires_at - now).days


def fetch(url: str, *, ca_bundle: Path | None = None, timeout: float = TIMEOUT_SECONDS) -> Certificate:
    """Return the certificate of the https address in `url`, verified as Tableau does: chain, dates and host name.

    The authorities in the file `ca_bundle` are trusted in addition to those of the machine, which the environment
    variable SSL_CERT_FILE replaces. Raises Untrusted, and CertificateError if no certificate is presented.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    context = ssl.create_default_context()
    if ca_bundle:
        context.load_verify_locations(ca_bundle)
    try:
        with (
            socket.create_connection((host, port), timeout) as connection,
            context.wrap_socket(connection, server_hostname=host) as tls,
        ):
            presented = tls.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message.rstrip(".")
        advice = ADVICE.get(reason, "Tableau would reject it, too")
        raise Untrusted(f"the certificate of {host} is not trusted: {reason}; {advice}") from None
    except ssl.SSLError as error:
        raise CertificateError(f"{host}:{port} does not speak TLS: {error.reason or error}") from None
    except OSError as error:
        raise CertificateError(f"cannot connect to {host}:{port}: {error.strerror or error}") from None
    return Certificate(host, from_timestamp(ssl.cert_time_to_seconds(str(presented["notAfter"]))))
