"""Signed POST requests reach public addresses only, whatever their name is resolved to at that moment."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from notifiers import Message, NotifierError
from notifiers.address_guard import AddressGuard
from notifiers.post import PostConfig, PostNotifier
from notifiers.transport import Request, Transport

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
INTERNAL = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.2.1", "203.0.113.1"),
    *("::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1"),
    # The same IPv4 addresses inside IPv6 ones.
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "::ffff:168.63.129.16", "64:ff9b::a83f:8110"),
    # Versions of Python differ in whether these are public.
    *("192.0.0.9", "64:ff9b:1::808:808", "2001:1::1", "2001:20::1", "2001:4:112::1", "3fff::1", "5f00::1"),
    *("::ffff:8.8.8.8", "2001:0:808:808::1", "100::1", "198.51.100.255", "100.127.255.255", "192.0.0.10"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::1", "223.255.255.255"),
    *("100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "168.63.129.15", "2001:200::1", "3ffe::1"),
]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_address_is_refused(address: str) -> None:
    """Private, link-local, reserved and metadata addresses are refused in every notation of their number."""
    with pytest.raises(NotifierError, match=r"not a public address: to allow it, add the host to POST_ALLOW") as caught:
        AddressGuard([], "POST_ALLOW").check("evil.example", address)
    assert (caught.value.permanent, caught.value.sent) == (True, False)


def test_public_and_allowed_addresses_are_accepted() -> None:
    """Public addresses are accepted, and those of hosts and networks that are named."""
    guard = AddressGuard(["10.1.0.0/16", "fd12::/16", "intranet.example"], "POST_ALLOW")
    for address in (*PUBLIC, "10.1.2.3", "fd12::7"):
        guard.check("h", address)
    assert guard.exempts("Intranet.Example.")
    with pytest.raises(NotifierError):
        guard.check("h", "10.2.0.1")


@pytest.mark.parametrize("entry", ["10.1.0.0/99", "https://x", "host:80", "."])
def test_entry_that_is_neither_host_nor_network_is_an_error(entry: str) -> None:
    """A mistake in POST_ALLOW allows nothing by accident."""
    with pytest.raises(ValueError, match="neither a host name nor a network"):
        AddressGuard([entry], "POST_ALLOW")


Resolve = Callable[..., list[Any]]


def resolver(*answers: str) -> tuple[Resolve, list[str]]:
    """Return a resolver that gives one of these addresses after the other, and the names that it was asked for."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return resolve, asked


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://127.0.0.1:{port}/",
            "https://localhost:{port}/",
            "https://2130706433:{port}/",
            "https://0x7f.1:{port}/",
        ),
        *("https://127.1:{port}/", "https://[::1]:{port}/", "https://[::ffff:127.0.0.1]:{port}/", "https://0:{port}/"),
        *("http://127.0.0.1:{port}/", "http://localhost:{port}/", "https://user@127.0.0.1:{port}/"),
    ],
)
def test_no_request_reaches_an_internal_address(url: str, vendor: Any) -> None:
    """Each way to write loopback is refused before a connection is made."""
    config = PostConfig(urls=url.format(port=vendor.url.rpartition(":")[2]), secret=SECRET)
    with pytest.raises(NotifierError) as caught:
        PostNotifier(config).send(Message("t"), None)
    assert (caught.value.permanent or "cannot be reached" in str(caught.value), caught.value.sent) == (True, False)
    assert vendor.requests == []


def test_name_that_changes_is_connected_to_where_it_was_checked(vendor: Any, reply: Any, monkeypatch: Any) -> None:
    """A name is resolved once: what was checked is what is connected to, so a second answer has no effect."""
    vendor.on("", reply({}))
    port = int(vendor.url.rpartition(":")[2])
    resolve, asked = resolver("8.8.8.8", "127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    connected: list[Any] = []

    def connect(_: Any, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("notifiers.deadline.LimitedSocket.connect", connect)
    transport = Transport("x", guard=AddressGuard([], "POST_ALLOW"))
    with pytest.raises(NotifierError, match="cannot be reached"):
        transport.send(Request("POST", f"http://rebind.example:{port}/"))
    assert (asked, connected) == (["rebind.example"], [("8.8.8.8", port)])
    # The other way round it is refused at once.
    resolve, asked = resolver("127.0.0.1", "8.8.8.8")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NotifierError, match=r"rebind\.example leads to 127\.0\.0\.1"):
        transport.send(Request("POST", f"http://rebind.example:{port}/"))
    assert vendor.requests == []


def test_proxy_is_asked_for_the_address_that_was_checked(monkeypatch: Any, vendor: Any) -> None:
    """Through a proxy, too, the name is resolved here, and the tunnel leads to that address."""
    monkeypatch.setenv("https_proxy", vendor.url)
    monkeypatch.delenv("no_proxy", raising=False)
    real, asked = socket.getaddrinfo, []

    def resolve(host: str, port: int, *args: Any, **named: Any) -> list[Any]:
        asked.append(host)
        if host == "hooks.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]
        if host == "inside.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]
        return real(host, port, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    sent: list[bytes] = []
    monkeypatch.setattr("notifiers.deadline.LimitedSocket.sendall", lambda _, data: sent.append(bytes(data)))
    monkeypatch.setattr("notifiers.deadline.LimitedSocket.recv", lambda *_: b"HTTP/1.1 403 no\r\n\r\n")
    transport = Transport("x", guard=AddressGuard([], "POST_ALLOW"))
    with pytest.raises(NotifierError, match="did not open a tunnel"):
        transport.send(Request("POST", "https://hooks.example/"))
    assert sent[0].startswith(b"CONNECT 8.8.8.8:443 HTTP/1.1\r\n")
    with pytest.raises(NotifierError, match=r"inside.example leads to 10\.0\.0\.1"):
        transport.send(Request("POST", "https://inside.example/"))


def test_allowed_host_may_be_private_and_use_http(vendor: Any, reply: Any) -> None:
    """The administrator can name a host or a network of their own; http elsewhere is refused with advice."""
    vendor.on("", reply(b"", 204))
    for allow in ("127.0.0.1", "127.0.0.0/8"):
        config = PostConfig(urls=f"{vendor.url}/hooks", secret=SECRET, allow=allow)
        PostNotifier(config).send(Message("t"), None)
    assert len(vendor.requests) == 2
    plain = PostNotifier(PostConfig(urls="http://hooks.example/", secret=SECRET))
    with pytest.raises(NotifierError, match="reached by http, which everyone on the way can read"):
        plain.check()
