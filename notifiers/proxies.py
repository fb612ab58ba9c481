"""The proxies on the way to services, as the environment names them (https_proxy, no_proxy, …)."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass


class Proxies:
    """Finds the proxy for a URL, once for each scheme and host: the environment of a process does not change."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], SplitResult | None] = {}

    def find(self, url: SplitResult) -> SplitResult | None:
        """Return the address of the proxy for `url`, or None."""
        key = (url.scheme, url.netloc)
        if key not in self._found:
            self._found[key] = _find(url)
        return self._found[key]


def _find(url: SplitResult) -> SplitResult | None:
    proxies = getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address or proxy_bypass(url.netloc.rpartition("@")[2]):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")
