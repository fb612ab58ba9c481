"""Refuse addresses inside the own network, so that a request that others can direct reaches no internal service.

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from notifiers.errors import NotifierError

# Networks that Python counts as public, and that lead to services of the machine's own cloud or network: Azure's
# WireServer, the metadata of Oracle's cloud (192.0.0.192), and site-local addresses.
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
INTERNAL = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24", "fec0::/10")))
# NAT64, by which a network without IPv4 reaches all of IPv4.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The low 32 bits of these are an IPv4 address: NAT64, its local form, and IPv4-compatible addresses.
EMBEDDING = (NAT64, *map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "::/96")))


class AddressGuard:
    """Decides which addresses may be connected to: public ones, and those that `allowed` names.

    `allowed` are host names and networks, `variable` is where they come from. Raises ValueError for an entry that is
    neither.
    """

    def __init__(self, allowed: Iterable[str], variable: str) -> None:
        self._variable = variable
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in allowed:
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if "/" in entry or ":" in entry or not entry.strip("."):
                    words = f"{entry!r} in {variable} is neither a host name nor a network such as 10.1.0.0/16"
                    raise ValueError(words) from None
                self._hosts.add(entry.lower().rstrip("."))

    def exempts(self, host: str) -> bool:
        """Return whether any address of this host may be connected to."""
        return host.lower().rstrip(".") in self._hosts

    def require_allowed(self, url: str) -> None:
        """Raise a permanent NotifierError for an address by http whose host is not named as allowed."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https" or self.exempts(host) or self._is_allowed_number(host):
            return
        words = (
            f"{host} is reached by http, which everyone on the way can read: use https, or add it to {self._variable}"
        )
        raise NotifierError(words, permanent=True, sent=False)

    def check(self, host: str, address: str) -> None:
        """Raise a permanent NotifierError if `address`, to which `host` was resolved, is inside the own network."""
        number = ipaddress.ip_address(address)
        if any(number in network for network in self._networks):
            return
        if all(map(_is_public, (number, *_embedded(number)))):
            return
        words = (
            f"{host} leads to {address}, which is not a public address: to allow it, add the host to {self._variable}"
        )
        raise NotifierError(words, permanent=True, sent=False)

    def _is_allowed_number(self, host: str) -> bool:
        try:
            number = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(number in network for network in self._networks)


def _is_public(number: IPv4Address | IPv6Address) -> bool:
    if number in NAT64:
        # The IPv4 address in it decides.
        return True
    is_internal = any(number in network for network in INTERNAL)
    return number.is_global and not number.is_multicast and not number.is_reserved and not is_internal


def _embedded(number: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses to which gateways would pass on what is sent to an IPv6 address."""
    if isinstance(number, IPv4Address):
        return
    found = [number.ipv4_mapped, number.sixtofour, *(number.teredo or ())]
    if any(number in network for network in EMBEDDING):
        found.append(IPv4Address(int(number) & 0xFFFFFFFF))
    yield from filter(None, found)
