"""The TLS settings of all notifiers."""

from __future__ import annotations

import ssl

import certifi

from notifiers import deadline


def make_context(ca_bundle: str = "") -> ssl.SSLContext:
    """Return a context that verifies certificates and obeys `time_limit`.

    `ca_bundle` names a file of certificates that are trusted beside the usual ones. Raises OSError if it is unreadable.
    """
    context = ssl.create_default_context()
    # On some systems OpenSSL finds no certificates of its own.
    context.load_verify_locations(certifi.where())
    if ca_bundle:
        context.load_verify_locations(ca_bundle)
        # Python 3.13 refuses certificates without key identifiers, which private authorities often issue:
        # https://docs.python.org/3/library/ssl.html#ssl.create_default_context
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return deadline.limited(context)
