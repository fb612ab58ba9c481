"""Redirects: which ones lead to another server of the same Tableau, and may be followed with credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urljoin, urlsplit

from tableau_rest import errors

STATUSES = frozenset({301, 302, 307, 308})
# The others are temporary, https://www.rfc-editor.org/rfc/rfc9110#section-15.4
_PERMANENT = frozenset({301, 308})
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_CLOUD = ".online.tableau.com"
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
_MAX_LOCATION = 2000


def new_server(url: str, headers: Mapping[str, str], status: int) -> str:
    """Return the base URL of the server to which a response to `url` redirects.

    Followed is a redirect of the same path to the same host or a subdomain of it; Tableau Cloud redirects sign-ins from
    its generic host to the pod of the site. Raises InvalidResponse for any other, such as one to a login page, to a
    foreign domain, or from https to http; it is permanent if `status` says so, while maintenance redirects for a time.
    """
    location = headers.get("Location", "")
    old = urlsplit(url)
    try:
        new = urlsplit(urljoin(url, location)) if len(location) <= _MAX_LOCATION else SplitResult("", "", "", "", "")
        reason = _refusal(old, new) if location else "it has no address"
    except ValueError:
        reason = "its address is not a URL"
    if reason:
        advice = "Use the address of your site's own server, and exempt /api from login pages and proxies."
        raise errors.InvalidResponse(f"Redirect not followed: {reason}", permanent=status in _PERMANENT, advice=advice)
    host = f"[{new.hostname}]" if ":" in (new.hostname or "") else new.hostname
    return f"{new.scheme}://{host}" + (f":{new.port}" if new.port else "")


def _refusal(old: SplitResult, new: SplitResult) -> str:
    """Return why a redirect must not be followed, or an empty string."""
    old_host, host = old.hostname or "", new.hostname or ""
    if not _HOST.fullmatch(host) or new.scheme not in {"https", "http"}:
        return "its address is not a URL"
    if new.scheme != "https" and old.scheme == "https":
        return f"it leads from https to {new.scheme}"
    if "@" in new.netloc or not _same_organization(old_host, host):
        return f"it leads to a foreign host, {host}"
    if new.port not in {None, 443, old.port} and host not in _LOOPBACK:
        return f"it leads to another port, {host}:{new.port}"
    if new.path != old.path:
        return f"it leads to another page, {host}{new.path[:200]}"
    return ""


def _same_organization(old: str, new: str) -> bool:
    if old == new or {old, new} <= _LOOPBACK:
        return True
    return new.endswith((f".{old}", _CLOUD)) if f".{old}".endswith(_CLOUD) else new.endswith(f".{old}")
