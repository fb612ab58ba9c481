"""The public address of the server's pages, to which links in messages lead. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# An address without a user, a query and a fragment, and without characters that could end a link in a text.
ADDRESS = re.compile(r"""(?i:https?)://[^\x00-\x20@?#<>"'\\^`{|}\x7f-\U0010ffff]+""")


def pages_url(address: str) -> str:
    """Return the address without a slash at its end; without a scheme it is https.

    It may have a path under which a proxy serves the pages. Raises ValueError.
    """
    text = address if "://" in address else f"https://{address}"
    try:
        parts = urlsplit(text)
        _ = parts.port
        is_valid = bool(parts.hostname and ADDRESS.fullmatch(text))
    except ValueError:
        is_valid = False
    if not is_valid:
        # The part before an @ may be a password.
        shown = address.rpartition("@")[2]
        advice = "" if shown.isascii() else "; write its ASCII form, which begins with xn--"
        raise ValueError(f"{shown!r} is not an address such as https://webhooks.example.org{advice}")
    return text.rstrip("/")
