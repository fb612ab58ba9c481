"""The URL that receives webhooks: built from the server's address and the token, and masked for people. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlencode, urlsplit

# Receives the presses of buttons in Slack.
INTERACTIONS_PATH = "/slack/interactions"
# Receives the replies to text messages.
REPLIES_PATH = "/twilio/messages"


def webhook_url(address: str, token: str, *, explicit: bool = False) -> str:
    """Return the webhook URL: an address with a path is used unchanged, otherwise `/webhook/<token>` is appended.

    With `explicit`, the token is added to an address with a path too, as `?token=`. An address without a scheme is
    http. Raises ValueError if it is not a web address.
    """
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{address!r} is not a web address such as http://127.0.0.1:8000")
    _ = parts.port  # raises ValueError for an invalid port
    if parts.path in {"", "/"}:
        path = f"/webhook/{quote(token, safe='')}" if token else "/webhook"
        return parts._replace(path=path).geturl()
    if explicit and token:
        query = "&".join(part for part in (parts.query, urlencode({"token": token})) if part)
        return parts._replace(query=query).geturl()
    return parts.geturl()


def public_url(address: str, token: str) -> str:
    """Return the webhook URL for Tableau; an address without a scheme is https. Raises ValueError."""
    return webhook_url(address if "://" in address else f"https://{address}", token)


def join_path(address: str, path: str) -> str:
    """Return the address of a path on the server that has this address; without a scheme it is https.

    The address's own path, query and user are left out: they may be secrets. Raises ValueError.
    """
    parts = urlsplit(public_url(address, ""))
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{path}"


def is_address(host: str) -> bool:
    """Return whether the host is an IP address or localhost, so that no DNS server decides where it leads."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def mask_url(url: str) -> str:
    """Return the URL without its secrets: the path, except a leading `/webhook`, the query, and the password.

    A token can be any other part of the path, also the first.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    first, _, rest = parts.path.strip("/").partition("/")
    path = "/***" if first != "webhook" else "/webhook/***" if rest else "/webhook"
    return f"{parts.scheme}://{host}{path}" + ("?***" if parts.query else "")
