"""The hook's URL: made from our address and the token, and shown without what may be secret in it. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlencode, urlsplit


def webhook_url(given: str, token: str, *, explicit: bool = False) -> str:
    """The hook's URL. One with a path stays as it stands; else `/webhook/<token>` is added.

    An `explicit` token goes to a URL with a path too, as `?token=`. Raises ValueError where it is no web address.
    """
    parts = urlsplit(given if "://" in given else f"http://{given}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{given!r} is no web address such as http://127.0.0.1:8000")
    _ = parts.port  # raises ValueError for a port that is no number
    if parts.path in {"", "/"}:
        path = f"/webhook/{quote(token, safe='')}" if token else "/webhook"
        return parts._replace(path=path).geturl()
    if explicit and token:
        query = "&".join(filter(None, (parts.query, urlencode({"token": token}))))
        return parts._replace(query=query).geturl()
    return parts.geturl()


def public_url(given: str, token: str) -> str:
    """The hook's URL as Tableau is to be told it; without a scheme it is https. Raises ValueError."""
    return webhook_url(given if "://" in given else f"https://{given}", token)


def mask_url(url: str) -> str:
    """The URL without what may be secret in it: all of the path but a `/webhook` it begins with, the query, a
    password. A token may be any other word of a path, also the first."""
    parts: SplitResult = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    first, _, rest = parts.path.strip("/").partition("/")
    path = "/***" if first != "webhook" else "/webhook/***" if rest else "/webhook"
    return f"{parts.scheme}://{host}{path}" + ("?***" if parts.query else "")
