"""Refuse addresses inside the own network, so that a request that others can direct reaches no internal service.

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from notifiers.errors import NotifierError

# Addresses that are not public, or lead to services of the machine's own cloud: Azure's WireServer (168.63.129.16),
# and the metadata of Oracle's cloud (192.0.0.192). The versions of Python differ in what `is_global` says.
# https://www.iana.org/assignments/iana-ipv4-special-registry
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
INTERNAL_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
# All public addresses of IPv6 are in the first network, without the others: protocols, and documentation.
# https://www.iana.org/assignments/iana-ipv6-special-registry
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
INTERNAL_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
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
    if isinstance(number, IPv4Address):
        return not any(number in network for network in INTERNAL_V4)
    return number in GLOBAL_UNICAST and not any(number in network for network in INTERNAL_V6)


def _embedded(number: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses to which gateways would pass on what is sent to an IPv6 address."""
    if isinstance(number, IPv4Address):
        return
    found = [number.ipv4_mapped, number.sixtofour, *(number.teredo or ())]
    if any(number in network for network in EMBEDDING):
        found.append(IPv4Address(int(number) & 0xFFFFFFFF))
    yield from filter(None, found)
